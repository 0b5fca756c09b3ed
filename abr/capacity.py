"""Closed forms over the capacity of a link: bits by a time, time of a bit, one request.

Plain functions over a table of numbers, once for everybody: ``abr.trace.Trace`` asks them,
``abr.link.SharedLink`` shares what they answer among transfers, the compiled player of
``player.batch.abrkit`` and the planners of ``abr.planning`` compile them. In plain Python
the columns of a table are best tuples or lists, compiled they are arrays.

Times and bits come from the cumulative capacity by search, so the cost of a question does
not depend on how long a transfer takes, and cutting a period in two changes no answer.
Questions mostly move on a little from the one before, so each takes a period to search
from (``near``; any will do): a few steps ahead of it are tried, then all are bisected. Some
take the number of passes before, too (``expected``; any will do): where it is right, which a
multiplication shows, nothing has to be divided.

The end rule is part of the table (see ``table_of``): a table starts again at its last
bound, and the last bound of a link that holds its capacity, or ends, is infinity.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal, NamedTuple, Protocol

import numpy as np

from abr.compilable import AHEAD, capped, lifted, likely, natural, reached_ahead
from abr.media import FloatArray

End = Literal["loop", "hold", "end"]
"""What a link offers after the last period of its trace: the same again, the last capacity
for ever, or nothing more."""

_SLACK_BITS = 1e-6
_SLACK_RATIO = 1e-15  # four to nine ulps
_STEPS = 6
_EDGE, _MOST_ROUNDS = 1e-9, 1e6
"""So near a bound, in passes, and after so many, a number of passes is divided for."""

Column = FloatArray | Sequence[float]


class Offer(Protocol):
    """What a table must hold: K periods of constant capacity, gone through over and over."""

    @property
    def times_s(self) -> Column:
        """Bounds of the periods, from 0, shape (K+1,); the last may be inf."""
        ...

    @property
    def offered_bits(self) -> Column:
        """Bits offered from 0 to each bound, shape (K+1,); the last may be inf."""
        ...

    @property
    def capacity_bps(self) -> Column:
        """Capacity in each period, bits per second, shape (K,)."""
        ...

    @property
    def rtt_s(self) -> Column:
        """Round-trip time in each period, shape (K,), or (1,) where it is always the same."""
        ...


class CapacityTable(NamedTuple):
    """An ``Offer`` and nothing else."""

    times_s: Column
    offered_bits: Column
    capacity_bps: Column
    rtt_s: Column


class Transfer(NamedTuple):
    """A request and its response on a link that carries nothing else."""

    start_s: float
    """Request sent."""
    first_byte_s: float
    end_s: float
    """Last byte here; inf when never."""
    offered_bits: float
    """What the link had offered by the first byte."""
    period: int
    """Period of the trace at the first byte."""
    rounds: float
    """Whole passes before it."""
    last_period: int
    """Period at the last byte, to search from."""


def table_of(
    times_s: FloatArray,
    capacity_bps: FloatArray,
    rtt_s: FloatArray,
    end: End,
    *,
    ever_s: float = math.inf,
) -> CapacityTable:
    """The table of a trace whose periods are checked; its columns are arrays.

    Args:
        times_s: Bounds of the periods, from 0, shape (K+1,).
        capacity_bps: Capacity in each, shape (K,).
        rtt_s: Round-trip time in each, shape (K,).
        end: What comes after the last: ``hold`` makes it longer, ``end`` adds one of no
            capacity.
        ever_s: How long that is.
    """
    if end == "hold":
        times_s = np.append(times_s[:-1], times_s[-1] + ever_s)
    elif end == "end":
        times_s = np.append(times_s, times_s[-1] + ever_s)
        capacity_bps, rtt_s = np.append(capacity_bps, 0.0), np.append(rtt_s, rtt_s[-1])
    lengths_s = np.where(capacity_bps > 0, np.diff(times_s), 0.0)  # as 0 times inf is no number
    with np.errstate(over="ignore"):
        offered_bits = np.concatenate([[0.0], np.cumsum(lengths_s * capacity_bps)])
    return CapacityTable(
        np.array(times_s), offered_bits, np.array(capacity_bps), np.array(rtt_s, dtype=np.float64)
    )


# --- time to bits, and back ----------------------------------------------------------------


def fold(table: Offer, t_s: float, expected: float = 0.0) -> tuple[float, float]:
    """Whole passes before ``t_s``, 0 or more, and the time within the pass it falls in."""
    pass_s = float(table.times_s[-1])
    if likely(is_within(t_s, pass_s, expected)):
        return expected, t_s - expected * pass_s
    if t_s < pass_s:
        return 0.0, t_s
    rounds = float(math.floor(t_s / pass_s))
    rest_s = t_s - rounds * pass_s
    # The quotient is rounded, so the rest may fall outside the pass by one ulp.
    if rest_s < 0:
        return rounds - 1.0, rest_s + pass_s
    if rest_s >= pass_s:
        return rounds + 1.0, rest_s - pass_s
    return rounds, rest_s


def is_within(value: float, length: float, rounds: float) -> bool:
    """Whether ``value`` over ``length`` is surely ``rounds`` and a fraction, however it rounds."""
    rest = value - rounds * length
    return _EDGE * length < rest < (1.0 - _EDGE) * length and rounds < _MOST_ROUNDS


def find_period(table: Offer, rest_s: float, near: int) -> int:
    """The last period that begins by ``rest_s``, a time within a pass."""
    times, near = table.times_s, natural(near)
    low, high = 0, len(table.capacity_bps) - 1
    if likely(times[near] <= rest_s):
        for _ in range(_STEPS):
            if rest_s < times[near + 1]:  # as it is at the latest in the last one
                return near
            near += 1
        low = near
    while low < high:
        middle = (low + high + 1) // 2
        if times[middle] <= rest_s:
            low = middle
        else:
            high = middle - 1
    return low


def find_bound(table: Offer, bits: float, near: int) -> int:
    """The first bound by which ``bits`` are offered in a pass."""
    offered, near = table.offered_bits, natural(near)
    low, high = 0, len(offered) - 1
    if likely(offered[near] < bits):
        for _ in range(_STEPS):
            near += 1
            if offered[near] >= bits:  # as it is at the latest at the last one
                return near
        low = near + 1
    while low < high:
        middle = (low + high) // 2
        if offered[middle] >= bits:
            high = middle
        else:
            low = middle + 1
    return low


def sum_bits(table: Offer, rounds: float, rest_s: float, period: int) -> float:
    """Bits offered in ``rounds`` passes and ``rest_s`` more, which end in ``period``."""
    period = natural(period)
    within_s = rest_s - float(table.times_s[period])
    within = float(table.offered_bits[period]) + within_s * float(table.capacity_bps[period])
    # A table that never starts again offers infinitely much in a pass, and 0 times that is nan.
    if likely(rounds > 0):
        return rounds * float(table.offered_bits[-1]) + within
    return within


def bits_by(table: Offer, t_s: float, near: int) -> float:
    """Bits offered in ``[0, t_s]``."""
    rounds, rest_s = fold(table, t_s)
    return sum_bits(table, rounds, rest_s, find_period(table, rest_s, near))


def time_of(table: Offer, bits: float, near: int, expected: float = 0.0) -> float:
    """Earliest time by which ``bits``, more than 0 and finite, can have come; inf when never."""
    return place_of(table, bits, near, expected)[0]


def place_of(table: Offer, bits: float, near: int, expected: float = 0.0) -> tuple[float, int]:
    """The same, and the period."""
    pass_s, total = float(table.times_s[-1]), float(table.offered_bits[-1])
    # Sums of rounded products may overshoot a bound by some ulps; without this
    # slack such a transfer would wait out a whole outage for its last nothing.
    slack = _SLACK_BITS + _SLACK_RATIO * bits
    rounds = 0.0
    if bits > total + slack:
        rounds = expected
        if not likely(is_within(bits - slack, total, expected)):
            # The last bit of a pass arrives in that pass, before any outage at its end.
            rounds = max(math.ceil((bits - slack) / total) - 1.0, 0.0)
        bits -= rounds * total
    bits = capped(bits, total)
    rest_s, period = place_within(table, bits, bits - slack, near)
    return (rounds * pass_s if rounds > 0 else 0.0) + rest_s, period


def place_within(table: Offer, bits: float, least: float, near: int) -> tuple[float, int]:
    """The same within a pass, in the first period by whose end ``least`` bits have come."""
    times, offered, capacity = table.times_s, table.offered_bits, table.capacity_bps
    near = natural(near)
    if likely(near + AHEAD <= len(capacity)) and likely(
        offered[near] < least <= offered[near + AHEAD]
    ):
        end_s, period = reached_ahead(times, offered, capacity, bits, least, near)
    else:
        period = find_bound(table, least, near) - 1
        if not likely(period >= 0):
            return 0.0, 0
        # This period delivers the last of them, so its capacity is not 0.
        end_s = float(times[period]) + (bits - float(offered[period])) / float(capacity[period])
    period = natural(period)
    return capped(lifted(end_s, float(times[period])), float(times[period + 1])), period


def newest_bit_s(table: Offer, t_s: float, near: int) -> float:
    """When the newest bit by ``t_s`` could come: then, or when the link fell silent before."""
    rounds, rest_s = fold(table, t_s)
    period = find_period(table, rest_s, near)
    if table.capacity_bps[period] > 0:
        return t_s
    silent = 0
    while table.capacity_bps[period] <= 0 and silent < len(table.capacity_bps):
        silent += 1
        period -= 1
        if period < 0:
            if rounds <= 0:
                return 0.0
            rounds -= 1.0
            period = len(table.capacity_bps) - 1
    pass_s = rounds * float(table.times_s[-1]) if rounds > 0 else 0.0
    return pass_s + float(table.times_s[period + 1])


# --- a request -----------------------------------------------------------------------------


def wait_for_first_byte(
    table: Offer,
    now_s: float,
    is_connected: bool,
    server_s: float,
    near: int,
    expected: float = 0.0,
) -> tuple[float, int]:
    """When the response to a request sent at ``now_s`` begins.

    Returns:
        ``now_s`` + [connect round trip] + round trip + ``server_s``, and the last period
        that was looked at, to search from.
    """
    if len(table.rtt_s) == 1:
        rtt_s = float(table.rtt_s[0])
        if likely(is_connected):
            return now_s + rtt_s + server_s, near
        return now_s + rtt_s + rtt_s + server_s, near
    period = find_period(table, fold(table, now_s, expected)[1], near)
    ready_s = now_s
    if not likely(is_connected):
        ready_s += float(table.rtt_s[period])
        period = find_period(table, fold(table, ready_s, expected)[1], period)
    return ready_s + float(table.rtt_s[period]) + server_s, period


def response_bits(size_bytes: float, overhead_bytes: float) -> float:
    """What a response takes of the link: ``overhead_bytes`` of headers and framing, a body."""
    return 8 * (size_bytes + overhead_bytes)


def body_bytes(bits: float, size_bytes: float, overhead_bytes: float) -> float:
    """How much of a body of ``size_bytes`` is here after ``bits`` of its response."""
    return min(max(bits / 8 - overhead_bytes, 0.0), size_bytes)


def request(
    table: Offer,
    now_s: float,
    is_connected: bool,
    size_bytes: float,
    overhead_bytes: float,
    server_s: float,
    near: int,
    expected: float = 0.0,
) -> Transfer:
    """A request sent at ``now_s``, and its response, alone on the link."""
    first_byte_s, period = wait_for_first_byte(table, now_s, is_connected, server_s, near, expected)
    rounds, rest_s = fold(table, first_byte_s, expected)
    period = find_period(table, rest_s, period)
    offered = sum_bits(table, rounds, rest_s, period)
    bits = offered + response_bits(size_bytes, overhead_bytes)
    end_s, last_period = place_of(table, bits, period, rounds)
    end_s = lifted(end_s, first_byte_s)
    return Transfer(now_s, first_byte_s, end_s, offered, period, rounds, last_period)


def received_bytes(
    table: Offer, transfer: Transfer, size_bytes: float, overhead_bytes: float, now_s: float
) -> float:
    """Body bytes of ``transfer`` that are here by ``now_s``, while it is under way."""
    if now_s < transfer.first_byte_s:
        return 0.0
    bits = bits_by(table, now_s, transfer.period) - transfer.offered_bits
    return body_bytes(max(bits, 0.0), size_bytes, overhead_bytes)
