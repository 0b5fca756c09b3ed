"""Revocation reaches every tier, and no tier forgets or undoes what it knows."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from abr.errors import ResourceError, UpstreamError
from edge.server import following, tokencheck
from edge.server.tokencheck import KeySetAnswer
from origin.config import OriginConfig
from origin.server import revoking, trustanswers
from origin.server.app import ORIGIN, Origin, make_app
from origin.server.httpserver import listening, make_application
from origin.server.store import DirectoryStore
from origin.tokens.permission import Asked
from origin.tokens.revocation import Kind, MemoryRevocations, Revocation, Revoked
from origin.tokens.trustfeed import PATH
from tests.fakes.packages import KID, MemoryKeys, write_package
from tests.fakes.parent import LIMITS, FakeParent, RunningEdge, fake_parent, running_edge

SPREAD_S = 5.0


def real_s() -> float:
    return time.time()  # noqa: TID251 -- tokens are of now


@pytest.fixture
async def client() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


async def reason(client: aiohttp.ClientSession, url: str) -> str:
    """Why a URL is refused; empty when it is not."""
    async with client.get(url) as answer:
        await answer.read()
        assert answer.status == (403 if "Abr-Refusal" in answer.headers else 200), answer.status
        return answer.headers.get("Abr-Refusal", "")


async def until(is_so: Callable[[], Awaitable[bool]], within_s: float = SPREAD_S) -> None:
    async with asyncio.timeout(within_s):
        while not await is_so():  # noqa: ASYNC110 -- no event tells of answers to come
            await asyncio.sleep(0.02)


@dataclass(slots=True)
class Chain:
    """An origin, a regional tier and two edges behind it."""

    origin: Origin
    origin_url: str
    source: MemoryRevocations
    tiers: list[RunningEdge]

    def revoke(self, kind: Kind, value: str, **more: Any) -> None:
        now_s = real_s()
        entry = Revocation(
            kind=kind, value=value, until_s=now_s + 60, changed_ms=int(1000 * now_s), **more
        )
        self.source.add(entry, now_s=now_s)


@asynccontextmanager
async def chain(folder: Path, **settings: Any) -> AsyncIterator[Chain]:
    write_package(folder / "film", encrypted=True)
    source = MemoryRevocations()
    app = make_app(
        DirectoryStore(folder / "film"),
        MemoryKeys("film"),
        OriginConfig(**settings),
        revocations=source,
    )
    async with (
        listening(app, host="127.0.0.1", port=0, limits=LIMITS) as where,
        running_edge(where.url, folder / "r", name="regional") as regional,
        running_edge(regional.url, folder / "1", name="isp-1") as one,
        running_edge(regional.url, folder / "2", name="isp-2") as two,
    ):
        yield Chain(app[ORIGIN], where.url, source, [regional, one, two])


@pytest.mark.parametrize("kind", ["token", "session", "account", "title"])
async def test_every_tier_refuses_what_was_revoked_mid_play(
    kind: Kind, tmp_path: Path, client: aiohttp.ClientSession
) -> None:
    """Hot objects, keys and renewals alike; and nobody else's."""
    async with chain(tmp_path) as path:
        issued = {
            who: path.origin.issuer.issue(
                "film", now_s=real_s(), session_id=f"{who} session", account=f"{who} account"
            )
            for who in ("their", "our")
        }
        asked = path.origin.verifier.verify(
            issued["their"], asked=Asked(title="film"), now_s=real_s()
        )
        bases = [path.origin_url, *(tier.url for tier in path.tiers)]
        below = ("v0/00000.m4s", f"key/{KID}", "renew")
        for base in bases:
            for token in issued.values():
                for each in below * 2:
                    assert await reason(client, f"{base}/t/{token}/film/{each}") == ""
        named = {
            "token": asked.token_id, "session": "their session", "account": "their account",
            "title": "film",
        }  # fmt: skip
        path.revoke(kind, named[kind])

        async def all_refuse() -> bool:
            found = [
                await reason(client, f"{base}/t/{issued['their']}/film/{each}")
                for base in bases
                for each in below
            ]
            return set(found) == {"revoked"}

        await until(all_refuse)
        expected = "revoked" if kind == "title" else ""
        for base in bases:
            found = await reason(client, f"{base}/t/{issued['our']}/film/v0/00000.m4s")
            assert found == expected


