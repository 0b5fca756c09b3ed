"""Pathways over HTTP on loopback: one dies while it is played, and a steering server moves all."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field

from aiohttp import web
from aiohttp.test_utils import TestServer

from abr.qoe import summary
from player import play, replay
from player.drivers.replay import differences
from tests.fakes.titles import FakeTitle, fixed
from tests.unit.transcode.test_fragments import AAC, init_section

SEGMENT = b"\x00\x00\x00\x08moof" + b"\x00\x00\x00\x08mdat" * 499
INIT = init_section(AAC)


@dataclass
class Ways:
    """Two servers of the same title, 2 s long in segments of 0.4 s."""

    title: FakeTitle
    asked: list[tuple[str, str]] = field(default_factory=list)
    dead: set[str] = field(default_factory=set)
    priority: list[str] = field(default_factory=lambda: ["a", "b"])
    urls: dict[str, str] = field(default_factory=dict)

    async def answer(self, way: str, request: web.Request) -> web.Response:
        path = request.match_info["path"]
        self.asked.append((way, path))
        if way == "a" and path.endswith("00002.m4s"):
            self.on_third()
        if way in self.dead:
            assert request.transport is not None
            request.transport.abort()
            return web.Response()
        if path == "steer":
            told = {"VERSION": 1, "TTL": 1, "PATHWAY-PRIORITY": self.priority}
            return web.Response(text=json.dumps(told))
        if path == "multivariant.m3u8":
            text = self.title.multivariant()
            for name, url in self.urls.items():
                text = text.replace(f"http://{name}.test/film/", url)
            return web.Response(text=text)
        if path.endswith("playlist.m3u8"):
            return web.Response(text=self.title.media(-1 if path[0] == "a" else int(path[1])))
        return web.Response(body=INIT if path.endswith("init.mp4") else SEGMENT)

    def on_third(self) -> None:
        """What happens when the third segment is asked for."""


@asynccontextmanager
async def serving(ways: Ways) -> AsyncIterator[str]:
    """Both servers; the URL of the title."""
    async with AsyncExitStack() as stack:
        for way in "ab":
            app = web.Application()

            async def handler(request: web.Request, way: str = way) -> web.Response:
                return await ways.answer(way, request)

            app.router.add_get("/film/{path:.*}", handler)
            server = await stack.enter_async_context(TestServer(app))
            ways.urls[way] = str(server.make_url("/film/"))
        yield ways.urls["b"] + "multivariant.m3u8"


async def test_a_server_that_dies_costs_one_request_and_no_stall() -> None:
    """Connections of the first break off and are refused from the third segment on."""
    ways = Ways(FakeTitle(segments=5, segment_s=0.4, ways=("a", "b")))
    ways.on_third = lambda: ways.dead.add("a")  # type: ignore[method-assign]  # a script
    async with serving(ways) as url:
        log = await play(url, algorithm=fixed(1))
    found = summary(log)
    assert (found.ended, found.stall_events, set(found.rungs)) == ("complete", 0, {1})
    assert len(list(log.of("failed"))) == 1
    died = next(n for n, (way, path) in enumerate(ways.asked) if path.endswith("00002.m4s"))
    # aiohttp itself sends a GET a second time when the connection was used before.
    after = [each for each in ways.asked[died:] if each != ways.asked[died]]
    assert {way for way, _ in after} == {"b"}
    assert differences(log, replay(log, algorithm=fixed(1))) == []


async def test_the_steering_server_is_asked_in_its_own_words() -> None:
    """The pathway as a quoted string; from its answer on everything comes the other way."""
    title = FakeTitle(segments=5, segment_s=0.4, ways=("a", "b"), steering="steer")
    ways = Ways(title, priority=["b", "a"])
    async with serving(ways) as url:
        log = await play(url, algorithm=fixed(1))
    assert summary(log).ended == "complete"
    assert ("b", "steer") in ways.asked
    asked = next(r["uri"] for r in log.of("fetch") if r["kind"] == "steering")
    assert asked.startswith("steer")
    segments = [way for way, path in ways.asked if path.endswith("m4s")]
    assert segments.count("b") > segments.count("a")
    assert segments[-1] == "b"
    assert differences(log, replay(log, algorithm=fixed(1))) == []
