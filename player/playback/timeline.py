"""The segments of one media playlist on the media timeline, with what each needs.

Segments are found by media time, because two playlists need not cut at the same times. One whose
segments are nearly those of the presentation is set on its boundaries (``aligned_to``).
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import accumulate

from abr.errors import PlaybackError
from abr.media import FloatArray, frozen_array
from player.playback.actions import KeyUse
from player.playback.keyuse import section_key, segment_key
from transcode.playlist import ByteRange, Key, Map, MediaPlaylist, Segment, resolver

SAME_BOUNDARY_S = 0.05
"""Segment durations of two rungs may differ by this much and still count as aligned."""

LOOKUP_TOLERANCE_S = 0.25
"""A segment of which no more than this is left is passed over for the next one, as in hls.js
(``maxFragLookUpTolerance``); of a shorter segment at most half."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InitRef:
    """An initialisation section."""

    url: str = field(repr=False)
    byte_range: ByteRange | None
    key: KeyUse | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentRef:
    """One segment of one track at one rung."""

    index: int
    """Place in its playlist, from 0; of a live stream among all that it ever listed."""
    url: str = field(repr=False)
    byte_range: ByteRange | None
    duration_s: float
    """As its own playlist says."""
    start_s: float
    """On the media timeline, from 0."""
    end_s: float
    """Where the next segment begins."""
    bitrate_bps: float | None
    init: InitRef | None
    key: KeyUse | None
    is_gap: bool = False
    """There in name only (EXT-X-GAP): it must not be fetched."""


class Timeline:
    """The segments that one media playlist lists."""

    def __init__(self, segments: Sequence[SegmentRef], *, is_ended: bool = True) -> None:
        self.segments = tuple(segments)
        self.is_ended = is_ended
        """Nothing will be added."""
        self._starts_s = [segment.start_s for segment in self.segments]

    def __repr__(self) -> str:
        return f"<Timeline of {len(self.segments)} segments to {self.end_s:.3f} s>"

    @property
    def end_s(self) -> float:
        """Where its media end."""
        return self.segments[-1].end_s if self.segments else 0.0

    @cached_property
    def durations_s(self) -> FloatArray:
        """Of each segment, as its playlist says, shape (N,)."""
        return frozen_array([segment.duration_s for segment in self.segments])

    @cached_property
    def bounds_s(self) -> FloatArray:
        """Where segments begin, and where the last one ends, shape (N + 1,)."""
        return frozen_array([*self._starts_s[:1], *(s.end_s for s in self.segments)])

    @cached_property
    def stated_bytes(self) -> FloatArray:
        """Size of each segment as its playlist states it, nan where it does not, shape (N,)."""
        return frozen_array([_stated_bytes(segment) for segment in self.segments])

    @property
    def has_encrypted_samples(self) -> bool:
        """Whether pictures or sound are encrypted as samples, somewhere."""
        keys = (segment.key for segment in self.segments)
        return any(key is not None and key.method != "AES-128" for key in keys)

    def index_at(self, time_s: float) -> int | None:
        """The segment to fetch for media from ``time_s`` on; None past the end."""
        if not self.segments:
            return None
        index = max(0, bisect_right(self._starts_s, time_s) - 1)
        segment = self.segments[index]
        if segment.end_s - time_s <= _tolerance_s(segment):
            index += 1
        return index if index < len(self.segments) else None

    def first_from(self, time_s: float) -> int:
        """The first segment that begins at ``time_s`` or later; past the end, their number."""
        return bisect_left(self._starts_s, time_s)

    def starting_at(self, time_s: float) -> Timeline:
        """What is shown from ``time_s`` on, which becomes the beginning of time."""
        if time_s <= 0:
            return self
        kept = [segment for segment in self.segments if segment.end_s > time_s]
        moved = [
            replace(
                segment,
                index=index,
                start_s=max(segment.start_s - time_s, 0.0),
                end_s=segment.end_s - time_s,
                duration_s=min(segment.duration_s, segment.end_s - time_s),
            )
            for index, segment in enumerate(kept)
        ]
        return Timeline(moved, is_ended=self.is_ended)

    def aligned_to(self, grid: Timeline) -> Timeline:
        """This, on the boundaries of ``grid`` where it has nearly the same segments.

        Lengths may differ by some milliseconds each, and over many segments ends drift apart. The
        last segment may be of any length, or one of the two may go on longer.
        """
        if not (self.segments and grid.segments):
            return self
        pairs = list(zip(self.segments, grid.segments, strict=False))
        are_near = [
            abs(own.duration_s - other.duration_s) <= SAME_BOUNDARY_S for own, other in pairs
        ]
        begins_with_it = abs(self.segments[0].start_s - grid.segments[0].start_s) <= SAME_BOUNDARY_S
        if not begins_with_it or not all(are_near[:-1]):
            return self
        moved = [
            own
            if (own.start_s, own.end_s) == (other.start_s, other.end_s)
            else replace(own, start_s=other.start_s, end_s=other.end_s)
            for own, other in pairs
        ]
        if not are_near[-1]:
            moved[-1] = replace(moved[-1], end_s=moved[-1].start_s + moved[-1].duration_s)
        at_s = moved[-1].end_s
        for own in self.segments[len(moved) :]:
            moved.append(replace(own, start_s=at_s, end_s=at_s + own.duration_s))
            at_s = moved[-1].end_s
        return Timeline(moved, is_ended=self.is_ended)


