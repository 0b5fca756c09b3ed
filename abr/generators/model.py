"""Models of traces: frozen dataclasses, validated on creation.

A ``Model`` describes one class of networks in two ways. A ``Chain`` moves between regimes
and outages, with correlated variation within a regime; it is easy to read and edit. A
``Copula`` maps slow and fast Gaussian processes to the observed distribution; it
reproduces long memory better. ``Goodness`` says how closely each matches the traces it was
fitted to. This module draws nothing and reads no files.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, get_args

import numpy as np

from abr.errors import ModelError
from abr.media import FloatArray

Kind = Literal["chain", "copula"]
"""The two ways of describing a class of networks."""

KINDS: tuple[Kind, ...] = get_args(Kind)
_SUM_SLACK = 1e-3
_MAX_BPS = 1e13
_MAX_PERIOD_S = 86_400.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Quantiles:
    """A distribution given by some of its quantiles, with linear interpolation between them."""

    levels: tuple[float, ...]
    """Ascending probabilities, the first 0 and the last 1."""
    values: tuple[float, ...]
    """The quantile at each level, 0 or more, not descending."""

    def __post_init__(self) -> None:
        _check_numbers("levels", self.levels, 0, 1)
        _check_numbers("values", self.values, 0, _MAX_BPS)
        if len(self.levels) != len(self.values) or len(self.levels) < 2:
            raise ModelError(
                f"{len(self.levels)} levels and {len(self.values)} values; "
                "expected as many of each, and two or more"
            )
        rises = all(a < b for a, b in zip(self.levels, self.levels[1:], strict=False))
        if (self.levels[0], self.levels[-1]) != (0, 1) or not rises:
            raise ModelError("levels must ascend from 0 to 1")
        if any(a > b for a, b in zip(self.values, self.values[1:], strict=False)):
            raise ModelError("values must not descend")
        if self.values[-1] <= 0:
            raise ModelError("values are all 0; expected at least one above 0")

    def at(self, level: float) -> float:
        """The quantile at ``level``, 0 to 1; bit-identical on every machine."""
        k = min(max(bisect_right(self.levels, level) - 1, 0), len(self.levels) - 2)
        share = (level - self.levels[k]) / (self.levels[k + 1] - self.levels[k])
        value = self.values[k] + share * (self.values[k + 1] - self.values[k])
        return min(max(value, self.values[k]), self.values[k + 1])

    def at_each(self, levels: FloatArray) -> FloatArray:
        """``at`` of every level, bit for bit, in a tenth of the time."""
        known, values = np.array(self.levels), np.array(self.values)
        k = np.clip(np.searchsorted(known, levels, "right") - 1, 0, len(known) - 2)
        value: FloatArray = levels - known[k]
        value /= np.diff(known)[k]
        value *= np.diff(values)[k]
        value += values[k]
        return value.clip(values[k], values[k + 1], out=value)


@dataclass(frozen=True, slots=True, kw_only=True)
class Chain:
    """A Markov chain: state 0 is an outage, state s > 0 delivers a share of the trace's mean.

    In state s the capacity is ``mean * exp(log_ratio_mean[s-1] + log_ratio_sigma[s-1] * e)``,
    where e is first-order autoregressive with unit variance, clipped to -2 and 2. The
    periods outside outages are then scaled to have that mean.
    """

    mean_bps: Quantiles
    """Distribution of the mean capacity of a trace outside outages, bits per second."""
    outage_bps: float
    """Capacity below which a period counted as an outage in the fit; outages drawn have 0."""
    initial: tuple[float, ...]
    """Share of time in each state, shape (S+1,); the first period is drawn from it."""
    transition: tuple[tuple[float, ...], ...]
    """Probability of state j one period after state i, shape (S+1, S+1)."""
    log_ratio_mean: tuple[float, ...]
    """Mean of ln(capacity / mean of the trace) in each state, shape (S,)."""
    log_ratio_sigma: tuple[float, ...]
    """Standard deviation of the same, shape (S,)."""
    within_phi: float
    """Correlation of e from one period to the next."""

    def __post_init__(self) -> None:
        _check_numbers("outage_bps", (self.outage_bps,), 0, _MAX_BPS)
        _check_numbers("log_ratio_mean", self.log_ratio_mean, -50, 50)
        _check_numbers("log_ratio_sigma", self.log_ratio_sigma, 0, 10)
        _check_numbers("within_phi", (self.within_phi,), 0, 0.999999)
        states = len(self.initial)
        rows = {"initial": self.initial}
        rows |= {f"transition[{i}]": row for i, row in enumerate(self.transition)}
        if states < 2 or len(self.transition) != states:
            raise ModelError(
                f"transition has {len(self.transition)} rows and initial {states} shares; "
                "expected as many of each, and two or more"
            )
        for where, row in rows.items():
            _check_numbers(where, row, 0, 1)
            if len(row) != states or abs(sum(row) - 1) > _SUM_SLACK:
                raise ModelError(
                    f"{where} has {len(row)} shares that sum to {sum(row):g}; "
                    f"expected {states} that sum to 1"
                )
        if not len(self.log_ratio_mean) == len(self.log_ratio_sigma) == states - 1:
            raise ModelError(
                f"log_ratio_mean and log_ratio_sigma have {len(self.log_ratio_mean)} and "
                f"{len(self.log_ratio_sigma)} values; expected {states - 1}, one per state except 0"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Copula:
    """Two time scales: capacity is ``mean * ratios(Phi(z))``, z Gaussian with unit variance.

    z is the sum of a slow and a fast first-order autoregressive process and white noise,
    each times the square root of its weight. Ratios of 0 are outages.
    """

    mean_bps: Quantiles
    """Distribution of the mean capacity of a trace, bits per second."""
    ratios: Quantiles
    """Distribution of the capacity of a period over the mean of its trace."""
    slow_weight: float
    """Share of the slow process in the variance of z."""
    slow_phi: float
    """Correlation of the slow process from one period to the next."""
    fast_weight: float
    """Share of the fast process in the variance of z."""
    fast_phi: float
    """Correlation of the fast process from one period to the next."""
    noise_weight: float
    """Share of the white noise in the variance of z."""

    def __post_init__(self) -> None:
        for name in ("slow_weight", "fast_weight", "noise_weight"):
            _check_numbers(name, (getattr(self, name),), 0, 1)
        for name in ("slow_phi", "fast_phi"):
            _check_numbers(name, (getattr(self, name),), 0, 0.999999)
        weights = self.slow_weight + self.fast_weight + self.noise_weight
        if abs(weights - 1) > _SUM_SLACK:
            raise ModelError(f"the three weights sum to {weights:g}; expected 1")


@dataclass(frozen=True, slots=True, kw_only=True)
class Goodness:
    """How closely traces drawn with one kind match real ones."""

    ks: float
    """Kolmogorov-Smirnov distance between real and generated capacities."""
    ks_real: float | None = None
    """The same between two halves of the real traces; None if unknown."""
    acf_real: tuple[float, ...] = ()
    """Autocorrelation of the real traces at lags of 1, 2, ... periods."""
    acf_generated: tuple[float, ...] = ()
    """Autocorrelation of generated traces at the same lags."""
    outage_ratio_real: float = 0.0
    """Share of time in outages in the real traces."""
    outage_ratio_generated: float = 0.0
    """Share of time in outages in generated traces."""

    def __post_init__(self) -> None:
        real = () if self.ks_real is None else (self.ks_real,)
        _check_numbers("ks", (self.ks, *real), 0, 1)
        _check_numbers("acf", (*self.acf_real, *self.acf_generated), -1.5, 1.5)
        _check_numbers("outage_ratio", (self.outage_ratio_real, self.outage_ratio_generated), 0, 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """A class of networks that traces can be drawn from."""

    name: str
    """Name on the command line."""
    period_s: float
    """Seconds for which each drawn capacity holds."""
    chain: Chain
    """The class as regimes and outages."""
    copula: Copula
    """The class as Gaussian processes on two time scales."""
    default_kind: Kind = "copula"
    """The kind drawn by default."""
    source: str = ""
    """Where the fitted traces come from, and who fitted the model."""
    fitted_traces: int = 0
    """Number of fitted traces."""
    fitted_s: float = 0.0
    """Total length of the fitted traces, seconds."""
    caution: str = ""
    """What to know before relying on the model; empty if nothing."""
    goodness_of: str = ""
    """How ``goodness`` was measured."""
    goodness: Mapping[Kind, Goodness] = field(default_factory=dict)
    """Goodness of each kind; a kind may be missing."""

    def __post_init__(self) -> None:
        if not self.name or not all(c.isalnum() or c in "-_." for c in self.name):
            raise ModelError(f"name is {self.name[:40]!r}; expected letters, digits, '-' '_' '.'")
        if self.default_kind not in KINDS:
            raise ModelError(f"default_kind is {self.default_kind!r}; expected one of {KINDS}")
        if not (math.isfinite(self.period_s) and 0.001 <= self.period_s <= _MAX_PERIOD_S):
            raise ModelError(f"period_s is {self.period_s:g}; expected 0.001 to {_MAX_PERIOD_S:g}")


def _check_numbers(name: str, values: tuple[float, ...], low: float, high: float) -> None:
    """Raise ``ModelError`` for the first of ``values`` outside the bounds."""
    for value in values:
        if not low <= value <= high:
            raise ModelError(f"{name} holds {value:g}; expected {low:g} to {high:g}")
