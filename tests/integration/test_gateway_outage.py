"""The playback service while what it depends on is down or frozen, and afterwards."""

from __future__ import annotations

import asyncio
import os
import signal
import sqlite3
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from abr.errors import StateError
from origin.gateway.accounts import Account, Plan
from origin.gateway.config import GatewayConfig
from origin.gateway.server.app import make_app
from origin.gateway.server.opening import open_state
from origin.gateway.server.service import Service
from origin.gateway.server.sqlite import wall_s
from origin.gateway.server.stateclient import StateClient
from origin.gateway.sessions import LeaseRules
from origin.server.httpserver import listening
from origin.server.store import DirectoryStore
from tests.fakes.packages import MemoryKeys, write_package
from tests.fakes.postgres import Postgres, binaries, postgres

REFUSED_S = 1.0
"""The limit that is promised; a loaded machine adds to it."""
SLACK_S = 1.5


class Directory:
    """Accounts that may freeze: every bearer is an account of two places."""

    def __init__(self) -> None:
        self.answers = asyncio.Event()
        self.answers.set()
        self.asked = 0

    async def account_of(self, bearer: str | None, *, device: str) -> Account:
        del device
        self.asked += 1
        await self.answers.wait()
        return Account(name=bearer or "nobody", plan=Plan(streams=2))

    async def close(self) -> None:
        pass


class Client:
    """Asks one gateway."""

    def __init__(self, http: aiohttp.ClientSession, url: str) -> None:
        self.http, self.url = http, url

    async def ask(self, method: str, path: str, body: Any = None, bearer: str = "alice") -> Any:
        headers = {"Authorization": f"Bearer {bearer}"}
        url = self.url + path
        async with self.http.request(method, url, json=body, headers=headers) as got:
            return got.status, (await got.json() if got.status != 204 else None), got.headers

    async def play(self, device: str) -> Any:
        return await self.ask("POST", "/v1/playback", {"title": "film", "device": device})

    async def beat(self, body: Any) -> Any:
        return await self.ask("POST", body["heartbeat_url"], bearer=body["token"])

    async def refused(self, word: str) -> None:
        """Whether a new session is refused with this word, and in time."""
        begun_s = time.monotonic()
        status, body, headers = await self.play("new")
        assert (status, body["error"]) == (503, word)
        assert int(headers["Retry-After"]) >= 1
        assert time.monotonic() - begun_s < REFUSED_S + SLACK_S

    async def plays_again(self) -> Any:
        """The answer to a request once the service takes them again."""
        for _ in range(200):
            status, body, _ = await self.play("tv")
            if status == 200:
                return body
            await asyncio.sleep(0.05)
        pytest.fail("the service did not come back")


@asynccontextmanager
async def gateway(
    folder: Path, state: str, directory: Directory, *, limit_s: float = 0.3, lease_s: float = 30.0
) -> AsyncIterator[Client]:
    if not (folder / "packages").exists():
        write_package(folder / "packages" / "film", segment_sizes=(1000,))
    config = GatewayConfig(authenticator="a test's", lease_ttl_s=lease_s).check()
    rules = LeaseRules(lease_s=lease_s)
    service = Service(
        config,
        titles=DirectoryStore(folder / "packages"),
        keys=MemoryKeys(),
        authenticator=directory,
        state=StateClient(lambda: open_state(state), rules=rules, now=wall_s, limit_s=limit_s),
        now=wall_s,
    )
    async with (
        listening(make_app(service), host="127.0.0.1", port=0) as at,
        aiohttp.ClientSession() as http,
    ):
        yield Client(http, at.url)


@pytest.fixture(scope="module")
def server() -> Iterator[Postgres]:
    if binaries() is None:
        pytest.skip("initdb and postgres are not installed")
    pytest.importorskip("psycopg", reason="psycopg is not installed")
    with postgres() as running:
        yield running


@contextmanager
def locked(path: str) -> Iterator[None]:
    """Another process writes, and does not end."""
    holder = sqlite3.connect(path, isolation_level=None)
    holder.execute("BEGIN EXCLUSIVE")
    try:
        yield
    finally:
        holder.execute("ROLLBACK")
        holder.close()


@contextmanager
def frozen(running: Postgres) -> Iterator[None]:
    """All processes of the server are stopped, with their connections open."""
    children = Path(f"/proc/{running.pid}/task/{running.pid}/children").read_text().split()
    processes = [running.pid, *map(int, children)]
    for pid in processes:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in processes:
            os.kill(pid, signal.SIGCONT)


