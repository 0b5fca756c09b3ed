"""Inputs of the Pensieve family's environment: cooked rows and whole bytes.

A cooked row tells the rate since the row before it. The family's clock starts at the
time of row 0 and, past the last row, at 0; where row 0 does not stand at 0 the first
period is longer from the second round on, and that is kept.
"""

from __future__ import annotations

import math

import numpy as np

from abr.media import FloatArray, Presentation, frozen_array
from abr.trace import Trace
from player.batch.tables import LinkTable, PresentationTable, bare_table, in_ms

_BLUR = 1e-12


def link_of_rows(times_s: FloatArray, rates_mbps: FloatArray) -> LinkTable:
    """The network of cooked rows; the first rate is never used."""
    times = frozen_array(times_s)
    capacity = frozen_array(np.asarray(rates_mbps)[1:] * 1e6)
    offered = frozen_array(np.concatenate([[0.0], np.cumsum(np.diff(times) * capacity)]))
    nothing = frozen_array(np.zeros(len(capacity)))
    return LinkTable(
        times, offered, capacity, nothing, nothing, frozen_array(in_ms(np.diff(times)))
    )


def cooked_rows(trace: Trace, *, cover_s: float = 400.0) -> tuple[FloatArray, FloatArray]:
    """Times and Mbit/s of ``trace``, repeated until ``cover_s`` are covered; 0: not repeated.

    Row 0 stands at 0 with the first rate, then one row per period at its end. Round-trip
    times are left out: the environment has its own. What sums and products left in the
    digits beyond microseconds and millibits is taken out, as in the reference sessions.
    """
    lasts_ms = np.diff(trace.times_s * 1e3)
    rounds = max(1, math.ceil(cover_s / float(trace.times_s[-1])))
    ends_s = np.cumsum(np.tile(lasts_ms, rounds)) / 1e3
    rates = np.tile(_plain(trace.capacity_bps / 1e3) / 1e3, rounds)
    return np.concatenate([[0.0], _plain(ends_s)]), np.concatenate([rates[:1], rates])


def _plain(values: FloatArray) -> FloatArray:
    """Values of six decimals that sums have blurred, sharp again; others as they are."""
    short = np.round(values, 6)
    return np.where(np.abs(short - values) <= _BLUR * (1 + np.abs(values)), short, values)


def whole_bytes(
    presentation: Presentation, *, segments: int = 48, segment_s: float = 4.0
) -> PresentationTable:
    """The first ``segments`` of ``presentation``, sizes in whole bytes, each ``segment_s`` long.

    Sizes of segments after those that are played stay: the family's size files have a row more
    than its videos have segments, and its MPC reads it.

    Args:
        presentation: What is played.
        segments: How many; 0 for all.
        segment_s: Media seconds of each; 0 for the presentation's own, to the nearest tenth, as
            the family takes segments of 4.004 s for 4 s.
    """
    count = min(segments, presentation.segments) if segments else presentation.segments
    lasts_s = (
        np.full(count, segment_s) if segment_s else np.round(presentation.durations_s[:count], 1)
    )
    sizes = np.ascontiguousarray(np.round(presentation.sizes_bytes))
    durations_s = frozen_array(np.where(lasts_s > 0, lasts_s, presentation.durations_s[:count]))
    return bare_table(
        presentation.bitrates_bps,
        frozen_array(sizes),
        durations_s,
        frozen_array(in_ms(durations_s)),
    )
