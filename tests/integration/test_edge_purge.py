"""Purging while serving: by key, by prefix and by tag, and who may."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from tests.fakes.parent import FakeParent, RunningEdge, fake_parent, running_edge


@pytest.fixture
async def client() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


@pytest.fixture
async def parent() -> AsyncIterator[FakeParent]:
    async with fake_parent() as running:
        for path, tags in (
            ("/a/1", "one two"),
            ("/a/2", "two, three"),
            ("/b/1", "three"),
            ("/a", ""),
        ):
            running.add(
                path, path.encode(), headers={"Cache-Control": "max-age=60", "Cache-Tag": tags}
            )
        yield running


@pytest.fixture
async def edge(parent: FakeParent, tmp_path: Path) -> AsyncIterator[RunningEdge]:
    async with running_edge(parent.url, tmp_path, require_token=False) as running:
        yield running


async def fill(client: aiohttp.ClientSession, edge: RunningEdge, parent: FakeParent) -> None:
    for path in parent.things:
        async with client.get(edge.url + path) as answer:
            assert answer.status == 200
    parent.asked.clear()


async def purge(
    client: aiohttp.ClientSession, edge: RunningEdge, query: str, **headers: str
) -> tuple[int, dict[str, object]]:
    url = f"{edge.url}/.abr/purge?{query}"
    async with client.post(url, headers=headers) as answer:
        return answer.status, await answer.json()


@pytest.mark.parametrize(
    ("query", "gone"),
    [
        ("key=/a/1", ["/a/1"]),
        ("key=/a", ["/a"]),
        ("prefix=/a/", ["/a/1", "/a/2"]),
        ("tag=two", ["/a/1", "/a/2"]),
        ("tag=three", ["/a/2", "/b/1"]),
        ("tag=thre", []),
    ],
)
async def test_what_a_purge_names_is_fetched_again_and_nothing_else(
    query: str,
    gone: list[str],
    client: aiohttp.ClientSession,
    edge: RunningEdge,
    parent: FakeParent,
) -> None:
    await fill(client, edge, parent)
    assert await purge(client, edge, query) == (200, {"purged": len(gone)})
    for path in parent.things:
        async with client.get(edge.url + path) as answer:
            assert await answer.read() == path.encode()
    assert parent.asked == gone


async def test_what_is_being_fetched_during_a_purge_is_not_stored(
    client: aiohttp.ClientSession, edge: RunningEdge, parent: FakeParent
) -> None:
    """Its answer may be from before the change that the purge is about."""
    parent.things["/a/1"].first_byte_s = 0.2

    async def get() -> str:
        async with client.get(edge.url + "/a/1") as answer:
            await answer.read()
            return answer.headers["Cache-Status"]

    first = asyncio.create_task(get())
    while not parent.asked:  # noqa: ASYNC110 -- nothing else says that it is under way
        await asyncio.sleep(0.01)
    await purge(client, edge, "tag=one")
    await first
    assert "fwd=uri-miss" in await get()
    assert "hit" in await get()


async def test_what_an_earlier_process_stored_is_purged_too(
    client: aiohttp.ClientSession, parent: FakeParent, tmp_path: Path
) -> None:
    async with running_edge(parent.url, tmp_path / "c", require_token=False) as edge:
        await fill(client, edge, parent)
    async with running_edge(parent.url, tmp_path / "c", require_token=False) as edge:
        assert await purge(client, edge, "tag=two") == (200, {"purged": 2})
        async with client.get(edge.url + "/a/1") as answer:
            assert "fwd=uri-miss" in answer.headers["Cache-Status"]
        async with client.get(edge.url + "/b/1") as answer:
            assert "hit" in answer.headers["Cache-Status"]


@pytest.mark.parametrize("query", ["", "key=", "key=/a&tag=x", "path=/a", "key=/a&key=/b"])
async def test_a_purge_names_one_thing(
    query: str, client: aiohttp.ClientSession, edge: RunningEdge, parent: FakeParent
) -> None:
    await fill(client, edge, parent)
    assert (await purge(client, edge, query))[0] == 400
    assert len(edge.edge.index) == 4


async def test_purging_needs_the_secret_or_this_machine(
    client: aiohttp.ClientSession, edge: RunningEdge, parent: FakeParent, tmp_path: Path
) -> None:
    async with client.get(edge.url + "/.abr/purge?key=/a") as answer:
        assert answer.status == 405
    # As a proxy on this machine would forward it for anybody, and as a browser on it for any page.
    for headers in ({"X-Forwarded-For": "203.0.113.9"}, {"Origin": "https://page.example"}):
        assert (await purge(client, edge, "key=/a", **headers))[0] == 403
    async with running_edge(
        parent.url, tmp_path / "b", require_token=False, purge_secret="s3cret"
    ) as guarded:
        for given, status in (("", 403), ("Bearer wrong", 403), ("Bearer s3cret", 200)):
            found, _ = await purge(client, guarded, "key=/a", Authorization=given)
            assert found == status
        assert "s3cret" not in repr(guarded.edge.config)
