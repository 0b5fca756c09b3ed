"""Views of playlists over HTTP, from an origin and through the tiers."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import aiohttp

from bench.stack.stack import Stack
from origin.config import OriginConfig
from origin.server.app import ORIGIN, make_app
from origin.server.httpserver import listening
from origin.server.store import DirectoryStore
from tests.fakes.packages import MemoryKeys
from tests.unit.transcode.test_views import INDEX, SD
from transcode.packaging.index import PresentationIndex, files_of
from transcode.packaging.indexfile import print_index
from transcode.packaging.listing import texts_of

LICENCE = f'URI="../licence?kid={SD}"'
KEY = f'URI="../key/{SD}"'


def write(folder: Path, index: PresentationIndex = INDEX) -> None:
    """A package whose samples are said to be encrypted, with keys for each group."""
    texts = {"presentation.json": print_index(index), **texts_of(index)}
    for path, size in files_of(index).items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(bytes(size or 0))
    for path, text in texts.items():
        (folder / path).write_text(text)


async def read(client: aiohttp.ClientSession, url: str, *, status: int = 200) -> str:
    """The text at ``url``."""
    async with client.get(url) as answer:
        text = await answer.text()
        assert answer.status == status, text
        return text


async def test_each_family_of_players_has_its_playlists_through_the_tiers(tmp_path: Path) -> None:
    """By the query flag and by the path; hot at the edge or not; media are one object for all."""
    write(tmp_path / "film")
    async with (
        Stack([tmp_path / "film"], keys=tmp_path / "keys") as stack,
        aiohttp.ClientSession() as client,
    ):
        url = stack.playback_urls["film"]
        base = url.rpartition("/")[0]
        for _ in range(3):  # from the origin, from the cache, and hot
            stored = await read(client, url)
            shown = await read(client, f"{url}?player=shaka")
            assert "playlist.identity.m3u8" not in stored
            assert shown == await read(client, f"{base}/multivariant.identity.m3u8")
            assert await read(client, f"{url}?player=hlsjs") == stored
            (media,) = [x for x in shown.splitlines() if x.endswith("/v0/playlist.identity.m3u8")]
            version = media.partition("/")[0]
            found = await read(client, f"{base}/{media}")
            assert KEY in found
            assert LICENCE not in found
            assert await read(client, f"{base}/{version}/v0/playlist.m3u8?player=shaka") == found
            assert LICENCE in await read(client, f"{base}/{version}/v0/playlist.m3u8")
            assert "/v3/" not in await read(client, f"{base}/multivariant.sd.m3u8")
            assert 'id="v3"' not in await read(client, f"{base}/manifest.sd.mpd")


async def test_what_a_plan_cannot_have_is_told(tmp_path: Path) -> None:
    """A title without small pictures, and views that do not exist."""
    high = replace(INDEX, video=INDEX.video[3:], encryption=None)
    write(tmp_path / "film", high)
    async with (
        Stack([tmp_path / "film"], keys=tmp_path / "keys") as stack,
        aiohttp.ClientSession() as client,
    ):
        base = stack.playback_urls["film"].rpartition("/")[0]
        said = await read(client, f"{base}/multivariant.sd.m3u8", status=404)
        assert "no variant of 576 lines or less" in said
        await read(client, f"{base}/multivariant.uhd.m3u8", status=404)
        await read(client, f"{base}/v3/playlist.sd.m3u8", status=404)


async def test_a_view_says_where_players_are_steered(tmp_path: Path) -> None:
    """And its entity tag is another than that of what is stored."""
    write(tmp_path / "film")
    app = make_app(
        DirectoryStore(tmp_path / "film"), MemoryKeys("film"), OriginConfig(steering=True)
    )
    async with (
        listening(app, host="127.0.0.1", port=0) as at,
        aiohttp.ClientSession() as client,
    ):
        url = app[ORIGIN].playback("film", base=at.url)["url"]
        tags = set()
        for name in ("multivariant.m3u8", "multivariant.sd.m3u8", "multivariant.identity.m3u8"):
            async with client.get(f"{url.rpartition('/')[0]}/{name}") as answer:
                assert "#EXT-X-CONTENT-STEERING" in await answer.text()
                tags.add(answer.headers["ETag"])
        assert len(tags) == 3
