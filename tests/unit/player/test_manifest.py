"""From a ladder and its timelines to the presentation that algorithms see."""

from __future__ import annotations

import pytest

from abr.errors import PlaybackError
from abr.media import Presentation
from player.playback.ladder import ladder_of
from player.playback.manifest import presentation_from_playlists
from player.playback.timeline import Timeline, timeline_of
from tests.fakes.playlists import PLAYLIST_URL as URL
from tests.fakes.playlists import media, multivariant, stream


def lines(*lines: str) -> Timeline:
    return timeline_of(media(*lines), url=URL)


def known(bandwidths_bps: list[int], *loaded: Timeline) -> Presentation:
    rungs = ladder_of(
        multivariant(*(line for bps in bandwidths_bps for line in stream(bps, str(bps)))), url=URL
    ).rungs
    return presentation_from_playlists(
        rungs, dict(enumerate(loaded)), None, grid=loaded[0], title="x"
    )


def test_a_segment_of_nothing_is_refused() -> None:
    with pytest.raises(PlaybackError, match="a segment of no bytes"):
        known([1000], lines("#EXTINF:2,", "#EXT-X-BYTERANGE:0@0", "a"))


def test_sizes_come_from_ranges_then_bit_rates_then_the_ladder() -> None:
    """500 bytes; 8 kbit/s for 2 s, 2000 bytes; 4 kbit/s of the variant for 2 s, 1000 bytes."""
    segments = lines(
        *("#EXTINF:2,", "#EXT-X-BYTERANGE:500@0", "a"),
        *("#EXT-X-BITRATE:8", "#EXTINF:2,", "b"),
    )
    assert known([4000], segments).sizes_bytes.tolist() == [[500.0, 2000.0]]
    assert known([4000], lines("#EXTINF:2,", "a")).sizes_bytes == [[1000.0]]


def test_segments_with_other_boundaries_are_told_in_those_of_the_first() -> None:
    """Ranges of 300 and 500 bytes over 3 s and 5 s; the first rung has segments of 4 s."""
    other = lines(
        *("#EXTINF:3,", "#EXT-X-BYTERANGE:300@0", "a"),
        *("#EXTINF:5,", "#EXT-X-BYTERANGE:500@300", "a"),
    )
    first = lines("#EXTINF:4,", "a", "#EXTINF:4,", "b")
    assert known([400, 800], first, other).sizes_bytes[1].tolist() == [400.0, 400.0]


def test_where_a_rung_lists_nothing_its_mean_is_told() -> None:
    short = lines("#EXTINF:4,", "#EXT-X-BYTERANGE:800@0", "a")
    first = lines("#EXTINF:4,", "a", "#EXTINF:4,", "b")
    assert known([400, 800], first, short).sizes_bytes[1].tolist() == [800.0, 800.0]
