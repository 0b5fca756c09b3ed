"""Every example runs as it stands, anywhere, and says something."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

from abr.cli import main

EXAMPLES = sorted((Path(__file__).parents[2] / "examples").glob("*.py"))
PLANS = sorted((Path(__file__).parents[2] / "examples").glob("*.toml"))


NEEDS = {"learn_with_sb3": "stable_baselines3"}
"""Libraries that are too large to be installed for tests."""


def test_there_are_examples() -> None:
    assert EXAMPLES


@pytest.mark.timeout(180)
@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_the_example_runs(example: Path, tmp_path: Path) -> None:
    needs = NEEDS.get(example.stem, "abr")
    if importlib.util.find_spec(needs) is None:
        pytest.skip(f"{needs} is not installed")
    done = subprocess.run(
        [sys.executable, "-W", "error", str(example)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=170,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("plan", PLANS, ids=lambda path: path.stem)
def test_the_plan_is_one(plan: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "plan", str(plan)]) == 0
    assert "sessions in" in capsys.readouterr().out
