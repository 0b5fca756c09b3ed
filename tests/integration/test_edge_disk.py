"""Bodies on disk: written once, read meanwhile, and what happens when the disk is full."""

from __future__ import annotations

import asyncio
import errno
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import aiohttp
import pytest

from abr.errors import ResourceError, UpstreamError
from edge.caching.freshness import Freshness
from edge.caching.stored import StoredObject
from edge.server import spool as spooling
from edge.server.body import BodyStore
from edge.server.spool import Spool
from tests.fakes.parent import fake_parent, running_edge

BODY = os.urandom(1 << 20)
FRESH = Freshness(age_s=0.0, lifetime_s=60.0, stale_while_revalidate_s=0.0, stale_if_error_s=0.0)


@pytest.fixture
def fill_disk_after(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Make the disk refuse bodies beyond so many bytes; memory goes on."""

    def set_limit(limit: int) -> None:
        real = os.pwrite

        def pwrite(descriptor: int, data: memoryview, offset: int) -> int:
            on_disk = not os.readlink(f"/proc/self/fd/{descriptor}").startswith("/memfd:")
            if on_disk and offset >= limit:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            return real(descriptor, data[: limit - offset] if on_disk else data, offset)

        monkeypatch.setattr(os, "pwrite", pwrite)

    return set_limit


def read(spool: Spool, start: int, stop: int) -> bytes:
    pieces = spool.pieces(start, stop)
    return b"".join(os.pread(each.file.fileno(), each.length, each.offset) for each in pieces)


def described(spool: Spool) -> StoredObject:
    return StoredObject(
        key="/a",
        body="",
        size_bytes=spool.written_bytes,
        sha256=spool.sha256,
        headers=(),
        stored_s=1.0,
        fresh=FRESH,
    )


async def test_readers_see_bytes_as_they_are_written(tmp_path: Path) -> None:
    store = BodyStore(tmp_path)
    store.open()
    spool = store.spool()
    waiting = asyncio.create_task(spool.wait_beyond(0))
    await asyncio.sleep(0)
    assert not waiting.done()
    spool.write(b"abc")
    assert await waiting == 3
    assert read(spool, 1, 3) == b"bc"
    spool.fail(UpstreamError("broke off"))
    assert await spool.wait_beyond(0) == 3
    with pytest.raises(UpstreamError, match="broke off"):
        await spool.wait_beyond(3)
    spool.close()
    assert list((tmp_path / "tmp").iterdir()) == []
    store.close()


async def test_a_stored_body_outlives_its_spool_and_its_removal(tmp_path: Path) -> None:
    store = BodyStore(tmp_path, fsync=True)
    store.open()
    spool = store.spool()
    spool.write(BODY)
    spool.finish()
    kept = await store.keep(spool, described(spool))
    spool.close()
    assert kept is not None
    body = await store.read(kept)
    assert body is not None
    store.remove("/a")
    piece = body.pieces(10, 20)[0]
    assert os.pread(piece.file.fileno(), piece.length, piece.offset) == BODY[10:20]
    body.close()
    assert await store.read(kept) is None
    store.close()


async def test_a_full_disk_goes_on_in_memory_and_is_not_stored(
    tmp_path: Path, fill_disk_after: Callable[[int], None]
) -> None:
    fill_disk_after(100)
    store = BodyStore(tmp_path)
    store.open()
    spool = store.spool()
    for start in range(0, 1000, 70):
        spool.write(BODY[start : start + 70])
    spool.finish()
    assert read(spool, 0, 1000) == BODY[:1000]
    assert read(spool, 95, 105) == BODY[95:105]
    assert await store.keep(spool, described(spool)) is None
    assert store.disk.troubles == 1
    spool.close()
    store.close()


async def test_what_the_disk_refuses_passes_through_a_window_at_the_slowest_readers_pace(
    tmp_path: Path, fill_disk_after: Callable[[int], None]
) -> None:
    fill_disk_after(300_000)
    store = BodyStore(tmp_path)
    store.open()
    spool = store.spool()
    body = os.urandom(16 << 20)
    held = []

    async def fetch() -> None:
        for start in range(0, len(body), 100_000):
            spool.write(body[start : start + 100_000])
            await spool.wait_for_room(lambda: 2)
            held.append(store.disk.memory_bytes)
        spool.finish()

    async def read_all(step: int) -> bytes:
        got = b""
        while (there := await spool.wait_beyond(len(got))) > len(got):
            got += read(spool, len(got), min(there, len(got) + step))
            await asyncio.sleep(0)
        return got

    _, quick, slow = await asyncio.gather(fetch(), read_all(500_000), read_all(70_000))
    assert (quick == body, slow == body) == (True, True)
    assert max(held) <= spooling.WINDOW_BYTES + 100_000
    assert spool.has_gap
    assert await store.keep(spool, described(spool)) is None
    spool.close()
    assert store.disk.memory_bytes == 0
    store.close()


async def test_nothing_is_fetched_for_nobody_when_the_disk_refuses(
    tmp_path: Path, fill_disk_after: Callable[[int], None]
) -> None:
    fill_disk_after(0)
    store = BodyStore(tmp_path)
    store.open()
    spool = store.spool()
    spool.write(BODY * 5)
    with pytest.raises(ResourceError, match="nobody waits"):
        await spool.wait_for_room(lambda: 0)
    spool.close()
    store.close()


async def test_viewers_are_served_when_the_disk_is_full(
    tmp_path: Path, fill_disk_after: Callable[[int], None]
) -> None:
    """The body reaches every client whole, nothing is stored, and it is counted."""
    async with fake_parent() as parent, aiohttp.ClientSession() as client:
        parent.add("/film/a", BODY, body_s=0.1)
        async with running_edge(parent.url, tmp_path, require_token=False) as edge:
            fill_disk_after(300_000)

            async def get() -> bytes:
                async with client.get(edge.url + "/film/a") as answer:
                    return await answer.read()

            assert await asyncio.gather(*(get() for _ in range(5))) == [BODY] * 5
            assert parent.asked == ["/film/a"]
            assert edge.edge.counters.not_stored == 1
            assert (len(edge.edge.index), edge.edge.index.reserved_bytes) == (0, 0)
            assert list((tmp_path / "tmp").iterdir()) == []


async def test_a_folder_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(OSError, match=r"file.*expected a folder to keep the cache in"):
        BodyStore(tmp_path / "file").open()


async def test_nobody_is_told_that_a_body_is_stored_for_which_the_disk_has_no_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The head goes out before the body has come, so the room is taken before."""

    def refuse(_file: int, _offset: int, _size: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "posix_fallocate", refuse)
    async with (
        fake_parent() as parent,
        running_edge(parent.url, tmp_path, require_token=False) as edge,
        aiohttp.ClientSession() as client,
    ):
        parent.add("/film/a", BODY)
        for _ in range(2):
            async with client.get(edge.url + "/film/a") as answer:
                assert await answer.read() == BODY
                assert answer.headers["Cache-Status"] == '"edge"; fwd=uri-miss'
        assert len(edge.edge.index) == 0
        assert edge.edge.index.reserved_bytes == 0
        assert edge.edge.counters.not_stored == 2


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system with room for 8 MiB."""
    if os.geteuid() != 0:
        pytest.skip("mounting a small tmpfs needs root")
    folder = tmp_path / "small"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=False)
    if done.returncode != 0:
        pytest.skip(f"mounting a small tmpfs: {done.stderr.strip()}")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], timeout=10, check=True)


@pytest.mark.parametrize("chunked", [False, True])
async def test_a_body_larger_than_the_disk_is_passed_through_and_the_cache_is_kept(
    chunked: bool, small_disk: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Whole, to all who wait, with one fetch; one line is logged, and small ones are stored."""
    large = os.urandom(24 << 20)
    async with fake_parent() as parent, aiohttp.ClientSession() as client:
        parent.add("/film/large", large, first_byte_s=0.2, chunked=chunked)
        for number in range(20):
            parent.add(f"/film/{number}", BODY[:50_000])
        async with running_edge(parent.url, small_disk, require_token=False) as edge:

            async def get(path: str) -> bytes:
                async with client.get(edge.url + path) as answer:
                    return await answer.read()

            for number in range(20):
                await get(f"/film/{number}")
            assert len(edge.edge.index) == 20
            found = await asyncio.gather(*(get("/film/large") for _ in range(4)))
            assert [each == large for each in found] == [True] * 4
            assert parent.asked.count("/film/large") == 1
            assert len(edge.edge.index) >= 18
            parent.add("/film/after", BODY)
            for _ in range(2):
                assert await get("/film/after") == BODY
            assert parent.asked.count("/film/after") == 1
    troubles = [each for each in caplog.messages if "until the disk takes them" in each]
    assert len(troubles) == 1


@pytest.mark.parametrize("removed", [".", "objects", "tmp"])
async def test_a_cache_folder_that_is_removed_is_made_again_and_stays_locked(
    removed: str, tmp_path: Path
) -> None:
    folder = tmp_path / "cache"
    async with (
        fake_parent() as parent,
        running_edge(parent.url, folder, require_token=False) as edge,
        aiohttp.ClientSession() as client,
    ):
        parent.add("/before", BODY)
        parent.add("/after", BODY)

        async def ask(path: str) -> str:
            async with client.get(edge.url + path) as answer:
                assert await answer.read() == BODY
                return answer.headers["Cache-Status"]

        assert "stored" in await ask("/before")
        shutil.rmtree(folder / removed)
        assert "stored" in await ask("/after")
        assert "hit" in await ask("/after")
        await ask("/before")
        assert "hit" in await ask("/before")
        with pytest.raises(ResourceError, match="in use by another edge"):
            BodyStore(folder).open()


async def test_a_folder_that_another_edge_has_taken_meanwhile_is_left_to_it(
    tmp_path: Path,
) -> None:
    one, other = BodyStore(tmp_path / "cache"), BodyStore(tmp_path / "cache")
    one.open()
    shutil.rmtree(tmp_path / "cache")
    other.open()
    (tmp_path / "cache" / "tmp").rmdir()
    spool = one.spool()
    spool.write(BODY)
    spool.finish()
    assert read(spool, 0, len(BODY)) == BODY
    assert await one.keep(spool, described(spool)) is None
    spool.close()
    other.close()
