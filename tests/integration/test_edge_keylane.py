"""The lane of an edge for keys gives what the ordinary path gives, or leaves it to that path."""

from __future__ import annotations

import asyncio
import json
import socket
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
import pytest

from edge.server.passthrough import Passthrough
from origin.config import ServerLimits
from origin.server.app import ORIGIN, make_app
from origin.server.httpserver import listening
from origin.server.store import DirectoryStore
from tests.fakes.packages import KID, MemoryKeys, write_package
from tests.fakes.parent import LIMITS, FakeParent, RunningEdge, Thing, fake_parent, running_edge

KEY = f"/film/key/{KID}"
BODY = bytes(range(16))
ODD = {"X-Odd": "1"}
"""A field that nobody knows: with it a request takes the ordinary path."""
ASKED = json.dumps({"kids": ["ABEiM0RVZneImaq7zN3u_w"], "type": "temporary"}).encode()
VARYING = ("date", "age")


@dataclass(slots=True)
class Passed:
    """Counts what takes the ordinary path."""

    count: int = 0


@pytest.fixture
def passed(monkeypatch: pytest.MonkeyPatch) -> Passed:
    found, forward = Passed(), Passthrough.forward

    async def counting(*args: object, **more: object) -> object:
        found.count += 1
        return await forward(*args, **more)  # type: ignore[arg-type]  # as it was called

    monkeypatch.setattr(Passthrough, "forward", counting)
    return found


@pytest.fixture
async def client() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(headers={"Accept-Encoding": "identity"}) as session:
        yield session


def token_of(parent: FakeParent) -> str:
    """A token of the parent."""
    now_s = time.time()  # noqa: TID251 -- the edge's clock
    return parent.issuer.issue("film", now_s=now_s, session_id="s")


def fields_of(answer: aiohttp.ClientResponse) -> dict[str, str]:
    """Fields that do not change from one moment to the next."""
    return {n.lower(): v for n, v in answer.headers.items() if n.lower() not in VARYING}


@asynccontextmanager
async def before_a_parent(
    tmp_path: Path, **settings: object
) -> AsyncIterator[tuple[FakeParent, RunningEdge]]:
    """An edge and its parent, which has a key."""
    async with fake_parent() as parent:
        parent.add(KEY, BODY, headers={"Cache-Control": "no-store"})
        async with running_edge(parent.url, tmp_path / "cache", **settings) as edge:
            yield parent, edge


async def until(holds: Callable[[], bool], *, limit_s: float = 5.0) -> None:
    """Wait until something holds."""
    async with asyncio.timeout(limit_s):
        while not holds():  # noqa: ASYNC110 -- nobody tells of it
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("path", [f"key/{KID}", "licence", "licence/clearkey", "renew"])
async def test_through_two_tiers_the_answer_is_that_of_the_ordinary_path(
    path: str, tmp_path: Path, client: aiohttp.ClientSession, passed: Passed
) -> None:
    """Status, body and fields, at the origin too; nothing is stored anywhere."""
    write_package(tmp_path / "titles" / "film", encrypted=True)
    app = make_app(DirectoryStore(tmp_path / "titles"), MemoryKeys("film"))
    async with (
        listening(app, host="127.0.0.1", port=0, limits=LIMITS) as where,
        running_edge(where.url, tmp_path / "1", name="one") as one,
        running_edge(one.url, tmp_path / "2", name="two") as two,
    ):
        url = f"{two.url}/t/{app[ORIGIN].playback('film')['token']}/film/{path}"
        method = "POST" if path.startswith("licence") else "GET"
        data = ASKED if method == "POST" else None

        async def ask(**headers: str) -> tuple[int, dict[str, str], bytes]:
            async with client.request(method, url, data=data, headers=headers) as answer:
                return answer.status, fields_of(answer), await answer.read()

        ordinary = await ask(**ODD)
        assert passed.count == 2
        for _ in range(3):
            lane = await ask()
            if path == "renew":  # a token and its time differ from one second to the next
                assert json.loads(lane[2]).keys() == json.loads(ordinary[2]).keys()
            else:
                assert lane[2] == ordinary[2]
            lane[1].pop("content-length"), ordinary[1].pop("content-length", "")
            assert (lane[0], lane[1]) == (200, ordinary[1])
            assert lane[1]["cache-status"] == '"one"; fwd=bypass, "two"; fwd=bypass'
        assert passed.count == 2
        for edge in (one.edge, two.edge):
            assert edge.counters.passed == 4
            assert edge.counters.requests == 0
            assert len(list(edge.index.keys())) == 0


