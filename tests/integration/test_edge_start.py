"""The start of an edge with objects on disk: it answers before it has read what it holds."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import aiohttp
import pytest

from edge.caching import stored as sidecar
from edge.server import body as store_module
from edge.server import scan
from tests.fakes.parent import FakeParent, fake_parent, running_edge


@pytest.fixture
async def parent() -> AsyncIterator[FakeParent]:
    async with fake_parent() as running:
        yield running


@pytest.fixture
def hold_scan(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """No folder is read until this is set."""
    go_on = threading.Event()
    real = scan.list_folder

    def list_folder(folder: Path, owns: Callable[[str], bool]) -> scan.Listing:
        assert go_on.wait(10)
        return real(folder, owns)

    monkeypatch.setattr(scan, "list_folder", list_folder)
    yield go_on
    go_on.set()


async def get(url: str) -> tuple[bytes, str]:
    async with aiohttp.ClientSession() as client, client.get(url) as answer:
        return await answer.read(), answer.headers["Cache-Status"]


async def put(url: str) -> None:
    async with aiohttp.ClientSession() as client, client.put(url, data=b"new") as answer:
        await answer.read()


async def fill(parent: FakeParent, folder: Path, *paths: str) -> None:
    async with running_edge(parent.url, folder, require_token=False) as edge:
        for path in paths:
            await get(edge.url + path)


async def test_what_is_stored_is_found_before_the_folder_has_been_read(
    parent: FakeParent, tmp_path: Path, hold_scan: threading.Event
) -> None:
    parent.add("/film/a", b"a")
    parent.add("/film/b", b"b")
    hold_scan.set()
    await fill(parent, tmp_path, "/film/a", "/film/b")
    hold_scan.clear()
    async with running_edge(parent.url, tmp_path, require_token=False) as edge:
        body, status = await get(edge.url + "/film/a")
        assert (body, "; hit; ttl=" in status) == (b"a", True)
        assert (edge.edge.stock.is_done, len(edge.edge.index)) == (False, 1)
        hold_scan.set()
        await edge.edge.stock.wait()
        assert (edge.edge.stock.is_done, len(edge.edge.index)) == (True, 2)
        assert "; hit; ttl=" in (await get(edge.url + "/film/b"))[1]
    assert parent.asked == ["/film/a", "/film/b"]


async def test_what_was_invalidated_before_it_was_read_does_not_come_back(
    parent: FakeParent, tmp_path: Path, hold_scan: threading.Event
) -> None:
    parent.add("/film/a", b"old")
    hold_scan.set()
    await fill(parent, tmp_path, "/film/a")
    hold_scan.clear()
    parent.add("/film/a", b"new")
    async with running_edge(parent.url, tmp_path, require_token=False) as edge:
        await put(edge.url + "/film/a")
        hold_scan.set()
        await edge.edge.stock.wait()
        assert (await get(edge.url + "/film/a"))[0] == b"new"
        assert len(edge.edge.index) == 1
    assert len(list((tmp_path / "objects").rglob("*.json"))) == 1


async def test_of_two_copies_that_a_crash_left_the_newer_one_stays(
    parent: FakeParent, tmp_path: Path
) -> None:
    parent.add("/film/a", b"a")
    await fill(parent, tmp_path, "/film/a")
    (path,) = (tmp_path / "objects").rglob("*.json")
    older = sidecar.loads(path.read_bytes())
    assert older is not None
    body = path.parent / (older.body.partition("-")[0] + "-0")
    body.write_bytes(b"A")
    data = path.read_text().replace(older.body, body.name)
    body.with_name(body.name + ".json").write_text(
        data.replace(str(older.stored_s), str(older.stored_s - 10))
    )
    async with running_edge(parent.url, tmp_path, require_token=False) as edge:
        await edge.edge.stock.wait()
        assert (await get(edge.url + "/film/a"))[0] == b"a"
    assert not body.exists()
    assert parent.asked == ["/film/a"]


async def test_fields_of_what_nobody_asks_for_are_read_again_when_somebody_does(
    parent: FakeParent, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store_module, "MOST_WARM", 2)
    paths = [f"/film/{number}" for number in range(5)]
    for path in paths:
        parent.add(path, path.encode())
    async with running_edge(parent.url, tmp_path, require_token=False) as edge:
        for status in ("fwd=uri-miss", "hit"):
            for path in paths:
                body, found = await get(edge.url + path)
                assert (body, status in found) == (path.encode(), True)
        assert len(edge.edge.index) == 5
        gone = next((tmp_path / "objects").rglob(f"{sidecar.file_stem(paths[0])}*.json"))
        gone.unlink()
        assert "fwd=uri-miss; stored" in (await get(edge.url + paths[0]))[1]
        assert (edge.edge.counters.dropped, len(edge.edge.index)) == (1, 5)
    assert parent.asked == [*paths, paths[0]]
