"""Doubts about units, from the figures of all traces of a set together.

A wrong unit is a factor of 8 or 1000, and such a trace plays without any error. What a set
says is compared with what networks do; a reader that is told so can name the unit. Nothing is
changed. Only formats that do not name their units are doubted, and these are the doubts:

*Rates.* A median above 20 Mbit/s where Mbit/s were assumed is 5G, fibre, or kbit/s. One below
150 kbit/s where kbit/s were assumed plays no rung, and may be Mbit/s; one above 300 Mbit/s may
be bytes or bits per second.

*Times.* Rows that are 20 s or more apart, many of them, are likely milliseconds.

*Bytes instead of bits.* TCP's delivery rate is an integer number of bytes per second. If it
was only divided by a million, rates read as bit/s are integers but seldom multiples of 8,
at the irregular times at which a server sent video. By contrast, rates multiplied by 8 are
multiples of 8, rates computed from bytes and milliseconds are not integers, and generated
traces have regular times.

*Odd ones out.* A file whose median is 500 times that of the others is in another unit.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from abr.media import FloatArray
from abr.trace import Trace
from abr.traceformats.rows import Assumed

_ROWS, _MOST_ROWS = 30, 200_000
_WHOLE, _MULTIPLES, _UNEVEN = 0.95, 0.5, 0.03
_FAST_BPS, _VERY_FAST_BPS, _SLOW_BPS = 20e6, 300e6, 150e3
_LONG_STEP_S, _VERY_LONG_STEP_S, _SHORT_STEP_S = 20.0, 100.0, 2e-3
_LONG_RTT_S = 3.0
_APART, _FEWEST = 500.0, 4


class Judged(NamedTuple):
    """A trace and the units that were assumed for it; None if its file names them."""

    trace: Trace
    assumed: Assumed | None


def find_doubts(judged: Sequence[Judged]) -> tuple[str, ...]:
    """What is hardly plausible about a set of traces, one line each, with what to do."""
    found: list[str] = []
    unnamed = sorted(
        (each for each in judged if each.assumed is not None), key=lambda each: each.assumed or ()
    )
    for assumed, group in groupby(unnamed, key=lambda each: each.assumed):
        if assumed is not None:
            found += _of_one_format(assumed, [each.trace for each in group])
    return (*found, *_odd_ones([each.trace for each in judged]))


def _of_one_format(assumed: Assumed, traces: list[Trace]) -> list[str]:
    found = []
    rate_bps = float(np.median([_median_rate(trace) for trace in traces]))
    steps = [np.diff(trace.times_s) for trace in traces]
    step_s = float(np.median([np.median(each) for each in steps]))
    of = f" in {len(traces)} traces" if len(traces) > 1 else ""
    named = f"{_amount(rate_bps, assumed.rate)}{of}, taken as {assumed.rate}"
    if assumed.rate == "Mbit/s" and _are_bytes(traces):
        found.append(
            "rates look like bytes per second divided by a million (integers, not multiples of 8, "
            f"at irregular times): if so, they are 8 times too low: {_option(assumed, 'MB/s')}"
        )
    elif assumed.rate == "Mbit/s" and rate_bps > _FAST_BPS:
        found.append(
            f"median rate {named}, as the file names no unit: plausible for 5G or fibre; if it is "
            f"kbit/s: {_option(assumed, 'kbit')}"
        )
    elif assumed.rate == "kbit/s" and rate_bps > _VERY_FAST_BPS:
        found.append(
            f"median rate {named}, as the file names no unit: few links are as fast; if it is "
            f"bytes or bits per second: {_option(assumed, 'B/s')} or {_option(assumed, 'bit')}"
        )
    elif rate_bps < _SLOW_BPS:
        other = "mbit" if assumed.rate == "kbit/s" else "gbit"
        found.append(
            f"median rate {named}, as the file names no unit: hardly enough for any video; if it "
            f"is {other[0].upper()}bit/s: {_option(assumed, other)}"
        )
    rows = sum(map(len, steps))
    if assumed.time == "s" and (
        step_s >= _VERY_LONG_STEP_S or (step_s >= _LONG_STEP_S and rows >= _ROWS)
    ):
        found.append(
            f"rows are {step_s:.6g} s apart{of}, taken as s, as the file names no unit; if these "
            f"are ms: {_option(assumed, None, 'ms')}"
        )
    if assumed.time == "ms" and step_s < _SHORT_STEP_S:
        found.append(
            f"rows are {step_s * 1e3:.6g} ms apart{of}, taken as ms, as the file names no unit; if "
            f"these are s: {_option(assumed, None, 's')}"
        )
    rtts = [float(np.median(trace.rtt_s)) for trace in traces if trace.rtt_s is not None]
    if assumed.time_column == "1" and rtts and np.median(rtts) > _LONG_RTT_S:
        found.append(
            f"the third column, taken as round-trip times in ms, has a median of "
            f"{float(np.median(rtts)) * 1e3:.6g} ms; if it is something else: "
            f"{_option(assumed, None)}"
        )
    return found


def _option(assumed: Assumed, rate: str | None, time: str | None = None) -> str:
    """The option that reads the same columns in other units."""
    rate = rate or assumed.rate.removesuffix("/s").lower()
    since = f",applies={assumed.applies}" if assumed.applies != "until" else ""
    return (
        f"--columns time={assumed.time_column}:{time or assumed.time},"
        f"rate={assumed.rate_column}:{rate}{since}"
    )


def _amount(rate_bps: float, unit: str) -> str:
    return f"{rate_bps / (1e6 if unit == 'Mbit/s' else 1e3):.4g} {unit}"


def _median_rate(trace: Trace) -> float:
    rates = trace.capacity_bps[trace.capacity_bps > 0]
    return float(np.median(rates))


def _odd_ones(traces: list[Trace]) -> list[str]:
    if len(traces) < _FEWEST:
        return []
    medians = np.array([_median_rate(trace) for trace in traces])
    usual = float(np.median(medians))
    far = np.flatnonzero((medians > usual * _APART) | (medians < usual / _APART))
    if not len(far):
        return []
    names = ", ".join(traces[k].name for k in far[:3]) + (", ..." if len(far) > 3 else "")
    ratio = float(medians[far[0]]) / usual
    much = f"{ratio:.3g} times" if ratio > 1 else f"1/{1 / ratio:.3g} of"
    return [
        f"{len(far)} of {len(traces)} traces ({names}) have rates {much} the others': another unit?"
    ]


def _are_bytes(traces: list[Trace]) -> bool:
    parts: list[FloatArray] = []
    uneven: list[NDArray[np.bool_]] = []
    rows = 0
    for trace in traces:
        if rows < _MOST_ROWS:
            steps = np.diff(trace.times_s)
            parts.append(trace.capacity_bps)
            uneven.append(np.abs(steps - np.median(steps)) > 0.02 * float(np.median(steps)))
            rows += len(steps)
    if rows < _ROWS:
        return False
    rates = np.concatenate(parts)
    whole = np.round(rates)
    return bool(
        np.mean(np.abs(rates - whole) < 1e-3) >= _WHOLE
        and np.mean(whole % 8 == 0) <= _MULTIPLES
        and np.mean(np.concatenate(uneven)) >= _UNEVEN
    )
