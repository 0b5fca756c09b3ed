"""Doubts about units, from the figures of all traces of a set together.

A wrong unit is a factor of 8 or 1000, and such a trace plays without any error. What a set
says is compared with what networks do; a reader that is told so can name the unit. Nothing is
changed. Only formats that do not name their units are doubted, and these are the doubts:

*Rates.* A median above 20 Mbit/s where Mbit/s were assumed is 5G, fibre, or kbit/s. One below
150 kbit/s where kbit/s were assumed plays no rung, and may be Mbit/s; one above 300 Mbit/s may
be bytes or bits per second; one below 20 kbit/s where Mbit/s were assumed may be Gbit/s.

*Times.* Rows that are 20 s or more apart, many of them, are likely milliseconds.

*Bytes instead of bits.* TCP's delivery rate is an integer number of bytes per second. If it
was only divided by a million, rates read as bit/s are integers but seldom multiples of 8,
at the irregular times at which a server sent video. By contrast, rates multiplied by 8 are
multiples of 8, rates computed from bytes and milliseconds are not integers, and generated
traces have regular times.

*Odd ones out.* A file whose median is 500 times that of the others is in another unit.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from itertools import groupby
from statistics import median
from typing import NamedTuple

import numpy as np

from abr.trace import Trace
from abr.traceformats.rows import Assumed

_ROWS = 30
_EXACT_BPS, _EVEN = 1e-3, 0.02
_WHOLE, _MULTIPLES, _UNEVEN = 0.95, 0.5, 0.03
_FAST_BPS, _VERY_FAST_BPS, _SLOW_BPS, _VERY_SLOW_BPS = 20e6, 300e6, 150e3, 20e3
_ANY_ACCESS_BPS = 10e9
_LONG_STEP_S, _VERY_LONG_STEP_S, _SHORT_STEP_S = 20.0, 100.0, 2e-3
_STEP_OF_MICROSECONDS_S = 1e5
_LONG_RTT_S = 3.0
_APART, _FEWEST = 500.0, 4


class Summary(NamedTuple):
    """What of a trace the doubts are about; much less than the trace."""

    name: str
    assumed: Assumed | None
    """Units that were assumed; None if the file names them."""
    rate_bps: float
    """Median of the rates above 0."""
    step_s: float
    """Median length of a period."""
    rows: int
    rtt_s: float | None
    """Median round-trip time."""
    whole: int
    """Rates that are whole numbers of bit/s."""
    multiples: int
    """Rates that are multiples of 8 bit/s."""
    uneven: int
    """Periods that are not of the usual length."""
    doubts: tuple[str, ...] = ()
    """What its reader doubts."""


def summarize(trace: Trace, assumed: Assumed | None, doubts: tuple[str, ...] = ()) -> Summary:
    """The figures of one trace, and what its reader doubts."""
    rates, steps_s = trace.capacity_bps, np.diff(trace.times_s)
    step_s, whole = float(np.median(steps_s)), np.round(rates)
    return Summary(
        name=trace.name,
        assumed=assumed,
        rate_bps=float(np.median(rates[rates > 0])),
        step_s=step_s,
        rows=len(rates),
        rtt_s=None if trace.rtt_s is None else float(np.median(trace.rtt_s)),
        whole=int(np.count_nonzero(np.abs(rates - whole) < _EXACT_BPS)),
        multiples=int(np.count_nonzero(whole % 8 == 0)),
        uneven=int(np.count_nonzero(np.abs(steps_s - step_s) > _EVEN * step_s)),
        doubts=doubts,
    )


def find_doubts(summaries: Iterable[Summary]) -> tuple[str, ...]:
    """What is hardly plausible about a set of traces, one line each, with what to do."""
    every, found = list(summaries), []
    unnamed = sorted(
        (each for each in every if each.assumed is not None), key=lambda each: each.assumed or ()
    )
    for assumed, group in groupby(unnamed, key=lambda each: each.assumed):
        if assumed is not None:
            of_one = list(group)
            found += [_doubt_rates(assumed, of_one), *_doubt_times(assumed, of_one)]
    theirs = Counter(doubt for each in every for doubt in each.doubts)
    found += [f"in {n} traces, {doubt}" if n > 1 else doubt for doubt, n in theirs.items()]
    return tuple(filter(None, [*found, *_odd_ones(every)]))


def _doubt_rates(assumed: Assumed, group: list[Summary]) -> str:
    rate_bps = median(each.rate_bps for each in group)
    if not assumed.rate:
        return ""
    named = f"{_amount(rate_bps)}{_of(group)}, taken as {assumed.rate}"
    if assumed.rate == "Mbit/s" and rate_bps <= _FAST_BPS and _are_bytes(group):
        return (
            "rates look like bytes per second divided by a million (integers, not multiples of 8, "
            f"at irregular times): if so, they are 8 times too low: {_option(assumed, 'MB/s')}"
        )
    time = _likely_time(assumed, group)
    if assumed.rate == "Mbit/s" and rate_bps > 1e3 * _VERY_FAST_BPS:
        return (
            f"median rate {named}, as the file names no unit: no link is as fast; if it is bytes "
            "or bits per second: "
            f"{_option(assumed, 'B/s', time)} or {_option(assumed, 'bit', time)}"
        )
    if assumed.rate == "Mbit/s" and rate_bps > _FAST_BPS:
        is_any = rate_bps <= _ANY_ACCESS_BPS
        return (
            f"median rate {named}, as the file names no unit: "
            f"{'plausible for 5G or fibre' if is_any else 'few links are as fast'}; if it is "
            f"kbit/s: {_option(assumed, 'kbit', time)}"
        )
    if assumed.rate == "kbit/s" and rate_bps > _VERY_FAST_BPS:
        return (
            f"median rate {named}, as the file names no unit: few links are as fast; if it is "
            f"bytes or bits per second: {_option(assumed, 'B/s')} or {_option(assumed, 'bit')}"
        )
    if rate_bps < (_SLOW_BPS if assumed.rate == "kbit/s" else _VERY_SLOW_BPS):
        other = "mbit" if assumed.rate == "kbit/s" else "gbit"
        return (
            f"median rate {named}, as the file names no unit: hardly enough for any video; if it "
            f"is {other[0].upper()}bit/s: {_option(assumed, other)}"
        )
    return ""


def _doubt_times(assumed: Assumed, group: list[Summary]) -> list[str]:
    step_s, of = median(each.step_s for each in group), _of(group)
    found = []
    if time := _likely_time(assumed, group):
        is_fast = assumed.rate == "Mbit/s" and median(each.rate_bps for each in group) > _FAST_BPS
        found.append(
            f"rows are {step_s:.6g} s apart{of}, taken as s, as the file names no unit; if these "
            f"are {time}: {_option(assumed, 'kbit' if is_fast else None, time)}"
        )
    if assumed.time == "ms" and step_s < _SHORT_STEP_S:
        found.append(
            f"rows are {step_s * 1e3:.6g} ms apart{of}, taken as ms, as the file names no unit; if "
            f"these are s: {_option(assumed, None, 's')}"
        )
    rtts = [each.rtt_s for each in group if each.rtt_s is not None]
    if assumed.time_column == "1" and rtts and median(rtts) > _LONG_RTT_S:
        found.append(
            f"the third column, taken as round-trip times in ms, has a median of "
            f"{median(rtts) * 1e3:.6g} ms{of}; if it is something else: "
            f"{_option(assumed, None)}"
        )
    return found


def _likely_time(assumed: Assumed, group: list[Summary]) -> str | None:
    """The unit that times taken as seconds are likely in; None where they may be seconds."""
    step_s, rows = median(each.step_s for each in group), sum(each.rows for each in group)
    is_long = step_s >= _VERY_LONG_STEP_S or (step_s >= _LONG_STEP_S and rows >= _ROWS)
    if assumed.time != "s" or not is_long:
        return None
    return "us" if step_s >= _STEP_OF_MICROSECONDS_S else "ms"


def _of(group: list[Summary]) -> str:
    return f" in {len(group)} traces" if len(group) > 1 else ""


def _option(assumed: Assumed, rate: str | None, time: str | None = None) -> str:
    """The option that reads the same columns in other units."""
    rate = rate or assumed.rate.removesuffix("/s").lower()
    since = f",applies={assumed.applies}" if assumed.applies != "until" else ""
    return (
        f"--columns time={assumed.time_column}:{time or assumed.time},"
        f"rate={assumed.rate_column}{rate and f':{rate}'}{since}"
    )


def _amount(rate_bps: float) -> str:
    for unit, scale in (("Gbit/s", 1e9), ("Mbit/s", 1e6)):
        if rate_bps >= scale:
            return f"{rate_bps / scale:.4g} {unit}"
    return f"{rate_bps / 1e3:.4g} kbit/s"


def _odd_ones(every: list[Summary]) -> list[str]:
    if len(every) < _FEWEST:
        return []
    rates = np.array([each.rate_bps for each in every])
    usual = float(np.median(rates))
    far = np.flatnonzero((rates > usual * _APART) | (rates < usual / _APART))
    if not len(far):
        return []
    names = ", ".join(every[k].name for k in far[:3]) + (", ..." if len(far) > 3 else "")
    ratio = float(rates[far[0]]) / usual
    much = f"{ratio:.3g} times" if ratio > 1 else f"1/{1 / ratio:.3g} of"
    return [
        f"{len(far)} of {len(every)} traces ({names}) have rates {much} the others': another unit?"
    ]


def _are_bytes(group: list[Summary]) -> bool:
    rows = sum(each.rows for each in group)
    return (
        rows >= _ROWS
        and sum(each.whole for each in group) >= _WHOLE * rows
        and sum(each.multiples for each in group) <= _MULTIPLES * rows
        and sum(each.uneven for each in group) >= _UNEVEN * rows
    )
