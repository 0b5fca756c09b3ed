"""A presentation given whole, as its playlists would tell it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from abr.media import Presentation, SideFiles, constant_presentation
from player.playback.given import (
    AUDIO,
    given_rungs,
    given_timeline,
    presentation_known,
    side_init_bytes,
)

BARE = constant_presentation([1e6, 2e6], segments=3, segment_s=4.0)
SIDE = SideFiles(
    multivariant_bytes=300,
    listed_sizes_bytes=np.array([[500.0, 500.0, 500.0], [900.0, 1100.0, 1000.0]]),
    listed_rates_bps=np.array([1000.0, 2000.0]),
    playlist_bytes=np.array([200, 210]),
    init_bytes=np.array([700, 0]),
    audio_init_bytes=600.0,
    keys=np.array([0, 0, 1]),
    init_key=0,
)
FULL = Presentation(
    bitrates_bps=BARE.bitrates_bps,
    sizes_bytes=BARE.sizes_bytes,
    durations_s=BARE.durations_s,
    audio_sizes_bytes=np.full(3, 1e4),
    audio_durations_s=np.array([3.9, 4.1, 4.0]),
    side_files=SIDE,
)


def test_segments_follow_each_other_on_the_media_timeline() -> None:
    first, _, last = given_timeline(BARE, 1).segments
    assert (first.url, first.start_s, first.end_s) == ("presentation:v1/0", 0.0, 4.0)
    assert (last.url, last.start_s, last.end_s) == ("presentation:v1/2", 8.0, 12.0)
    assert first.init is None
    assert first.key is None


def test_a_segment_names_its_key_and_its_initialisation_section() -> None:
    segments = given_timeline(FULL, 0).segments
    keys = [None if each.key is None else each.key.url for each in segments]
    assert keys == ["presentation:key/0", "presentation:key/0", "presentation:key/1"]
    init = segments[2].init
    assert init is not None
    assert init.url == "presentation:v0/init"
    assert init.key is not None
    assert init.key.url == "presentation:key/0"


def test_a_rung_without_an_initialisation_section_names_none() -> None:
    assert {each.init for each in given_timeline(FULL, 1).segments} == {None}
    assert [side_init_bytes(SIDE, rung) for rung in (0, 1, AUDIO)] == [700.0, 0.0, 600.0]


def test_audio_has_a_timeline_of_its_own() -> None:
    first, second, _ = given_timeline(FULL, AUDIO).segments
    assert (first.url, first.end_s) == ("presentation:audio/0", 3.9)
    assert (second.start_s, second.end_s) == (3.9, 8.0)


def test_variants_share_the_audio_where_there_is_any() -> None:
    assert [each.places[0].audio_url for each in given_rungs(FULL)] == [
        "presentation:audio/playlist"
    ] * 2
    silent = replace(FULL, audio_sizes_bytes=None, audio_durations_s=None)
    assert [each.places[0].audio_url for each in given_rungs(silent)] == [None, None]
    assert [each.bitrate_bps for each in given_rungs(FULL)] == [1e6, 2e6]


def test_a_rung_whose_playlist_was_not_read_is_known_by_the_other() -> None:
    """Rung 1 lists 900, 1100 and 1000 bytes; rung 0 has half its rate."""
    known = presentation_known(FULL, {1})
    assert known.sizes_bytes.tolist() == [[450.0, 550.0, 500.0], [900.0, 1100.0, 1000.0]]
    assert known.side_files is None
    read = presentation_known(FULL, {0, 1})
    assert read.sizes_bytes.tolist() == SIDE.listed_sizes_bytes.tolist()


def test_a_presentation_without_side_files_is_known_at_once() -> None:
    assert presentation_known(BARE, set()) is BARE
