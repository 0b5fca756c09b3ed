"""How far our clock is off the parent's, told from the ``Date`` of an answer of the parent.

Tokens live by the clock of the origin. Each tier corrects its own by what it is certainly off its
parent's, and dates what it tells the next tier about keys by the corrected clock, so all of
them judge tokens by the origin's.

Source: RFC 9110 §6.6.1 (Date: when the message was originated, in whole seconds).
"""

from __future__ import annotations


def correction_s(date_s: int | None, *, asked_s: float, arrived_s: float) -> float:
    """What to add to our clock, in seconds: as little as the answer permits.

    The parent wrote its ``Date`` between our asking and the answer's arrival, and cut off the
    fraction; where our clock agrees with that, nothing is added. What remains after the
    correction is at most the time that the answer took, and one second.

    Args:
        date_s: ``Date`` of the answer, seconds since the epoch; None when it has none.
        asked_s: When it was asked for, by our clock.
        arrived_s: When its head arrived.
    """
    if date_s is None:
        return 0.0
    least_s, most_s = date_s - arrived_s, date_s + 1 - asked_s
    if least_s > 0:
        return least_s
    return min(0.0, most_s)
