"""How much each player buffers, and how far its sound runs ahead."""

from __future__ import annotations

import math

import numpy as np
import pytest

from player.config import PlayerConfig, Tracks
from player.playback.room import (
    Reached,
    goal_s,
    goals_of,
    is_too_far,
    may_fetch_audio,
    wait_to_lead_s,
)
from player.presets import PRESETS

PEAKS = np.array([0.5e6, 2e6, 20e6])


def test_hls_js_fills_60_mb_within_30_and_600_s() -> None:
    """480 Mbit are 960 s at 0.5 Mbit/s, 240 s at 2, and 24 s at 20."""
    config = PRESETS["hlsjs-chromium"].config
    assert [goal_s(config, PEAKS, 900.0, rung) for rung in range(3)] == [600.0, 240.0, 30.0]
    assert goal_s(config, PEAKS, 900.0, -1) == 30.0


def test_dash_js_fills_more_at_the_top_and_most_in_a_long_film() -> None:
    config = PRESETS["dashjs-chromium"].config
    assert [goal_s(config, PEAKS, 599.0, rung) for rung in range(3)] == [18.0, 18.0, 30.0]
    assert goal_s(config, PEAKS, 600.0, 2) == 60.0


def test_one_goal_for_all_rungs_needs_no_table() -> None:
    assert goals_of(PlayerConfig(), PEAKS, 900.0).shape == (0,)
    hls_js = PRESETS["hlsjs-chromium"].config
    assert goals_of(hls_js, PEAKS, 900.0).tolist() == [600.0, 240.0, 30.0, 30.0]


def due(tracks: Tracks, start_s: float, video: Reached) -> bool:
    """Audio of 4 s from ``start_s`` on."""
    return may_fetch_audio(tracks, start_s, start_s + 4.0, video=video, longest_s=4.0)


@pytest.mark.parametrize(
    ("tracks", "start_s", "fetched_s", "asked_s", "is_due"),
    [
        ("in-turn", 4.0, 8.0, 8.0, True),
        ("in-turn", 4.0, 8.0, 12.0, False),
        ("in-turn", 8.0, 8.0, 8.0, False),
        ("together", 8.0, 8.0, 12.0, True),
        ("together", 12.0, 8.0, 12.0, False),
        ("paced", 8.0, 8.0, 12.0, True),
        ("paced", 12.0, 8.0, 12.0, True),  # begins where the video under way ends
        ("paced", 12.01, 8.0, 12.0, False),
        ("paced", 16.0, 8.0, 8.0, True),  # no video under way: only room in the buffer matters
        ("apart", 8.0, 8.0, 12.0, True),
        ("apart", 11.9, 8.0, 12.0, True),
        ("apart", 12.0, 8.0, 12.0, False),
    ],
)
def test_audio_is_due_by_the_rule_of_each_player(
    tracks: Tracks, start_s: float, fetched_s: float, asked_s: float, is_due: bool
) -> None:
    """Of 4 s, with video up to ``fetched_s`` here and up to ``asked_s`` asked for."""
    assert due(tracks, start_s, Reached(fetched_s, asked_s, False)) == is_due


@pytest.mark.parametrize("tracks", ["in-turn", "together", "paced", "apart"])
def test_audio_that_outlasts_the_video_is_always_due(tracks: Tracks) -> None:
    assert due(tracks, 40.0, Reached(20.0, 20.0, True))


@pytest.mark.parametrize(
    ("start_s", "playhead_s", "is_playing", "wait_s"),
    [
        (8.9, 0.0, True, 0.0),  # within a second of the video
        (9.0, 0.0, True, 5.0),  # until 4 s of audio are left
        (9.0, 0.0, False, math.inf),
        (9.0, 6.0, True, 0.0),
    ],
)
def test_dash_js_leads_by_a_second_or_by_one_segment(
    start_s: float, playhead_s: float, is_playing: bool, wait_s: float
) -> None:
    """Audio of 4 s, with video up to 8 s here."""
    waited_s = wait_to_lead_s(
        start_s, 4.0, video_s=8.0, playhead_s=playhead_s, is_playing=is_playing
    )
    assert waited_s == pytest.approx(wait_s)


def test_the_first_audio_is_due_with_nothing_here() -> None:
    """dash.js fetches one segment of each before it compares."""
    assert due("together", 0.0, Reached(0.0, 4.0, False))
    assert due("paced", 0.0, Reached(0.0, 4.0, False))
    assert due("apart", 0.0, Reached(0.0, 4.0, False))
    assert wait_to_lead_s(0.0, 4.0, video_s=0.0, playhead_s=0.0, is_playing=False) == 0.0


def test_tracks_apart_wait_for_each_other() -> None:
    """By 4 s, the longest segment, or half a second if all are shorter."""
    assert not is_too_far(11.9, Reached(8.0, 8.0, False), 4.0)
    assert is_too_far(12.0, Reached(8.0, 8.0, False), 4.0)
    assert is_too_far(8.5, Reached(8.0, 8.0, False), 0.2)
    assert not is_too_far(99.0, Reached(8.0, 8.0, True), 4.0)
