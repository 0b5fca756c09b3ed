"""Where in the media each stall of a batch was, as rows of results and QoEs tell it."""

from __future__ import annotations

import math
from typing import Protocol

import numpy as np

from abr.media import FloatArray

SHORTEST_STALL_S = 1e-9
"""Shorter stalls are rounding errors."""


class Columns(Protocol):
    """What is asked of a batch."""

    @property
    def column_names(self) -> tuple[str, ...]:
        """Of its columns."""

    def column(self, name: str) -> FloatArray:
        """Of every session and segment, shape (n, N)."""

    def total(self, name: str) -> FloatArray:
        """Of every session, shape (n,)."""


def stalls_of(batch: Columns, durations_s: FloatArray) -> list[list[list[float]]]:
    """Media seconds played before each stall, and its length, both to a microsecond.

    Args:
        batch: Of sessions whose columns were kept. What its first segment takes is startup.
            Where its simulator does not tell when a stall began, it is at the start of the
            segment that was awaited.
        durations_s: Media seconds of each segment.

    Returns:
        Of each session, in order.
    """
    lengths_s = batch.column("stall_s")
    startups_s = np.nan_to_num(batch.total("startup_s")).tolist()
    found: list[list[list[float]]] = [[] for _ in startups_s]
    stalled_s = [0.0] * len(startups_s)
    places, segments = np.nonzero(lengths_s[:, 1:] > SHORTEST_STALL_S)
    segments += 1
    lengths = lengths_s[places, segments].tolist()
    tells = "stall_start_s" in batch.column_names
    starts = batch.column("stall_start_s")[places, segments].tolist() if tells else None
    for k, (place, segment) in enumerate(zip(places.tolist(), segments.tolist(), strict=True)):
        if starts is None:
            at_s = math.fsum(durations_s[:segment])
        else:
            at_s = starts[k] - startups_s[place] - stalled_s[place]
        found[place].append([round(at_s, 6), round(lengths[k], 6)])
        stalled_s[place] += lengths[k]
    return found
