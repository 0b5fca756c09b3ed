"""Ranges of large objects that are not stored: slices, each fetched once."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web

from origin.httprules import Representation, ResponsePlan, Span, plan_response
from origin.server.httpserver import listening, make_application
from tests.fakes.parent import RunningEdge, running_edge

SLICE = 100_000
BODY = os.urandom(1_050_000)


class RangeOrigin:
    """One object of a megabyte, as slowly as it is told, in ranges."""

    def __init__(self) -> None:
        self.asked: list[str | None] = []
        self.etag = '"one"'
        self.body = BODY
        self.knows_ranges = True
        self.cache_control = "max-age=60"
        self.hold_after = 1 << 40
        """Bytes after which a body waits for ``go_on``."""
        self.go_on = asyncio.Event()

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.asked.append(request.headers.get("Range"))
        shown = Representation(
            size_bytes=len(self.body),
            media_type="video/mp4",
            etag=self.etag,
            last_modified_s=0,
            cache_control=self.cache_control,
        )
        asked = list(request.headers.items()) if self.knows_ranges else []
        plan: ResponsePlan = plan_response(request.method, asked, shown, now_s=0)
        headers = [pair for pair in plan.headers if pair != ("ETag", "")]
        response = web.StreamResponse(status=plan.status, headers=dict(headers))
        await response.prepare(request)
        sent = 0
        for span in plan.body:
            assert isinstance(span, Span)
            for at in range(span.start, span.start + span.length, 50_000):
                stop = min(at + 50_000, span.start + span.length)
                await response.write(self.body[at:stop])
                sent += stop - at
                if sent >= self.hold_after:
                    await self.go_on.wait()
        return response


@asynccontextmanager
async def ranged(
    folder: Path, **settings: object
) -> AsyncIterator[tuple[RangeOrigin, RunningEdge]]:
    origin = RangeOrigin()
    async with (
        listening(make_application(origin.handle), host="127.0.0.1", port=0) as where,
        running_edge(where.url, folder, require_token=False, slice_bytes=SLICE, **settings) as edge,
    ):
        yield origin, edge


@pytest.fixture
async def client() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


async def get(
    client: aiohttp.ClientSession, edge: RunningEdge, text: str, **headers: str
) -> tuple[int, bytes, str]:
    fields = {"Range": text, **{name.replace("_", "-"): v for name, v in headers.items()}}
    async with client.get(edge.url + "/film", headers=fields) as answer:
        return answer.status, await answer.read(), answer.headers["Cache-Status"]


async def objects(edge: RunningEdge, count: int) -> None:
    """Wait until so many are stored: that is a moment after their last byte was sent."""
    async with asyncio.timeout(5):
        while len(edge.edge.index) != count:  # noqa: ASYNC110 -- nothing tells
            await asyncio.sleep(0.01)


async def test_a_deep_range_does_not_wait_for_what_comes_before(
    client: aiohttp.ClientSession, tmp_path: Path
) -> None:
    async with ranged(tmp_path) as (origin, edge):
        origin.hold_after = 500_000  # the whole would never get to the range
        status, body, how = await get(client, edge, "bytes=910000-910009")
        assert (status, body) == (206, BODY[910_000:910_010])
        assert origin.asked == ["bytes=900000-999999"]
        assert "fwd=uri-miss" in how
        status, body, how = await get(client, edge, "bytes=990000-999999")
        assert (status, body) == (206, BODY[990_000:1_000_000])
        assert "hit" in how
        assert len(origin.asked) == 1


async def test_a_range_over_several_slices_is_put_together_and_each_is_fetched_once(
    client: aiohttp.ClientSession, tmp_path: Path
) -> None:
    async with ranged(tmp_path) as (origin, edge):
        wanted = "bytes=250000-"
        answers = await asyncio.gather(*(get(client, edge, wanted) for _ in range(5)))
        assert [(status, body == BODY[250_000:]) for status, body, _ in answers] == [
            (206, True)
        ] * 5
        assert sorted(filter(None, origin.asked)) == sorted(
            f"bytes={start}-{min(start + SLICE, len(BODY)) - 1}"
            for start in range(200_000, len(BODY), SLICE)
        )
        assert "hit" in (await get(client, edge, wanted))[2]
        status, body, _ = await get(client, edge, "bytes=-10")
        assert (status, body) == (206, BODY[-10:])
        async with client.get(
            edge.url + "/film", headers={"Range": "bytes=300000-300001,999999-1000001"}
        ) as answer:
            assert answer.status == 206
            text = await answer.read()
            assert BODY[300_000:300_002] in text
            assert BODY[999_999:1_000_002] in text


async def test_the_last_bytes_of_an_unknown_object_are_asked_for_as_such(
    client: aiohttp.ClientSession, tmp_path: Path
) -> None:
    async with ranged(tmp_path) as (origin, edge):
        for expected in ("fwd=uri-miss", "hit"):
            status, body, how = await get(client, edge, "bytes=-1000")
            assert (status, body) == (206, BODY[-1000:])
            assert expected in how
        assert origin.asked == ["bytes=-1000"]
        assert (await get(client, edge, "bytes=-7"))[1] == BODY[-7:]
        assert len(origin.asked) == 1


async def test_parts_of_two_versions_are_never_mixed(
    client: aiohttp.ClientSession, tmp_path: Path
) -> None:
    async with ranged(tmp_path) as (origin, edge):
        await get(client, edge, "bytes=210000-210009")
        origin.body, origin.etag = bytes(len(BODY)), '"two"'
        with pytest.raises(aiohttp.ClientPayloadError):
            await get(client, edge, "bytes=250000-350000")
        for _ in range(2):
            status, body, _ = await get(client, edge, "bytes=350000-350009")
            assert (status, body) == (206, bytes(10))


async def test_a_new_version_is_noticed_before_the_head_where_that_can_be(
    client: aiohttp.ClientSession, tmp_path: Path
) -> None:
    async with ranged(tmp_path) as (origin, edge):
        await get(client, edge, "bytes=210000-210009")
        origin.body, origin.etag = bytes(len(BODY)), '"two"'
        status, body, _ = await get(client, edge, "bytes=350000-450000")
        assert (status, body) == (206, bytes(100_001))


async def test_without_a_strong_tag_a_part_serves_only_what_lies_in_it(
    client: aiohttp.ClientSession, tmp_path: Path
) -> None:
    async with ranged(tmp_path) as (origin, edge):
        origin.etag = ""
        for text, expected in (
            ("bytes=210000-210009", BODY[210_000:210_010]),
            ("bytes=250000-350000", BODY[250_000:350_001]),
        ):
            status, body, _ = await get(client, edge, text)
            assert (status, body) == (206, expected)


async def test_a_parent_without_ranges_fills_the_whole(
    client: aiohttp.ClientSession, tmp_path: Path
) -> None:
    async with ranged(tmp_path) as (origin, edge):
        origin.knows_ranges = False
        status, body, _ = await get(client, edge, "bytes=910000-910009")
        assert (status, body) == (206, BODY[910_000:910_010])
        async with client.get(edge.url + "/film") as answer:
            assert await answer.read() == BODY
        assert len(origin.asked) == 1


async def test_what_may_not_be_stored_goes_through_in_the_range_that_was_asked_for(
    client: aiohttp.ClientSession, tmp_path: Path
) -> None:
    async with ranged(tmp_path) as (origin, edge):
        origin.cache_control = "no-store"
        for _ in range(2):
            status, body, _ = await get(client, edge, "bytes=910000-910009")
            assert (status, body) == (206, BODY[910_000:910_010])
        assert origin.asked[-1] == "bytes=910000-910009"
        assert len(edge.edge.index) == 0


async def test_a_range_beyond_the_end_is_416(client: aiohttp.ClientSession, tmp_path: Path) -> None:
    async with ranged(tmp_path) as (_, edge):
        assert (await get(client, edge, "bytes=5000000-"))[0] == 416
        await get(client, edge, "bytes=500000-500001")
        status, body, how = await get(client, edge, "bytes=5000000-")
        assert (status, body) == (416, b"")
        assert "hit" in how


async def test_the_whole_takes_the_place_of_its_parts(
    client: aiohttp.ClientSession, tmp_path: Path
) -> None:
    async with ranged(tmp_path) as (_, edge):
        await get(client, edge, "bytes=500000-700000")
        await objects(edge, 3)
        async with client.get(edge.url + "/film") as answer:
            assert await answer.read() == BODY
        await objects(edge, 1)
        assert "hit" in (await get(client, edge, "bytes=500000-700000"))[2]


async def test_conditions_are_answered_from_parts(
    client: aiohttp.ClientSession, tmp_path: Path
) -> None:
    async with ranged(tmp_path) as (origin, edge):
        await get(client, edge, "bytes=500000-500001")
        assert (await get(client, edge, "bytes=5-", If_None_Match='"one"'))[0] == 304
        assert len(origin.asked) == 1
