"""Mean length of the M/D/1/K queue: Poisson arrivals, constant service time, room for K.

Source: the embedded Markov chain at departures of the M/G/1/K queue, as in Gross and
Harris, Fundamentals of Queueing Theory. Balance across each level gives a recurrence
without subtractions, so no precision is lost to cancellation for long queues.
"""

from __future__ import annotations

import math

from abr.media import FloatArray

_TAIL = 32
"""More arrivals than this during one service are ignored: even at a load of 1.5 their
probability is 1e-29."""


def mean_length(load: float, room: int, weights: FloatArray, tails: FloatArray) -> float:
    """Mean number in the system of an M/D/1/K queue.

    Args:
        load: Arrivals per service time, more than 0 and at most 1.5.
        room: K, the capacity, including the customer in service; at least 1.
        weights: Scratch, at least ``room`` long.
        tails: Scratch, at least 33 long.
    """
    chance = math.exp(-load)
    none = chance
    # tails[m]: probability of more than m arrivals in one service, smallest terms first.
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
    # From departures to any time: p_i = w_i / (w_0 + load) for i < K; otherwise it is full.
    scale = weights[0] / total + load
    length = 0.0
    for i in range(room):
        length += i * weights[i] / total / scale
    return float(length + room * (1 - 1 / scale))
