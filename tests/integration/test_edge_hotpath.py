"""Hot objects at an edge: the short cut gives what the ordinary path gives, or does not act."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
from collections.abc import AsyncIterator
from pathlib import Path
from typing import NamedTuple, Self

import pytest
from aiohttp import web

from edge.config import EdgeConfig
from edge.server import hotpath
from edge.server.app import EDGE, make_app
from edge.server.hotpath import IN_MEMORY_BYTES, HotObject, HotObjects, HotPart
from origin.config import ServerLimits
from origin.server import filesender, quick
from origin.server.httpserver import listening
from tests.fakes.parent import FakeParent, RunningEdge, fake_parent, running_edge

MIB = 1 << 20
SMALL, LARGE, HUGE = os.urandom(1000), os.urandom(MIB), os.urandom(24 * MIB)


class Clock:
    """Seconds since the epoch, moved by hand."""

    now_s = 1_800_000_000.25

    def __call__(self) -> float:
        return self.now_s


class Watched(NamedTuple):
    """What the short cut answered."""

    found: list[HotObject | HotPart]

    def last(self) -> HotObject:
        """The latest, which was whole."""
        assert isinstance(self.found[-1], HotObject)
        return self.found[-1]


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def watched(monkeypatch: pytest.MonkeyPatch) -> Watched:
    """Notes every answer of the short cut."""
    seen = Watched([])
    find = HotObjects.find

    def note(self: HotObjects, head: object, who: object) -> HotObject | HotPart | None:
        found = find(self, head, who)  # type: ignore[arg-type]  # as given
        if found is not None:
            seen.found.append(found)
        return found

    monkeypatch.setattr(HotObjects, "find", note)
    return seen


@pytest.fixture
async def parent(clock: Clock) -> AsyncIterator[FakeParent]:
    async with fake_parent() as running:
        running.now = clock
        for name, body in (("small", SMALL), ("large", LARGE), ("huge", HUGE)):
            running.add(f"/film/{name}.m4s", body)
        yield running


@pytest.fixture
async def edge(parent: FakeParent, clock: Clock, tmp_path: Path) -> AsyncIterator[RunningEdge]:
    async with running_edge(
        parent.url, tmp_path / "cache", name="e1", send_limit_s=0.3, now=clock
    ) as running:
        yield running


class Client:
    """A connection that reads exactly what is asked for."""

    def __init__(self, edge: RunningEdge, parent: FakeParent, clock: Clock) -> None:
        token = parent.issuer.issue("film", now_s=clock(), session_id="s", ttl_s=600)
        self.base, self.port = f"/t/{token}/film/", int(edge.url.rpartition(":")[2])

    async def __aenter__(self) -> Self:
        sock = socket.socket()
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        sock.setblocking(False)
        await asyncio.get_running_loop().sock_connect(sock, ("127.0.0.1", self.port))
        self.reader, self.writer = await asyncio.open_connection(sock=sock, limit=65536)
        return self

    async def __aexit__(self, *_exc: object) -> None:
        self.writer.close()

    def head(self, name: str, more: str = "") -> bytes:
        return f"GET {self.base}{name}.m4s HTTP/1.1\r\nHost: h\r\n{more}\r\n".encode()

    def send(self, data: bytes) -> None:
        self.writer.write(data)

    async def receive(self) -> tuple[int, dict[str, str], bytes]:
        raw = await asyncio.wait_for(self.reader.readuntil(b"\r\n\r\n"), 5)
        first, *lines = raw.decode().rstrip("\r\n").split("\r\n")
        fields = dict(line.split(": ", 1) for line in lines)
        body = await asyncio.wait_for(
            self.reader.readexactly(int(fields.get("Content-Length", 0))), 5
        )
        return int(first.split()[1]), fields, body

    async def get(self, name: str, more: str = "") -> tuple[int, dict[str, str], bytes]:
        self.send(self.head(name, more))
        return await self.receive()

    async def heat(self, *names: str) -> None:
        """Have objects fetched, and answered once from the cache."""
        for name in names * 2:
            status, _, _ = await self.get(name)
            assert status == 200


@pytest.mark.parametrize("name", ["small", "large"])
async def test_a_hot_answer_equals_the_ordinary_one(
    name: str, edge: RunningEdge, parent: FakeParent, clock: Clock, watched: Watched
) -> None:
    """Head and body are the same to the byte, whichever path sent them."""
    async with Client(edge, parent, clock) as client:
        await client.heat(name)
        assert watched.found == []
        ordinary = await client.get(name, "Cache-Control: max-age=99999\r\n")
        ready = await client.get(name)
        assert len(watched.found) == 1
        assert ordinary == ready
        assert ready[2] == (SMALL if name == "small" else LARGE)


@pytest.mark.parametrize("damage", ["flipped", "cut"])
async def test_a_hot_body_that_was_written_to_is_fetched_again(
    damage: str, edge: RunningEdge, parent: FakeParent, clock: Clock, tmp_path: Path
) -> None:
    async with Client(edge, parent, clock) as client:
        await client.heat("large")
        assert (await client.get("large"))[2] == LARGE
        (stored,) = (tmp_path / "cache/objects").glob("*/*[!n]")
        with stored.open("r+b") as body:
            if damage == "cut":
                body.truncate(1000)
            else:
                body.write(bytes([LARGE[0] ^ 1]))
        assert (await client.get("large", "Range: bytes=0-9\r\n"))[2] == LARGE[:10]
        assert (await client.get("large"))[2] == LARGE
    assert parent.asked == ["/film/large.m4s"] * 2


@pytest.mark.parametrize("name", ["small", "large"])
@pytest.mark.parametrize(
    ("asking", "status"),
    [
        ("Range: bytes=0-99", 206),
        ("Range: bytes=500-", 206),
        ("Range: bytes=-700", 206),
        ("Range: bytes=0-", 206),
        ("Range: bytes=10-99999999", 206),
        ("Range: lines=1-2", 200),
        ("Range: bytes=3-1", 200),
        ('If-None-Match: "tag"', 304),
        ('If-None-Match: W/"other", W/"tag"', 304),
        ('If-None-Match: "other"', 200),
        ("If-Modified-Since: Fri, 15 Jan 2027 08:00:00 GMT", 304),
        ("If-Modified-Since: Fri, 15 Jan 2027 07:00:00 GMT", 200),
        ('Range: bytes=0-9\r\nIf-Range: "tag"', 206),
        ('Range: bytes=0-9\r\nIf-Range: "other"', 200),
        ('Range: bytes=0-9\r\nIf-None-Match: "tag"', 304),
    ],
)
async def test_parts_and_conditions_are_ready_too(
    asking: str,
    status: int,
    name: str,
    edge: RunningEdge,
    parent: FakeParent,
    clock: Clock,
    watched: Watched,
) -> None:
    """One range, or one answer to a condition, is the same to the byte as the ordinary one."""
    parent.things[f"/film/{name}.m4s"].headers |= {
        "ETag": '"tag"',
        "Last-Modified": "Fri, 15 Jan 2027 08:00:00 GMT",
        "Content-Type": "video/iso.segment",
    }
    async with Client(edge, parent, clock) as client:
        await client.heat(name)
        ordinary = await client.get(name, f"Cache-Control: max-age=99999\r\n{asking}\r\n")
        assert watched.found == []
        ready = await client.get(name, f"{asking}\r\n")
        assert len(watched.found) == 1
        assert ready == ordinary
        assert ready[0] == status
        assert (await client.get(name))[0] == 200


@pytest.mark.parametrize("asking", ["bytes=99999999-", "bytes=0-1,5-6"])
async def test_rare_parts_go_the_ordinary_way(
    asking: str, edge: RunningEdge, parent: FakeParent, clock: Clock, watched: Watched
) -> None:
    """Several ranges, and those that cannot be satisfied."""
    async with Client(edge, parent, clock) as client:
        await client.heat("large")
        assert (await client.get("large", f"Range: {asking}\r\n"))[0] in (206, 416)
        assert watched.found == []


async def test_hot_answers_are_counted_and_used_like_others(
    edge: RunningEdge, parent: FakeParent, clock: Clock, watched: Watched
) -> None:
    """Requests, hits and bytes go on, and the policy sees the use."""
    async with Client(edge, parent, clock) as client:
        await client.heat("small", "large")
        before = edge.edge.counters
        counts = (before.requests, before.hits, before.sent_bytes, before.hit_bytes)
        await client.get("small")
        await client.get("large?CMCD=bl%3D1".removesuffix(".m4s"))
        await client.get("large")
        after = edge.edge.counters
        size = len(SMALL) + len(LARGE)
        assert len(watched.found) == 2
        # One of the three is another path, and answered 404 by the parent.
        assert (after.requests - counts[0], after.hits - counts[1]) == (3, 2)
        assert after.hit_bytes - counts[3] == size
        assert edge.edge.index._policy.evict() == "/film/small.m4s"


async def test_age_and_time_to_live_move_on(
    edge: RunningEdge, parent: FakeParent, clock: Clock, watched: Watched
) -> None:
    """The ready head is renewed when a second has passed; the date is the parent's."""
    async with Client(edge, parent, clock) as client:
        await client.heat("small")
        _, first, _ = await client.get("small")
        clock.now_s += 7
        _, second, _ = await client.get("small")
        assert len(watched.found) == 2
        assert (first["Age"], second["Age"]) == ("0", "7")
        assert first["Cache-Status"] == '"e1"; hit; ttl=31536000'
        assert second["Cache-Status"] == '"e1"; hit; ttl=31535993'
        assert first["Date"] == second["Date"] == "Fri, 15 Jan 2027 08:00:00 GMT"


