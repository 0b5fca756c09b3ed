"""The watermark at every tier: the token's pattern chooses, and two objects are cached."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import pytest

from edge.server.ahead import Filler, Tokens
from edge.server.hotpath import HotObjects
from edge.server.process import EdgeProcess
from edge.tiers.fillplan import Wanted
from origin.config import OriginConfig, ServerLimits
from origin.paths import Target
from origin.server.app import ORIGIN, Origin, make_app
from origin.server.clock import Clock
from origin.server.httpserver import listening
from origin.server.marking import Marking
from origin.server.store import DirectoryStore
from origin.tokens.permission import Permission
from tests.fakes.packages import MemoryKeys, segment_bytes, write_package
from tests.fakes.parent import RunningEdge, running_edge
from transcode.watermark.pattern import bit_of, one_variant, pattern_of

LIMITS = ServerLimits(header_s=2.0, keepalive_s=5.0, send_s=5.0, shutdown_s=1.0)
SECRET = "of-whoever-fills-caches"
SEGMENTS = 6
NOW = Clock()
SIZES = (1000, 40_000, 1200, 900, 800, 700)


class Keys(MemoryKeys):
    """Secrets by name."""

    def secret(self, name: str, make: object) -> tuple[str, bytes]:
        return "memory", name.encode().ljust(32, b".")


@dataclass(slots=True)
class Tiers:
    """An origin, two tiers in front of it, and a client."""

    origin: Origin
    origin_url: str
    inner: RunningEdge
    outer: RunningEdge
    client: aiohttp.ClientSession
    folder: Path

    def token(self, session: str = "", title: str = "film") -> str:
        """A token of a session, with the pattern that is its own; without any for none."""
        return self.origin.issuer.issue(
            title,
            now_s=NOW(),
            session_id=session or "none",
            watermark=pattern_of(b"secret", session) if session else b"",
        )

    async def get(self, url: str, token: str, path: str, **fields: str) -> tuple[int, bytes]:
        async with self.client.get(f"{url}/t/{token}/film/{path}", headers=fields) as answer:
            return answer.status, await answer.read()


@pytest.fixture
async def tiers(tmp_path: Path) -> AsyncIterator[Tiers]:
    packages = tmp_path / "packages"
    write_package(packages / "film", segment_sizes=SIZES, watermarked=True)
    write_package(packages / "plain", segment_sizes=SIZES)
    config = OriginConfig(playback_secret=SECRET)
    app = make_app(DirectoryStore(packages), Keys(), config, limits=LIMITS)
    async with (
        listening(app, host="127.0.0.1", port=0, limits=LIMITS) as where,
        running_edge(where.url, tmp_path / "inner", name="inner") as inner,
        running_edge(inner.url, tmp_path / "outer", name="outer") as outer,
        aiohttp.ClientSession() as client,
    ):
        yield Tiers(app[ORIGIN], where.url, inner, outer, client, packages)


def expected(session: str, rung: int, number: int) -> bytes:
    """What a session gets of a segment."""
    variant = ".b" if bit_of(pattern_of(b"secret", session), number) else ""
    return segment_bytes(f"v{rung}{variant}", number, SIZES[number] * (rung + 1))


def segments_in(edge: RunningEdge) -> list[str]:
    return sorted(key for key in tuple(edge.edge.index.keys()) if key.endswith(".m4s"))


async def test_sixty_sessions_get_what_their_patterns_say_and_share_two_objects(
    tiers: Tiers,
) -> None:
    for each in range(60):
        session = f"session-{each}"
        token = tiers.token(session)
        for number in range(SEGMENTS):
            for rung in (0, 1):
                url = (tiers.outer.url, tiers.inner.url, tiers.origin_url)[each % 3]
                status, body = await tiers.get(url, token, f"v{rung}/{number:05d}.m4s")
                assert (status, body) == (200, expected(session, rung, number))
    wanted = sorted(
        f"/film/v{rung}/{number:05d}.{variant}.m4s"
        for rung in (0, 1)
        for number in range(SEGMENTS)
        for variant in "ab"
    )
    assert segments_in(tiers.outer) == segments_in(tiers.inner) == wanted
    assert len(tiers.outer.edge.hot) == len(wanted)


async def test_tiers_that_ask_with_tokens_of_their_own_say_which_variant_and_not_whose(
    tmp_path: Path,
) -> None:
    write_package(tmp_path / "packages/film", segment_sizes=SIZES, watermarked=True)
    secret = "0123456789abcdef0123456789abcdef"
    config = OriginConfig(playback_secret=SECRET, tier_secret=secret)
    app = make_app(DirectoryStore(tmp_path / "packages"), Keys(), config, limits=LIMITS)
    seen: set[bytes] = set()
    path = Marking.path

    def note(self: Marking, target: Target, permission: Permission) -> str:
        assert permission.form == "tier"
        seen.add(permission.watermark)
        return path(self, target, permission)

    async with (
        listening(app, host="127.0.0.1", port=0, limits=LIMITS) as where,
        running_edge(where.url, tmp_path / "inner", tier_secret=secret) as inner,
        running_edge(inner.url, tmp_path / "outer", tier_secret=secret) as outer,
        aiohttp.ClientSession() as client,
    ):
        tiers = Tiers(app[ORIGIN], where.url, inner, outer, client, tmp_path)
        async with asyncio.timeout(5):
            while not (
                inner.edge.admission.upward.takes_tiers()
                and outer.edge.admission.upward.takes_tiers()
            ):
                await asyncio.gather(
                    *(
                        tiers.get(edge.url, tiers.token("first"), "multivariant.m3u8")
                        for edge in (inner, outer)
                    )
                )
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Marking, "path", note)
            for session in map(str, range(12)):
                for number in range(SEGMENTS):
                    got = await tiers.get(outer.url, tiers.token(session), f"v0/{number:05d}.m4s")
                    assert got == (200, expected(session, 0, number))
        assert len(segments_in(outer)) == len(segments_in(inner)) == 2 * SEGMENTS
    assert seen == {one_variant(0), one_variant(1)}


async def test_ranges_and_heads_are_of_the_variant_as_well(tiers: Tiers) -> None:
    for session in ("a", "b", "c", "d"):
        whole = expected(session, 1, 1)
        for _ in range(2):
            status, body = await tiers.get(
                tiers.outer.url, tiers.token(session), "v1/00001.m4s", Range="bytes=70000-70099"
            )
            assert (status, body) == (206, whole[70000:70100])
        url = f"{tiers.outer.url}/t/{tiers.token(session)}/film/v1/00001.m4s"
        async with tiers.client.head(url) as head, tiers.client.get(url) as got:
            assert head.headers["ETag"] == got.headers["ETag"]
            assert await got.read() == whole


async def test_no_tier_gives_a_variant_by_its_name_even_when_it_is_hot(tiers: Tiers) -> None:
    token = tiers.token("someone")
    for url in (tiers.outer.url, tiers.inner.url, tiers.origin_url):
        for number in range(SEGMENTS):
            for _ in range(3):
                await tiers.get(url, token, f"v0/{number:05d}.m4s")
        for name in ("00000.b.m4s", "00000.a.m4s", "00000%2Eb.m4s", "00001.b.m4s", "00000.B.m4s"):
            status, body = await tiers.get(url, token, f"v0/{name}")
            assert status == 404, name
            assert b"not-found" in body
    assert len(tiers.outer.edge.hot) == SEGMENTS


async def test_a_token_without_a_pattern_is_refused_with_a_reason_at_every_tier(
    tiers: Tiers,
) -> None:
    marked, unmarked = tiers.token("someone"), tiers.token()
    for _ in range(2):
        for url in (tiers.outer.url, tiers.inner.url, tiers.origin_url):
            status, body = await tiers.get(url, unmarked, "v0/00000.m4s")
            assert status == 403
            assert b"unmarked" in body
            status, _ = await tiers.get(url, unmarked, "multivariant.m3u8")
            assert status == 200
            for _ in range(2):  # cached and hot from now on
                status, _ = await tiers.get(url, marked, "v0/00000.m4s")
                assert status == 200
    assert all(
        ".m4s" not in key or ".a." in key or ".b." in key for key in segments_in(tiers.outer)
    )


async def test_titles_without_a_watermark_are_as_before_whatever_the_token_says(
    tiers: Tiers,
) -> None:
    for session in ("", "someone"):
        token = tiers.token(session, "plain")
        for _ in range(3):
            url = f"{tiers.outer.url}/t/{token}/plain/v0/00000.m4s"
            async with tiers.client.get(url) as answer:
                assert answer.status == 200
                assert await answer.read() == segment_bytes("v0", 0, 1000)


async def test_playback_gives_a_pattern_and_the_id_by_which_it_is_found_again(
    tiers: Tiers,
) -> None:
    headers = {"Authorization": f"Bearer {SECRET}"}
    async with tiers.client.get(f"{tiers.origin_url}/playback/film", headers=headers) as answer:
        found = await answer.json()
    assert found["watermarked"] is True
    pattern = pattern_of(b"watermark".ljust(32, b"."), found["session"])
    for number in range(SEGMENTS):
        _, body = await tiers.get(tiers.outer.url, found["token"], f"v0/{number:05d}.m4s")
        variant = ".b" if bit_of(pattern, number) else ""
        assert body == segment_bytes(f"v0{variant}", number, SIZES[number])
    async with tiers.client.get(f"{tiers.origin_url}/playback/plain", headers=headers) as answer:
        assert "watermarked" not in await answer.json()


async def test_tokens_for_one_variant_are_for_holders_of_the_secret(tiers: Tiers) -> None:
    url = f"{tiers.origin_url}/playback/film?variant="
    async with tiers.client.get(f"{url}b") as answer:
        assert answer.status == 401
    headers = {"Authorization": f"Bearer {SECRET}"}
    async with tiers.client.get(f"{url}c", headers=headers) as answer:
        assert answer.status == 403
    tiers.origin._config = OriginConfig()
    async with tiers.client.get(f"{url}b") as answer:
        assert answer.status == 403
        assert "with the secret" in await answer.text()


async def test_an_edge_is_filled_with_both_variants(tiers: Tiers) -> None:
    tokens = Tokens(tiers.client, tiers.origin_url, secret=SECRET, now=NOW)
    filler = Filler(
        tiers.client, name="outer", url=tiers.outer.url, tokens=tokens, secret="", now=NOW
    )
    plan = [
        Wanted(key="/film/v0/00000.m4s", size_bytes=1000, start_s=0.0),
        Wanted(key="/film/v0/00003.m4s", size_bytes=1000, start_s=None),
        Wanted(key="/plain/v0/00000.m4s", size_bytes=1000, start_s=0.0),
        Wanted(key="/film/multivariant.m3u8", size_bytes=100, start_s=0.0),
    ]
    report = await filler.fill(plan, rate_bps=1e9, until_s=NOW() + 60)
    assert report.is_good
    assert (report.wanted, report.filled, report.pinned) == (6, 6, 6)
    assert segments_in(tiers.outer) == [
        "/film/v0/00000.a.m4s", "/film/v0/00000.b.m4s",
        "/film/v0/00003.a.m4s", "/film/v0/00003.b.m4s", "/plain/v0/00000.m4s",
    ]  # fmt: skip
    before = tiers.inner.edge.counters.requests
    for session in ("x", "y", "z"):
        assert await tiers.get(tiers.outer.url, tiers.token(session), "v0/00000.m4s") == (
            200, expected(session, 0, 0),
        )  # fmt: skip
    assert tiers.inner.edge.counters.requests == before


async def test_without_the_secret_a_fill_says_what_to_do(tiers: Tiers) -> None:
    tiers.origin._config = OriginConfig()
    tokens = Tokens(tiers.client, tiers.origin_url, secret="", now=NOW)
    filler = Filler(
        tiers.client, name="outer", url=tiers.outer.url, tokens=tokens, secret="", now=NOW
    )
    plan = [Wanted(key="/film/v0/00000.m4s", size_bytes=1000, start_s=0.0)]
    report = await filler.fill(plan, rate_bps=1e9, until_s=NOW() + 60)
    assert "playback_secret" in report.trouble


async def test_what_players_name_next_is_fetched_in_their_variant(
    tmp_path: Path, tiers: Tiers
) -> None:
    async with running_edge(tiers.inner.url, tmp_path / "ahead", prefetch=True) as ahead:
        with EdgeProcess(ahead.edge, ahead.door, read=lambda: ahead.edge.config):
            for session in ("p", "q", "r", "s"):
                url = f"{ahead.url}/t/{tiers.token(session)}/film/v0/00000.m4s"
                async with tiers.client.get(url, params={"CMCD": 'nor="00003.m4s"'}) as answer:
                    assert answer.status == 200
                    await answer.read()
            bits = {bit_of(pattern_of(b"secret", session), 3) for session in "pqrs"}
            names = [f"/film/v0/00003.{'ab'[bit]}.m4s" for bit in sorted(bits)]
            async with tiers.client.get(
                f"{ahead.url}/t/{tiers.token('p')}/film/v0/00003.m4s"
            ) as answer:
                assert await answer.read() == expected("p", 0, 3)
            async with asyncio.timeout(5):
                while tasks := tuple(ahead.edge._fills._tasks):
                    await asyncio.gather(*tasks)
            assert [key for key in segments_in(ahead) if "00003" in key] == names
            assert ahead.edge.prefetcher.counts.started == len(bits)
            assert ahead.edge.prefetcher.counts.useful == 1


async def test_a_purge_by_path_removes_both_variants(tiers: Tiers) -> None:
    for session in map(str, range(8)):
        await tiers.get(tiers.outer.url, tiers.token(session), "v0/00000.m4s")
    assert len(segments_in(tiers.outer)) == 2
    url = f"{tiers.outer.url}/.abr/purge?key=/film/v0/00000.m4s"
    async with tiers.client.post(url) as answer:
        assert await answer.json() == {"purged": 2}
    assert segments_in(tiers.outer) == []


async def test_the_short_cut_answers_sessions_with_patterns(
    tiers: Tiers, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = []
    find = HotObjects.find

    def note(self: HotObjects, head: object, who: object) -> object:
        found.append(find(self, head, who))  # type: ignore[arg-type]  # as given
        return found[-1]

    for session in map(str, range(8)):
        for _ in range(2):
            await tiers.get(tiers.outer.url, tiers.token(session), "v0/00002.m4s")
    monkeypatch.setattr(HotObjects, "find", note)
    for session in map(str, range(8)):
        token = tiers.token(session)
        for _ in range(2):
            got = await tiers.get(tiers.outer.url, token, "v0/00002.m4s")
            assert got == (200, expected(session, 0, 2))
    assert sum(each is not None for each in found) == 16
