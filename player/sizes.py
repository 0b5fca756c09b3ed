"""What a player knows of the sizes of segments: what the media playlists it has read say.

A rung whose playlist is not here yet is taken for the nearest rung whose is, scaled by
the rates of the ladder. Plain loops over arrays, so that they can be compiled.
"""

from __future__ import annotations

from abr.media import FloatArray


def nearest_read(rung: int, is_read: FloatArray) -> int:
    """The rung nearest to ``rung`` whose playlist was read; of two, the lower; -1: none."""
    for distance in range(len(is_read)):
        if rung - distance >= 0 and is_read[rung - distance] > 0:
            return rung - distance
        if rung + distance < len(is_read) and is_read[rung + distance] > 0:
            return rung + distance
    return -1


def fill_known_sizes(
    known: FloatArray, listed_bytes: FloatArray, rates_bps: FloatArray, is_read: FloatArray
) -> None:
    """Write into ``known`` what can be said of every segment at every rung.

    Args:
        known: Filled, shape (R, N).
        listed_bytes: Sizes as the playlists state them, shape (R, N); only rows of rungs
            that were read are looked at.
        rates_bps: Mean rate of each rung's own segments, shape (R,).
        is_read: More than 0 for each rung whose playlist was read, at least one, shape (R,).
    """
    for rung in range(len(rates_bps)):
        near = nearest_read(rung, is_read)
        ratio = rates_bps[rung] / rates_bps[near]
        for segment in range(known.shape[1]):
            known[rung, segment] = listed_bytes[near, segment] * ratio
