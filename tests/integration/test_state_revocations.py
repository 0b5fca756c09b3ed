"""What is written to the state is refused by origins and tiers that run."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import pytest

from origin.gateway.config import GatewayConfig
from origin.gateway.server.app import make_app as make_gateway
from origin.gateway.server.opening import open_service, open_state
from origin.gateway.server.shared import SharedState
from origin.gateway.state import State
from origin.server.app import ORIGIN, Origin, make_app
from origin.server.httpserver import listening
from origin.server.store import DirectoryStore
from origin.tokens.revocation import Kind, Revocation
from tests.fakes.packages import MemoryKeys, write_package
from tests.fakes.parent import LIMITS, RunningEdge, running_edge


def real_s() -> float:
    return time.time()  # noqa: TID251 -- tokens are of now


async def until(is_so: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(5):
        while not await is_so():  # noqa: ASYNC110 -- no event tells of answers to come
            await asyncio.sleep(0.02)


@dataclass(slots=True)
class Served:
    """An origin that reads a state, a tier behind it, a gateway, and a client."""

    origin: Origin
    origin_url: str
    edge: RunningEdge
    gateway_url: str
    http: aiohttp.ClientSession
    state: State

    async def status(self, url: str) -> str:
        async with self.http.get(url) as answer:
            return answer.headers.get("Abr-Refusal", str(answer.status))

    def revoke(self, kind: Kind, value: str, *, lasts_s: float = 60.0) -> None:
        now_s = real_s()
        entry = Revocation(
            kind=kind, value=value, until_s=now_s + lasts_s, changed_ms=int(1000 * now_s)
        )
        self.state.revoke([entry], now_s=now_s)


@pytest.fixture
async def path(tmp_path: Path) -> AsyncIterator[Served]:
    write_package(tmp_path / "film")
    titles, keys = DirectoryStore(tmp_path / "film"), MemoryKeys("film")
    where = str(tmp_path / "state.sqlite")
    async with AsyncExitStack() as running:
        shared = SharedState(where)
        running.callback(shared.close)
        app = make_app(titles, keys, revocations=shared, sessions=shared)
        at = await running.enter_async_context(
            listening(app, host="127.0.0.1", port=0, limits=LIMITS)
        )
        edge = await running.enter_async_context(running_edge(at.url, tmp_path / "e"))
        service = open_service(
            GatewayConfig(anyone=True, public_base=edge.url).check(),
            titles=titles,
            keys=keys,
            state=where,
        )
        gateway = await running.enter_async_context(
            listening(make_gateway(service), host="127.0.0.1", port=0, limits=LIMITS)
        )
        http = await running.enter_async_context(aiohttp.ClientSession())
        state = open_state(where)
        running.callback(state.close)
        yield Served(app[ORIGIN], at.url, edge, gateway.url, http, state)


async def play(path: Served) -> dict[str, str]:
    async with path.http.post(f"{path.gateway_url}/v1/playback", json={"title": "film"}) as got:
        found: dict[str, str] = await got.json()
        assert got.status == 200, found
        return found


async def test_a_session_that_another_process_revokes_is_refused_at_every_tier(
    path: Served,
) -> None:
    """And one that the viewer ended: its token must not hold the place of another viewer."""
    for ends in (False, True):
        played = await play(path)
        urls = [
            f"{base}/t/{played['token']}/film/{below}"
            for base in (path.origin_url, path.edge.url)
            for below in ("v0/00000.m4s", "renew")
        ]
        assert [await path.status(url) for url in urls] == ["200"] * 4
        if ends:
            bearer = {"Authorization": f"Bearer {played['token']}"}
            url = f"{path.gateway_url}/v1/sessions/{played['session']}"
            async with path.http.delete(url, headers=bearer) as ended:
                assert ended.status in (200, 204)
        else:
            path.revoke("session", played["session"])

        async def refused(urls: list[str] = urls) -> bool:
            return {await path.status(url) for url in urls} == {"revoked"}

        await until(refused)


async def test_a_session_that_was_closed_is_not_renewed_when_its_entry_has_ended(
    path: Served,
) -> None:
    """The deny list names it for as long as a token that was out could live, and no longer."""
    played = await play(path)
    renewal = f"{path.origin_url}/t/{played['token']}/film/renew"
    assert await path.status(renewal) == "200"
    path.revoke("session", played["session"], lasts_s=0.3)
    denied = path.origin.trust.denied

    async def ended() -> bool:
        entries, _ = denied.since(0, most=9)
        return bool(entries) and all(each.until_s < real_s() for each in entries)

    await until(ended)
    assert await path.status(f"{path.origin_url}/t/{played['token']}/film/v0/00000.m4s") == "200"
    assert await path.status(renewal) == "session-over"


async def test_an_origin_reads_the_state_that_is_made_after_it_was_started(tmp_path: Path) -> None:
    """The default file need not be there; what is revoked later counts all the same."""
    write_package(tmp_path / "film")
    state = tmp_path / "data" / "abrkit" / "state.sqlite"
    environ = {**os.environ, "XDG_DATA_HOME": str(tmp_path / "data")}
    environ.pop("ABR_STATE", None)
    command = [sys.executable, "-m", "abr", "origin", str(tmp_path / "film"), "--json"]
    command += ["--port", "0", "--keys", str(tmp_path / "keys")]
    process = await asyncio.create_subprocess_exec(
        *command, env=environ, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    try:
        assert process.stdout is not None
        line = await asyncio.wait_for(process.stdout.readline(), 20)
        url = json.loads(line)["playback_urls"]["film"]
        async with aiohttp.ClientSession() as http:

            async def status() -> int:
                async with http.get(url) as answer:
                    return answer.status

            assert await status() == 200
            assert not state.exists()
            opened = open_state(str(state))
            now_s = real_s()
            entry = Revocation(
                kind="title", value="film", until_s=now_s + 60, changed_ms=int(1000 * now_s)
            )
            opened.revoke([entry], now_s=now_s)
            opened.close()

            async def refused() -> bool:
                return await status() == 403

            await until(refused)
    finally:
        process.terminate()
        await process.communicate()


async def test_an_origin_does_not_start_when_its_state_cannot_be_opened(tmp_path: Path) -> None:
    write_package(tmp_path / "film")
    (tmp_path / "state.sqlite").mkdir()
    command = [sys.executable, "-m", "abr", "origin", str(tmp_path / "film"), "--port", "0"]
    command += ["--keys", str(tmp_path / "keys"), "--state", str(tmp_path / "state.sqlite")]
    process = await asyncio.create_subprocess_exec(*command, stderr=asyncio.subprocess.PIPE)
    _, said = await asyncio.wait_for(process.communicate(), 20)
    assert process.returncode == 1
    assert "expected a file to keep the state in" in said.decode()
