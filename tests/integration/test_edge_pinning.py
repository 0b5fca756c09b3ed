"""Pinning while serving: exactly what is named and held, for as long as it is held."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import aiohttp
import pytest

from edge.caching.variants import variant_key
from edge.index import Entry
from tests.fakes.parent import RunningEdge, fake_parent, running_edge
from tests.integration.test_edge_workers import edge_with_workers

KIB = 1 << 10
PIN = "/.abr/pin"


@pytest.fixture
async def client() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


@pytest.fixture
async def edge(tmp_path: Path) -> AsyncIterator[RunningEdge]:
    async with (
        fake_parent() as parent,
        running_edge(
            parent.url, tmp_path, require_token=False, cache_bytes=500 * KIB, policy="lru"
        ) as running,
    ):
        for number in range(10):
            parent.add(f"/{number}", bytes(92 * KIB))  # charged 100 KiB
        yield running


async def get(client: aiohttp.ClientSession, edge: RunningEdge, path: str) -> str:
    async with client.get(edge.url + path) as answer:
        assert answer.status == 200
        await answer.read()
        return answer.headers["Cache-Status"]


async def pin(
    client: aiohttp.ClientSession, edge: RunningEdge, *keys: str, **more: str
) -> tuple[int, int, int]:
    async with client.post(edge.url + PIN, json={"keys": keys, **more}) as answer:
        assert answer.status == 200
        found = await answer.json()
        assert found["missing"] == len(found["missing_keys"])
        return found["pinned"], found["missing"], found["refused"]


async def facts(client: aiohttp.ClientSession, edge: RunningEdge) -> dict[str, int]:
    async with client.get(edge.url + PIN) as answer:
        found: dict[str, int] = await answer.json()
        return found


async def test_what_is_pinned_outlives_what_is_asked_for_later(
    client: aiohttp.ClientSession, edge: RunningEdge
) -> None:
    for number in (0, 1):
        await get(client, edge, f"/{number}")
    assert await pin(client, edge, "/0", "/1", "/9") == (2, 1, 0)
    for number in range(2, 9):
        await get(client, edge, f"/{number}")
    assert "hit" in await get(client, edge, "/0")
    found = await facts(client, edge)
    assert (found["pinned"], found["pinned_bytes"]) == (2, 200 * KIB)
    assert found["capacity_bytes"] == 500 * KIB


async def test_a_new_list_ends_old_pins_and_an_addition_or_a_question_does_not(
    client: aiohttp.ClientSession, edge: RunningEdge
) -> None:
    for number in range(3):
        await get(client, edge, f"/{number}")
    await pin(client, edge, "/0")
    assert await pin(client, edge, "/1", how="also") == (1, 0, 0)
    assert await pin(client, edge, "/1", "/2", "/7", how="ask") == (1, 1, 0)
    assert set(edge.edge.index.pinned_keys) == {"/0", "/1"}
    assert await pin(client, edge, "/2") == (1, 0, 0)
    assert edge.edge.index.pinned_keys == ("/2",)


async def test_pins_leave_a_tenth_of_the_cache_and_end_with_their_object(
    client: aiohttp.ClientSession, edge: RunningEdge
) -> None:
    for number in range(5):
        await get(client, edge, f"/{number}")
    assert await pin(client, edge, *(f"/{number}" for number in range(5))) == (4, 0, 1)
    async with client.post(f"{edge.url}/.abr/purge?key=/0") as answer:
        assert answer.status == 200
    assert (await facts(client, edge))["pinned"] == 3


async def test_a_smaller_cache_keeps_its_pins_while_they_fit(
    client: aiohttp.ClientSession, edge: RunningEdge
) -> None:
    """The policy of the smaller cache must not evict what is pinned, nor know of it twice."""
    for number in range(5):
        await get(client, edge, f"/{number}")
    await pin(client, edge, "/0", "/1")
    old = edge.edge.config
    await edge.edge.reconfigure(replace(old, cache_bytes=300 * KIB))
    assert set(edge.edge.index.pinned_keys) == {"/0", "/1"}
    await edge.edge.reconfigure(replace(old, cache_bytes=100 * KIB))
    assert edge.edge.index.pinned_bytes == 0
    assert len(edge.edge.index) == 1
    await pin(client, edge)
    assert "miss" in await get(client, edge, "/7")


async def test_a_part_of_an_object_is_not_the_object(
    client: aiohttp.ClientSession, tmp_path: Path
) -> None:
    async with (
        fake_parent() as parent,
        running_edge(parent.url, tmp_path / "p", require_token=False, slice_bytes=KIB) as edge,
    ):
        parent.add("/film", bytes(8 * KIB))
        await get(client, edge, "/film")
        key = variant_key("/film", (), start_byte=2 * KIB)
        index, catalogue = edge.edge.index, edge.edge._catalogue
        assert index.reserve(key, KIB).granted
        index.commit(Entry(key=key, size_bytes=KIB, stored_s=0.0))
        catalogue.restore(key, "/film", ())
        assert await pin(client, edge, "/film") == (1, 0, 0)
        assert index.pinned_keys == ("/film",)
        index.remove("/film")
        assert await pin(client, edge, "/film") == (0, 1, 0)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"{", "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (b"[]", "no list of texts"),
        (b'{"keys": "/a"}', "no list of texts"),
        (b'{"keys": [1]}', "no list of texts"),
        (b'{"keys": [], "how": "never"}', "how: found 'never'; expected exactly, also, ask"),
        (b'{"keys": [], "hwo": "ask"}', "found 'hwo'"),
    ],
)
async def test_a_question_that_is_none_is_refused_with_what_was_expected(
    client: aiohttp.ClientSession, edge: RunningEdge, body: bytes, said: str
) -> None:
    async with client.post(edge.url + PIN, data=body) as answer:
        assert answer.status == 400
        assert said in await answer.text()


async def test_only_who_may_purge_may_pin(client: aiohttp.ClientSession, edge: RunningEdge) -> None:
    async with client.get(edge.url + PIN, headers={"X-Forwarded-For": "192.0.2.1"}) as answer:
        assert answer.status == 403
    await edge.edge.reconfigure(replace(edge.edge.config, purge_secret="s"))
    async with client.get(edge.url + PIN) as answer:
        assert answer.status == 403
    async with client.get(edge.url + PIN, headers={"Authorization": "Bearer s"}) as answer:
        assert answer.status == 200
    async with client.delete(edge.url + PIN, headers={"Authorization": "Bearer s"}) as answer:
        assert answer.status == 405


async def test_pins_reach_the_worker_that_holds_the_object(
    client: aiohttp.ClientSession, tmp_path: Path
) -> None:
    """Whichever worker is asked; the answer is about the cache of all."""
    keys = [f"/{number}" for number in range(12)]
    async with fake_parent() as parent:
        for key in keys:
            parent.add(key, b"x")
        async with edge_with_workers(parent, tmp_path, "--cache-size", "10MB") as edge:
            for key in keys:
                assert (await edge.get(key))[0] == 200
            for _ in range(3):
                async with aiohttp.ClientSession() as other:
                    body = {"keys": [*keys[:10], "/none"]}
                    async with other.post(edge.url + PIN, json=body) as answer:
                        found = await answer.json()
                assert (found["pinned"], found["missing_keys"]) == (10, ["/none"])
                async with client.get(edge.url + PIN) as answer:
                    facts = await answer.json()
                assert (facts["pinned"], facts["capacity_bytes"]) == (10, 10_000_000)