async def test_what_is_lifted_is_allowed_again_at_every_tier(
    tmp_path: Path, client: aiohttp.ClientSession
) -> None:
    async with chain(tmp_path) as path:
        token = path.origin.issuer.issue("film", now_s=real_s(), session_id="s")
        urls = [f"{tier.url}/t/{token}/film/v0/00000.m4s" for tier in path.tiers]

        async def all_say(wanted: str) -> bool:
            return {await reason(client, url) for url in urls} == {wanted}

        path.revoke("session", "s")
        await until(lambda: all_say("revoked"))
        path.revoke("session", "s", is_lifted=True)
        await until(lambda: all_say(""))


async def test_news_are_waited_for_and_told_at_once(
    tmp_path: Path, client: aiohttp.ClientSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Meanwhile a tier asks its parent nothing."""
    monkeypatch.setattr(following, "WAIT_S", 30.0)
    async with fake_parent() as parent, running_edge(parent.url, tmp_path / "e") as edge:
        parent.add("/film/p", b"x")
        token = parent.issuer.issue("film", now_s=real_s(), session_id="s")
        assert await reason(client, f"{edge.url}/t/{token}/film/p") == ""
        async with asyncio.timeout(5):
            while parent.feed.waiting != 1:  # noqa: ASYNC110 -- the edge comes when it is ready
                await asyncio.sleep(0.01)
        asked = parent.feeds_asked
        parent.revoke("session", "s")

        async def refused() -> bool:
            return await reason(client, f"{edge.url}/t/{token}/film/p") == "revoked"

        await until(refused)
        assert parent.feeds_asked - asked <= 1


async def test_a_parent_that_is_behind_keeps_no_news_from_a_tier(
    tmp_path: Path, client: aiohttp.ClientSession
) -> None:
    """It undoes nothing that another told, and its old keys do not displace new ones."""
    async with fake_parent() as behind, fake_parent() as right:
        old = behind.issuer
        for parent in (behind, right):
            parent.add("/film/p", b"x")
        async with running_edge(
            "", tmp_path / "e", parents=(behind.url, right.url), keys_refresh_s=0.0
        ) as edge:
            told = [
                behind.issuer.issue("film", now_s=real_s(), session_id="s"),
                right.issuer.issue("film", now_s=real_s(), session_id="s"),
                right.issuer.issue("film", now_s=real_s(), session_id="other"),
            ]
            assert old is not right.issuer
            right.revoke("session", "s")

            async def as_told() -> bool:
                found = [await reason(client, f"{edge.url}/t/{each}/film/p") for each in told]
                return found == ["revoked", "revoked", ""]

            await until(as_told)
            behind.revoke("session", "nobody")
            await edge.edge.refresh_keys()
            assert await as_told()


async def test_what_is_revoked_does_not_wait_for_keys_that_do_not_come(
    tmp_path: Path, client: aiohttp.ClientSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One of several parents may hang; the others' news come all the same, more than once."""
    monkeypatch.setattr(tokencheck, "SETTLE_S", 0.1)
    async with fake_parent() as parent, running_edge(parent.url, tmp_path / "e") as edge:
        parent.add("/film/p", b"x")
        tokens = [
            parent.issuer.issue("film", now_s=real_s(), session_id=session) for session in "ab"
        ]
        urls = [f"{edge.url}/t/{token}/film/p" for token in tokens]
        assert [await reason(client, url) for url in urls] == ["", ""]
        comes = asyncio.Event()

        async def hang(_past_caches: bool) -> KeySetAnswer:
            await comes.wait()
            raise UpstreamError("it hung")

        check = edge.edge.admission.tokens
        monkeypatch.setattr(check, "_fetch", hang)
        hanging = asyncio.create_task(check.refresh())
        for session, url in zip("ab", urls, strict=True):
            parent.revoke("session", session)

            async def refused(url: str = url) -> bool:
                return await reason(client, url) == "revoked"

            await until(refused)
        comes.set()
        await hanging


@asynccontextmanager
async def odd_parent(
    answer: Callable[[FakeParent, web.Request], Awaitable[web.StreamResponse]], parent: FakeParent
) -> AsyncIterator[str]:
    """A parent whose feed is another; gives its URL."""

    async def handle(request: web.Request) -> web.StreamResponse:
        if request.path == PATH:
            return await answer(parent, request)
        return await parent.handle(request)

    app = make_application(handle)
    async with listening(app, host="127.0.0.1", port=0, limits=LIMITS) as where:
        yield where.url


async def test_nobody_is_let_in_before_it_is_known_what_was_revoked(
    tmp_path: Path, client: aiohttp.ClientSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Though the keys are there; and the next tier is told nothing before that."""
    monkeypatch.setattr("edge.server.tokencheck.PATIENCE_S", 0.05)
    monkeypatch.setattr(following, "RETRY_S", 0.05)
    tells = False

    async def answer(parent: FakeParent, request: web.Request) -> web.StreamResponse:
        return await parent.feed.answer(request) if tells else web.Response(status=500)

    async with (
        fake_parent() as parent,
        odd_parent(answer, parent) as url,
        running_edge(url, tmp_path / "e") as edge,
    ):
        parent.add("/film/p", b"x")
        parent.revoke("session", "s")
        token = parent.issuer.issue("film", now_s=real_s(), session_id="s")
        asked = f"{edge.url}/t/{token}/film/p"
        for _ in range(2):
            async with client.get(asked) as refused:
                assert refused.status == 502
        async with client.get(edge.url + PATH) as told:
            assert (told.status, told.headers["Cache-Control"]) == (503, "no-store")
        async with client.get(edge.url + "/healthz") as health:
            assert health.status == 503
        tells = True

        async def refuses() -> bool:
            async with client.get(asked) as found:
                return found.headers.get("Abr-Refusal") == "revoked"

        await until(refuses)
        parent.feed.close()
        assert parent.asked == []


async def test_a_parent_without_a_feed_is_used_and_the_log_says_what_that_means(
    tmp_path: Path, client: aiohttp.ClientSession, caplog: pytest.LogCaptureFixture
) -> None:
    async def answer(_parent: FakeParent, _request: web.Request) -> web.StreamResponse:
        return web.Response(status=404)

    async with (
        fake_parent() as parent,
        odd_parent(answer, parent) as url,
        running_edge(url, tmp_path / "e") as edge,
    ):
        parent.add("/film/p", b"x")
        token = parent.issuer.issue("film", now_s=real_s(), session_id="s")
        assert await reason(client, f"{edge.url}/t/{token}/film/p") == ""
    told = [each.getMessage() for each in caplog.records if "has no trust feed" in each.message]
    assert len(told) == 1


class Clock:
    """A clock that is moved by hand."""

    def __init__(self) -> None:
        self.now_s = real_s()

    def __call__(self) -> float:
        return self.now_s


async def test_a_tier_that_is_cut_off_goes_on_and_fails_closed_when_tokens_end(
    tmp_path: Path, client: aiohttp.ClientSession, caplog: pytest.LogCaptureFixture
) -> None:
    """What was revoked before stays so; what is cached plays on; a renewal is the origin's."""
    clock = Clock()
    async with fake_parent() as parent:
        parent.add("/film/p", b"x")
        async with running_edge(parent.url, tmp_path / "e", now=clock) as edge:
            tokens = [
                parent.issuer.issue("film", now_s=clock(), session_id=who, ttl_s=60)
                for who in ("revoked", "viewer")
            ]
            urls = [f"{edge.url}/t/{token}/film/" for token in tokens]
            assert [await reason(client, url + "p") for url in urls] == ["", ""]
            parent.revoke("session", "revoked")

            async def refused() -> bool:
                return await reason(client, urls[0] + "p") == "revoked"

            await until(refused)
            parent.things.clear()
            parent.is_cut_off = True
            for passed_s in (20, 20, 15):
                clock.now_s += passed_s
                assert [await reason(client, url + "p") for url in urls] == ["revoked", ""]
            async with client.get(urls[1] + "renew") as renewed:
                assert renewed.status == 502
            clock.now_s += 10
            assert [await reason(client, url + "p") for url in urls] == ["revoked", "expired"]


async def test_a_tier_listens_to_other_parents_after_a_reload(
    tmp_path: Path, client: aiohttp.ClientSession
) -> None:
    async with fake_parent() as one, fake_parent() as two:
        two.issuer = one.issuer
        for parent in (one, two):
            parent.add("/film/p", b"x")
        async with running_edge(one.url, tmp_path / "e") as edge:
            token = one.issuer.issue("film", now_s=real_s(), session_id="s")
            assert await reason(client, f"{edge.url}/t/{token}/film/p") == ""
            await edge.edge.reconfigure(replace(edge.edge.config, parent=two.url))
            two.revoke("session", "s")

            async def refused() -> bool:
                return await reason(client, f"{edge.url}/t/{token}/film/p") == "revoked"

            await until(refused)


async def test_a_tier_that_is_to_end_lets_nobody_wait(
    tmp_path: Path, client: aiohttp.ClientSession
) -> None:
    """Otherwise the tiers behind it would hold up its end."""
    async with fake_parent() as parent, running_edge(parent.url, tmp_path / "e") as edge:
        async with client.get(edge.url + PATH) as first:
            cursor = (await first.json())["cursor"]

        async def ask() -> int:
            async with client.get(f"{edge.url}{PATH}?after={cursor}&wait=30") as answer:
                return answer.status

        waiting = asyncio.create_task(ask())
        async with asyncio.timeout(5):
            while not edge.edge.admission.trust.waiting:  # noqa: ASYNC110 -- it is under way
                await asyncio.sleep(0.01)
        edge.edge.drain()
        assert await asyncio.wait_for(waiting, 5) == 200
        assert await asyncio.wait_for(ask(), 5) == 200


async def test_more_than_may_wait_are_answered_at_once(
    client: aiohttp.ClientSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trustanswers, "MOST_WAITING", 2)
    async with fake_parent() as parent:
        async with client.get(parent.url + PATH) as first:
            cursor = (await first.json())["cursor"]
        url = f"{parent.url}{PATH}?after={cursor}&wait=30"

        async def ask() -> Any:
            async with client.get(url) as answer:
                return await answer.json()

        waiting = [asyncio.create_task(ask()) for _ in range(2)]
        async with asyncio.timeout(5):
            while parent.feed.waiting != 2:  # noqa: ASYNC110 -- both are under way
                await asyncio.sleep(0.01)
        assert (await asyncio.wait_for(ask(), 5))["revocations"] == []
        async with client.head(url) as head:
            assert head.status == 200
        parent.revoke("session", "s")
        found = await asyncio.wait_for(asyncio.gather(*waiting), 5)
        assert [len(each["revocations"]) for each in found] == [1, 1]
        assert parent.feed.waiting == 0


class Failing:
    """A source that can be made to fail, and to begin anew."""

    def __init__(self) -> None:
        self.inner = MemoryRevocations()
        self.fails = False

    def revocations(self, after: int) -> Revoked:
        if self.fails:
            raise ResourceError("the disk is gone")
        return self.inner.revocations(after)


async def test_an_origin_whose_source_fails_keeps_what_it_knows_and_says_so_once(
    tmp_path: Path,
    client: aiohttp.ClientSession,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A source that lost everything has its new entries taken, and the old ones stay."""
    monkeypatch.setattr(revoking, "POLL_S", 0.02)
    write_package(tmp_path / "film")
    source = Failing()
    app = make_app(DirectoryStore(tmp_path / "film"), MemoryKeys("film"), revocations=source)
    async with listening(app, host="127.0.0.1", port=0, limits=LIMITS) as where:
        origin = app[ORIGIN]
        urls = [
            f"{where.url}/t/{token}/film/v0/00000.m4s"
            for token in (
                origin.issuer.issue("film", now_s=real_s(), session_id=who) for who in "abc"
            )
        ]

        async def all_say(*wanted: str) -> bool:
            return [await reason(client, url) for url in urls] == list(wanted)

        for number, session in enumerate(("x", "a")):
            add(source.inner, session, number)
        await until(lambda: all_say("revoked", "", ""))
        source.fails = True
        async with asyncio.timeout(5):
            while not origin.trust.revoking.trouble:  # noqa: ASYNC110 -- it is asked often
                await asyncio.sleep(0.01)
        assert await all_say("revoked", "", "")
        source.inner, source.fails = MemoryRevocations(), False
        add(source.inner, "b", 0)
        await until(lambda: all_say("revoked", "revoked", ""))
    told = [each for each in caplog.records if each.levelno == logging.ERROR]
    assert [each.getMessage() for each in told] == [
        "revocations: the disk is gone; those known stay"
    ]


async def test_what_comes_after_a_full_list_is_still_heard_of(
    tmp_path: Path, client: aiohttp.ClientSession, caplog: pytest.LogCaptureFixture
) -> None:
    """A title can be revoked although too many sessions are; the log says so once."""
    write_package(tmp_path / "film")
    source = MemoryRevocations()
    app = make_app(DirectoryStore(tmp_path / "film"), MemoryKeys("film"), revocations=source)
    origin = app[ORIGIN]
    origin.trust.denied._most = 3
    async with (
        listening(app, host="127.0.0.1", port=0, limits=LIMITS) as where,
        running_edge(where.url, tmp_path / "e") as edge,
    ):
        edge.edge.admission.tokens.denied._most = 2
        token = origin.playback("film")["token"]
        urls = [f"{base}/t/{token}/film/v0/00000.m4s" for base in (where.url, edge.url)]
        assert {await reason(client, url) for url in urls} == {""}
        for number in range(5):
            add(source, f"session {number}", number)
        await until(lambda: logged(caplog, 2))
        now_s = real_s()
        source.add(
            Revocation(kind="title", value="film", until_s=now_s + 60, changed_ms=int(now_s)),
            now_s=now_s,
        )

        async def all_refuse() -> bool:
            return {await reason(client, url) for url in urls} == {"revoked"}

        await until(all_refuse)
        assert await logged(caplog, 2)


async def logged(caplog: pytest.LogCaptureFixture, times: int) -> bool:
    """Whether so many servers have said that their list is full."""
    told = [each for each in caplog.records if "deny list: full" in each.getMessage()]
    return len(told) == times


def add(source: MemoryRevocations, session: str, number: int) -> None:
    now_s = real_s()
    entry = Revocation(
        kind="session", value=session, until_s=now_s + 60, changed_ms=int(now_s) + number
    )
    source.add(entry, now_s=now_s)


async def test_an_origin_does_not_start_without_its_deny_list(tmp_path: Path) -> None:
    write_package(tmp_path / "film")
    source = Failing()
    source.fails = True
    app = make_app(DirectoryStore(tmp_path / "film"), MemoryKeys("film"), revocations=source)
    with pytest.raises(ResourceError, match="the disk is gone"):
        async with listening(app, host="127.0.0.1", port=0, limits=LIMITS):
            pass
