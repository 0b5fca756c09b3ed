"""The constant frame rate at which every picture of a master has a place of its own.

Places are the frames of the output: picture ``i`` of the master takes the place nearest to its
time, or the next one when that is taken. A rate fits when no picture has to move further than
one place; nothing is decided from a mean, so flashes between idle pictures are kept.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from transcode.masters.packets import FloatArray

STANDARD_RATES = tuple(
    Fraction(*pair)
    for pair in (
        (24000, 1001), (24, 1), (25, 1), (30000, 1001), (30, 1), (48, 1), (50, 1),
        (60000, 1001), (60, 1),
    )
)  # fmt: skip
"""Frame rates in use, in frames per second."""
LOW_RATES = (
    *map(Fraction, (1, 2, 3, 4, 5, 6, 8, 10, 12)), Fraction(25, 2), Fraction(15), Fraction(20),
)  # fmt: skip
HIGH_RATES = (
    *map(Fraction, (72, 75, 90, 100)), Fraction(120000, 1001), *map(Fraction, (120, 144, 165, 240)),
)  # fmt: skip
_LADDER = (*LOW_RATES, *STANDARD_RATES, *HIGH_RATES)
LEAST_VARIABLE = Fraction(10)
"""A rate that varies is never made lower: the ends of pictures and sound need some precision."""
_LEAST_STEP_S = 1 / 400
_ON_GRID = 0.99
_DENSE = 0.9
_STRAYS = 1e-3
_CLOSE = 0.6
_RECOVERS = 25
"""Pictures that one too many may put into the place after theirs, until a place is free."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """A constant rate, and how the master's pictures fit it."""

    rate: Fraction
    origin_s: float
    """A time that lies on a place: that of most pictures."""
    is_variable: bool
    """Whether pictures stand for different times."""
    moved: int = 0
    """Pictures that take the place after the nearest, which another has."""
    lost: int = 0
    """Pictures that find no place within one of theirs."""
    strays: int = 0
    """Pictures within a place of the one before, of which there are so few that they are left out:
    room for them would put all that follow a place too late."""


def rate_of(times_s: FloatArray, *, tick_s: float, hint: Fraction | None = None) -> Rate:
    """The rate of pictures shown at ``times_s``.

    Args:
        times_s: Presentation times, sorted.
        tick_s: Precision of the times: the container's unit.
        hint: The rate that the container states; decides between standard rates that the
            times alone cannot tell apart.
    """
    steps_s = np.diff(times_s)
    steps_s = steps_s[steps_s > max(1e-6, tick_s / 2)]
    if not len(steps_s):
        one = hint if hint is not None and 1 <= hint <= 120 else Fraction(25)
        rate = _snap(one, 5e-4, hint)
        return Rate(rate=rate, origin_s=float(times_s[0]), is_variable=False)
    grid = _grid_rate(times_s, steps_s, tick_s, hint)
    if grid is not None:
        return grid
    for rate in _candidates(times_s, steps_s):
        fit = _fit(times_s, rate)
        if not fit.lost and (not fit.moved or _is_dense(times_s, rate)):
            twins = [each for each in _LADDER if abs(float(each / rate) - 1) < 0.002]
            fits = [_fit(times_s, each) for each in twins or [rate]]
            return min(fits, key=lambda each: (each.lost + each.strays, _error(times_s, each.rate)))
    return _fit(times_s, Fraction(60))


def _error(times_s: FloatArray, rate: Fraction) -> float:
    """How far pictures are from their places, in places."""
    places = (times_s - times_s[0]) * float(rate)
    return float(np.abs(places - np.rint(places)).mean())


