"""What ``scripts/check`` looks at beside the tests: format, lint, types, import contracts."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent
CHECKS = {
    "format": ["ruff", "format", "--check", "--quiet", "."],
    "lint": ["ruff", "check", "--quiet", "."],
    "types": ["mypy"],
    "contracts": ["lint-imports", "--no-logo"],
}


def run(command: list[str], cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(BIN / command[0]), *command[1:]],
        cwd=cwd,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.timeout(400)
@pytest.mark.parametrize("name", CHECKS)
def test_the_tree_passes(name: str) -> None:
    done = run(CHECKS[name], ROOT)
    assert done.returncode == 0, done.stdout + done.stderr


OFFENCES = {
    "upstream": ("abr/media.py", "import player.config\n"),
    "a core that imports asyncio": ("abr/qoe.py", "import asyncio\n"),
    "a core that imports a shell": ("abr/qoe.py", "import abr.shell\n"),
    "a new module is a core": ("edge/brand_new.py", "import aiohttp\n"),
}


@pytest.mark.parametrize("name", OFFENCES)
def test_a_planted_offence_breaks_the_contracts(name: str, tmp_path: Path) -> None:
    file, offence = OFFENCES[name]
    for package in ("abr", "transcode", "origin", "edge", "player", "bench"):
        shutil.copytree(
            ROOT / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__")
        )
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    with (tmp_path / file).open("a", encoding="utf-8") as source:
        source.write(f"\n{offence}")
    done = run(CHECKS["contracts"], tmp_path)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "BROKEN" in done.stdout
    assert Path(file).stem in done.stdout


def test_the_constraints_hold_names_and_versions_only() -> None:
    """No host, path or hash: what is installed must not depend on one machine's index."""
    lines = (ROOT / "requirements/constraints.txt").read_text(encoding="utf-8").splitlines()
    pins = [line for line in lines if line and not line.startswith("#")]
    assert len(pins) > 40
    for pin in pins:
        name, _, version = pin.partition("==")
        assert name.replace("-", "").replace(".", "").isalnum(), pin
        assert version.replace(".", "").replace("post", "").isalnum(), pin
