"""Ctrl-C while ``abr`` loads and starts its workers: exit code 130, and no traceback."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path


def started(*args: str, **more: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "abr", *args],
        env=os.environ | more,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def test_ctrl_c_during_imports_ends_without_a_traceback(tmp_path: Path) -> None:
    (tmp_path / "click.py").write_text(
        "import os, signal, time\nos.kill(os.getpid(), signal.SIGINT)\ntime.sleep(20)\n"
    )
    process = started("algorithms", PYTHONPATH=str(tmp_path))
    said, _ = process.communicate(timeout=60)
    assert (process.returncode, said) == (130, "")


def test_ctrl_c_while_workers_load_ends_without_a_traceback(tmp_path: Path) -> None:
    process = started("bench", "run", "--quick", "--out", str(tmp_path / "out"))
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    for _ in range(3000):
        if len(children.read_text().split()) >= 2:  # one cleans up, the other starts workers
            break
        time.sleep(0.01)
    time.sleep(0.1)
    os.killpg(process.pid, signal.SIGINT)
    said, _ = process.communicate(timeout=60)
    assert (process.returncode, said) == (130, "abr: interrupted\n")