async def test_a_token_that_ends_ends_hot_answers(
    edge: RunningEdge, parent: FakeParent, clock: Clock, watched: Watched
) -> None:
    """Time and title are checked for each request, and the refusal says why."""
    async with Client(edge, parent, clock) as client:
        await client.heat("small")
        other = parent.issuer.issue("other", now_s=clock(), session_id="s")
        mine, client.base = client.base, f"/t/{other}/film/"
        assert (await client.get("small"))[1]["Abr-Refusal"] == "wrong-title"
        client.base = mine
        assert (await client.get("small"))[0] == 200
        clock.now_s += 601
        assert (await client.get("small"))[1]["Abr-Refusal"] == "expired"
        assert len(watched.found) == 1


async def test_replaced_removed_and_stale_objects_are_not_hot(
    edge: RunningEdge, parent: FakeParent, clock: Clock, watched: Watched
) -> None:
    """The short cut never gives what the cache would not give any more."""
    thing = parent.things["/film/small.m4s"]
    thing.headers = {"Cache-Control": "max-age=60"}
    async with Client(edge, parent, clock) as client:
        await client.heat("small")
        assert len(edge.edge.hot) == 1
        thing.body = b"another"
        clock.now_s += 60.1
        assert (await client.get("small"))[2] == b"another"
        assert len(edge.edge.hot) == 0
        await client.get("small")
        assert (await client.get("small"))[2] == b"another"
        assert len(watched.found) == 1
        edge.edge._delivery.forget("/film/small.m4s")
        assert len(edge.edge.hot) == 0
        thing.body = b"a third"
        assert (await client.get("small"))[2] == b"a third"


