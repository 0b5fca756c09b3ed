"""Derive traces from traces: cut, average over time, scale, concatenate and rotate."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from abr.errors import InputError, TraceFormatError
from abr.media import FloatArray
from abr.trace import Trace

_MAX_PERIODS = 10_000_000


def cut(trace: Trace, start_s: float, end_s: float | None = None) -> Trace:
    """Cut ``[start_s, end_s)`` out of one pass of ``trace``; the times of the result start at 0.

    Args:
        trace: The trace; the result keeps its end rule.
        start_s: Start of the piece.
        end_s: End of the piece; None for the end of the trace.

    Raises:
        InputError: the piece has no length or extends beyond the trace.
        TraceFormatError: the piece contains nothing but an outage.
    """
    last_s = trace.duration_s if end_s is None else end_s
    where = trace.name or "trace"
    if not 0 <= start_s < last_s:
        raise InputError(
            f"{where}: a piece from {start_s:g} s to {last_s:g} s; expected 0 <= start < end"
        )
    if last_s > trace.duration_s:
        raise InputError(
            f"{where}: a piece up to {last_s:g} s; expected at most {trace.duration_s:g} s, where "
            "the trace ends (use concat to make it longer)"
        )
    first = int(np.searchsorted(trace.times_s, start_s, "right")) - 1
    past = int(np.searchsorted(trace.times_s, last_s, "left"))
    inner_s = trace.times_s[first + 1 : past]

    def piece(values: FloatArray | None) -> FloatArray | None:
        return None if values is None else values[first:past]

    return replace(
        trace,
        times_s=np.concatenate([[start_s], inner_s, [last_s]]) - start_s,
        capacity_bps=trace.capacity_bps[first:past],
        rtt_s=piece(trace.rtt_s),
        loss_ratio=piece(trace.loss_ratio),
    )


def average(trace: Trace, period_s: float) -> Trace:
    """Average ``trace`` over equal periods; the last one is cut short at the end of the trace.

    The result offers the same bits by the end of each period. Round-trip times and losses
    are dropped.

    Raises:
        InputError: the period is not positive, or there would be over 10 million periods.
    """
    if not 0 < period_s < math.inf or trace.duration_s / period_s > _MAX_PERIODS:
        raise InputError(
            f"{trace.name or 'trace'}: means over {period_s:g} s of {trace.duration_s:g} s; "
            f"expected a time above 0, and at most {_MAX_PERIODS} periods"
        )
    # The quotient is rounded: without the margin 0.3 s would be 4 periods of 0.1 s.
    count = max(1, math.ceil(trace.duration_s / period_s - 1e-9))
    bounds_s = np.minimum(np.arange(count + 1) * period_s, trace.duration_s)
    bounds_s[-1] = trace.duration_s
    offered = np.concatenate([[0.0], np.cumsum(np.diff(trace.times_s) * trace.capacity_bps)])
    bits = np.diff(np.interp(bounds_s, trace.times_s, offered))
    means = np.maximum(bits, 0) / np.diff(bounds_s)
    return Trace(times_s=bounds_s, capacity_bps=means, end=trace.end, name=trace.name)


def scale(trace: Trace, factor: float) -> Trace:
    """Multiply every capacity by ``factor``; times, delays and losses are unchanged.

    Raises:
        InputError: the factor is not a finite number above 0.
    """
    if not 0 < factor < math.inf:
        raise InputError(f"factor {factor:g}; expected a finite number above 0")
    return replace(trace, capacity_bps=trace.capacity_bps * factor)


def scale_to_mean(trace: Trace, mean_bps: float) -> Trace:
    """Scale ``trace`` to a mean capacity of ``mean_bps``.

    Raises:
        InputError: the mean is not a finite number above 0.
    """
    if not 0 < mean_bps < math.inf:
        raise InputError(f"mean {mean_bps / 1e6:g} Mbit/s; expected a finite number above 0")
    return scale(trace, mean_bps / trace.mean_bps)


def concatenate(traces: Sequence[Trace], *, name: str = "", rtt_s: float | None = None) -> Trace:
    """Concatenate one pass of each trace; the end rule is that of the last.

    Args:
        traces: One or more.
        name: Name of the result.
        rtt_s: Round-trip time of traces without one, if others have it.

    Raises:
        InputError: no traces.
        TraceFormatError: only some have round-trip times, and ``rtt_s`` is None.
    """
    if not traces:
        raise InputError("no traces to join; expected one or more")
    ends_s = np.cumsum([0.0] + [each.duration_s for each in traces])
    bounds_s = [each.times_s[1:] + at for each, at in zip(traces, ends_s, strict=False)]
    return Trace(
        times_s=np.concatenate([[0.0], *bounds_s]),
        capacity_bps=np.concatenate([each.capacity_bps for each in traces]),
        rtt_s=_concatenate_rtt(traces, rtt_s),
        loss_ratio=_concatenate_losses(traces),
        end=traces[-1].end,
        name=name,
    )


def rotate(trace: Trace, seed: int) -> Trace:
    """Begin ``trace`` elsewhere, as where playback falls in a recording is chance.

    Seed 0, and a trace that does not loop, stay as they are.
    """
    if seed == 0 or trace.end != "loop" or trace.duration_s < 2:
        return trace
    start_s = float(np.random.default_rng(seed).integers(1, int(trace.duration_s)))
    first = int(np.searchsorted(trace.times_s, start_s, "right")) - 1
    after, before = trace.times_s[first + 1 :], trace.times_s[1 : first + 1]

    def from_first(values: FloatArray | None) -> FloatArray | None:
        return None if values is None else np.concatenate([values[first:], values[: first + 1]])

    return replace(
        trace,
        times_s=np.concatenate(
            [[0.0], after - start_s, before + (trace.duration_s - start_s), [trace.duration_s]]
        ),
        capacity_bps=np.concatenate([trace.capacity_bps[first:], trace.capacity_bps[: first + 1]]),
        rtt_s=from_first(trace.rtt_s),
        loss_ratio=from_first(trace.loss_ratio),
        name=f"{trace.name}@{start_s:g}s",
    )


def _concatenate_rtt(traces: Sequence[Trace], rtt_s: float | None) -> FloatArray | None:
    silent = [each.name for each in traces if each.rtt_s is None]
    if len(silent) == len(traces):
        return None
    if silent and rtt_s is None:
        raise TraceFormatError(
            f"{silent[0] or 'a trace'}: no round-trip times, while other traces have them; "
            "give one to use for it, as with --rtt-ms 40"
        )
    return np.concatenate(
        [
            np.full(len(each.capacity_bps), rtt_s or 0.0) if each.rtt_s is None else each.rtt_s
            for each in traces
        ]
    )


def _concatenate_losses(traces: Sequence[Trace]) -> FloatArray | None:
    """Concatenate losses; a trace without them loses nothing."""
    if all(each.loss_ratio is None for each in traces):
        return None
    return np.concatenate(
        [
            np.zeros(len(each.capacity_bps)) if each.loss_ratio is None else each.loss_ratio
            for each in traces
        ]
    )
