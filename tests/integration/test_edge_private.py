"""What needs a token is kept by our own tiers and by no other cache on the way."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import pytest
from multidict import CIMultiDictProxy

from origin.server.app import ORIGIN, Origin, make_app
from origin.server.httpserver import listening
from origin.server.store import DirectoryStore
from tests.fakes.nginx import NGINX, foreign_cache
from tests.fakes.packages import KID, MemoryKeys, segment_bytes, write_package
from tests.fakes.parent import LIMITS, RunningEdge, fake_parent, running_edge

TIER = {"CDN-Loop": 'abrkit; id="of a test"'}
BETWEEN_TIERS = ("Abr-Cache-Control", "CDN-Cache-Control", "Surrogate-Key", "Cache-Tag")


@dataclass(slots=True)
class Chain:
    """An origin, two tiers behind it, and a client."""

    origin: Origin
    origin_url: str
    regional: RunningEdge
    isp: RunningEdge
    client: aiohttp.ClientSession

    def token(self) -> str:
        """A new token."""
        return str(self.origin.playback("film")["token"])

    async def ask(
        self, url: str, *, method: str = "GET", **fields: str
    ) -> tuple[int, bytes, CIMultiDictProxy[str]]:
        """Status, body and fields."""
        headers = {name.replace("_", "-"): value for name, value in fields.items()}
        async with self.client.request(method, url, headers=headers) as answer:
            return answer.status, await answer.read(), answer.headers


@asynccontextmanager
async def chain(folder: Path) -> AsyncIterator[Chain]:
    """A whole path that serves one encrypted title."""
    write_package(folder / "film", encrypted=True, sides=True)
    app = make_app(DirectoryStore(folder / "film"), MemoryKeys("film"))
    async with (
        listening(app, host="127.0.0.1", port=0, limits=LIMITS) as where,
        running_edge(where.url, folder / "r", name="regional") as regional,
        running_edge(regional.url, folder / "i", name="isp") as isp,
        aiohttp.ClientSession() as client,
    ):
        yield Chain(app[ORIGIN], where.url, regional, isp, client)


@pytest.fixture
async def path(tmp_path: Path) -> AsyncIterator[Chain]:
    async with chain(tmp_path) as running:
        yield running


def version_in(playlist: bytes) -> str:
    """The version that an entry leads to."""
    return next(line for line in playlist.decode().splitlines() if line[0] == "r").split("/")[0]


KINDS = {
    # what is asked for: path below the title, status, Cache-Control for a viewer
    "entry": ("multivariant.m3u8", 200, "private, max-age=5"),
    "index": ("presentation.json", 200, "private, max-age=5"),
    "playlist": ("{version}/v0/playlist.m3u8", 200, "private, max-age=31536000, immutable"),
    "segment": ("{version}/v0/00000.m4s", 200, "private, max-age=31536000, immutable"),
    "segment, no version": ("v0/00000.m4s", 200, "private, max-age=5"),
    "key": (f"{{version}}/key/{KID}", 200, "no-store"),
    "renewal": ("renew", 200, "no-store"),
    "nothing there": ("v9/00000.m4s", 404, "no-store"),
    "another version": ("r0123456789abcdef/v0/00000.m4s", 404, "no-store"),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("tier", ["origin", "regional", "isp"])
async def test_no_tier_gives_a_viewer_what_another_cache_could_keep(
    path: Chain, tier: str, kind: str
) -> None:
    """Asked twice, so that hits and misses are seen; and in part, and on a condition."""
    base = {"origin": path.origin_url, "regional": path.regional.url, "isp": path.isp.url}[tier]
    below, status, control = KINDS[kind]
    title = f"{base}/t/{path.token()}/film"
    _, entry, _ = await path.ask(f"{title}/multivariant.m3u8")
    url = f"{title}/{below.format(version=version_in(entry))}"
    await path.ask(url)
    found, _, fields = await path.ask(url)
    assert (found, fields["Cache-Control"]) == (status, control)
    assert not any(name in fields for name in BETWEEN_TIERS)
    if "ETag" in fields:
        found, _, partial = await path.ask(url, Range="bytes=0-3")
        assert (found, partial["Cache-Control"]) == (206, control)
        found, _, same = await path.ask(url, If_None_Match=fields["ETag"])
        assert (found, same["Cache-Control"]) == (304, control)
        found, _, head = await path.ask(url, method="HEAD")
        assert (found, head["Cache-Control"]) == (200, control)


@pytest.mark.parametrize("tier", ["origin", "isp"])
async def test_refusals_are_kept_by_nobody(path: Chain, tier: str) -> None:
    base = path.isp.url if tier == "isp" else path.origin_url
    for target in ("/film/v0/00000.m4s", "/t/x.y.z/film/v0/00000.m4s", "/t/x/../film/p", "/?"):
        status, _, fields = await path.ask(base + target, **TIER)
        assert status in (400, 403, 404)
        assert fields["Cache-Control"] == "no-store"


@pytest.mark.parametrize("tier", ["origin", "regional"])
async def test_another_tier_is_told_how_long_it_may_keep_an_object_and_what_it_belongs_to(
    path: Chain, tier: str
) -> None:
    base = path.origin_url if tier == "origin" else path.regional.url
    title = f"{base}/t/{path.token()}/film"
    _, entry, fields = await path.ask(f"{title}/multivariant.m3u8", **TIER)
    assert fields["Abr-Cache-Control"] == "max-age=5"
    version = version_in(entry)
    for _ in range(2):
        _, _, fields = await path.ask(f"{title}/{version}/v0/00000.m4s", **TIER)
        assert fields["Abr-Cache-Control"] == "max-age=31536000, immutable"
        assert fields["Surrogate-Key"] == f"film film/{version}"
        assert fields["Cache-Control"] == "private, max-age=31536000, immutable"


async def test_our_own_tiers_keep_it_and_share_it_between_viewers(path: Chain) -> None:
    """Each of them fetched it once; what is purged by title or version is marked."""
    title = f"{path.isp.url}/t/{{}}/film"
    _, entry, _ = await path.ask(f"{title.format(path.token())}/multivariant.m3u8")
    below = f"{version_in(entry)}/v0/00000.m4s"
    for expected in ("fwd=uri-miss; stored", "hit"):
        _, body, fields = await path.ask(f"{title.format(path.token())}/{below}")
        assert expected in fields["Cache-Status"].rpartition('"isp"')[2]
        assert body == segment_bytes("v0", 0, 1000)
    assert path.isp.edge.counters.fills == path.regional.edge.counters.fills == 2


@pytest.mark.parametrize(("tag", "purged"), [("film", 4), ("film/{version}", 4), ("other", 0)])
async def test_a_title_or_a_version_of_it_can_be_purged(path: Chain, tag: str, purged: int) -> None:
    """By the tags that the origin tells each tier."""
    title = f"{path.isp.url}/t/{path.token()}/film"
    _, entry, _ = await path.ask(f"{title}/multivariant.m3u8")
    version = version_in(entry)
    for name in ("v0/playlist.m3u8", "v0/init.mp4", "v0/00000.m4s"):
        await path.ask(f"{title}/{version}/{name}")
    assert len(path.isp.edge.index) == 4
    purge = f"/.abr/purge?tag={tag.format(version=version)}"
    for tier in (path.regional, path.isp):
        status, body, _ = await path.ask(tier.url + purge, method="POST")
        assert (status, json.loads(body)) == (200, {"purged": purged})
    assert len(path.isp.edge.index) == 4 - purged


async def test_a_cache_that_checks_no_tokens_keeps_nothing_protected(
    path: Chain, tmp_path: Path
) -> None:
    """Not even our own, and not even of a parent that calls its answers public."""
    async with running_edge(path.isp.url, tmp_path / "o", require_token=False) as open_edge:
        url = f"{open_edge.url}/film/v0/00000.m4s"
        status, _, _ = await path.ask(url, Authorization=f"Bearer {path.token()}")
        assert status == 200
        assert len(open_edge.edge.index) == 0
        status, _, _ = await path.ask(url)
        assert status == 403


@pytest.mark.skipif(NGINX is None, reason="nginx is not installed")
@pytest.mark.parametrize("says", ["as our origin", "public"])
async def test_nginx_in_front_of_an_edge_gives_nothing_to_whoever_has_no_token(
    tmp_path: Path, says: str
) -> None:
    """With its default rules of caching, for both forms of a token, whatever the parent says."""
    async with fake_parent() as parent, chain(tmp_path) as path:
        token = path.token()
        parent.issuer = path.origin.issuer
        parent.add(
            "/film/v0/00000.m4s",
            b"protected",
            headers={"Cache-Control": "public, max-age=600", "X-Accel-Expires": "600"},
        )
        async with (
            running_edge(parent.url, tmp_path / "e") as other,
            foreign_cache(
                other.url if says == "public" else path.isp.url, tmp_path / "nginx"
            ) as front,
        ):
            url = f"{front}/film/v0/00000.m4s"
            for _ in range(2):
                for asker in ({}, TIER):
                    headers = {"Authorization": f"Bearer {token}", **asker}
                    async with path.client.get(url, headers=headers) as answer:
                        assert (answer.status, answer.headers["X-Foreign"]) == (200, "MISS")
            status, _, fields = await path.ask(url)
            assert (status, fields["Abr-Refusal"]) == (403, "missing")
            for _ in range(2):
                status, _, fields = await path.ask(f"{front}/t/{token}/film/v0/00000.m4s")
                assert (status, fields["X-Foreign"]) == (200, "MISS")
