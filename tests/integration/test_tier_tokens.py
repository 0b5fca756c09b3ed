"""Tiers that share a secret ask their parents with tokens of their own."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from edge.server import following
from origin.config import OriginConfig
from origin.server.app import ORIGIN, Origin, make_app
from origin.server.httpserver import listening
from origin.server.store import DirectoryStore
from origin.server.trustanswers import TrustAnswers
from origin.tokens.tiertoken import TierTokens, parse_secrets
from origin.tokens.trustfeed import digest_of
from tests.fakes.packages import KID, MemoryKeys, segment_bytes, write_package
from tests.fakes.parent import LIMITS, FakeParent, RunningEdge, fake_parent, running_edge

SECRET, OTHER = "0123456789abcdef01234567", "another secret of some length".replace(" ", "-")


def real_s() -> float:
    return time.time()  # noqa: TID251 -- tokens are of now


@pytest.fixture
async def client() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


async def get(client: aiohttp.ClientSession, url: str, **fields: str) -> tuple[int, bytes, str]:
    async with client.get(url, headers=fields) as answer:
        return answer.status, await answer.read(), answer.headers.get("Cache-Status", "")


def give_secret(parent: FakeParent, secret: str) -> None:
    """Have a fake parent say that it takes tokens of tiers."""
    tiers = TierTokens(parse_secrets(secret, where="test"))
    parent.feed = TrustAnswers(
        parent.denied,
        keys=lambda: digest_of(parent.issuer.jwks()),
        epoch="0" * 16,
        knows=lambda bearer: tiers.is_tier(bearer, now_s=real_s()),
    )


async def told(edge: RunningEdge) -> None:
    async with asyncio.timeout(5):
        while not edge.edge.admission.following.takes_tiers():  # noqa: ASYNC110 -- the parent answers soon
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("shared", [True, False])
async def test_a_parent_sees_viewers_tokens_only_where_it_must(
    shared: bool, tmp_path: Path, client: aiohttp.ClientSession
) -> None:
    """To renew them. Without the same secret it does, and plays as well."""
    async with fake_parent() as parent:
        give_secret(parent, SECRET if shared else OTHER)
        for path in ("p", "q", "key/" + KID, "renew"):
            parent.add(f"/film/{path}", b"x")
        async with running_edge(parent.url, tmp_path / "e", tier_secret=SECRET) as edge:
            token = parent.issuer.issue("film", now_s=real_s(), session_id="s", account="a")
            if shared:
                await told(edge)
            for path in ("p", "q", "key/" + KID, "renew"):
                status, _, _ = await get(client, f"{edge.url}/t/{token}/film/{path}")
                assert status == 200
            asked = {
                each.path.partition("/film/")[2]: each.path.split("/")[2] for each in parent.seen
            }
            seen = {path: used == token for path, used in asked.items()}
            assert seen == {"p": not shared, "q": not shared, f"key/{KID}": not shared,
                            "renew": True}  # fmt: skip
            if shared:
                assert asked["p"] == asked["q"]  # one for the title, which names nobody
            for request in parent.seen:
                assert "Authorization" not in request.headers


@asynccontextmanager
async def chain(folder: Path) -> AsyncIterator[tuple[Origin, list[RunningEdge]]]:
    write_package(folder / "film", encrypted=True)
    app = make_app(
        DirectoryStore(folder / "film"), MemoryKeys("film"), OriginConfig(tier_secret=SECRET)
    )
    async with (
        listening(app, host="127.0.0.1", port=0, limits=LIMITS) as where,
        running_edge(where.url, folder / "1", name="regional", tier_secret=SECRET) as regional,
        running_edge(regional.url, folder / "2", name="isp", tier_secret=SECRET) as isp,
    ):
        for tier in (regional, isp):
            await told(tier)
        yield app[ORIGIN], [regional, isp]


async def test_a_whole_path_plays_and_shares_objects_between_viewers(
    tmp_path: Path, client: aiohttp.ClientSession
) -> None:
    async with chain(tmp_path) as (origin, tiers):
        for turn in range(2):
            token = origin.playback("film")["token"]
            base = f"{tiers[1].url}/t/{token}/film"
            status, body, said = await get(client, f"{base}/v0/00000.m4s")
            assert (status, body) == (200, segment_bytes("v0", 0, 1000))
            assert ("hit" in said.rpartition('"isp"')[2]) == (turn > 0)
            for below in (f"key/{KID}", "renew"):
                status, _, _ = await get(client, f"{base}/{below}")
                assert status == 200
        assert [tier.edge.counters.fills for tier in tiers] == [1, 1]


async def test_a_tiers_token_is_worth_nothing_where_no_secret_is_set(
    tmp_path: Path, client: aiohttp.ClientSession
) -> None:
    """Nor does it open another title, or renew anything."""
    tiers = TierTokens(parse_secrets(SECRET, where="test"))
    token = tiers.for_title("film", now_s=real_s())
    async with (
        chain(tmp_path) as (_, with_secret),
        running_edge(with_secret[0].url, tmp_path / "3") as without,
    ):
        for url, expected in (
            (f"{with_secret[0].url}/t/{token}/film/v0/00000.m4s", 200),
            (f"{with_secret[0].url}/t/{token}/other/v0/00000.m4s", 403),
            (f"{with_secret[0].url}/t/{token}/film/renew", 403),
            (f"{without.url}/t/{token}/film/v0/00000.m4s", 403),
        ):
            assert (await get(client, url))[0] == expected


async def test_a_reload_changes_the_secret_and_the_log_says_when_a_parent_has_another(
    tmp_path: Path,
    client: aiohttp.ClientSession,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Viewers notice nothing: the parent is shown their tokens then."""
    monkeypatch.setattr(following, "WAIT_S", 0.05)
    async with fake_parent() as parent:
        give_secret(parent, SECRET)
        for number in range(2):
            parent.add(f"/film/{number}", b"x")
        async with running_edge(parent.url, tmp_path / "e", tier_secret=SECRET) as edge:
            await told(edge)
            token = parent.issuer.issue("film", now_s=real_s(), session_id="s")
            assert (await get(client, f"{edge.url}/t/{token}/film/0"))[0] == 200
            await edge.edge.reconfigure(replace(edge.edge.config, tier_secret=OTHER))
            async with asyncio.timeout(5):
                while edge.edge.admission.following.takes_tiers():  # noqa: ASYNC110 -- it asks soon
                    await asyncio.sleep(0.01)
            assert (await get(client, f"{edge.url}/t/{token}/film/1"))[0] == 200
            assert [token in each.path for each in parent.seen] == [False, True]
    said = [each for each in caplog.records if "set the same tier_secret" in each.getMessage()]
    assert [each.levelno for each in said] == [logging.WARNING]


def test_settings_with_a_short_secret_are_refused() -> None:
    from abr.errors import ConfigError
    from edge.config import EdgeConfig

    settings: list[Any] = [OriginConfig, EdgeConfig]
    for kind in settings:
        with pytest.raises(ConfigError, match="tier_secret"):
            kind(tier_secret="short").check()