def nearest_s(grid: Timeline, time_s: float) -> float:
    """The boundary of ``grid`` that nearly is ``time_s``, else that itself."""
    later = grid.first_from(time_s)
    near = [s.start_s for s in grid.segments[max(later - 1, 0) : later + 1]]
    near += [grid.end_s] if grid.segments else []
    nearest = min(near, key=lambda each: abs(each - time_s), default=time_s)
    return nearest if abs(nearest - time_s) <= SAME_BOUNDARY_S else time_s


def snapped(timeline: Timeline, grid: Timeline) -> Timeline:
    """``timeline`` on the boundaries of ``grid`` that nearly are its own."""
    moved = [
        replace(ref, start_s=nearest_s(grid, ref.start_s), end_s=nearest_s(grid, ref.end_s))
        for ref in timeline.segments
    ]
    return Timeline(moved, is_ended=timeline.is_ended)


def _stated_bytes(segment: SegmentRef) -> float:
    if segment.byte_range is not None:
        return float(segment.byte_range.length)
    rate_bps = segment.bitrate_bps
    return math.nan if rate_bps is None else rate_bps * segment.duration_s / 8


def _tolerance_s(segment: SegmentRef) -> float:
    return min(LOOKUP_TOLERANCE_S, (segment.end_s - segment.start_s) / 2)


def timeline_of(
    playlist: MediaPlaylist, *, url: str, start_s: float = 0.0, first_index: int = 0
) -> Timeline:
    """The segments of one media playlist with everything needed to fetch and decrypt them.

    Args:
        playlist: As it was read.
        url: Where it came from in the end; its URIs are relative to this.
        start_s: Where its first segment lies.
        first_index: The index of that; more than 0 of a live stream, whose first have left.

    Raises:
        PlaybackError: it is empty, or encrypted in a way that we cannot decrypt.
    """
    # RFC 8216, 4.3.2.1 allows EXTINF:0; what lasts no time is never on screen.
    listed = [segment for segment in playlist.segments if segment.duration_s > 0]
    if not listed:
        raise PlaybackError("the media playlist lists no segment that lasts; nothing to play")
    bounds = list(accumulate((s.duration_s for s in listed), initial=start_s))
    needs = _Needs(resolver(url))
    return Timeline(
        [
            SegmentRef(
                index=first_index + index,
                url=needs.absolute(segment.uri),
                byte_range=segment.byte_range,
                duration_s=segment.duration_s,
                start_s=bounds[index],
                end_s=bounds[index + 1],
                bitrate_bps=segment.bitrate_kbps * 1000.0 if segment.bitrate_kbps else None,
                init=needs.init(segment.map),
                key=needs.key(segment),
                is_gap=segment.gap,
            )
            for index, segment in enumerate(listed)
        ],
        is_ended=playlist.endlist,
    )


class _Needs:
    """What segments of one playlist need; thousands in a row need the same."""

    def __init__(self, absolute: Callable[[str], str]) -> None:
        self.absolute = absolute
        self._map: Map | None = None
        self._init: InitRef | None = None
        self._seen: tuple[Key | None, bool] = (None, True)
        self._use: KeyUse | None = None

    def __repr__(self) -> str:
        return f"<_Needs {self._init!r}, {self._use!r}>"

    def init(self, section: Map | None) -> InitRef | None:
        if section is not self._map:
            self._map = section
            self._init = None if section is None else self._read(section)
        return self._init

    def _read(self, section: Map) -> InitRef:
        return InitRef(
            url=self.absolute(section.uri),
            byte_range=section.byte_range,
            key=section_key(section, self.absolute),
        )

    def key(self, segment: Segment) -> KeyUse | None:
        seen = (segment.key, segment.map is None)
        # Without an IV of its own each segment has another.
        if seen != self._seen or (segment.key is not None and segment.key.iv is None):
            self._seen, self._use = seen, segment_key(segment, self.absolute)
        return self._use
