"""Folders of the user, as the XDG specification places them."""

from __future__ import annotations

from pathlib import Path

import pytest

from abr.userfolders import cache_home, data_home
from edge.cli.edge import default_cache_dir
from player.batch.run.compiled import CACHE_VARIABLE, cache_folder
from transcode.files.keystore import default_keys_dir


@pytest.mark.parametrize("given", ["", "cache", "./cache", "~/cache"])
def test_a_relative_folder_is_ignored(given: str) -> None:
    """Else what is cached would depend on where a command was run."""
    environ = {"HOME": "/h", "XDG_CACHE_HOME": given, "XDG_DATA_HOME": given}
    assert cache_home(environ) == Path("/h/.cache")
    assert data_home(environ) == Path("/h/.local/share")


def test_an_absolute_folder_is_taken() -> None:
    environ = {"HOME": "/h", "XDG_CACHE_HOME": "/c", "XDG_DATA_HOME": "/d"}
    assert (cache_home(environ), data_home(environ)) == (Path("/c"), Path("/d"))


def test_without_a_home_there_is_no_place_for_data() -> None:
    assert data_home({}) is None
    assert cache_home({}).is_absolute()


def test_every_part_of_the_program_agrees(monkeypatch: pytest.MonkeyPatch) -> None:
    """Bodies of edges, compiled kernels and keys lie below the same homes."""
    monkeypatch.setenv("HOME", "/h")
    monkeypatch.setenv("XDG_CACHE_HOME", "not/absolute")
    monkeypatch.delenv(CACHE_VARIABLE, raising=False)
    assert default_cache_dir("isp 1") == Path("/h/.cache/abrkit/isp_1")
    assert cache_folder() == Path("/h/.cache/abrkit/kernels")
    assert default_keys_dir({"HOME": "/h"}) == Path("/h/.local/share/abrkit/keys")
