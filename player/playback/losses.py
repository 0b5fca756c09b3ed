"""Media of a live stream that could be had nowhere: they count as gaps from then on."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import NamedTuple

from player.playback.actions import TrackName, Want
from player.playback.timeline import LOOKUP_TOLERANCE_S, Timeline


class _Lost(NamedTuple):
    track: TrackName
    playlist: str
    start_s: float
    end_s: float


class Losses:
    """All that was lost of one stream."""

    def __init__(self) -> None:
        self._lost: list[_Lost] = []

    def __repr__(self) -> str:
        return f"<Losses of {len(self._lost)} segments>"

    def add(self, want: Want, start_s: float) -> None:
        """A segment could be had nowhere from ``start_s`` on."""
        self._lost.append(_Lost(want.track, want.playlist, start_s, want.end_s))

    def before(self, track: TrackName, time_s: float) -> float:
        """How many segments in a row, up to ``time_s``, could not be had; inf: that one neither."""
        if any(span.track == track and span.start_s == time_s for span in self._lost):
            return math.inf
        count = 0
        for span in reversed(self._lost):
            if span.track == track and abs(span.end_s - time_s) <= LOOKUP_TOLERANCE_S:
                count, time_s = count + 1, span.start_s
        return count

    def marked(self, timeline: Timeline, track: TrackName, playlist: str) -> Timeline:
        """``timeline``, the one of ``playlist``, with what was lost of it as gaps."""
        # Sound may be listed by the playlist of the picture.
        spans = [span for span in self._lost if span.track == track or span.playlist == playlist]
        if not spans:
            return timeline
        segments = [
            replace(ref, is_gap=True)
            if any(span.start_s <= (ref.start_s + ref.end_s) / 2 < span.end_s for span in spans)
            else ref
            for ref in timeline.segments
        ]
        return Timeline(segments, is_ended=timeline.is_ended)
