"""How sure a figure, or a difference of two, is: intervals over what is independent.

Arrays in, arrays out. Every figure is a ratio of sums (see ``bench.analysis.metrics``) over
clusters, such as files with everything that was played from them: θ = Σ top / Σ bottom.

How far the figure would be without a cluster (jackknife) says what each cluster does to
it: e = (n − 1) · (θ − θ without it). Of a difference it is the difference of the two, so that
what a network does to both cancels. The variance of θ is Σ (e − ē)² / n (n − 1).

Stalls are rare: a few clusters hold most of them. So the interval is that of Student's t
after Hall's cubic transformation, which takes the skewness out, with as many degrees of
freedom as the kurtosis leaves to the variance. ``tests/perf/interval_coverage.py`` measures
how often such intervals hold the truth, beside other methods. What no spread of a sample can
show of the stalls that it lacks is in ``bench.analysis.rarity``.

Sources: Efron and Tibshirani, "An Introduction to the Bootstrap", 1993, chapter 11
(jackknife); Hall, "On the Removal of Skewness by Transformation", Journal of the Royal
Statistical Society B 54(1), 1992; Satterthwaite, "An Approximate Distribution of Estimates of
Variance Components", Biometrics Bulletin 2(6), 1946 (degrees of freedom); Holm, "A Simple
Sequentially Rejective Multiple Test Procedure", Scandinavian Journal of Statistics 6(2), 1979.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from abr.media import FloatArray
from bench.analysis.rarity import chance_above, reach

RESAMPLES = 2000
LEVEL = 0.95
LEAST_FREEDOM = 3
"""With fewer, intervals are half as wide again and hold the truth hardly more often (measured)."""

ENDS_MISS = 4.0
"""Each end of a difference of what is rare leaves so many times as much beyond its tail as the
interval may miss: with less, fewer differences are found, and none held better (measured)."""

_NO_SPREAD = 1e-12
"""Of the figure itself: smaller differences between clusters are rounding errors."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """A figure with its interval; ends are ``nan`` where one cluster cannot tell."""

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

    def within(self, low: float, high: float) -> Estimate:
        """Without the part of the interval where no such figure can be."""
        if not self.has_interval:
            return self
        return Estimate(value=self.value, low=max(self.low, low), high=min(self.high, high))


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """Figures of several algorithms, and what each cluster does to them."""

    values: FloatArray
    """Shape (algorithms, metrics); ``nan`` where nothing counts."""
    parts: FloatArray
    """Of each cluster (e above), shape (algorithms, metrics, clusters); ``nan`` where it has no
    part in the figure."""
    loads: FloatArray
    """What each cluster has of the figure, which is their mean; same shape and ``nan``."""
    is_rare: Sequence[bool]
    """Of each metric, whether it is 0 in most clusters (``bench.analysis.rarity``)."""

    def estimate(self, algorithm: int, metric: int, *, level: float = LEVEL) -> Estimate:
        """One figure of one algorithm; what is rare has no interval where it was not seen."""
        value = float(self.values[algorithm, metric])
        found = interval(value, self.parts[algorithm, metric], level=level)
        if not (self.is_rare[metric] and found.has_interval):
            return found
        loads = _known(self.loads[algorithm, metric])
        if not loads.any():
            return Estimate(value=value, low=math.nan, high=math.nan)
        # The lower end is hardly ever too high (measured): all that may be missed is above.
        high = value + reach(loads, miss=1 - level)
        return Estimate(value=value, low=found.low, high=max(found.high, high))

    def difference(
        self, algorithm: int, base: int, metric: int, *, level: float = LEVEL
    ) -> Estimate:
        """``algorithm`` minus ``base``, of figures over the same sessions."""
        found = interval(*self._difference(algorithm, base, metric), level=level)
        if not (self.is_rare[metric] and found.has_interval):
            return found
        more, less = self._sides(algorithm, base, metric)
        miss = _end_miss(level)
        low, high = found.value - reach(less, miss=miss), found.value + reach(more, miss=miss)
        return Estimate(value=found.value, low=min(found.low, low), high=max(found.high, high))

    def chance(self, algorithm: int, base: int, metric: int, *, level: float = LEVEL) -> float:
        """How probable so large a difference, either way, is between equal algorithms.

        It is below 1 − level exactly where the interval of that level excludes 0; ``nan`` where
        there is no interval, or nothing that differs.
        """
        return min(
            self.chance_beyond(algorithm, base, metric, 0.0, is_above=is_above, level=level)
            for is_above in (True, False)
        )

    def chance_beyond(
        self,
        algorithm: int,
        base: int,
        metric: int,
        bound: float,
        *,
        is_above: bool,
        level: float = LEVEL,
    ) -> float:
        """How probable a difference so far beyond a bound is; see ``p_beyond``.

        A tail may leave open at ``level`` whether it is; how much surer than that one may be, it
        does not say.
        """
        value, parts = self._difference(algorithm, base, metric)
        p = p_beyond(value, parts, bound, is_above=is_above)
        if not self.is_rare[metric] or math.isnan(p):
            return p
        more, less = self._sides(algorithm, base, metric)
        against = less if is_above else more
        room = value - bound if is_above else bound - value
        left = chance_above(against, float(against.mean()) + room)
        return max(p, 1 - level, left / ENDS_MISS) if left >= _end_miss(level) else p

    def _difference(self, algorithm: int, base: int, metric: int) -> tuple[float, FloatArray]:
        value = float(self.values[algorithm, metric] - self.values[base, metric])
        return value, self.parts[algorithm, metric] - self.parts[base, metric]

    def _sides(self, algorithm: int, base: int, metric: int) -> tuple[FloatArray, FloatArray]:
        """By how much each cluster has more with ``algorithm``, and less."""
        apart = _known(self.loads[algorithm, metric] - self.loads[base, metric])
        return np.maximum(apart, 0.0), np.maximum(-apart, 0.0)


def _end_miss(level: float) -> float:
    return min(ENDS_MISS * (1 - level), 0.5)


def _known(values: FloatArray) -> FloatArray:
    return values[np.isfinite(values)]


def measure(
    top: FloatArray, bottom: FloatArray, *, is_rare: Sequence[bool] | None = None
) -> Measured:
    """Figures of sums by cluster.

    Args:
        top: Numerators, shape (algorithms, metrics, clusters), or more before the last.
        bottom: Denominators, same shape; 0 where a cluster has no part.
        is_rare: Of each metric, whether it is 0 in most clusters; none is when None.
    """
    above, below = top.sum(axis=-1), bottom.sum(axis=-1)
    values = ratio(above, below)
    counted = bottom > 0
    clusters = counted.sum(axis=-1)[..., None]
    parts = np.maximum(clusters - 1, 1) * ratio(
        top - values[..., None] * bottom, below[..., None] - bottom
    )
    loads = clusters * ratio(top, np.broadcast_to(below[..., None], top.shape))
    return Measured(
        values=values,
        parts=np.where(counted, parts, np.nan),
        loads=np.where(counted, loads, np.nan),
        is_rare=(False,) * top.shape[1] if is_rare is None else is_rare,
    )


def ratio(above: FloatArray, below: FloatArray) -> FloatArray:
    """``above / below``, ``nan`` where there is nothing to divide by."""
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        return np.where(below > 0, above / below, np.nan)


def mean_of(values: FloatArray, *, level: float = LEVEL) -> Estimate:
    """The mean of one value per cluster."""
    return interval(float(values.mean()), values - values.mean(), level=level)


def cluster_sums(values: FloatArray, unit: NDArray[np.intp], units: int) -> FloatArray:
    """Sums per cluster: ``values`` of shape (..., sessions) to (..., units)."""
    flat = values.reshape(-1, values.shape[-1])
    summed = np.zeros((len(flat), units))
    for into, row in zip(summed, flat, strict=True):
        np.add.at(into, unit, row)
    return summed.reshape(*values.shape[:-1], units)


def draw_weights(units: int, rng: np.random.Generator, *, resamples: int = RESAMPLES) -> FloatArray:
    """Draw how often each resample has each cluster, shape (resamples, units)."""
    drawn = rng.multinomial(units, np.full(units, 1 / units), size=resamples)
    return drawn.astype(np.float64)


@dataclass(frozen=True, slots=True)
class _Shape:
    """How the parts of the clusters are spread."""

    clusters: int
    spread: float
    """Standard deviation; 0 when all are alike."""
    skewness: float
    freedom: int
    """Degrees of freedom of the spread."""

    def removed(self, distance: float) -> float:
        """A distance from the truth, in units of its standard deviation, without the skewness."""
        n, g = self.clusters, self.skewness
        w = distance / self.spread
        return math.sqrt(n) * (w + g * w * w / 3 + g * g * w**3 / 27 + g / (6 * n))

    def restored(self, quantile: float) -> float:
        """The distance that ``removed`` makes ``quantile`` of."""
        n, g = self.clusters, self.skewness
        y = quantile / math.sqrt(n) - g / (6 * n)
        if abs(g) < 1e-6:
            return y * self.spread
        return 3 / g * (float(np.cbrt(1 + g * y)) - 1) * self.spread


def _shape_of(value: float, parts: FloatArray) -> _Shape | None:
    """None where fewer than two clusters count."""
    known = parts[np.isfinite(parts)]
    n = len(known)
    if n < 2 or not math.isfinite(value):
        return None
    off = known - known.mean()
    square = float((off * off).sum())
    if math.sqrt(square / n) <= _NO_SPREAD * max(abs(value), float(np.abs(known).max())):
        return _Shape(n, 0.0, 0.0, n - 1)
    spread = math.sqrt(square / (n - 1))
    if n < 4:
        return _Shape(n, spread, 0.0, n - 1)
    # Of the population, as far as a small sample can tell (Fisher's G1, and G2 + 3).
    skewness = float((off**3).mean()) / (square / n) ** 1.5 * math.sqrt(n * (n - 1)) / (n - 2)
    excess = n * float((off**4).sum()) / square**2 - 3
    kurtosis = 3 + (n - 1) / ((n - 2) * (n - 3)) * ((n + 1) * excess + 6)
    # Var(s²) is about σ⁴ (κ − 1) / n, and 2 σ⁴ / freedom where values are normal.
    freedom = 2 * n / (kurtosis - 1) - 2 if kurtosis > 1.1 else n - 1
    return _Shape(n, spread, skewness, int(min(max(freedom, LEAST_FREEDOM), n - 1)))


def interval(value: float, parts: FloatArray, *, level: float = LEVEL) -> Estimate:
    """The interval of a figure or a difference.

    Args:
        value: As measured.
        parts: What each cluster does to it, shape (clusters,); ``nan`` where it has no part.
        level: Share of such intervals that hold the truth.
    """
    shape = _shape_of(value, parts)
    if shape is None:
        return Estimate(value=value, low=math.nan, high=math.nan)
    if not shape.spread:
        return Estimate(value=value, low=value, high=value)
    quantile = student_quantile((1 + level) / 2, shape.freedom)
    low, high = (value - shape.restored(q) for q in (quantile, -quantile))
    return Estimate(value=value, low=low, high=high)


def p_beyond(value: float, parts: FloatArray, bound: float, *, is_above: bool) -> float:
    """How probable a value so far beyond a bound is, on that side or the other, if it is the truth.

    It is below 1 − level exactly where the whole interval of that level is beyond the bound on
    that side; ``nan`` where there is no interval, or nothing that differs.
    """
    shape = _shape_of(value, parts)
    if shape is None or (value == 0 and not shape.spread):
        return math.nan
    distance = value - bound if is_above else bound - value
    if not shape.spread:
        return 0.0 if distance > 0 else 1.0
    removed = shape.removed(value - bound)
    tail = 1 - student_cdf(removed if is_above else -removed, shape.freedom)
    return min(1.0, 2 * tail)


def holm(p_values: Sequence[float]) -> list[float]:
    """The same with regard to how many there are: of equals, none is below 5 % in 95 % of families.

    ``nan`` is in no family and stays.
    """
    family = sorted((p, place) for place, p in enumerate(p_values) if not math.isnan(p))
    adjusted, least = list(p_values), 0.0
    for rank, (p, place) in enumerate(family):
        least = max(least, min(1.0, p * (len(family) - rank)))
        adjusted[place] = least
    return adjusted


@cache
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
        if student_cdf(middle, freedom) < probability:
            low = middle
        else:
            high = middle
    return (low + high) / 2


def student_cdf(t: float, freedom: int) -> float:
    """Abramowitz and Stegun, Handbook of Mathematical Functions, 26.7.3 and 26.7.4."""
    freedom = min(freedom, 1000)  # beyond that it is the normal's
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
