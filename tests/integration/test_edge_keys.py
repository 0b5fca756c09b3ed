"""The public keys of an edge: how long they are used, and how new ones are learnt."""

from __future__ import annotations

import asyncio
import logging
import re
import time
from collections.abc import AsyncIterator
from email.utils import formatdate
from pathlib import Path

import aiohttp
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from abr.errors import TokenError, UpstreamError
from edge.server import tokencheck
from edge.server.tokencheck import KeySetAnswer, TokenCheck
from origin.paths import Target
from origin.tokens.pathtoken import TokenIssuer
from origin.tokens.permission import Asked
from tests.fakes.parent import fake_parent, running_edge

NOW_S = 1_800_000_000.0


@pytest.fixture(autouse=True)
def _short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tokencheck, "SPACING_S", 0.05)


@pytest.fixture
async def client() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


class Keys:
    """A key set, its fetches and a clock, for one ``TokenCheck``."""

    def __init__(self, **headers: str) -> None:
        self.issuers = [new_issuer()]
        self.headers = headers or {"cache-control": "max-age=60"}
        self.now_s = NOW_S
        self.asked: list[bool] = []
        self.fails = False
        self.waits = asyncio.Event()
        self.waits.set()
        self.check = TokenCheck(self.fetch, now=lambda: self.now_s, refused_s=10.0)

    async def fetch(self, past_caches: bool) -> KeySetAnswer:
        """The parent's answer."""
        self.asked.append(past_caches)
        keys = [key for issuer in self.issuers for key in issuer.jwks()["keys"]]
        await self.waits.wait()
        if self.fails:
            raise UpstreamError("the parent is gone")
        return KeySetAnswer(
            jwks={"keys": keys}, headers=self.headers, asked_s=self.now_s, arrived_s=self.now_s
        )

    async def allows(self, issuer: TokenIssuer) -> str:
        """Empty when a new token is accepted; the reason when it is not."""
        token = issuer.issue("film", now_s=self.now_s, session_id="s")
        try:
            target = Target(kind="object", title="film", path="p", token=token)
            await self.check.authorize(target, Asked(title="film", path="p"))
        except TokenError as exc:
            return exc.reason
        return ""


def new_issuer() -> TokenIssuer:
    return TokenIssuer(Ed25519PrivateKey.generate())


async def test_keys_are_fetched_again_shortly_before_they_are_no_longer_fresh() -> None:
    """In the background: the request that causes it does not wait."""
    keys = Keys()
    (first,) = keys.issuers
    assert await keys.allows(first) == ""
    keys.now_s += 50
    assert await keys.allows(first) == ""
    assert len(keys.asked) == 1
    keys.now_s += 5
    keys.issuers = [new_issuer()]
    assert await keys.allows(first) == ""
    assert keys.check.renewing is not None
    await keys.check.renewing
    assert await keys.allows(first) == "unknown-key"
    assert await keys.allows(keys.issuers[0]) == ""
    await keys.check.close()


async def test_a_key_that_left_is_not_accepted_once_its_set_has_run_out() -> None:
    """Not even by the first request after a long silence, and not by hot objects."""
    keys = Keys()
    (first,) = keys.issuers
    token = first.issue("film", now_s=NOW_S, session_id="s")
    assert await keys.allows(first) == ""
    assert keys.check.permission(token, Asked(title="film")) is not None
    keys.issuers = [new_issuer()]
    keys.now_s += 61
    assert keys.check.permission(token, Asked(title="film")) is None
    assert await keys.allows(first) == "unknown-key"
    assert keys.check.permission(token, Asked(title="film")) is None
    await keys.check.close()


