"""Ctrl-C and SIGTERM end everything that a command started, within a limit."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time

import pytest

from abr.shell import run_async

PROGRAM = """
import asyncio, os, sys, time
from unittest import mock
import click
from abr import cli
from abr.shell import run_async

async def work():
    child = await asyncio.create_subprocess_exec("sleep", "60", start_new_session=True)
    print("started", child.pid, flush=True)
    try:
        await child.wait()
    finally:
        {clean_up}
        print("cleaned up", flush=True)

@click.command()
def play():
    {run}

with mock.patch.object(cli, "load_target", lambda target: play):
    sys.exit(cli.main(["play"]))
"""
TIDY = "child.kill(); await child.wait()"
STUCK = "time.sleep(60)"


def start(
    clean_up: str, run: str = "run_async(work(), clean_up_s=0.5)"
) -> tuple[subprocess.Popen[str], int]:
    """A command under way, and the process id of what it started."""
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(PROGRAM).format(clean_up=clean_up, run=run)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    word, child = process.stdout.readline().split()
    assert word == "started"
    return process, int(child)


def is_running(pid: int) -> bool:
    """Whether a process exists; one that was killed may take a moment to go."""
    for _ in range(50):
        try:
            os.kill(pid, 0)
            with open(f"/proc/{pid}/stat", encoding="ascii") as stat:
                if stat.read().rpartition(")")[2].split()[0] == "Z":
                    return False
        except OSError:
            return False
        time.sleep(0.02)
    return True


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize("run", ["run_async(work())", "asyncio.run(work())"])
def test_a_signal_cancels_waits_for_clean_up_and_exits_130(
    signum: signal.Signals, run: str
) -> None:
    process, child = start(TIDY, run)
    process.send_signal(signum)
    out, err = process.communicate(timeout=20)
    assert (process.returncode, out, err) == (130, "cleaned up\n", "abr: interrupted\n")
    assert not is_running(child)


def test_a_signal_told_twice_at_once_is_one_wish() -> None:
    """``timeout`` and ``make`` signal the process and its group."""
    process, child = start("await asyncio.sleep(0.2); " + TIDY)
    process.send_signal(signal.SIGTERM)
    time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=20)
    assert (process.returncode, out) == (130, "cleaned up\n")
    assert not is_running(child)


def test_handlers_are_as_before_once_the_program_is_done() -> None:
    before = [signal.getsignal(name) for name in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)]

    async def nothing() -> None:
        return None

    run_async(nothing())
    after = [signal.getsignal(name) for name in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)]
    assert after == before


def test_termination_ends_a_background_job_that_ignores_ctrl_c() -> None:
    """Scripts that start a command with ``&`` have it ignore SIGINT."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        process, child = start(TIDY)
    finally:
        signal.signal(signal.SIGINT, before)
    process.send_signal(signal.SIGINT)
    process.send_signal(signal.SIGTERM)
    out, err = process.communicate(timeout=20)
    assert (process.returncode, out, err) == (130, "cleaned up\n", "abr: interrupted\n")
    assert not is_running(child)


def test_clean_up_that_hangs_is_given_up_and_children_are_killed() -> None:
    process, child = start(STUCK)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=20)
    assert process.returncode == 130
    assert out == ""
    assert err == "abr: error: clean-up took over 0.5 s; unfinished temporary files may remain\n"
    assert not is_running(child)


def test_without_a_signal_the_result_or_the_error_comes_through() -> None:
    async def answer() -> int:
        return 42

    async def fail() -> None:
        raise ValueError("no")

    assert run_async(answer()) == 42
    with pytest.raises(ValueError, match="no"):
        run_async(fail())