async def test_a_piece_after_half_a_head_belongs_to_that_head(
    edge: RunningEdge, parent: FakeParent, clock: Clock, watched: Watched
) -> None:
    """What looks like a whole request is part of a field when the parser waits for one."""
    async with Client(edge, parent, clock) as client:
        await client.heat("small")
        # One whole request, and half a head behind it in the same piece.
        client.send(client.head("small") + client.head("small").partition(b"Host")[0] + b"X-Half: ")
        assert (await client.receive())[2] == SMALL
        client.send(client.head("small"))
        assert (await client.receive())[2] == SMALL
        assert watched.found == []
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(client.reader.read(1), 0.1)
        assert (await client.get("small"))[2] == SMALL
        assert len(watched.found) == 1


async def test_requests_behind_a_ready_answer_are_answered_in_order(
    edge: RunningEdge, parent: FakeParent, clock: Clock, watched: Watched
) -> None:
    """A client need not wait for the end of a body before it asks again."""
    async with Client(edge, parent, clock) as client:
        await client.heat("huge", "small", "large")
        client.send(client.head("huge"))
        assert await client.reader.readuntil(b"\r\n\r\n")
        client.send(client.head("small"))
        await asyncio.sleep(0.05)
        client.send(client.head("large") + client.head("small"))
        assert await client.reader.readexactly(len(HUGE)) == HUGE
        assert (await client.receive())[2] == SMALL
        assert (await client.receive())[2] == LARGE
        assert (await client.receive())[2] == SMALL
        assert watched.found[0].size_bytes == len(HUGE)


async def test_a_client_that_reads_nothing_is_cut_off(
    edge: RunningEdge, parent: FakeParent, clock: Clock, watched: Watched
) -> None:
    """Within the send limit, and what it held is let go."""
    async with Client(edge, parent, clock) as client:
        await client.heat("huge")
        client.send(client.head("huge"))
        await until(lambda: bool(watched.found))
        hot = watched.last()
        assert hot._users == 1
        await until(lambda: hot._users == 0)
        with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
            await client.reader.readexactly(2 * len(HUGE))


async def test_a_client_that_leaves_lets_go_of_the_file(
    edge: RunningEdge, parent: FakeParent, clock: Clock, watched: Watched
) -> None:
    """The descriptor of an object that was removed meanwhile is closed then, not before."""
    async with Client(edge, parent, clock) as client:
        await client.heat("huge")
        client.send(client.head("huge"))
        await client.reader.readexactly(1000)
        hot = watched.last()
        edge.edge._delivery.forget("/film/huge.m4s")
        assert os.fstat(hot.file).st_nlink == 0
    await until(lambda: hot._users == 0)
    with pytest.raises(OSError, match="Bad file"):
        os.fstat(hot.file)


