"""The same plan on a Dask scheduler with workers, both real processes on loopback."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from abr.cli import main

pytest.importorskip("distributed")

PLAN = """\
[plan]
name = "small"
preset = "pensieve"
block = 2
[[algorithm]]
name = "bba-0"
[[algorithm]]
name = "throughput"
[[traces]]
generate = "3g-commute"
count = 6
[[presentation]]
builtin = "vbr-6"
"""


@contextlib.contextmanager
def running(*args: str) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-m", "distributed.cli." + args[0], *args[1:]],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@pytest.fixture(name="address", scope="module")
def scheduler(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    file = tmp_path_factory.mktemp("dask") / "scheduler.json"
    options = ["--host", "127.0.0.1", "--port", "0", "--no-dashboard", "--no-show"]
    with running("dask_scheduler", *options, "--scheduler-file", str(file)):
        for _ in range(300):
            if file.exists() and file.read_text().strip():
                break
            time.sleep(0.1)
        import json

        yield str(json.loads(file.read_text())["address"]).replace("tcp://", "dask://")


@pytest.mark.timeout(180)
@pytest.mark.filterwarnings("default")
def test_a_cluster_gives_the_same_bytes(address: str, tmp_path: Path) -> None:
    path = tmp_path / "plan.toml"
    path.write_text(PLAN)
    assert main(["bench", "run", str(path), "--out", str(tmp_path / "here")]) == 0
    worker = [address.replace("dask://", "tcp://"), "--nthreads", "1", "--no-dashboard"]
    with running("dask_worker", *worker, "--no-nanny", "--local-directory", str(tmp_path)):
        args = [str(path), "--out", str(tmp_path / "there"), "--executor", address]
        assert main(["bench", "run", *args]) == 0
    there, here = ((tmp_path / name / "results.jsonl").read_bytes() for name in ("there", "here"))
    assert there == here


@pytest.mark.filterwarnings("default")
def test_a_scheduler_without_workers_is_said(
    address: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("abr.run.cluster.CONNECT_S", 2.0)
    args = ["--quick", "--out", str(tmp_path / "out"), "--executor", address]
    assert main(["bench", "run", *args]) == 1
    assert "the scheduler has no workers; start some with `dask worker" in capsys.readouterr().err


@pytest.mark.filterwarnings("default")
def test_nobody_there_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("abr.run.cluster.CONNECT_S", 1.0)
    args = ["--quick", "--out", str(tmp_path / "out"), "--executor", "dask://127.0.0.1:9"]
    assert main(["bench", "run", *args]) == 1
    assert "no Dask scheduler answered within 1 s" in capsys.readouterr().err