async def test_who_has_no_permission_gets_the_ordinary_refusal_and_nothing_is_asked(
    tmp_path: Path, client: aiohttp.ClientSession
) -> None:
    async with before_a_parent(tmp_path) as (parent, edge):
        good = token_of(parent)
        async with client.get(f"{edge.url}/t/{good}{KEY}") as answer:
            assert (answer.status, await answer.read()) == (200, BODY)
        asked = len(parent.asked)
        now_s = time.time()  # noqa: TID251 -- as above
        for token, reason in (
            (parent.issuer.issue("film", now_s=now_s - 99, session_id="s", ttl_s=60), "expired"),
            (parent.issuer.issue("other", now_s=now_s, session_id="s"), "wrong-title"),
            (good[:-1] + ("A" if good[-1] != "A" else "Q"), "bad-signature"),
            ("x.y.z", "malformed"),
        ):
            async with client.get(f"{edge.url}/t/{token}{KEY}") as answer:
                assert answer.status == 403
                assert answer.headers["Abr-Refusal"] in (reason, "malformed")
        assert len(parent.asked) == asked
        assert edge.edge.counters.refusals.total() == 4


@pytest.mark.parametrize("status", [400, 403, 404, 500, 503])
async def test_what_a_parent_refuses_is_passed_on_as_it_is(
    status: int, tmp_path: Path, client: aiohttp.ClientSession, passed: Passed
) -> None:
    async with before_a_parent(tmp_path) as (parent, edge):
        headers = {"Cache-Control": "no-store", "Abr-Refusal": "height"}
        parent.add(KEY, b'{"error": "height"}\n', status=status, headers=headers)
        async with client.get(f"{edge.url}/t/{token_of(parent)}{KEY}") as answer:
            assert answer.status == status
            assert answer.headers["Abr-Refusal"] == "height"
            assert await answer.read() == b'{"error": "height"}\n'
        assert passed.count == 0


async def test_an_answer_of_another_form_is_left_to_the_ordinary_path(
    tmp_path: Path, client: aiohttp.ClientSession, passed: Passed
) -> None:
    """Without a length, without a body, and too long for the lane."""
    async with before_a_parent(tmp_path) as (parent, edge):
        url = f"{edge.url}/t/{token_of(parent)}{KEY}"
        things = (
            Thing(BODY, chunked=True),
            Thing(status=204),
            Thing(b"x" * 100_000),
        )
        for number, thing in enumerate(things, 1):
            parent.things[KEY] = thing
            body = thing.body
            async with client.get(url) as answer:
                assert (answer.status, await answer.read()) == (thing.status, body)
            assert passed.count == number
            assert _in_flight(edge) == 0
        # Only the first was asked for twice: then the lane left that parent alone.
        assert len(parent.asked) == 4


async def test_a_parent_that_closes_each_connection_is_asked_once_for_each_answer(
    tmp_path: Path, client: aiohttp.ClientSession, passed: Passed
) -> None:
    async with before_a_parent(tmp_path) as (parent, edge):
        parent.things[KEY].headers = {"Cache-Control": "no-store", "Connection": "close"}
        for number in range(1, 4):
            async with client.get(f"{edge.url}/t/{token_of(parent)}{KEY}") as answer:
                assert (answer.status, await answer.read()) == (200, BODY)
                assert "Connection" not in answer.headers
            assert len(parent.asked) == number
        assert passed.count == 0
        (upstream,) = edge.edge.upstream._upstreams.values()
        assert not upstream._idle
        assert not upstream._busy


async def test_a_kept_connection_that_is_dead_costs_no_viewer_an_answer(
    tmp_path: Path, client: aiohttp.ClientSession, passed: Passed
) -> None:
    """Neither a GET nor a licence's POST."""
    async with before_a_parent(tmp_path) as (parent, edge):
        parent.add("/film/licence", b"{}", headers={"Cache-Control": "no-store"})
        token = token_of(parent)
        for _ in range(3):
            for method, path in (("GET", KEY), ("POST", "/film/licence")):
                (upstream,) = edge.edge.upstream._upstreams.values()
                for wire in upstream._idle:
                    # The parent closes it; the news is on its way while the request is sent.
                    wire._transport.get_extra_info("socket").shutdown(socket.SHUT_RDWR)  # type: ignore[union-attr]  # it is connected
                data = ASKED if method == "POST" else None
                async with client.request(method, f"{edge.url}/t/{token}{path}", data=data) as got:
                    assert got.status == 200
        assert passed.count == 0
        assert _in_flight(edge) == 0


async def test_a_parent_that_drops_every_request_is_an_ordinary_502(
    tmp_path: Path, client: aiohttp.ClientSession
) -> None:
    async with before_a_parent(tmp_path) as (parent, edge):
        parent.things[KEY].drops = True
        async with client.get(f"{edge.url}/t/{token_of(parent)}{KEY}") as answer:
            assert answer.status == 502
            assert (await answer.json())["error"] == "parent-failed"
        assert _in_flight(edge) == 0


