"""What players name as their next is fetched when there is room, and playback goes first."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
from prometheus_client.parser import text_string_to_metric_families

from edge.server import prefetch
from edge.server.process import EdgeProcess
from tests.fakes.parent import FakeParent, RunningEdge, fake_parent, running_edge


@pytest.fixture
async def parent() -> AsyncIterator[FakeParent]:
    async with fake_parent() as running:
        for number in range(30):
            running.add(f"/film/{number}", b"x" * 1000)
        yield running


@pytest.fixture
async def edge(parent: FakeParent, tmp_path: Path) -> AsyncIterator[RunningEdge]:
    async with running_edge(
        parent.url, tmp_path / "c", require_token=False, prefetch=True, strip_cmcd=True
    ) as running:
        with EdgeProcess(running.edge, running.door, read=lambda: running.edge.config):
            yield running


async def get(edge: RunningEdge, target: str, **fields: str) -> str:
    headers = {name.replace("_", "-"): value for name, value in fields.items()}
    async with (
        aiohttp.ClientSession() as client,
        client.get(edge.url + target, headers=headers) as answer,
    ):
        assert answer.status == 200
        await answer.read()
        return answer.headers["Cache-Status"]


async def settled(edge: RunningEdge) -> None:
    """Wait for fetches under way."""
    async with asyncio.timeout(5):
        while tasks := tuple(edge.edge._fills._tasks):
            await asyncio.gather(*tasks)


async def test_the_next_object_is_fetched_once_and_counted_when_it_was_of_use(
    edge: RunningEdge, parent: FakeParent
) -> None:
    """Named in the query, and in a field of a request that takes the short cut."""
    await get(edge, "/film/0?CMCD=nor%3D%221%22")
    await settled(edge)
    assert parent.asked == ["/film/0", "/film/1"]
    assert "hit" in await get(edge, "/film/1")
    for _ in range(3):
        await get(edge, "/film/1", CMCD_Request='nor="2"')
    await settled(edge)
    assert parent.asked == ["/film/0", "/film/1", "/film/2"]
    counts = edge.edge.prefetcher.counts
    assert (counts.started, counts.useful, counts.shed) == (2, 1, 0)
    found = {
        sample.name: sample.value
        for family in text_string_to_metric_families(edge.edge._metrics.text().decode())
        for sample in family.samples
        if "bucket" not in sample.name
    }
    assert found["abr_edge_prefetches_total"] == 2
    assert found["abr_edge_prefetches_useful_total"] == 1
    assert found["abr_edge_first_byte_seconds_count"] >= 4
    assert found["abr_edge_resident_bytes"] > 1 << 20
    assert found["abr_edge_descriptors"] > 5


async def test_prefetches_are_limited_and_the_rest_is_shed(
    edge: RunningEdge, parent: FakeParent, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prefetch, "MOST_AT_ONCE", 2)
    for number in range(1, 30):
        parent.things[f"/film/{number}"].first_byte_s = 0.3
    await get(edge, "/film/0")
    for number in range(1, 10):
        await get(edge, f"/film/0?CMCD=nor%3D%22{number}%22")
    counts = edge.edge.prefetcher.counts
    assert (counts.started, counts.shed) == (2, 7)
    assert "hit" not in await get(edge, "/film/20")  # playback is served meanwhile
    await settled(edge)
    assert sorted(parent.asked) == ["/film/0", "/film/1", "/film/2", "/film/20"]


async def test_a_viewer_who_comes_during_a_prefetch_shares_it(
    edge: RunningEdge, parent: FakeParent
) -> None:
    parent.things["/film/1"].first_byte_s = 0.2
    await get(edge, "/film/0?CMCD=nor%3D%221%22")
    assert "collapsed" in await get(edge, "/film/1")
    assert parent.asked == ["/film/0", "/film/1"]
    assert edge.edge.prefetcher.counts.useful == 1


async def test_nothing_is_fetched_for_whoever_was_refused(
    parent: FakeParent, tmp_path: Path
) -> None:
    async with running_edge(parent.url, tmp_path / "t", prefetch=True) as edge:
        with EdgeProcess(edge.edge, edge.door, read=lambda: edge.edge.config):
            async with aiohttp.ClientSession() as client:
                url = edge.url + "/t/nonsense/film/0?CMCD=nor%3D%221%22"
                assert (await client.get(url)).status == 403
            await settled(edge)
    assert parent.asked == []
