"""A trace as the kernel's token bucket filter takes it: rates over time, bucket, floor.

The simulator and the shaper count payload; the filter counts whole Ethernet frames. So
every rate is raised by the headers of a full segment, and what the filter says it sent is
lowered by them. Rate 0 is refused by the kernel: an outage is a rate so low that not one
frame passes in most of them.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple

from abr.trace import Trace

FLOOR_BPS = 8_000
"""Rate during an outage, bits per second: a full frame takes 1.5 s."""
QUEUE_BYTES = 400_000
"""Room behind the filter: deep, so that no congestion control is starved by drops."""
PAYLOAD_BYTES = 1448
FRAME_BYTES = 1514
WIRE_RATIO = FRAME_BYTES / PAYLOAD_BYTES
"""Bytes on the wire for each byte of payload, in full segments with timestamps."""

_BURST_S = 0.001


class Step(NamedTuple):
    """From ``at_s`` of the trace on the filter has this rate."""

    at_s: float
    rate_bps: int


def steps(trace: Trace, *, floor_bps: int = FLOOR_BPS) -> Iterator[Step]:
    """Rates in the order of time, from 0; only changes; endless where the trace loops."""
    times = [float(time_s) for time_s in trace.times_s]
    rates = [wire_bps(float(bps), floor_bps) for bps in trace.capacity_bps]
    last: int | None = None
    passes = 0
    while True:
        start_s = passes * times[-1]
        for k, rate_bps in enumerate(rates):
            if times[k + 1] > times[k] and rate_bps != last:
                last = rate_bps
                yield Step(start_s + times[k], rate_bps)
        passes += 1
        if trace.end == "end" and last != floor_bps:
            yield Step(times[-1], floor_bps)
        if trace.end != "loop" or len(set(rates)) == 1:
            return


def wire_bps(payload_bps: float, floor_bps: int = FLOOR_BPS) -> int:
    """The filter's rate for a capacity of ``payload_bps``; never below the floor."""
    return max(round(payload_bps * WIRE_RATIO), floor_bps)


def rate_text(rate_bps: int) -> str:
    """The rate in the one spelling that is not taken for bytes."""
    return f"{rate_bps}bit"


def burst_bytes(trace: Trace) -> int:
    """Size of the bucket: a millisecond at the highest capacity, at least two frames.

    A silence fills it, and what it holds comes on top of the trace; but with less than two
    frames every timer of the kernel that is late loses capacity, up to a tenth of it.
    """
    peak_bps = wire_bps(float(trace.capacity_bps.max()))
    return max(math.ceil(peak_bps * _BURST_S / 8), 2 * FRAME_BYTES)
