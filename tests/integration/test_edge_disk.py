"""Bodies on disk: written once, read meanwhile, and what happens when the disk is full."""

from __future__ import annotations

import asyncio
import errno
import os
from collections.abc import Callable
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


async def test_memory_for_a_full_disk_is_limited_and_given_back(
    tmp_path: Path, fill_disk_after: Callable[[int], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    fill_disk_after(0)
    monkeypatch.setattr(spooling, "OVERFLOW_BYTES", 1000)
    store = BodyStore(tmp_path)
    store.open()
    first, second = store.spool(), store.spool()
    first.write(BODY[:900])
    with pytest.raises(ResourceError, match="no room on the disk"):
        second.write(BODY[:200])
    first.close()
    second.write(BODY[:200])
    second.close()
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
