"""Algorithms that no other beats in both bitrate and stalls, and how sure that is.

All of them are judged, and shown, over the sessions that every contestant played to its end: one
that failed where networks are bad is not ahead for that.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from abr.media import FloatArray
from bench.analysis.metrics import place_of
from bench.analysis.pairing import Figures, Mask
from bench.analysis.stats import LEVEL, Estimate

AXES = ("bitrate_bps", "stall_ratio")
"""Figures in which an algorithm may be beaten."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Frontier:
    """Of every algorithm, by its place."""

    shares: FloatArray
    """Share of resamples in which no contestant beat it; ``nan`` where it is not judged."""
    best: Mask
    """Whether none beats it as measured."""
    figures: Sequence[Mapping[str, Estimate]]
    """Bitrate and stall ratio; none of those that did not play the sessions of the contestants."""


def frontier(
    figures: Figures, competes: Sequence[bool], weights: FloatArray, *, level: float = LEVEL
) -> Frontier:
    """Find the algorithms that no other beats in both bitrate and stalls.

    Args:
        figures: Of every algorithm.
        competes: Which of them count; those that do not beat nobody and are not judged.
        weights: How often each resample drew each cluster, shape (resamples, clusters).
        level: Of intervals.

    Returns:
        Nobody is judged where there is no session that all of them played.
    """
    rivals = [a for a, does in enumerate(competes) if does]
    shares = np.full(len(competes), np.nan)
    best = np.zeros(len(competes), dtype=np.bool_)
    chosen = figures.shared(rivals)
    if not chosen.any():
        return Frontier(shares=shares, best=best, figures=[{} for _ in competes])
    both = [place_of(figures.metrics, name) for name in AXES]
    here = figures.over(chosen)
    shown = [
        {name: here.own_estimate(a, k, level=level) for name, k in zip(AXES, both, strict=True)}
        if played.all()
        else {}
        for a, played in enumerate(here.sessions.played)
    ]
    measured = figures.together(rivals, both).values
    drawn = figures.draw(rivals, both, weights)
    beaten = np.zeros((len(rivals), len(weights)), dtype=np.bool_)
    best[rivals] = True
    for pair in combinations(range(len(rivals)), 2):
        for loser, winner in (pair, pair[::-1]):
            beaten[loser] |= _beats(drawn[:, winner], drawn[:, loser])
            best[rivals[loser]] &= not _beats(measured[winner], measured[loser])
    shares[rivals] = 1 - beaten.mean(axis=1)
    return Frontier(shares=shares, best=best, figures=shown)


def _beats(winner: FloatArray, loser: FloatArray) -> Mask:
    """Whether one has no less bitrate, no more stalls, and one of them better.

    Args:
        winner: Bitrate and stall ratio, shape (..., 2).
        loser: The other's.
    """
    (rate, stall), (other_rate, other_stall) = (
        (each[..., 0], each[..., 1]) for each in (winner, loser)
    )
    as_good = (rate >= other_rate) & (stall <= other_stall)
    found: Mask = as_good & ((rate > other_rate) | (stall < other_stall))
    return found