async def test_old_keys_are_used_while_the_parent_fails_or_does_not_answer(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One request waits for a little while, the others do not; it is logged once."""
    monkeypatch.setattr(tokencheck, "PATIENCE_S", 0.05)
    keys = Keys()
    (first,) = keys.issuers
    assert await keys.allows(first) == ""
    keys.waits.clear()
    token = first.issue("film", now_s=keys.now_s, session_id="s")
    keys.now_s += 57
    assert keys.check.permission(token, Asked(title="film")) is not None
    keys.now_s += 4
    for _ in range(3):
        assert await keys.allows(first) == ""
    keys.now_s += 4.8
    assert keys.check.permission(token, Asked(title="film")) is not None
    assert len(keys.asked) == 2
    keys.fails = True
    keys.waits.set()
    for _ in range(3):
        keys.now_s += 10
        assert await keys.allows(first) == ""
    told = [each for each in caplog.records if each.levelno == logging.WARNING]
    assert len(told) == 1
    keys.fails = False
    keys.now_s += 10
    assert await keys.allows(first) == ""
    assert keys.check.trouble == ""
    await keys.check.close()


async def test_a_new_key_is_accepted_at_once_although_strangers_make_up_ids() -> None:
    """The flood costs a few fetches; each made-up id is refused without a fetch from then on."""
    keys = Keys()
    assert await keys.allows(keys.issuers[0]) == ""
    strangers = [new_issuer() for _ in range(200)]
    flood = asyncio.gather(*(keys.allows(each) for each in strangers))
    await asyncio.sleep(0)
    keys.issuers.append(new_issuer())
    assert await keys.allows(keys.issuers[1]) == ""
    assert set(await flood) == {"unknown-key"}
    assert len(keys.asked) <= 4
    before = len(keys.asked)
    assert {await keys.allows(each) for each in strangers} == {"unknown-key"}
    assert len(keys.asked) == before
    keys.now_s += 11
    keys.issuers.append(strangers[0])
    assert await keys.allows(strangers[0]) == ""
    await keys.check.close()


async def test_fetches_that_fail_do_not_make_an_id_unknown() -> None:
    keys = Keys()
    assert await keys.allows(keys.issuers[0]) == ""
    keys.issuers.append(new_issuer())
    keys.fails = True
    assert await keys.allows(keys.issuers[1]) == "unknown-key"
    keys.fails = False
    assert await keys.allows(keys.issuers[1]) == ""
    await keys.check.close()


async def test_a_new_key_reaches_the_last_tier_through_those_between(
    tmp_path: Path, client: aiohttp.ClientSession
) -> None:
    """Each asks its parent, although its own keys are still fresh."""
    async with (
        fake_parent() as parent,
        running_edge(parent.url, tmp_path / "1") as one,
        running_edge(one.url, tmp_path / "2") as two,
    ):
        parent.add("/film/p", b"x")
        for _ in range(2):
            token = parent.issuer.issue("film", now_s=real_s(), session_id="s")
            async with client.get(f"{two.url}/t/{token}/film/p") as answer:
                assert answer.status == 200
            parent.issuer = new_issuer()
        assert parent.seen_for_keys[-1].headers["Cache-Control"] == "no-cache"


async def test_the_next_tier_may_use_keys_for_as_long_as_they_are_fresh_here(
    tmp_path: Path, client: aiohttp.ClientSession
) -> None:
    """So the tiers together use them no longer than the origin says."""
    clock = Ticking()
    async with (
        fake_parent() as parent,
        running_edge(parent.url, tmp_path / "1", now=clock) as one,
    ):
        parent.key_set_headers = {"Cache-Control": "private, max-age=40", "Date": ""}
        await one.edge.refresh_keys()
        clock.now_s += 25
        async with client.get(f"{one.url}/.well-known/jwks.json") as answer:
            assert answer.headers["Cache-Control"] == "private, max-age=15"


class Ticking:
    """A clock that tests move."""

    def __init__(self, off_s: float = 0.0) -> None:
        self.now_s = real_s() + off_s

    def __call__(self) -> float:
        return self.now_s


def real_s() -> float:
    return time.time()  # noqa: TID251 -- tokens and dates of the fake parent are of now


@pytest.mark.parametrize("off_s", [-7200.0, 7200.0])
async def test_a_tier_whose_clock_is_two_hours_off_judges_tokens_by_the_origin(
    off_s: float, tmp_path: Path, client: aiohttp.ClientSession, caplog: pytest.LogCaptureFixture
) -> None:
    """So does a right one behind it; the log says what is wrong, once."""
    wrong, right = Ticking(off_s), Ticking()
    async with fake_parent() as parent:
        parent.key_set_headers = {"Date": formatdate(real_s(), usegmt=True)}
        parent.add("/film/p", b"x")
        async with (
            running_edge(parent.url, tmp_path / "1", now=wrong) as one,
            running_edge(one.url, tmp_path / "2", now=right) as two,
        ):
            for url in (one.url, two.url):
                for ago_s, reason in ((0, ""), (660, "expired"), (-900, "not-yet")):
                    token = parent.issuer.issue(
                        "film", now_s=real_s() - ago_s, session_id="s", ttl_s=600
                    )
                    async with client.get(f"{url}/t/{token}/film/p") as answer:
                        assert answer.headers.get("Abr-Refusal", "") == reason
            assert abs(two.edge.clock_off_s) < 3.0
    told = [each.getMessage() for each in caplog.records if "off the parent's" in each.getMessage()]
    assert len(told) == 1
    found = re.search(r"this clock is ([+-][0-9]+) s off", told[0])
    assert found is not None
    assert abs(float(found[1]) - off_s) <= 3