def _grid_rate(
    times_s: FloatArray, steps_s: FloatArray, tick_s: float, hint: Fraction | None
) -> Rate | None:
    """The rate of pictures that all lie on multiples of one interval, idle ones included."""
    usual_s = float(np.median(steps_s))
    for guess_s in (usual_s, _shortest(steps_s)):
        if guess_s < _LEAST_STEP_S or (guess_s < usual_s and tick_s > 0.15 * guess_s):
            continue  # anything is a multiple of next to nothing
        counts = np.maximum(1, np.rint(steps_s / guess_s))
        slack_s = np.maximum(0.1 * guess_s, 1.1 * tick_s) + 1e-6
        # Once the interval is refined, long idle times must lie on the grid as well.
        near = (counts <= 20) & (np.abs(steps_s - counts * guess_s) <= slack_s)
        if not near.any():
            continue
        interval_s = float(steps_s[near].sum() / counts[near].sum())
        counts = np.maximum(1, np.rint(steps_s / interval_s))
        on_grid = np.abs(steps_s - counts * interval_s) <= slack_s
        if on_grid.mean() < _ON_GRID and (~on_grid).sum() > min(2, len(steps_s) // 20):
            continue
        uneven = float((counts > 1).mean())
        span_s = float(steps_s[near].sum())
        idle = float((counts - 1).sum() / counts.sum())
        varies = uneven > 0.01 and (int((counts > 1).sum()) > 2 or (idle > 0.1 and uneven > 0.03))
        loose = 0.01 if varies else min(2e-3, max(3e-4, 1.5 * tick_s / span_s))
        rate = _snap(Fraction(1 / interval_s).limit_denominator(100_000), loose, hint)
        rate = max(rate, Fraction(1))
        fit = _fit(times_s, rate, origin_s=_origin(times_s, rate))
        if fit.lost or (varies and (not LEAST_VARIABLE <= rate <= _LADDER[-1] or fit.moved)):
            continue
        return replace(fit, is_variable=varies)
    return None


def _origin(times_s: FloatArray, rate: Fraction) -> float:
    """The first time, moved by less than a place to where most pictures lie.

    A first picture that stands a little longer would else put all others between two places.
    """
    places = (times_s - times_s[0]) * float(rate)
    phases = places - np.floor(places)
    if _is_together(phases, 0.0):
        return float(times_s[0])
    middle = float(np.median(phases))
    moved = middle - 1 if middle > 0.5 else middle
    return (
        float(times_s[0]) + moved / float(rate)
        if _is_together(phases, middle)
        else float(times_s[0])
    )


def _is_together(phases: FloatArray, phase: float) -> bool:
    apart = np.abs((phases - phase + 0.5) % 1 - 0.5)
    return float((apart < 0.1).mean()) > 0.9


def _shortest(steps_s: FloatArray) -> float:
    """The shortest interval that is no accident: a twentieth of all are not longer."""
    return float(np.quantile(steps_s, 0.05))


def _candidates(times_s: FloatArray, steps_s: FloatArray) -> list[Fraction]:
    usual = 1 / float(np.median(steps_s))
    mean = (len(times_s) - 1) / float(times_s[-1] - times_s[0])
    least = 0.97 / float(np.quantile(steps_s, 0.1))
    steady = float(steps_s.max()) * mean < 1.7
    first = [_snap(Fraction(usual).limit_denominator(1001), 0.03, None)]
    if steady:
        first.insert(0, _snap(Fraction(mean).limit_denominator(1001), 0.01, None))
    return [
        *(
            rate
            for rate in first
            # Pictures a tick apart, where a muxer repaired times, are no rate of thousands.
            if LEAST_VARIABLE <= rate <= _LADDER[-1] and rate * 100 >= Fraction(95 * mean)
        ),
        *(rate for rate in _LADDER if rate >= max(LEAST_VARIABLE, Fraction(least))),
        *(rate for rate in _LADDER if LEAST_VARIABLE <= rate < Fraction(least)),
    ]


def _is_dense(times_s: FloatArray, rate: Fraction) -> bool:
    """Whether pictures take nearly all places: a steady camera with unsteady times."""
    places = float(times_s[-1] - times_s[0]) * float(rate)
    return len(times_s) - 1 >= _DENSE * places


def _fit(times_s: FloatArray, rate: Fraction, *, origin_s: float | None = None) -> Rate:
    origin_s = float(times_s[0]) if origin_s is None else origin_s
    nearest = places_of(times_s, rate, origin_s)
    taken = pack(nearest)
    shares = np.diff(nearest) == 0
    twice = int(shares.sum())
    late = int((taken > nearest).sum())
    # Places are shared by pictures a whole interval apart where the rate is too low.
    is_close = not (np.diff(times_s)[shares] * float(rate) > _CLOSE).any()
    if is_close and 0 < twice <= max(1, len(times_s) * _STRAYS) and late > _RECOVERS * twice:
        return Rate(rate=rate, origin_s=origin_s, is_variable=True, strays=twice)
    return Rate(
        rate=rate,
        origin_s=origin_s,
        is_variable=True,
        moved=late,
        lost=len(taken) - len(np.unique(taken)),
    )


def pack(nearest: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Places as pictures take them: the nearest, or the next one when that is taken."""
    count = np.arange(len(nearest))
    after: npt.NDArray[np.int64] = count + np.maximum.accumulate(nearest - count)
    return np.minimum(after, nearest + 1)


def places_of(times_s: FloatArray, rate: Fraction, origin_s: float) -> npt.NDArray[np.int64]:
    """The place nearest to each time, counted from ``origin_s``."""
    places: FloatArray = np.rint((times_s - origin_s) * float(rate))
    return places.astype(np.int64)


def _snap(rate: Fraction, loose: float, hint: Fraction | None) -> Fraction:
    """The standard rate nearest to ``rate`` within ``loose``, of equals the container's."""
    near = [each for each in _LADDER if abs(float(rate / each) - 1) <= loose]
    if hint is not None and hint in near:
        return hint
    if near:
        return min(near, key=lambda each: abs(float(rate / each) - 1))
    return rate if rate.denominator <= 1001 else rate.limit_denominator(1001)
