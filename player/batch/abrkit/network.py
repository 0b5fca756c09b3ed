"""A request on a link that carries nothing else, in scalars.

The compiled form of ``abr.trace.Trace`` and ``abr.link.SharedLink`` for one transfer at a
time: the same questions, the same sums in the same order, so that answers agree to the
last bit. What differs is the search: it begins at the period where the question before
ended, because time mostly moves on a little; from a few periods away it bisects.

Ends of traces are part of the table (see ``tables.link_of``), so every table loops.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from player.batch.tables import LinkTable

_SLACK_BITS = 1e-6
_STEPS = 6


class Transfer(NamedTuple):
    """A request and its response."""

    start_s: float
    """Request sent."""
    first_byte_s: float
    end_s: float
    offered_bits: float
    """What the link had offered by the first byte."""
    period: int
    """Period of the trace at the first byte."""


def request(
    link: LinkTable,
    now_s: float,
    is_connected: bool,
    size_bytes: float,
    overhead_bytes: float,
    server_s: float,
    near: int,
) -> Transfer:
    """[Connect round trip] + round trip + response; ``near`` is a period to search from."""
    period = period_at(link, folded(link, now_s)[1], near)
    ready_s = now_s
    if not is_connected:
        ready_s += float(link.rtt_s[period])
        period = period_at(link, folded(link, ready_s)[1], period)
    first_byte_s = ready_s + float(link.rtt_s[period]) + server_s
    rounds, rest_s = folded(link, first_byte_s)
    period = period_at(link, rest_s, period)
    offered = _bits_by(link, rounds, rest_s, period)
    end_s = max(time_of(link, offered + 8 * (size_bytes + overhead_bytes), period), first_byte_s)
    return Transfer(now_s, first_byte_s, end_s, offered, period)


def received_bytes(
    link: LinkTable, transfer: Transfer, size_bytes: float, overhead_bytes: float, now_s: float
) -> float:
    """Body bytes of ``transfer`` that have arrived by ``now_s``, while it is under way."""
    if now_s < transfer.first_byte_s:
        return 0.0
    rounds, rest_s = folded(link, now_s)
    bits = _bits_by(link, rounds, rest_s, period_at(link, rest_s, transfer.period))
    got_bytes = max(bits - transfer.offered_bits, 0.0) / 8 - overhead_bytes
    return min(max(got_bytes, 0.0), size_bytes)


def folded(link: LinkTable, t_s: float) -> tuple[float, float]:
    """Whole passes before ``t_s``, and the time within the pass it falls in."""
    pass_s = float(link.times_s[-1])
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


def period_at(link: LinkTable, rest_s: float, near: int) -> int:
    """The last period that begins by ``rest_s``, searched from ``near``."""
    times = link.times_s
    low, high = 0, len(link.capacity_bps) - 1
    if times[near] <= rest_s:
        for _ in range(_STEPS):
            if near == high or rest_s < times[near + 1]:
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


def time_of(link: LinkTable, bits: float, near: int) -> float:
    """Earliest time by which ``bits``, more than 0, can have been delivered."""
    pass_s, total = float(link.times_s[-1]), float(link.offered_bits[-1])
    slack = _SLACK_BITS + 4 * _ulp(bits)
    rounds = 0
    if bits > total + slack:
        rounds = max(math.ceil((bits - slack) / total) - 1, 0)
        bits -= rounds * total
    bits = min(bits, total)
    bound = _bound(link, bits - slack, near)
    if bound == 0:
        return rounds * pass_s
    begin_s, end_s = float(link.times_s[bound - 1]), float(link.times_s[bound])
    took_s = (bits - float(link.offered_bits[bound - 1])) / float(link.capacity_bps[bound - 1])
    return rounds * pass_s + min(max(begin_s + took_s, begin_s), end_s)


def _bits_by(link: LinkTable, rounds: float, rest_s: float, period: int) -> float:
    """Bits offered in ``rounds`` passes and ``rest_s`` more, which end in ``period``."""
    within_s = rest_s - float(link.times_s[period])
    within = float(link.offered_bits[period]) + within_s * float(link.capacity_bps[period])
    return rounds * float(link.offered_bits[-1]) + within


def _bound(link: LinkTable, bits: float, near: int) -> int:
    """The first bound by which ``bits`` are offered, searched from period ``near``."""
    offered = link.offered_bits
    low, high = 0, len(offered) - 1
    if offered[near] < bits:
        for _ in range(_STEPS):
            near += 1
            if near == high or offered[near] >= bits:
                return near
        low = near + 1
    while low < high:
        middle = (low + high) // 2
        if offered[middle] >= bits:
            high = middle
        else:
            low = middle + 1
    return low


def _ulp(value: float) -> float:
    """Distance to the next float, of a normal one."""
    return math.ldexp(1.0, math.frexp(value)[1] - 53)
