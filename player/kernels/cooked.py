"""Inputs of the Pensieve family's environment: cooked rows and whole bytes.

A cooked row tells the rate since the row before it. The family's clock starts at the
time of row 0 and, past the last row, at 0; where row 0 does not stand at 0 the first
period is longer from the second round on, and that is kept.
"""

from __future__ import annotations

import numpy as np

from abr.media import FloatArray, Presentation, frozen_array
from abr.trace import Trace
from player.kernels.tables import Film, LinkTable


def link_of_rows(times_s: FloatArray, rates_mbps: FloatArray) -> LinkTable:
    """The network of cooked rows; the first rate is never used."""
    times = frozen_array(times_s)
    capacity = frozen_array(np.asarray(rates_mbps)[1:] * 1e6)
    offered = frozen_array(np.concatenate([[0.0], np.cumsum(np.diff(times) * capacity)]))
    return LinkTable(times, offered, capacity, frozen_array(np.zeros(len(capacity))))


def cooked_rows(trace: Trace, *, cover_s: float = 400.0) -> tuple[FloatArray, FloatArray]:
    """Times and Mbit/s of ``trace``, repeated until ``cover_s`` are covered.

    Row 0 stands at 0 with the first rate, then one row per period at its end. Round-trip
    times are left out: the environment has its own. Times have whole microseconds, as
    in the reference sessions; rates are divided from the decimal kbit/s that files give.
    """
    lasts_ms = np.diff(trace.times_s * 1e3)
    rounds = max(1, int(np.ceil(cover_s / float(trace.times_s[-1]))))
    ends_ms = np.cumsum(np.tile(lasts_ms, rounds))
    rates = np.tile(np.round(trace.capacity_bps / 1e3, 6) / 1e3, rounds)  # kbit/s as written
    times = np.concatenate([[0.0], np.round(ends_ms / 1e3, 6)])
    return times, np.concatenate([rates[:1], rates])


def whole_bytes(film: Presentation, *, segments: int = 48, segment_s: float = 4.0) -> Film:
    """The first ``segments`` of ``film``, sizes in whole bytes, each ``segment_s`` long."""
    count = min(segments, film.segments)
    return Film(
        film.bitrates_bps,
        frozen_array(np.round(film.sizes_bytes[:, :count])),
        frozen_array(np.full(count, segment_s)),
    )
