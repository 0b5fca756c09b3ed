"""The cache of products: whole or not there, bounded, and tidy after processes that were killed."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from abr.errors import MissingFileError
from transcode.planning.products import ProductFacts
from transcode.run.cache import Cache
from transcode.run.digests import digest_of
from transcode.run.owned import owned_folder, remove_abandoned

ROOT = Path(__file__).parents[2]


def put(cache: Cache, address: str, data: bytes) -> None:
    """A product of these bytes."""
    import hashlib

    facts = ProductFacts(samples=1, units=1, timescale=1, sha256=hashlib.sha256(data).hexdigest())
    with cache.workspace() as folder:
        (folder / "v0.mp4").write_bytes(data)
        cache.put(folder / "v0.mp4", address, facts)


@pytest.fixture(name="cache")
def _cache(tmp_path: Path) -> Cache:
    cache = Cache(tmp_path / "cache")
    cache.create()
    return cache


def test_a_product_is_found_again_and_its_workspace_is_gone(cache: Cache) -> None:
    put(cache, "aa11", b"moof" * 100)
    facts = cache.look_up("aa11")
    assert facts is not None
    assert facts.samples == 1
    assert cache.look_up("bb22") is None
    assert list((cache.folder / "tmp").iterdir()) == []


@pytest.mark.parametrize("at", [0, 399, -1])
def test_a_changed_byte_is_noticed_and_the_product_removed(cache: Cache, at: int) -> None:
    put(cache, "aa11", b"moof" * 100)
    path = cache.path_of("aa11")
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(data)
    assert cache.look_up("aa11") is None
    assert not path.exists()


def test_a_product_that_was_cut_off_is_none(cache: Cache) -> None:
    put(cache, "aa11", b"moof" * 100)
    path = cache.path_of("aa11")
    os.truncate(path, 300)
    assert cache.look_up("aa11") is None


def test_what_was_not_used_for_longest_is_pruned_first(cache: Cache) -> None:
    """Three of 1,256 bytes; room for two; the oldest was looked up last."""
    for number, address in enumerate(["aa", "bb", "cc"]):
        put(cache, address, bytes(1000))
        os.utime(cache.path_of(address), (number, number))
    assert cache.look_up("aa") is not None
    assert cache.prune(2600) == 1
    assert [cache.holds(each) for each in ("aa", "bb", "cc")] == [True, False, True]


def test_what_a_live_run_uses_is_not_pruned(cache: Cache) -> None:
    """And is again once the run has ended."""
    put(cache, "aa", bytes(1000))
    with cache.in_use(["aa", "dd"]):
        assert cache.prune(0) == 0
    assert cache.prune(0) == 1
    assert list((cache.folder / "runs").iterdir()) == []


def test_a_cache_that_cannot_be_written_names_the_remedy(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(MissingFileError, match="--cache DIR, or --no-cache"):
        Cache(tmp_path / "file" / "cache").create()


def killed(body: str, folder: Path, ready: Callable[[], bool]) -> None:
    """Run Python code in a process of its own and kill it when it is ready."""
    code = textwrap.dedent(body)
    child = subprocess.Popen([sys.executable, "-c", code, str(folder)], cwd=ROOT)
    try:
        limit_s = time.monotonic() + 20
        while not ready() and time.monotonic() < limit_s:
            time.sleep(0.02)
        assert ready()
    finally:
        child.send_signal(signal.SIGKILL)
        child.wait()


def test_leftovers_of_a_killed_process_are_removed_and_those_of_a_live_one_stay(
    cache: Cache,
) -> None:
    """A workspace, and the list of what it used."""
    body = """
        import sys, time
        from pathlib import Path
        from transcode.run.cache import Cache
        cache = Cache(Path(sys.argv[1]))
        with cache.in_use(["aa"]), cache.workspace() as folder:
            (folder / "v0.mp4").write_bytes(bytes(100))
            time.sleep(60)
    """
    put(cache, "aa", bytes(1000))
    tmp = cache.folder / "tmp"
    killed(body, cache.folder, lambda: bool(list(tmp.glob("*/v0.mp4"))))
    with cache.workspace() as own:
        cache.create()
        assert sorted(tmp.iterdir()) == sorted([own, own.with_name(own.name + ".lock")])
    assert list(tmp.iterdir()) == []
    assert cache.prune(0) == 1
    assert list((cache.folder / "runs").iterdir()) == []


def test_names_with_signs_of_patterns_are_taken_as_they_are(tmp_path: Path) -> None:
    """A folder called ``[a]*`` does not remove those of ``a``."""
    (tmp_path / ".a.partial-1").mkdir()
    assert remove_abandoned(tmp_path, ".[a]*.partial-") == []
    with owned_folder(tmp_path, ".[a]*.partial-") as folder:
        assert remove_abandoned(tmp_path, ".[a]*.partial-") == []
        assert folder.is_dir()
    assert remove_abandoned(tmp_path, ".a.partial-") == [tmp_path / ".a.partial-1"]


def test_a_digest_is_remembered_until_the_file_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import hashlib

    read: list[str] = []
    whole = hashlib.file_digest

    def count(file: Any, name: str) -> Any:
        read.append(name)
        return whole(file, name)

    monkeypatch.setattr(hashlib, "file_digest", count)
    film = tmp_path / "film"
    film.write_bytes(b"one")
    first = digest_of(film, tmp_path / "memory")
    assert digest_of(film, tmp_path / "memory") == first
    assert len(read) == 1
    film.write_bytes(b"two")
    os.utime(film, ns=(1, 1))
    assert digest_of(film, tmp_path / "memory") != first
    assert len(read) == 2


def test_a_memory_that_cannot_be_written_is_only_slower(tmp_path: Path) -> None:
    (tmp_path / "film").write_bytes(b"one")
    assert len(digest_of(tmp_path / "film", tmp_path / "film" / "memory")) == 64


def test_a_full_disk_is_named_by_the_cache(cache: Cache) -> None:
    from transcode.run.cache import is_full

    assert is_full(OSError(errno.ENOSPC, "no room"))
    assert not is_full(OSError(errno.EIO, "broken"))
    assert "finished chunks are kept" in str(cache.full())
