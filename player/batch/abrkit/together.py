"""Responses asked for at one instant, which share the link until the last is here.

What ``abr.link.SharedLink`` does with such requests on a link that carries nothing else,
with the same functions in the same order, so that answers agree to the last bit. Open
connections are used first, and further ones opened; there is always one to be had.
"""

from __future__ import annotations

import math

from abr.capacity import (
    Offer,
    Transfer,
    bits_by,
    body_bytes,
    find_period,
    fold,
    response_bits,
    time_of,
    wait_for_first_byte,
)
from abr.compilable import rarely
from abr.media import FloatArray
from abr.sharing import IDLE, Sharing, bits_until, finish, join, share_by
from player.batch.tables import Room

SIZE, BEGIN_S, SHARE, MARK, END_S = range(5)
"""Rows of ``Room.responses``."""


def request_group(
    table: Offer,
    now_s: float,
    open_connections: int,
    count: int,
    room: Room,
    overhead_bytes: float,
    server_s: float,
    near: int,
    likely: float = 0.0,
) -> Transfer:
    """Ask for ``count`` responses at ``now_s``, nothing else being under way; the last of them."""
    responses = room.responses
    for k in range(count):
        is_connected = k < open_connections
        first, near = wait_for_first_byte(table, now_s, is_connected, server_s, near, likely)
        responses[BEGIN_S, k], responses[END_S, k] = first, math.inf
    begun, changes, sharing = 0, 0, IDLE
    while begun < count or sharing.active > 0:
        k = find_next(responses, begun)
        end_s = math.inf
        if k >= 0:
            bits = bits_until(sharing, responses[MARK, k])
            end_s = max(time_of(table, bits, near), sharing.changed_s)
        if begun < count and responses[BEGIN_S, begun] < end_s:
            begin_s = float(responses[BEGIN_S, begun])
            sharing = join(sharing, bits_by(table, begin_s, near), begin_s)
            responses[SHARE, begun] = sharing.share
            bits = response_bits(responses[SIZE, begun], overhead_bytes)
            responses[MARK, begun] = sharing.share + bits
            begun += 1
        else:
            # At the same instant ends come first, as on the link itself.
            responses[END_S, k] = end_s
            sharing = finish(sharing, responses[MARK, k], end_s)
        put(room.changes, changes, sharing)
        changes += 1
    first_byte_s = float(responses[BEGIN_S, count - 1])
    rounds, rest_s = fold(table, first_byte_s, likely)
    period = find_period(table, rest_s, near)
    return Transfer(
        now_s, first_byte_s, float(responses[END_S, count - 1]), 0.0, period, rounds, period
    )


def others_end_s(room: Room, count: int) -> float:
    """When all but the last of ``count`` responses are complete."""
    end_s = -math.inf
    for k in range(count - 1):
        end_s = max(end_s, float(room.responses[END_S, k]))
    return end_s


def find_next(responses: FloatArray, begun: int) -> int:
    """The response that ends next among the first ``begun``; -1: none is under way."""
    found = -1
    for k in range(begun):
        if responses[END_S, k] == math.inf and (
            found < 0 or responses[MARK, k] < responses[MARK, found]
        ):
            found = k
    return found


def put(changes: FloatArray, place: int, sharing: Sharing) -> None:
    """Note how the link is shared from now on."""
    changes[0, place] = sharing.active
    changes[1, place] = sharing.share
    changes[2, place] = sharing.offered_bits
    changes[3, place] = sharing.changed_s


@rarely
def received_of_last(
    table: Offer, last: Transfer, count: int, room: Room, overhead_bytes: float, now_s: float
) -> float:
    """Body bytes of the last response that are here by ``now_s``, while it is under way."""
    if now_s < last.first_byte_s:
        return 0.0
    at, changes = 0, room.changes
    while at + 1 < 2 * count and changes[3, at + 1] <= now_s:
        at += 1
    sharing = Sharing(int(changes[0, at]), changes[1, at], changes[2, at], changes[3, at])
    share = share_by(sharing, bits_by(table, now_s, last.period))
    bits = share - room.responses[SHARE, count - 1]
    return body_bytes(bits, room.responses[SIZE, count - 1], overhead_bytes)
