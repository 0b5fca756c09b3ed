"""Paired bootstrap over traces: how sure a figure, or a difference of two, is.

Arrays in, arrays out; chance comes in as a generator. The unit of resampling is the
trace, with everything that was played over it: sessions over one trace are not
independent. All algorithms are resampled with the same weights, so that what the traces
do to all of them cancels in differences.

Every figure is a ratio of sums (see ``bench.analysis.metrics``): with w the number of times a
trace is drawn, a resampled figure is Σ w·top / Σ w·bottom.

Source: Efron and Tibshirani, "An Introduction to the Bootstrap", 1993, chapters 10 and
13; the widening for few traces is Hesterberg, "What Teachers Should Know About the
Bootstrap", The American Statistician 69(4), 2015, section 4.1.3.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from abr.media import FloatArray

RESAMPLES = 2000
LEVEL = 0.95
_NORMAL = NormalDist()


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """A figure with its interval; ends are ``nan`` where one trace cannot tell."""

    value: float
    low: float
    high: float

    @property
    def has_interval(self) -> bool:
        """Whether there is an interval at all."""
        return math.isfinite(self.low) and math.isfinite(self.high)

    def scaled(self, factor: float) -> Estimate:
        """In another unit; a negative factor turns the interval round."""
        ends = sorted((self.low * factor, self.high * factor))
        return Estimate(value=self.value * factor, low=ends[0], high=ends[1])


@dataclass(frozen=True, slots=True, kw_only=True)
class Resampled:
    """Figures of several algorithms, and the same of every resample."""

    values: FloatArray
    """As measured, shape (algorithms, metrics); ``nan`` where nothing counts."""
    samples: FloatArray
    """Shape (resamples, algorithms, metrics)."""
    units: tuple[int, ...]
    """How many traces count for each algorithm."""

    def estimate(self, algorithm: int, metric: int, *, level: float = LEVEL) -> Estimate:
        """One figure of one algorithm."""
        value = float(self.values[algorithm, metric])
        samples = self.samples[:, algorithm, metric]
        return interval(value, samples, self.units[algorithm], level=level)

    def difference(
        self, algorithm: int, base: int, metric: int, *, level: float = LEVEL
    ) -> Estimate:
        """``algorithm`` minus ``base``, of figures over the same traces."""
        value = float(self.values[algorithm, metric] - self.values[base, metric])
        samples = self.samples[:, algorithm, metric] - self.samples[:, base, metric]
        return interval(value, samples, self.units[algorithm], level=level)


def cluster_sums(values: FloatArray, unit: NDArray[np.intp], units: int) -> FloatArray:
    """Sums per trace: ``values`` of shape (..., sessions) to (..., units)."""
    flat = values.reshape(-1, values.shape[-1])
    summed = np.zeros((len(flat), units))
    for into, row in zip(summed, flat, strict=True):
        np.add.at(into, unit, row)
    return summed.reshape(*values.shape[:-1], units)


def draw_weights(units: int, rng: np.random.Generator, *, resamples: int = RESAMPLES) -> FloatArray:
    """Draw how often each resample has each trace, shape (resamples, units)."""
    drawn = rng.multinomial(units, np.full(units, 1 / units), size=resamples)
    return drawn.astype(np.float64)


def weigh(
    top: FloatArray, bottom: FloatArray, weights: FloatArray, *, units: Sequence[int]
) -> Resampled:
    """Figures as measured, and as each row of ``weights`` has them.

    Args:
        top: Numerators summed per trace, shape (algorithms, metrics, traces).
        bottom: Denominators, same shape.
        weights: From ``draw_weights``, shape (resamples, traces).
        units: How many of the traces count for each algorithm.
    """
    algorithms, metrics, traces = top.shape
    shape = (len(weights), algorithms, metrics)
    above = (weights @ top.reshape(-1, traces).T).reshape(shape)
    below = (weights @ bottom.reshape(-1, traces).T).reshape(shape)
    return Resampled(
        values=_ratio(top.sum(axis=2), bottom.sum(axis=2)),
        samples=_ratio(above, below),
        units=tuple(units),
    )


def _ratio(above: FloatArray, below: FloatArray) -> FloatArray:
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        return np.where(below > 0, above / below, np.nan)


def interval(value: float, samples: FloatArray, units: int, *, level: float = LEVEL) -> Estimate:
    """The percentile interval, widened for few units.

    Args:
        value: As measured.
        samples: The same of every resample, shape (resamples,).
        units: How many traces were resampled.
        level: Share of such intervals that hold the truth.
    """
    known = samples[np.isfinite(samples)]
    if units < 2 or not math.isfinite(value) or len(known) < len(samples) / 2:
        return Estimate(value=value, low=math.nan, high=math.nan)
    tail = expanded_tail((1 - level) / 2, units)
    low, high = np.quantile(known, [tail, 1 - tail])
    return Estimate(value=value, low=float(low), high=float(high))


@cache
def expanded_tail(tail: float, units: int) -> float:
    """The tail to cut off so that percentiles are as wide as a t interval of ``units``."""
    t = student_quantile(1 - tail, min(units - 1, 1000))  # beyond that it is the normal's
    return _NORMAL.cdf(-math.sqrt(units / (units - 1)) * t)


def student_quantile(probability: float, freedom: int) -> float:
    """Quantile of Student's t, for probabilities of one half and more.

    Exact for 1 and 2 degrees of freedom; else found by bisection on the integral.
    """
    if not 0.5 <= probability < 1:
        raise ValueError(f"probability is {probability}; expected 0.5 to below 1")
    if freedom < 1:
        raise ValueError(f"{freedom} degrees of freedom; expected 1 or more")
    if freedom == 1:
        return math.tan(math.pi * (probability - 0.5))
    if freedom == 2:
        p = 2 * probability - 1
        return p * math.sqrt(2 / (1 - p * p))
    low, high = 0.0, 1e4
    for _ in range(100):
        middle = (low + high) / 2
        if _student_cdf(middle, freedom) < probability:
            low = middle
        else:
            high = middle
    return (low + high) / 2


def _student_cdf(t: float, freedom: int) -> float:
    """Abramowitz and Stegun, Handbook of Mathematical Functions, 26.7.3 and 26.7.4."""
    angle = math.atan2(t, math.sqrt(freedom))
    cosine = math.cos(angle) ** 2
    is_odd = freedom % 2 == 1
    term = math.cos(angle) if is_odd else 1.0
    total = term if freedom > 1 else 0.0
    for k in range(3 if is_odd else 2, freedom - 1, 2):
        term *= cosine * (k - 1) / k
        total += term
    inside = math.sin(angle) * total
    between = (2 / math.pi) * (angle + inside) if is_odd else inside
    return 0.5 + between / 2
