"""What a parent refuses one viewer says nothing about others, nor about what is stored."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import pytest
from yarl import URL

from tests.fakes.parent import FakeParent, RunningEdge, Thing, fake_parent, running_edge

PATH = "/film/v0/00000.m4s"
STORED = {"Cache-Control": "max-age=60", "ETag": '"1"'}


@dataclass(slots=True)
class Served:
    """A parent, an edge and a clock that tests move."""

    parent: FakeParent
    edge: RunningEdge
    client: aiohttp.ClientSession
    now_s: float

    async def get(self, path: str = PATH) -> tuple[int, str]:
        """Status and ``Cache-Status`` for a viewer with a new token."""
        token = self.parent.issuer.issue("film", now_s=self.now_s, session_id="s")
        async with self.client.get(f"{self.edge.url}/t/{token}{path}") as answer:
            await answer.read()
            return answer.status, answer.headers.get("Cache-Status", "")

    def refuse(self, status: int) -> None:
        """Let the parent refuse from now on."""
        headers = {"Cache-Control": "no-store"}
        self.parent.things[PATH] = Thing(b"no", status=status, headers=headers)

    def permit(self) -> None:
        """Let it answer."""
        self.parent.things[PATH] = Thing(b"segment", headers=STORED)


@pytest.fixture
async def served(tmp_path: Path) -> AsyncIterator[Served]:
    start_s = time.time()  # noqa: TID251 -- dates of the fake parent are of now
    made: list[Served] = []

    def now_s() -> float:
        return made[0].now_s if made else start_s

    async with (
        fake_parent() as parent,
        running_edge(parent.url, tmp_path, now=now_s, name="e") as edge,
        aiohttp.ClientSession() as client,
    ):
        made.append(Served(parent, edge, client, start_s))
        yield made[0]


@pytest.mark.parametrize("status", [401, 403, 407, 429])
async def test_a_refused_validation_leaves_the_shared_copy(served: Served, status: int) -> None:
    """The next viewer has it confirmed; nothing is transferred again."""
    served.permit()
    assert (await served.get())[0] == 200
    served.now_s += 61
    served.refuse(status)
    assert (await served.get())[0] == status
    assert served.edge.edge.index.keys() == (PATH,)
    served.permit()
    assert await served.get() == (200, '"e"; fwd=stale; fwd-status=304')
    assert await served.get() == (200, '"e"; hit; ttl=60')


@pytest.mark.parametrize("status", [401, 403, 429])
async def test_a_refusal_does_not_make_an_object_uncacheable_for_others(
    served: Served, status: int
) -> None:
    """They still wait for one fetch together, which is stored."""
    served.refuse(status)
    assert (await served.get())[0] == status
    served.permit()
    assert await served.get() == (200, '"e"; fwd=uri-miss; stored')
    assert await served.get() == (200, '"e"; hit; ttl=60')


@pytest.mark.parametrize("status", [404, 410])
async def test_an_absence_with_a_lifetime_is_stored_and_replaces_a_stale_copy(
    served: Served, status: int
) -> None:
    served.permit()
    await served.get()
    served.now_s += 61
    gone = {"Cache-Control": "public, max-age=20"}
    served.parent.things[PATH] = Thing(b"gone", status=status, headers=gone)
    assert (await served.get())[0] == status
    asked = len(served.parent.asked)
    assert await served.get() == (status, '"e"; hit; ttl=20')
    assert len(served.parent.asked) == asked
    served.now_s += 21
    served.permit()
    assert (await served.get())[0] == 200


async def test_an_absence_without_a_lifetime_is_not_stored(served: Served) -> None:
    for _ in range(2):
        assert (await served.get("/film/nothing"))[0] == 404
    assert served.parent.asked == ["/film/nothing"] * 2


async def test_a_refusal_is_not_given_to_others_who_wait_for_the_same_object(
    served: Served,
) -> None:
    """Even when the parent says nothing about caches: each asks with its own token."""
    served.parent.things[PATH] = Thing(b"no", status=403, headers={}, first_byte_s=0.2)
    refused = asyncio.create_task(served.get())
    others = [asyncio.create_task(served.get()) for _ in range(3)]
    await asyncio.wait({refused, *others}, timeout=0.1)
    assert len(served.parent.asked) == 1
    served.permit()
    assert (await refused)[0] == 403
    assert {status for status, _ in await asyncio.gather(*others)} == {200}


async def test_nobody_is_told_where_a_parent_is_that_fails(
    served: Served, caplog: pytest.LogCaptureFixture
) -> None:
    """Nor what they asked for; the log says both."""
    served.parent.things[PATH] = Thing(drops=True)
    token = served.parent.issuer.issue("film", now_s=served.now_s, session_id="s")
    async with served.client.get(f"{served.edge.url}/t/{token}{PATH}") as answer:
        text = await answer.text()
    assert answer.status == 502
    assert answer.headers["Cache-Control"] == "no-store"
    assert not any(word in text for word in ("127.0.0.1", served.parent.url[-5:], "00000", token))
    assert f"{served.parent.url}/t/-{PATH}" in caplog.text


@pytest.mark.parametrize("path", ["/../x", "/%2e%2e/x", "/a/..%2f..%2fx", "/%252e%252e/x"])
async def test_no_request_leaves_the_folder_of_the_parent(tmp_path: Path, path: str) -> None:
    """It is the client's fault: 400, and nothing is held against the parent."""
    async with (
        fake_parent() as parent,
        running_edge(f"{parent.url}/base", tmp_path, require_token=False) as edge,
        aiohttp.ClientSession() as client,
    ):
        parent.add("/base/x", b"inside")
        parent.add("/x", b"outside")
        for _ in range(30):
            async with client.get(URL(edge.url + path, encoded=True)) as answer:
                assert (answer.status, "outside" in await answer.text()) == (400, False)
        async with client.get(f"{edge.url}/x") as answer:
            assert await answer.read() == b"inside"
        assert parent.asked == ["/base/x"]