async def test_files_that_are_not_in_memory_are_read_in_a_thread(
    edge: RunningEdge,
    parent: FakeParent,
    clock: Clock,
    watched: Watched,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """No client waits for the disk of another."""
    warmed: list[int] = []
    warm = filesender.warm

    def note(file: int, offset: int, length: int) -> None:
        warmed.append(length)
        warm(file, offset, length)

    async with Client(edge, parent, clock) as client:
        await client.heat("large")
        monkeypatch.setattr(filesender, "warm", note)
        for module in (filesender, hotpath):
            monkeypatch.setattr(module, "is_resident", lambda *_where: False)
        assert (await client.get("large"))[2] == LARGE
        assert len(watched.found) == 1
        assert sum(warmed) == MIB


async def test_a_stop_lets_a_ready_answer_end(
    parent: FakeParent, clock: Clock, tmp_path: Path, watched: Watched
) -> None:
    """A body under way arrives whole, and then the connection is closed."""
    config = EdgeConfig(parent=parent.url)
    app = make_app(config, cache_dir=tmp_path / "cache", now=clock)
    limits = ServerLimits(shutdown_s=4.0)
    async with listening(app, host="127.0.0.1", port=0, limits=limits) as where:
        client = Client(RunningEdge(where.url, app[EDGE]), parent, clock)
        await client.__aenter__()
        await client.heat("huge")
        client.send(client.head("huge"))
        await until(lambda: bool(watched.found))

        async def receive() -> tuple[int, dict[str, str], bytes]:
            await asyncio.sleep(0.1)
            return await client.receive()

        received = asyncio.create_task(receive())
    assert (await received)[2] == HUGE
    assert await client.reader.read() == b""
    await client.__aexit__()


async def test_open_files_and_memory_are_bounded(
    edge: RunningEdge,
    parent: FakeParent,
    clock: Clock,
    watched: Watched,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The least recently asked for is let go."""
    monkeypatch.setattr(edge.edge.hot, "_most_files", 2)
    monkeypatch.setattr(hotpath, "MEMORY_BYTES", 2500)
    async with Client(edge, parent, clock) as client:
        for name in "abcd":
            parent.add(f"/film/{name}.m4s", bytes(IN_MEMORY_BYTES + 1))
            parent.add(f"/film/{name}{name}.m4s", bytes(1000))
        await client.heat(*"abcd", "aa", "bb", "cc", "dd")
        kept = [each.key for each in edge.edge.hot._objects.values()]
        assert kept == [b"film/c.m4s", b"film/d.m4s", b"film/cc.m4s", b"film/dd.m4s"]


async def test_ready_answers_are_logged_without_their_token(
    parent: FakeParent, clock: Clock, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """One line with path, status and bytes, as for any other."""
    caplog.set_level(logging.INFO, "abr.access")
    async with (
        running_edge(parent.url, tmp_path / "cache", now=clock) as edge,
        Client(edge, parent, clock) as client,
    ):
        await client.heat("small", "large")
        caplog.clear()
        await client.get("small")
        await client.get("large")
        lines = [record.getMessage() for record in caplog.records]
        assert lines[0].startswith('127.0.0.1 "GET /t/-/film/small.m4s" 200, 1000 B sent, ')
        assert lines[1].startswith('127.0.0.1 "GET /t/-/film/large.m4s" 200, 1048576 B sent, ')


def test_the_short_cut_knows_this_aiohttp() -> None:
    """The installed version is one of those that were tested, and has what is read of it."""
    assert quick.quick_trouble() == ""


async def test_an_unknown_aiohttp_turns_the_short_cut_off(
    parent: FakeParent,
    clock: Clock,
    tmp_path: Path,
    watched: Watched,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Then everything goes the ordinary way, and one line says so."""

    class Other(web.RequestHandler.__base__):  # type: ignore[name-defined,misc]  # lacks most
        """A connection of another aiohttp."""

    assert "_next_keepalive_close_time" in quick.quick_trouble(Other)
    monkeypatch.setattr("aiohttp.__version__", "3.99.0")
    async with (
        running_edge(parent.url, tmp_path / "cache", now=clock) as edge,
        Client(edge, parent, clock) as client,
    ):
        await client.heat("small")
        assert (await client.get("small"))[2] == SMALL
    assert watched.found == []
    off = [each for each in caplog.records if "short cut for hot objects is off" in each.message]
    assert len(off) == 1


async def until(holds: object, limit_s: float = 4.0) -> None:
    """Wait until ``holds()``."""
    assert callable(holds)
    async with asyncio.timeout(limit_s):
        while not holds():  # noqa: ASYNC110 -- counters of the server have no events
            await asyncio.sleep(0.01)