async def test_a_parent_that_does_not_answer_is_a_504_within_the_limit(
    tmp_path: Path, client: aiohttp.ClientSession
) -> None:
    """And the connection of the client goes on."""
    async with before_a_parent(tmp_path, first_byte_limit_s=0.3) as (parent, edge):
        parent.things[KEY].first_byte_s = 30.0
        url = f"{edge.url}/t/{token_of(parent)}{KEY}"
        async with client.get(url) as answer:
            assert answer.status == 504
            assert (await answer.json())["error"] == "parent-failed"
            assert answer.headers["Access-Control-Allow-Origin"] == "*"
        assert _in_flight(edge) == 0
        parent.things[KEY].first_byte_s = 0.0
        async with client.get(url) as answer:
            assert (answer.status, await answer.read()) == (200, BODY)


async def test_a_client_that_leaves_ends_its_request(tmp_path: Path, passed: Passed) -> None:
    async with before_a_parent(tmp_path) as (parent, edge):
        parent.things[KEY].first_byte_s = 30.0
        reader, writer = await _connect(edge.url)
        writer.write(f"GET /t/{token_of(parent)}{KEY} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
        await until(lambda: _in_flight(edge) == 1)
        writer.close()
        await until(lambda: _in_flight(edge) == 0)
        assert not edge.edge.lane._under_way
        (upstream,) = edge.edge.upstream._upstreams.values()
        assert not upstream._busy
        assert passed.count == 0
        del reader


async def test_requests_wait_in_line_while_the_parent_has_as_many_as_it_may(
    tmp_path: Path, client: aiohttp.ClientSession, passed: Passed
) -> None:
    """In the lane, where waiting is cheap; who leaves the line keeps nobody waiting."""
    async with before_a_parent(tmp_path, upstream_connections=1) as (parent, edge):
        may_end = parent.things[KEY].last_piece = asyncio.Event()
        url = f"{edge.url}/t/{token_of(parent)}{KEY}"

        async def ask() -> tuple[int, bytes]:
            async with client.get(url) as answer:
                return answer.status, await answer.read()

        first = asyncio.create_task(ask())
        await until(lambda: _in_flight(edge) == 1)
        _, writer = await _connect(edge.url)
        writer.write(f"GET {url.removeprefix(edge.url)} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
        await until(lambda: len(edge.edge.lane._under_way) == 2)
        others = [asyncio.create_task(ask()) for _ in range(4)]
        await until(lambda: len(edge.edge.lane._under_way) == 6)
        writer.close()
        may_end.set()
        assert await asyncio.gather(first, *others) == [(200, BODY)] * 5
        assert len(parent.asked) in (5, 6)  # the one that left may have been asked for already
        assert passed.count == 0
        assert _in_flight(edge) == 0


async def test_who_waits_in_line_too_long_is_told_so(
    tmp_path: Path, client: aiohttp.ClientSession, passed: Passed
) -> None:
    settings = {"upstream_connections": 1, "first_byte_limit_s": 0.4}
    async with before_a_parent(tmp_path, **settings) as (parent, edge):
        parent.things[KEY].first_byte_s = 30.0
        url = f"{edge.url}/t/{token_of(parent)}{KEY}"

        async def status() -> int:
            async with client.get(url) as answer:
                return answer.status

        assert await asyncio.gather(*(status() for _ in range(4))) == [504] * 4
        assert passed.count == 0
        assert _in_flight(edge) == 0
        assert not edge.edge.lane._under_way


async def test_what_a_client_sends_behind_a_request_is_answered_after_it(
    tmp_path: Path, passed: Passed
) -> None:
    """Whether the first is answered by the lane or left to the ordinary path."""
    async with before_a_parent(tmp_path) as (parent, edge):
        parent.things[KEY].first_byte_s = 0.5
        request = f"GET /t/{token_of(parent)}{KEY} HTTP/1.1\r\nHost: a\r\n\r\n".encode()
        for number, is_chunked in enumerate((False, True)):
            parent.things[KEY].chunked = is_chunked
            reader, writer = await _connect(edge.url)
            writer.write(request)
            await until(lambda: _in_flight(edge) == 1)
            writer.write(b"GET /healthz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
            async with asyncio.timeout(5):
                data = await reader.read()
            writer.close()
            assert data.count(b"HTTP/1.1 200 OK\r\n") == 2
            end = b"\r\n0\r\n\r\n" if is_chunked else BODY
            assert data.index(end) < data.index(b'"role": "edge"')
            assert passed.count == number


async def test_a_body_that_comes_in_pieces_is_waited_for(tmp_path: Path, passed: Passed) -> None:
    """Byte by byte, and again on the same connection; a slow one is cut off like a slow head."""
    async with before_a_parent(tmp_path) as (parent, edge):
        edge.door.limits = ServerLimits(header_s=0.4)
        parent.add("/film/licence", b"{}", headers={"Cache-Control": "no-store"})
        head = f"POST /t/{token_of(parent)}/film/licence HTTP/1.1\r\nHost: a\r\n".encode()
        head += f"Content-Length: {len(ASKED)}\r\n\r\n".encode()
        reader, writer = await _connect(edge.url)
        for _ in range(2):
            for piece in (head, ASKED[:1], ASKED[1:-1], ASKED[-1:]):
                writer.write(piece)
                await writer.drain()
                await asyncio.sleep(0.01)
            async with asyncio.timeout(5):
                answer = await reader.readuntil(b"\r\n\r\n{}")
            assert answer.startswith(b"HTTP/1.1 200 ")
            assert parent.seen[-1].content_length == len(ASKED)
        assert passed.count == 0
        writer.write(head + ASKED[:-1])
        async with asyncio.timeout(5):
            assert await reader.read() == b""
        writer.close()


@dataclass(slots=True)
class Two:
    """Two parents that have the same key, and an edge in front of them."""

    one: FakeParent
    two: FakeParent
    edge: RunningEdge
    url: str = field(repr=False)


@asynccontextmanager
async def before_two_parents(tmp_path: Path, **settings: object) -> AsyncIterator[Two]:
    async with fake_parent() as one, fake_parent() as two:
        two.issuer = one.issuer
        for parent in (one, two):
            parent.add(KEY, BODY, headers={"Cache-Control": "no-store"})
        async with running_edge("", tmp_path / "c", parents=(one.url, two.url), **settings) as edge:
            home = edge.edge.upstream.parents.choose(KEY, now_s=0.0).names[0]
            first, second = (one, two) if home == one.url else (two, one)
            yield Two(first, second, edge, f"{edge.url}/t/{token_of(one)}{KEY}")


@pytest.mark.parametrize("trouble", ["busy", "gone", "late"])
async def test_another_parent_answers_for_one_that_does_not(
    trouble: str, tmp_path: Path, client: aiohttp.ClientSession
) -> None:
    async with before_two_parents(tmp_path) as found:
        thing = found.one.things[KEY]
        if trouble == "busy":
            thing.status = 503
        elif trouble == "gone":
            thing.drops = True
        else:
            thing.first_byte_s = 30.0
        async with client.get(found.url) as answer:
            assert (answer.status, await answer.read()) == (200, BODY)
        assert found.two.asked == [KEY]
        assert _in_flight(found.edge) == 0


async def test_a_request_that_comes_round_is_an_ordinary_508_or_502(
    tmp_path: Path, client: aiohttp.ClientSession, passed: Passed
) -> None:
    async with before_a_parent(tmp_path) as (parent, edge):
        loop = {"CDN-Loop": f'abrkit; id="{edge.edge.loop_id}"'}
        url = f"{edge.url}/t/{token_of(parent)}{KEY}"
        async with client.get(url, headers=loop) as answer:
            assert answer.status in (502, 508)
        assert parent.asked == []
        assert passed.count == 0


async def test_the_parent_is_asked_as_on_the_ordinary_path(
    tmp_path: Path, client: aiohttp.ClientSession, passed: Passed
) -> None:
    """Same target, and the same fields but for their order and case."""
    async with before_a_parent(tmp_path) as (parent, edge):
        parent.add("/film/licence", b"{}", headers={"Cache-Control": "no-store"})
        token = token_of(parent)
        for method, path in (("GET", f"{KEY}?CMCD=bl%3D100"), ("POST", "/film/licence")):
            seen = []
            for odd in ({}, ODD):
                headers = {"Origin": "https://x.example", "Sec-Fetch-Mode": "cors", **odd}
                data = ASKED if method == "POST" else None
                url = f"{edge.url}/t/{token}{path}"
                async with client.request(method, url, data=data, headers=headers) as answer:
                    assert answer.status == 200
                request = parent.seen[-1]
                fields = sorted((n.lower(), v) for n, v in request.headers.items() if n not in ODD)
                seen.append((request.method, request.raw_path, fields))
            assert seen[0] == seen[1]
        assert passed.count == 2


def _in_flight(edge: RunningEdge) -> int:
    parents = edge.edge.upstream.parents
    return sum(parents.one(name).limit.in_flight for name in parents.names)


async def _connect(url: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    host, _, port = url.removeprefix("http://").partition(":")
    return await asyncio.open_connection(host, int(port))
