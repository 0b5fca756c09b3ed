"""How much a player buffers, and how far sound may run ahead: rules as pure functions.

Each is a rule of some player; ``player.presets`` says whose. Used by the player and by the
compiled loops alike, so plain numbers go in and come out.
"""

from __future__ import annotations

import math
from typing import NamedTuple, Protocol

import numpy as np

from abr.media import FloatArray
from player.config import LONG_S, Tracks
from player.playback.requests import INSTANT_S

LEAD_S = 1.0
"""By how much dash.js lets audio lead; see ``player.config.TRACKS``."""
NOTES_PER_S = 107 * 48_000 / 1024
"""Bytes that Chromium counts beside each second of sound: 107 for each frame of AAC. Measured:
950 s of 8.2 kB/s, 590 s of 16.2, 430 s of 24.2 and 350 s of 30.5 fill 12 MiB."""
REPLACED_FROM = 1.5
"""Segments ahead of the playhead that dash.js leaves as they are (``safeBufferLevel``)."""
LEAST_APART_S = 0.5
"""How far apart shaka-player lets tracks be, however short the segments are."""


class Goals(Protocol):
    """What the buffer may hold: a ``PlayerConfig``, or the same as a named tuple."""

    @property
    def max_buffer_s(self) -> float: ...  # noqa: D102  # as in PlayerConfig, like the rest
    @property
    def buffer_bytes(self) -> float: ...  # noqa: D102
    @property
    def buffer_limit_s(self) -> float: ...  # noqa: D102
    @property
    def top_buffer_s(self) -> float: ...  # noqa: D102
    @property
    def long_top_buffer_s(self) -> float: ...  # noqa: D102


def goal_s(goals: Goals, peaks_bps: FloatArray, duration_s: float, rung: int) -> float:
    """Most media ahead of the playhead, when ``rung`` was chosen last; -1: none was.

    Args:
        goals: The settings.
        peaks_bps: Peak rate of each rung, as a multivariant playlist states it.
        duration_s: Of all there is to play.
        rung: The rung.
    """
    most_s = goals.max_buffer_s
    if rung < 0:
        return most_s
    if rung == len(peaks_bps) - 1 and goals.top_buffer_s > 0:
        is_long = duration_s >= LONG_S and goals.long_top_buffer_s > 0
        most_s = goals.long_top_buffer_s if is_long else goals.top_buffer_s
    if goals.buffer_bytes > 0:
        lasts_s = 8 * goals.buffer_bytes / float(peaks_bps[rung])
        most_s = max(most_s, min(lasts_s, goals.buffer_limit_s))
    return most_s


def goals_of(goals: Goals, peaks_bps: FloatArray, duration_s: float) -> FloatArray:
    """``goal_s`` of every rung and, last, of none, shape (R+1,); (0,) if all are max_buffer_s."""
    rungs = len(peaks_bps)
    of_each = [goal_s(goals, peaks_bps, duration_s, rung) for rung in (*range(rungs), -1)]
    return np.array([] if set(of_each) == {goals.max_buffer_s} else of_each, dtype=np.float64)


def sound_lasts_s(quota_bytes: float, size_bytes: float, media_s: float) -> float:
    """Seconds of sound that a SourceBuffer takes, if ``media_s`` of it are ``size_bytes``."""
    if size_bytes <= 0 or media_s <= 0:
        return math.inf
    return quota_bytes / (size_bytes / media_s + NOTES_PER_S)


class Reached(NamedTuple):
    """How far a track has come, in seconds of media."""

    fetched_s: float
    """End of what is here."""
    asked_s: float
    """End of what is here or under way."""
    is_fetched: bool
    """Everything is here."""


def may_fetch_audio(
    tracks: Tracks,
    start_s: float,
    end_s: float,
    *,
    video: Reached,
    longest_s: float,
) -> bool:
    """Whether the audio from ``start_s`` to ``end_s`` is due, as far as the video matters.

    For ``led`` that changes with time: see ``wait_to_lead_s``.

    Args:
        tracks: The rule; see ``player.config.TRACKS``.
        start_s: Where the audio begins.
        end_s: Where it ends.
        video: How far the video has come.
        longest_s: The longest segment.
    """
    is_under_way = video.asked_s > video.fetched_s
    if video.is_fetched:
        return True
    if tracks == "paced":
        return not is_under_way or start_s <= video.asked_s + INSTANT_S
    if tracks == "apart":
        return not is_too_far(start_s, video, longest_s)
    if tracks == "in-turn" and is_under_way:
        return False
    # The middle, because boundaries of audio and video differ by part of a frame.
    return (start_s + end_s) / 2 < video.asked_s


def wait_to_lead_s(
    start_s: float, length_s: float, *, video_s: float, playhead_s: float, is_playing: bool
) -> float:
    """Seconds until dash.js fetches the audio from ``start_s`` on; inf while nothing plays.

    Either it begins within ``LEAD_S`` of the end of the video, which is at ``video_s``, or less
    than one segment of audio is left.
    """
    if start_s < video_s + LEAD_S - INSTANT_S:
        return 0.0
    wait_s = start_s - playhead_s - length_s
    return 0.0 if wait_s < 0 else (wait_s + INSTANT_S if is_playing else math.inf)


def is_too_far(fetched_s: float, other: Reached, longest_s: float) -> bool:
    """Whether shaka-player waits for the other track before it fetches more of this one."""
    if other.is_fetched:
        return False
    return fetched_s - other.fetched_s >= max(longest_s, LEAST_APART_S) - INSTANT_S
