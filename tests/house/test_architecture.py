"""The architecture page names every module there is, and none that is not."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
UNNAMED = {"__init__", "__main__", "cli", "config"}
"""What every package may have; the page explains it once."""


def named(package: str) -> set[str]:
    """Names in the table of a package on the page."""
    page = (ROOT / "docs/architecture.md").read_text(encoding="utf-8")
    section = page.partition(f"\n### {package}: ")[2].split("\n##")[0]
    first_cells = re.findall(r"^\| ([^|]+) \|", section, re.MULTILINE)
    return set(re.findall(r"`([^`]+)`", " ".join(first_cells)))


def present(package: str) -> set[str]:
    """Modules of a package, and the folders below it, however deep; the latter end in a slash."""
    folder = ROOT / package
    modules = {path.stem for path in folder.glob("*.py")} - UNNAMED
    below = {path.parent.relative_to(folder) for path in folder.glob("*/**/__init__.py")}
    return modules | {f"{each.as_posix()}/" for each in below}


@pytest.mark.parametrize("package", ["abr", "transcode", "origin", "edge", "player", "bench"])
def test_the_rooms_on_the_page_are_the_rooms_there_are(package: str) -> None:
    assert named(package) == present(package)