@pytest.fixture(params=["sqlite", "postgres"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[str, Callable[[], Any]]:
    """A state, and how to stop it."""
    if request.param == "sqlite":
        path = str(tmp_path / "state.sqlite")
        return path, lambda: locked(path)
    running: Postgres = request.getfixturevalue("server")
    return running.make_database(), lambda: frozen(running)


async def test_while_the_state_is_frozen_who_plays_goes_on_and_new_ones_are_refused_in_words(
    place: tuple[str, Callable[[], Any]], tmp_path: Path
) -> None:
    where, stop = place
    async with gateway(tmp_path, where, Directory()) as client:
        _, playing, _ = await client.play("tv")
        with stop():
            await client.refused("state-unavailable")
            for _ in range(3):
                begun_s = time.monotonic()
                status, beaten, _ = await client.beat(playing)
                assert (status, beaten["is_noted"]) == (200, False)
                assert beaten["token"]
                assert time.monotonic() - begun_s < REFUSED_S + SLACK_S
            status, health, _ = await client.ask("GET", "/healthz")
            assert (status, health["status"]) == (200, "degraded")
            await client.refused("state-unavailable")  # its breaker is open: at once
        again = await client.plays_again()
        assert again["session"] != playing["session"]
        # It was replaced by its own device; the other sessions were not touched.
        status, body, _ = await client.beat(playing)
        assert (status, body["error"]) == (410, "session-replaced")
        assert (await client.beat(again))[1]["is_noted"] is True


async def test_nobody_loses_a_place_because_heartbeats_could_not_be_noted(tmp_path: Path) -> None:
    where = str(tmp_path / "state.sqlite")
    async with gateway(tmp_path, where, Directory(), lease_s=1.0) as client:
        playing = [(await client.play(device))[1] for device in ("one", "two")]
        with locked(where):
            ends_s = time.monotonic() + 1.3  # longer than the leases last
            while time.monotonic() < ends_s:
                for each in playing:
                    assert (await client.beat(each))[0] == 200
        status, body, _ = await client.play("three")
        for _ in range(200):
            if status != 503:
                break
            await asyncio.sleep(0.02)
            status, body, _ = await client.play("three")
        assert (status, body["error"]) == (403, "too-many-streams")
        assert {each["device"] for each in body["sessions"]} == {"one", "two"}
        for each in playing:
            assert (await client.beat(each))[1]["is_noted"] is True


async def test_while_accounts_are_frozen_who_plays_goes_on_and_new_ones_are_refused_in_words(
    tmp_path: Path,
) -> None:
    directory = Directory()
    async with gateway(tmp_path, str(tmp_path / "state.sqlite"), directory) as client:
        _, playing, _ = await client.play("tv")
        directory.answers.clear()
        for _ in range(3):
            await client.refused("accounts-unavailable")
        asked = directory.asked
        await client.refused("accounts-unavailable")
        assert directory.asked == asked  # it is left alone for a while
        assert (await client.beat(playing))[1]["is_noted"] is True
        path = f"/v1/sessions/{playing['session']}"
        assert (await client.ask("DELETE", path, bearer=playing["token"]))[0] == 204
        directory.answers.set()
        await client.plays_again()


async def test_a_request_whose_client_was_refused_takes_no_place_later(tmp_path: Path) -> None:
    """It waited behind others when the state stood still."""
    where = str(tmp_path / "state.sqlite")
    rules = LeaseRules(lease_s=30.0)
    open_state(where).close()
    client = StateClient(lambda: open_state(where), rules=rules, now=wall_s, limit_s=0.2)
    seen: list[int] = []
    with locked(where):
        first = asyncio.create_task(client.call(lambda state: state.sweep(now_s=0.0)))
        await asyncio.sleep(0)
        late = asyncio.create_task(client.call(lambda _state: seen.append(1)))
        for task in (first, late):
            with pytest.raises(StateError):
                await task
    await _until_it_answers(client)
    assert seen == []
    await client.close()


async def test_a_connection_that_was_lost_meanwhile_is_made_again_and_nobody_is_refused(
    server: Postgres, tmp_path: Path
) -> None:
    """The database was restarted, or a firewall has forgotten an idle connection."""
    import psycopg

    where = server.make_database()
    async with gateway(tmp_path, where, Directory()) as client:
        _, playing, _ = await client.play("tv")
        with psycopg.connect(where, autocommit=True) as other:
            other.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
        assert (await client.play("phone"))[0] == 200
        assert (await client.beat(playing))[1]["is_noted"] is True


async def test_a_closed_state_refuses_and_who_waits_is_told(tmp_path: Path) -> None:
    where = str(tmp_path / "state.sqlite")
    client = StateClient(lambda: open_state(where), rules=LeaseRules(), now=wall_s)
    await client.call(lambda state: state.sweep(now_s=0.0))
    await client.close()
    with pytest.raises(StateError, match="closed"):
        await client.call(lambda state: state.sweep(now_s=0.0))


async def _until_it_answers(client: StateClient) -> None:
    for _ in range(100):
        try:
            await client.call(lambda state: state.sweep(now_s=0.0))
            return
        except StateError:
            await asyncio.sleep(0.02)
    raise AssertionError


async def test_clients_that_are_slow_with_their_bodies_are_held_against_nobody(
    tmp_path: Path,
) -> None:
    """Their own time is up then; three of them would have had all others refused."""
    async with gateway(tmp_path, str(tmp_path / "s.sqlite"), Directory()) as client:
        body = b'{"title": "film", "device": "tv"}'
        head = (
            "POST /v1/playback HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer bob\r\n"
            f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
        ).encode()
        port = int(client.url.rpartition(":")[2])
        slow = [await asyncio.open_connection("127.0.0.1", port) for _ in range(4)]
        for _, writer in slow:
            writer.write(head + body[:1])
        await asyncio.sleep(GatewayConfig().answer_s + 0.1)
        for reader, writer in slow:
            writer.write(body[1:])
            assert (await reader.readline()).startswith(b"HTTP/1.1 200")
            writer.close()
        assert (await client.play("tv"))[0] == 200
