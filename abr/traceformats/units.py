"""Detect likely unit errors in tables that do not name their units.

A unit error is a factor of 8 or 1000, and a trace with one plays without any error. The
numbers give some evidence:

*Bytes instead of bits.* TCP's delivery rate is an integer number of bytes per second. If it
was only divided by a million, rates read as bit/s are integers but seldom multiples of 8,
at the irregular times at which a server sent video. By contrast, rates multiplied by 8 are
multiples of 8, rates computed from bytes and milliseconds are not integers, and generated
traces have regular times.

*kbit/s instead of Mbit/s.* The rates exceed those of the published radio and line data sets.
5G data sets reach that range too, but contain integer Mbit/s.

Neither is proof, so a reader reports its doubts and changes nothing.
"""

from __future__ import annotations

import numpy as np

from abr.media import FloatArray

_ROWS = 30
_WHOLE, _MULTIPLES, _UNEVEN = 0.95, 0.5, 0.03
_FAST_MBPS, _FASTEST_MBPS, _LONG_STEP_S = 150.0, 2500.0, 100.0


def find_unit_doubts(times_s: FloatArray, rates_mbps: FloatArray) -> tuple[str, ...]:
    """Find evidence against seconds and Mbit/s as the units of a table.

    Args:
        times_s: Times as written, one for each rate.
        rates_mbps: Rates as written.
    """
    found = []
    if _are_bytes(times_s, rates_mbps):
        found.append(
            "rates look like bytes per second divided by a million (integers, not multiples of 8, "
            "at irregular times): if so, they are 8 times too low; scale by 8"
        )
    mean, fine = float(rates_mbps.mean()), bool(np.any(rates_mbps != np.round(rates_mbps)))
    if mean > _FASTEST_MBPS or (mean > _FAST_MBPS and fine):
        found.append(
            f"rates average {mean:.4g} Mbit/s: plausible for 5G or fibre; otherwise these are "
            "kbit/s read as Mbit/s, 1000 times too high; scale by 0.001"
        )
    step_s = float(np.median(np.diff(times_s))) if len(times_s) > 1 else 0.0
    if step_s > _LONG_STEP_S:
        found.append(f"rows are {step_s:g} s apart: milliseconds read as seconds?")
    return tuple(found)


def _are_bytes(times_s: FloatArray, rates_mbps: FloatArray) -> bool:
    if len(rates_mbps) < _ROWS:
        return False
    micro = rates_mbps * 1e6
    whole = np.round(micro)
    steps = np.diff(times_s)
    step = float(np.median(steps))
    return bool(
        np.mean(np.abs(micro - whole) < 1e-3) >= _WHOLE
        and np.mean(whole % 8 == 0) <= _MULTIPLES
        and np.mean(np.abs(steps - step) > 0.02 * step) >= _UNEVEN
    )
