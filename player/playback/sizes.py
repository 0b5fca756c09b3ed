"""What a player knows of the sizes of segments: what the media playlists it has read say.

A rung whose playlist is not here yet is taken for the nearest rung whose is, scaled by
the rates of the ladder. Plain loops over arrays, so that they can be compiled.
"""

from __future__ import annotations

from abr.compilable import rarely
from abr.media import FloatArray


def nearest_read(rung: int, rungs: int, read: int) -> int:
    """The nearest of the rungs whose playlist was read, the bits of ``read``; of two, the lower."""
    for distance in range(rungs):
        if rung - distance >= 0 and (read >> (rung - distance)) & 1 == 1:
            return rung - distance
        if rung + distance < rungs and (read >> (rung + distance)) & 1 == 1:
            return rung + distance
    return rung


@rarely
def fill_known_sizes(
    known: FloatArray, listed_bytes: FloatArray, rates_bps: FloatArray, read: int
) -> None:
    """Write into ``known`` what can be said of every segment at every rung.

    Args:
        known: Filled, shape (R, N).
        listed_bytes: Sizes as the playlists state them, shape (R, N); only rows of rungs
            that were read are looked at.
        rates_bps: Mean rate of each rung's own segments, shape (R,).
        read: Bit r: the playlist of rung r was read; at least one.
    """
    for rung in range(len(rates_bps)):
        near = nearest_read(rung, len(rates_bps), read)
        ratio = rates_bps[rung] / rates_bps[near]
        for segment in range(known.shape[1]):
            known[rung, segment] = listed_bytes[near, segment] * ratio
