"""Ctrl-C while ``abr`` loads and starts its workers: exit code 130, and no traceback."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest


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


DISCARDS = """
import os, signal, time
try:  # as compiled modules do while they load
    os.kill(os.getpid(), signal.SIGINT)
    time.sleep(0.3)
except BaseException:
    pass
"""

MINE = """
import discards

class Mine:
    def choose(self, seen):
        return 0
"""

PLAN = """
[plan]
name = "interrupted"
[[algorithm]]
name = "mine.py:Mine"
[[traces]]
generate = "3g-commute"
[[presentation]]
builtin = "vbr-6"
"""


def test_ctrl_c_is_not_lost_in_a_module_that_discards_it(tmp_path: Path) -> None:
    (tmp_path / "discards.py").write_text(DISCARDS)
    (tmp_path / "mine.py").write_text(MINE)
    (tmp_path / "plan.toml").write_text(PLAN)
    plan, out = str(tmp_path / "plan.toml"), str(tmp_path / "out")
    process = started("bench", "run", plan, "--out", out, PYTHONPATH=str(tmp_path))
    said, _ = process.communicate(timeout=60)
    assert (process.returncode, said) == (130, "abr: interrupted\n")


@pytest.mark.parametrize("after_s", [0.01, 0.1, 0.4])
def test_ctrl_c_while_workers_load_ends_without_a_traceback(tmp_path: Path, after_s: float) -> None:
    process = started("bench", "run", "--quick", "--out", str(tmp_path / "out"))
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    for _ in range(3000):
        if len(children.read_text().split()) >= 2:  # one cleans up, the other starts workers
            break
        time.sleep(0.01)
    time.sleep(after_s)
    os.killpg(process.pid, signal.SIGINT)
    said, _ = process.communicate(timeout=60)
    assert (process.returncode, said) == (130, "abr: interrupted\n")
