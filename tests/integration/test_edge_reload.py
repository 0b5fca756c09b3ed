"""Settings of an edge that change while it runs."""

from __future__ import annotations

import asyncio
import gc
import signal
import sys
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import aiohttp
import pytest

from abr.errors import ConfigError
from edge.config import EdgeConfig
from edge.server.process import EdgeProcess
from tests.fakes.parent import FakeParent, RunningEdge, fake_parent, running_edge

KIB = 1 << 10


@pytest.fixture
async def parent() -> AsyncIterator[FakeParent]:
    async with fake_parent() as running:
        yield running


@pytest.fixture
async def edge(parent: FakeParent, tmp_path: Path) -> AsyncIterator[RunningEdge]:
    async with running_edge(parent.url, tmp_path / "c", require_token=False) as running:
        yield running


async def get(url: str) -> tuple[int, str]:
    async with aiohttp.ClientSession() as client, client.get(url) as answer:
        await answer.read()
        return answer.status, answer.headers.get("Cache-Status", "")


async def test_a_reload_gives_new_settings_to_everything_that_holds_them(
    edge: RunningEdge, parent: FakeParent
) -> None:
    """Whatever still held the old ones would go on with them."""
    old = edge.edge.config
    await edge.edge.reconfigure(replace(old, send_limit_s=7.0))
    parent.add("/a", b"a")
    assert (await get(edge.url + "/a"))[0] == 200
    gc.collect()
    holders = [type(each) for each in gc.get_referrers(old) if type(each).__name__ != "frame"]
    assert [each for each in holders if each.__module__.startswith(("edge", "origin"))] == []
    assert dict not in holders


async def test_another_parent_is_asked_after_a_reload_and_the_cache_is_kept(
    edge: RunningEdge, parent: FakeParent
) -> None:
    parent.add("/a", b"a")
    await get(edge.url + "/a")
    async with fake_parent() as other:
        other.add("/b", b"b")
        await edge.edge.reconfigure(replace(edge.edge.config, parent=other.url))
        assert (await get(edge.url + "/b"))[0] == 200
        assert "hit" in (await get(edge.url + "/a"))[1]
        assert other.asked == ["/b"]


async def test_a_smaller_cache_evicts_at_once_and_a_larger_one_holds_more(
    edge: RunningEdge, parent: FakeParent
) -> None:
    for number in range(10):
        parent.add(f"/{number}", bytes(100 * KIB))
        await get(f"{edge.url}/{number}")
    assert len(edge.edge.index) == 10
    await edge.edge.reconfigure(replace(edge.edge.config, cache_bytes=500 * KIB, policy="lru"))
    assert len(edge.edge.index) == 4  # of 108 KiB each
    assert edge.edge.counters.evictions == 6
    await get(f"{edge.url}/0")
    assert "hit" in (await get(f"{edge.url}/0"))[1]
    assert len(edge.edge.index) == 4


async def test_bad_settings_are_logged_and_the_old_ones_stay(
    edge: RunningEdge, caplog: pytest.LogCaptureFixture
) -> None:
    old = edge.edge.config

    def read() -> EdgeConfig:
        raise ConfigError("abr.toml:3: [edge] port: found 'x';\nexpected a whole number")

    await EdgeProcess(edge.edge, edge.door, read=read).reload()
    assert edge.edge.config is old
    said = "\n".join(each.message for each in caplog.records if each.levelname == "ERROR")
    assert said == (
        "settings not reloaded, the old ones stay: "
        "abr.toml:3: [edge] port: found 'x'; expected a whole number"
    )


async def test_a_certificate_that_cannot_be_read_changes_nothing(edge: RunningEdge) -> None:
    old = edge.edge.config
    found = replace(old, parent="https://127.0.0.1:1", parent_ca_file="/nowhere", send_limit_s=1.0)
    await EdgeProcess(edge.edge, edge.door, read=lambda: found).reload()
    assert edge.edge.config is old
    assert edge.edge.upstream.parents.names == (old.parent,)


async def test_sighup_reloads_and_sigterm_ends_with_exit_code_0(
    parent: FakeParent, tmp_path: Path
) -> None:
    settings = tmp_path / "abr.toml"
    settings.write_text("[edge]\nsend_limit_s = 5\n")
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "abr", "--config", str(settings), "edge", "--parent", parent.url,
        "--port", "0", "--cache-dir", str(tmp_path / "c"), "--json",
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stderr is not None
    async with asyncio.timeout(20):
        await process.stdout.readline()
        for text, said in (
            ("[edge]\nsend_limit_s = 6\nname = 'x'", "changed send_limit_s; needs a restart: name"),
            ("[edge]\nsend_limit_s = -1", "send_limit_s: found -1.0; expected more than 0"),
            ("[edge]\n", "changed send_limit_s"),
        ):
            settings.write_text(text)
            process.send_signal(signal.SIGHUP)
            assert said in (await process.stderr.readline()).decode()
        process.send_signal(signal.SIGTERM)
        assert await process.wait() == 0
