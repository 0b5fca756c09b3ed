"""``abr cache simulate`` on files, from the command line to the table."""

from __future__ import annotations

import contextlib
import gzip
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result

from abr.errors import LogFormatError, MissingFileError, ToolMissingError
from edge.cli.cache import cache
from edge.simulation.viewing import RequestLog, Viewing, watch

RECORD = np.dtype([("time", "<u4"), ("object", "<u8"), ("size", "<u4"), ("next", "<i8")])


@pytest.fixture(scope="module")
def log() -> RequestLog:
    viewing = Viewing(titles=30, viewers=150, segments_per_title=(30, 60), watched_segments=20)
    return watch(viewing, np.random.default_rng(5))


def binary(log: RequestLog) -> bytes:
    rows = np.zeros(len(log), RECORD)
    rows["time"], rows["object"], rows["size"] = log.times_s, log.objects, log.sizes_bytes
    return rows.tobytes()


def lines(log: RequestLog) -> str:
    return "".join(json.dumps(request._asdict()) + "\n" for request in log.requests())


def simulate(*options: str) -> Result:
    return CliRunner().invoke(cache, ["simulate", *options])


def results(*options: str) -> dict[str, Any]:
    done = simulate(*options, "--json")
    assert done.exit_code == 0, done.output
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def without_time(found: dict[str, Any]) -> list[dict[str, Any]]:
    return [{name: row[name] for name in row if name != "cpu_s"} for row in found["caches"]]


def test_all_formats_and_any_number_of_processes_give_the_same(
    log: RequestLog, tmp_path: Path
) -> None:
    (tmp_path / "log.oracleGeneral").write_bytes(binary(log))
    (tmp_path / "log.jsonl.gz").write_bytes(gzip.compress(lines(log).encode()))
    rows = [f"{t},{key},{size}" for t, key, size in log.requests()]
    (tmp_path / "log.csv").write_text("t_s,key,size_bytes\n" + "\n".join(rows))
    options = ["--policy", "all", "--size", "5%", "--size", "20%", "--warm-up", "10%"]
    alone = results(str(tmp_path / "log.oracleGeneral"), *options, "--jobs", "1")
    assert len(alone["caches"]) == 10
    assert alone["log"]["footprint_bytes"] == log.footprint_bytes
    assert all(row["warm_up_requests"] == len(log) // 10 for row in alone["caches"])
    for name in ("log.jsonl.gz", "log.csv"):
        found = results(str(tmp_path / name), *options, "--jobs", "2")
        assert without_time(found) == without_time(alone)


def test_the_table_names_policies_sizes_and_what_was_counted(
    log: RequestLog, tmp_path: Path
) -> None:
    path = tmp_path / "access.jsonl"
    path.write_text(lines(log) + "{broken\n")
    done = simulate(str(path), "--policy", "s3-fifo", "--size", "100MB", "--ttl", "60")
    assert done.exit_code == 0
    head, names, row = done.stdout.splitlines()
    assert f"{len(log)} requests" in head
    assert f"{len(log) // 5} to warm up" in head
    assert "validated" in names
    assert row.split()[:3] == ["s3-fifo", "100", "MB"]
    assert f"skipped {path}:{len(log) + 1}: not JSON" in done.stderr


@pytest.mark.parametrize(
    ("name", "content", "error", "expected"),
    [
        ("gone.jsonl", None, MissingFileError, "gone.jsonl: No such file"),
        ("empty.csv", b"", LogFormatError, "empty.csv: empty"),
        ("bad.jsonl", b"x\n", LogFormatError, "bad.jsonl:1: not JSON"),
        ("gone", None, MissingFileError, "gone: no such file"),
        ("", None, MissingFileError, "is a folder; expected a request log"),
        ("trace.bin", b"x", LogFormatError, "add --format access|csv|oracle-general"),
        ("log.jsonl.gz", b"not gzip", LogFormatError, "damaged or not .gz"),
        ("log.jsonl.gz", gzip.compress(b"x" * 999)[:-9], LogFormatError, "damaged or not .gz"),
    ],
)
def test_a_log_that_cannot_be_used_is_named_with_the_reason(
    tmp_path: Path, name: str, content: bytes | None, error: type[Exception], expected: str
) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    done = simulate(str(tmp_path / name))
    assert isinstance(done.exception, error)
    assert expected in str(done.exception)


def test_zstandard_without_a_library_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "zstandard", None)
    monkeypatch.setitem(sys.modules, "compression.zstd", None)
    (tmp_path / "log.jsonl.zst").write_bytes(b"x")
    done = simulate(str(tmp_path / "log.jsonl.zst"))
    assert isinstance(done.exception, ToolMissingError)
    assert "pip install zstandard" in str(done.exception)


def test_an_interrupted_simulation_ends_at_once_with_its_processes(
    log: RequestLog, tmp_path: Path
) -> None:
    """A log that would take minutes; Ctrl-C goes to the command alone, as from `kill -INT`."""
    path = tmp_path / "log.oracleGeneral"
    path.write_bytes(binary(log) * 400)
    command = [sys.executable, "-m", "abr", "cache", "simulate", str(path), "--policy", "all"]
    with subprocess.Popen(
        [*command, "--warm-up", "0"], stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as running:
        try:
            deadline_s = time.monotonic() + 60
            while len(processes_of(running.pid)) < 3 and time.monotonic() < deadline_s:
                time.sleep(0.05)
            started = processes_of(running.pid)
            assert len(started) >= 3, "the command, and two processes or more"
            running.send_signal(signal.SIGINT)
            assert running.wait(30) == 130
            while processes_of(running.pid) and time.monotonic() < deadline_s:
                time.sleep(0.05)
            assert processes_of(running.pid) == []
        finally:
            if running.poll() is None:
                os.killpg(running.pid, signal.SIGKILL)


def processes_of(session: int) -> list[int]:
    """Processes of a session that are alive."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            fields = stat.read_text().rpartition(")")[2].split()
            if int(fields[3]) == session and fields[0] != "Z":
                found.append(int(stat.parent.name))
    return found
