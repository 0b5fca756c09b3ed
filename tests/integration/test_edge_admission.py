"""Policies in a real edge: what is refused is served and shared, and not stored."""

from __future__ import annotations

import os
from pathlib import Path

import aiohttp

from tests.fakes.parent import FakeParent, fake_parent, running_edge


async def ask(client: aiohttp.ClientSession, url: str) -> tuple[bytes, str]:
    """Body and Cache-Status."""
    async with client.get(url) as response:
        return await response.read(), response.headers["Cache-Status"]


def fill(parent: FakeParent) -> list[str]:
    """Five objects of 58 KB on disk, which leave no room for another in 300,000 bytes."""
    paths = [f"/film/{number}" for number in range(5)]
    for path in paths:
        parent.add(path, os.urandom(50_000))
    return paths


async def test_an_object_that_the_policy_refuses_is_passed_on_and_evicts_nothing(
    tmp_path: Path,
) -> None:
    """A third of the cache, asked for once: S3-FIFO waits for a second request."""
    async with (
        fake_parent() as parent,
        aiohttp.ClientSession() as client,
        running_edge(
            parent.url, tmp_path / "cache", require_token=False, cache_bytes=300_000
        ) as edge,
    ):
        for path in fill(parent):
            await ask(client, edge.url + path)
        parent.add("/film/large", os.urandom(100_000))
        body, status = await ask(client, f"{edge.url}/film/large")
        assert (len(body), status) == (100_000, '"edge"; fwd=uri-miss')
        assert (len(edge.edge.index), edge.edge.counters.evictions) == (5, 0)
        assert edge.edge.index.reserved_bytes == 0
        assert "stored" in (await ask(client, f"{edge.url}/film/large"))[1]
        assert "hit" in (await ask(client, f"{edge.url}/film/large"))[1]


async def test_a_scan_does_not_push_out_what_is_asked_for_often(tmp_path: Path) -> None:
    """Two objects are used; twenty more pass through: with LRU both would be gone."""
    async with (
        fake_parent() as parent,
        aiohttp.ClientSession() as client,
        running_edge(
            parent.url, tmp_path / "cache", require_token=False, cache_bytes=300_000
        ) as edge,
    ):
        popular = fill(parent)[:2]
        for path in popular * 4:
            await ask(client, edge.url + path)
        for number in range(20):
            parent.add(f"/scan/{number}", os.urandom(50_000))
            await ask(client, f"{edge.url}/scan/{number}")
        statuses = [(await ask(client, edge.url + path))[1] for path in popular]
        assert all("hit" in status for status in statuses), statuses
        assert edge.edge.counters.evictions > 0
