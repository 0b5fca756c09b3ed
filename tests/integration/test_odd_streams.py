"""Streams as they are found in the world are played, or refused in one line.

All of them: ``python -m tests.perf.odd_streams``. Here are refusals that need no waiting, and some
of each kind that is played.
"""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from tests.odd.every import ALL
from tests.odd.media import Media, make_media
from tests.odd.run import play_all
from tests.odd.server import OddServer
from tests.odd.stream import Odd

REFUSED = [odd for odd in ALL if odd.is_quick]
PLAYED = [
    "extinf-with-attributes-before-comma",
    "first-line-with-attributes",
    "uri-of-query-alone",
    "uri-of-data",
    "iframes-alone",
    "frame-rate-as-a-fraction",
    "rungs-of-other-lengths",
    "sound-in-one-segment",
    "rendition-at-the-variants-uri",
    "transport-stream-with-map",
    "transport-stream-in-a-picture",
    "fmp4-to-the-end-of-the-file",
    "byte-ranges-of-a-whole-file-answered-plainly",
    "segment-cut-without-length",
    "segment-of-no-content-once",
    "segment-answered-with-a-part",
    "playlist-gzipped-in-two-members",
    "playlist-deflated-raw",
    "coding-that-is-none",
    "encrypted-segment-cut-once",
    "key-in-the-playlist",
    "cookie-of-a-redirect",
    "redirect-of-a-variant-changes-its-base",
    "lengths-that-contradict",
]


@pytest.fixture(scope="module")
def media(tmp_path_factory: pytest.TempPathFactory) -> Media:
    return make_media(tmp_path_factory.mktemp("odd") / "media")


async def faults(odds: Sequence[Odd], media: Media) -> list[str]:
    async with OddServer().listening() as server:
        rows = await play_all(server, odds, media, jobs=len(odds))
    return [f"{row.odd.name}: {row.fault}" for row in rows if not row.is_right]


async def test_refusals_come_at_once_and_say_why(media: Media) -> None:
    assert len(REFUSED) > 10
    assert await faults(REFUSED, media) == []


async def test_odd_streams_are_played_to_their_end(media: Media) -> None:
    odds = [odd for odd in ALL if odd.name in PLAYED]
    assert len(odds) == len(PLAYED)
    assert await faults(odds, media) == []
