"""The wheel: six packages, nothing else, and all that they need at run time."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = {"abr", "transcode", "origin", "edge", "player", "bench"}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    """A wheel built with the packages installed here: no index is asked."""
    out = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(out), "."]
    done = subprocess.run(build, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    (path,) = out.glob("abrkit-*.whl")
    return zipfile.ZipFile(path)


def test_the_top_level_is_the_six_packages_and_the_metadata(wheel: zipfile.ZipFile) -> None:
    tops = {name.partition("/")[0] for name in wheel.namelist()}
    (metadata,) = tops - PACKAGES
    assert tops >= PACKAGES
    assert metadata.startswith("abrkit-")
    assert metadata.endswith(".dist-info")


def test_every_file_of_the_packages_is_in(wheel: zipfile.ZipFile) -> None:
    """Templates, styles and type markers as well as modules."""
    listed = subprocess.run(
        ["git", "ls-files", *sorted(PACKAGES)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if listed.returncode != 0:
        pytest.skip("git is missing or this is no clone: cannot list the packages' files")
    assert set(listed.stdout.split()) - set(wheel.namelist()) == set()


def test_the_command_and_the_algorithms_are_declared(wheel: zipfile.ZipFile) -> None:
    (name,) = [name for name in wheel.namelist() if name.endswith("entry_points.txt")]
    declared = wheel.read(name).decode()
    assert "abr = abr.__main__:run" in declared
    assert "[abr.algorithms]" in declared


def test_the_licence_is_in(wheel: zipfile.ZipFile) -> None:
    assert any(name.endswith("licenses/LICENSE") for name in wheel.namelist())
