"""Mean length of the M/D/1/K queue: random arrivals, constant service, room for K.

Source: the imbedded chain at departures of the M/G/1/K queue, as in Gross and Harris,
Fundamentals of Queueing Theory. Its balance across each level gives a recurrence
without subtractions, so nothing cancels however long the queue may get.
"""

from __future__ import annotations

import math

from abr.media import FloatArray

_TAIL = 32
"""Arrivals during one service beyond this number are left out: at a load of 1.5 they
have a chance of 1e-29."""


def mean_length(load: float, room: int, weights: FloatArray, tails: FloatArray) -> float:
    """Mean number in the system of an M/D/1/K queue.

    Args:
        load: Arrivals per service time, more than 0 and at most 1.5.
        room: K, the most that fit, the one in service included; at least 1.
        weights: Scratch, at least ``room`` long.
        tails: Scratch, at least 33 long.
    """
    chance = math.exp(-load)
    none = chance
    # tails[m]: chance of more than m arrivals during one service, summed from the small end.
    for m in range(_TAIL + 1):
        tails[m] = chance
        chance *= load / (m + 1)
    more = chance
    for m in range(_TAIL, -1, -1):
        exactly = tails[m]
        tails[m] = more
        more += exactly
    total = weights[0] = 1.0
    for level in range(room - 1):
        up = weights[0] * tails[level] if level <= _TAIL else 0.0
        for i in range(max(1, level + 1 - _TAIL), level + 1):
            up += weights[i] * tails[level - i + 1]
        weights[level + 1] = up / none
        total += weights[level + 1]
    # At any time: p_i = w_i / (w_0 + load) for i < K, the rest of the time it is full.
    scale = weights[0] / total + load
    length = 0.0
    for i in range(room):
        length += i * weights[i] / total / scale
    return float(length + room * (1 - 1 / scale))
