"""Algorithms that no other beats in both bitrate and stalls, and how sure that is."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import numpy as np

from abr.media import FloatArray
from bench.analysis.metrics import place_of
from bench.analysis.pairing import Figures, Mask


def frontier(
    figures: Figures, competes: Sequence[bool], weights: FloatArray
) -> tuple[FloatArray, Mask]:
    """Find the algorithms that no other beats in both bitrate and stalls.

    Args:
        figures: Of every algorithm.
        competes: Which of them count.
        weights: How often each resample drew each cluster, shape (resamples, clusters).

    Returns:
        For each algorithm the share of resamples in which that is so, and whether it is so
        as measured. Each pair is judged over the sessions that both played; algorithms that
        do not compete beat nobody.
    """
    both = [place_of(figures.metrics, name) for name in ("bitrate_bps", "stall_ratio")]
    rivals = [a for a, does in enumerate(competes) if does]
    best = np.array(competes)
    beaten = np.zeros((len(competes), len(weights)), dtype=np.bool_)
    for a, b in combinations(rivals, 2):
        pair, drawn = figures.pair(a, b), figures.draw((a, b), both, weights)
        for loser, winner in ((a, 1), (b, 0)):
            beaten[loser] |= _beats(drawn, winner)
            best[loser] &= not _beats(pair.values[:, both], winner)
    return np.where(competes, 1 - beaten.mean(axis=1), 0.0), best


def _beats(pair: FloatArray, winner: int) -> Mask:
    """Whether one of a pair has no less bitrate, no more stalls, and one of them better.

    Args:
        pair: Bitrate and stall ratio of two algorithms, shape (..., 2, 2).
        winner: Place of the one in question.
    """
    rate, stall = pair[..., 0], pair[..., 1]
    loser = 1 - winner
    as_good = (rate[..., winner] >= rate[..., loser]) & (stall[..., winner] <= stall[..., loser])
    better = (rate[..., winner] > rate[..., loser]) | (stall[..., winner] < stall[..., loser])
    found: Mask = as_good & better
    return found
