"""Fast switching: replace a low-rung segment in the buffer by a higher one.

If the rung chosen for the next segment is higher than that of a buffered segment that
starts to play no sooner than one and a half segments from now, that segment is downloaded
again at the chosen rung. Candidates are searched from the oldest or from the newest; a
replacement that cannot arrive before its segment plays is abandoned.

This is not an algorithm but a component of ``bola-e`` and ``dynamic``.

Source: Spiteri, Sitaraman, Sparacio, From Theory to Practice, MMSys 2018, section 4.2,
and Sabre's class ``Replace`` at commit 09b03bb, whose decisions this reproduces.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from abr.decision import Decision, Download, Observation, Progress
from abr.media import FloatArray

NEVER, OLDEST_FIRST, NEWEST_FIRST = 0, 1, 2
_SEGMENTS_AHEAD = 1.5
# With segments of 2 s a full buffer is exactly at a half, where rounding must not decide.
_ROUNDING = 1e-9


class Buffered(NamedTuple):
    """What replacing needs to know about the buffer."""

    rungs: FloatArray
    """Rung of each downloaded segment, shape (N,); of a stream that grows, of the newest N."""
    replacing: FloatArray
    """Segment being downloaded again, or -1, shape (1,)."""


def buffered_start(segments: int) -> Buffered:
    """Create the record of an empty buffer."""
    return Buffered(np.zeros(segments), np.full(1, -1.0))


def prefer_replacement(
    order: int,
    buffered: Buffered,
    seen: Observation,
    segment_s: float,
    decision: Decision,
    reason: int,
) -> Decision:
    """Return the decision, or one to download an earlier segment at its rung instead."""
    buffered.replacing[0] = -1.0
    if order == NEVER:
        return decision
    count = math.floor(seen.buffer_s / segment_s - _SEGMENTS_AHEAD + _ROUNDING)
    for k in range(count):
        segment = seen.segment - (count - k if order == OLDEST_FIRST else k + 1)
        if segment >= 0 and buffered.rungs[segment % len(buffered.rungs)] < decision.rung:
            buffered.replacing[0] = segment
            return Decision(decision.rung, 0.0, reason, segment)
    return decision


def is_replacing(buffered: Buffered, segment: int) -> bool:
    """Whether the download of ``segment`` is a replacement."""
    return bool(buffered.replacing[0] == segment)


def is_too_late(seen: Observation, progress: Progress, segment_s: float) -> bool:
    """Whether the segment being replaced has started to play, or is about to."""
    return progress.buffer_s <= segment_s * (seen.segment - progress.segment)


def buffered_add(buffered: Buffered, download: Download) -> None:
    """Record a finished download."""
    buffered.rungs[download.segment % len(buffered.rungs)] = download.rung
    buffered.replacing[0] = -1.0
