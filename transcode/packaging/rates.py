"""Bit rates of tracks: means and peaks as HLS defines them, from sizes and durations.

Source: RFC 8216bis, section 4.1; Apple's HLS authoring specification, items 1.27, 9.13 and 9.14.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Protocol

_SAME_S = 1e-6
_RAISE = 1.09


class _Timed(Protocol):
    """Bytes that last."""

    @property
    def size_bytes(self) -> int: ...

    @property
    def duration_s(self) -> float: ...


class _Track(Protocol):
    """Segments in order."""

    @property
    def segments(self) -> Sequence[_Timed]: ...


def mean_bps(track: _Track) -> int:
    """Bits of all segments over their seconds, rounded up."""
    size_bytes = sum(each.size_bytes for each in track.segments)
    return math.ceil(8 * size_bytes / sum(each.duration_s for each in track.segments))


def peak_bps(track: _Track, target_s: float) -> int:
    """Largest bit rate of any run of segments lasting 0.5 to 1.5 target durations, rounded up.

    A short last segment does not count alone. Where no run is that long, single ones count.

    Source: RFC 8216bis, section 4.1, "peak segment bit rate".
    """
    return run_peak_bps(track.segments, target_s)


def run_peak_bps(segments: Sequence[_Timed], target_s: float) -> int:
    """As ``peak_bps``, of anything that has sizes and durations."""
    within = [
        8 * size / duration
        for size, duration in _runs(segments, 1.5 * target_s + _SAME_S)
        if duration >= 0.5 * target_s - _SAME_S
    ]
    return math.ceil(max(within, default=0.0) or _single_peak_bps(segments))


def listed_peak_bps(track: _Track, target_s: float) -> int:
    """The peak as playlists state it: raised for a short last segment, by less than a tenth.

    Apple's item 1.27 lets BANDWIDTH and the peak differ by a tenth. Using that upwards covers
    the highest rate of a single segment, which many players and checkers call the peak.
    """
    peak = peak_bps(track, target_s)
    return max(peak, math.ceil(min(_single_peak_bps(track.segments), _RAISE * peak)))


def _single_peak_bps(segments: Sequence[_Timed]) -> float:
    return max(8 * segment.size_bytes / segment.duration_s for segment in segments)


def _runs(segments: Sequence[_Timed], longest_s: float) -> Iterator[tuple[int, float]]:
    for first in range(len(segments)):
        size, duration = 0, 0.0
        for segment in segments[first:]:
            size, duration = size + segment.size_bytes, duration + segment.duration_s
            if duration > longest_s:
                break
            yield size, duration
