"""An edge whose clock is set: by hand while it runs, and between two runs."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from email.utils import formatdate
from pathlib import Path

import aiohttp
import pytest

from tests.fakes.parent import FakeParent, fake_parent, running_edge

FAKETIME = next(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"), None)
PLAYLIST = {"Cache-Control": "max-age=60", "ETag": '"1"'}


def real_s() -> float:
    return time.time()  # noqa: TID251 -- tokens and dates of the fake parent are of now


def token(parent: FakeParent) -> str:
    return parent.issuer.issue("film", now_s=real_s(), session_id="s")


@pytest.mark.parametrize("step_s", [-7200.0, 7200.0])
async def test_after_a_restart_with_another_clock_playlists_are_asked_for_again(
    step_s: float, tmp_path: Path
) -> None:
    """Before, they stayed fresh until the clock had caught up."""
    async with fake_parent() as parent, aiohttp.ClientSession() as client:
        parent.key_set_headers = {"Date": formatdate(real_s(), usegmt=True)}
        parent.add("/film/p.m3u8", b"old", headers=PLAYLIST)
        begin_s = real_s()
        for at_s, expected in ((begin_s, b"old"), (begin_s + step_s, b"new")):
            async with (
                running_edge(parent.url, tmp_path, now=lambda at_s=at_s: at_s) as edge,
                client.get(f"{edge.url}/t/{token(parent)}/film/p.m3u8") as answer,
            ):
                assert await answer.read() == expected
            parent.add("/film/p.m3u8", b"new", headers=PLAYLIST | {"ETag": '"2"'})


@asynccontextmanager
async def edge_under_faketime(parent_url: str, folder: Path) -> AsyncIterator[str]:
    """An edge in a process of its own, whose wall clock is as ``folder``/clock says."""
    assert FAKETIME is not None
    fake = {
        "LD_PRELOAD": str(FAKETIME),
        "FAKETIME_TIMESTAMP_FILE": str(folder / "clock"),
        "FAKETIME_NO_CACHE": "1",
        "DONT_FAKE_MONOTONIC": "1",
    }
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "abr", "edge", "--parent", parent_url, "--port", "0", "--json"),
        *("--cache-dir", str(folder / "cache")),
        env=os.environ | fake,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        assert process.stdout is not None
        line = await asyncio.wait_for(process.stdout.readline(), 20)
        yield json.loads(line)["listeners"][0]["url"]
    finally:
        process.terminate()
        await process.communicate()


@pytest.mark.skipif(FAKETIME is None, reason="libfaketime is not installed")
@pytest.mark.parametrize("steps", [("+0", "-7200"), ("+0", "+7200"), ("-7200", "+7200")])
async def test_a_wall_clock_that_is_set_under_a_running_edge_changes_nothing(
    steps: tuple[str, str], tmp_path: Path
) -> None:
    """Good tokens open, ended ones do not, and what is fresh stays so, with a real process."""
    (tmp_path / "clock").write_text(steps[0])
    async with fake_parent() as parent, aiohttp.ClientSession() as client:
        parent.key_set_headers = {"Date": formatdate(real_s(), usegmt=True)}
        parent.add("/film/p.m3u8", b"x", headers=PLAYLIST)
        async with edge_under_faketime(parent.url, tmp_path) as url:
            for step in steps:
                (tmp_path / "clock").write_text(step)
                async with client.get(f"{url}/t/{token(parent)}/film/p.m3u8") as answer:
                    assert answer.status == 200
                old = parent.issuer.issue("film", now_s=real_s() - 60, session_id="s", ttl_s=50)
                async with client.get(f"{url}/t/{old}/film/p.m3u8") as answer:
                    assert answer.headers["Abr-Refusal"] == "expired"
        assert parent.asked == ["/film/p.m3u8"]
