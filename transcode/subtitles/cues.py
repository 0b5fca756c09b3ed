"""Cues: text that is shown from one instant to another, and what was wrong with the rest."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate


@dataclass(frozen=True, slots=True, kw_only=True)
class Cue:
    """One piece of text."""

    start_ms: int
    """Whole milliseconds from the start of the film."""
    end_ms: int
    text: str
    """WebVTT cue text: lines, tags and escapes; no blank line."""
    identifier: str = ""
    settings: str = ""
    """WebVTT cue settings, such as ``line:0 align:start``."""


@dataclass(frozen=True, slots=True)
class Fault:
    """Something in a file that could not be used as it stands."""

    line: int
    """From 1."""
    message: str
    """What was found, and what was done about it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Subtitles:
    """A file or stream of text, read."""

    cues: tuple[Cue, ...]
    """By start, then by place in the file."""
    blocks: tuple[str, ...] = ()
    """STYLE and REGION blocks, as written."""
    faults: tuple[Fault, ...] = ()


def in_order(cues: Iterable[Cue]) -> tuple[Cue, ...]:
    """``cues`` by start; those that start together keep their order."""
    return tuple(sorted(cues, key=lambda cue: cue.start_ms))


def fit(subtitles: Subtitles, duration_s: float) -> Subtitles:
    """``subtitles`` without what lies after the end of a film of ``duration_s``.

    A cue that lasts longer ends with the film; those that start later are left out, and
    counted in a fault.
    """
    end_ms = max(1, round(duration_s * 1000))
    kept = tuple(
        cue if cue.end_ms <= end_ms else replace(cue, end_ms=end_ms)
        for cue in subtitles.cues
        if cue.start_ms < end_ms
    )
    lost = len(subtitles.cues) - len(kept)
    if not lost:
        return replace(subtitles, cues=kept)
    first_s = subtitles.cues[len(kept)].start_ms / 1000
    what = "1 cue starts" if lost == 1 else f"{lost} cues start"
    fault = Fault(
        0,
        f"{what} at {first_s:.3f} s or later, after the film's end at {duration_s:.3f} s, and "
        f"{'is' if lost == 1 else 'are'} left out; expected the subtitles of this very cut",
    )
    return replace(subtitles, cues=kept, faults=(*subtitles.faults, fault))


def shift(subtitles: Subtitles, by_ms: int) -> Subtitles:
    """``subtitles`` later by ``by_ms``; what would end before the film starts is left out."""
    moved = (
        replace(cue, start_ms=max(0, cue.start_ms + by_ms), end_ms=cue.end_ms + by_ms)
        for cue in subtitles.cues
    )
    kept = in_order(cue for cue in moved if cue.end_ms > 0)
    lost = len(subtitles.cues) - len(kept)
    faults = subtitles.faults
    if lost:
        what = "1 cue ends" if lost == 1 else f"{lost} cues end"
        faults = (*faults, Fault(0, f"{what} before the film starts; left out"))
    return replace(subtitles, cues=kept, faults=faults)


def divide(cues: Sequence[Cue], durations_s: Sequence[float]) -> list[tuple[Cue, ...]]:
    """The cues to be shown during each segment: one over a border is in both.

    Args:
        cues: By start.
        durations_s: Of the segments, the first of which starts at 0.

    Source: RFC 8216bis, 3.1.4: a segment holds all cues displayed during its time.
    """
    ends_ms = [1000 * end_s for end_s in accumulate(durations_s)]
    parts: list[list[Cue]] = [[] for _ in ends_ms]
    for cue in cues:
        first = bisect_right(ends_ms, cue.start_ms)
        # A border that comes from frames is no whole millisecond: 1e-6 ms settles ties.
        last = bisect_left(ends_ms, cue.end_ms - 1e-6)
        for part in parts[first : last + 1]:
            part.append(cue)
    return [tuple(part) for part in parts]
