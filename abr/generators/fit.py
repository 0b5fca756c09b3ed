"""Fit a model to traces: both kinds, with measures of how well they match.

Method: regimes are quantile bands of log capacity relative to the mean of a trace, and
the latent autocorrelation of the Gaussian copula is a sum of two exponentials. The
bundled models were fitted in the same way.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from abr.errors import ModelError
from abr.generators.draw import generate
from abr.generators.latent import latent_correlation, two_time_scales
from abr.generators.measures import autocorrelation, ks_distance, outage_ratio, resample
from abr.generators.model import KINDS, Chain, Copula, Goodness, Kind, Model, Quantiles
from abr.media import FloatArray
from abr.trace import Trace

_STATES = 6
_MIN_PERIODS = 60
_MIN_PER_TRACE = 10
_OUTAGE_SHARE = 0.01
_LAGS = 10
_TRIALS = 40
_MEAN_LEVELS = (0.0, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 1.0)
_RATIO_LEVELS = (
    *(0.0, 0.005, 0.01, 0.02),
    *(k / 20 for k in range(1, 20)),
    *(0.98, 0.99, 0.995, 1.0),
)


def fit(
    traces: Sequence[Trace],
    *,
    name: str,
    period_s: float = 1.0,
    outage_bps: float | None = None,
    source: str = "",
) -> Model:
    """Fit a model to traces of one class of networks.

    Args:
        traces: One pass of each is used; traces shorter than 10 periods are skipped.
        name: Name of the model: letters, digits, ``-``, ``_``, ``.``.
        period_s: Length of the periods over which capacities are averaged and later drawn.
        outage_bps: Capacity below which a period counts as an outage in the chain; if
            None, a hundredth of the mean capacity.
        source: Where the traces come from, for the model file.

    Returns:
        A model whose goodness is measured on the same traces: it shows whether the fit is
        credible, not how well it generalises.

    Raises:
        ModelError: fewer than 60 periods in total, or the name or the period is invalid.
    """
    if not period_s > 0:
        raise ModelError(f"{name}: period_s is {period_s:g}; expected more than 0")
    rows = [resample(trace, period_s) for trace in traces]
    rows = [row for row in rows if len(row) >= _MIN_PER_TRACE and row.any()]
    periods = sum(len(row) for row in rows)
    if periods < _MIN_PERIODS:
        raise ModelError(
            f"{name}: {periods} periods of {period_s:g} s in {len(rows)} traces; "
            f"expected {_MIN_PERIODS} or more: use longer traces, or a shorter period"
        )
    if outage_bps is None:
        outage_bps = _OUTAGE_SHARE * float(np.concatenate(rows).mean())
    model = Model(
        name=name,
        period_s=period_s,
        chain=_chain(rows, round(outage_bps)),
        copula=_copula(rows),
        source=source,
        fitted_traces=len(rows),
        fitted_s=round(periods * period_s, 3),
        goodness_of="the traces it was fitted to",
        caution="" if len(rows) >= 10 else f"fitted to only {len(rows)} traces",
    )
    goodness = {kind: _goodness(model, kind, rows) for kind in KINDS}
    better: Kind = "chain" if goodness["chain"].ks + 0.02 < goodness["copula"].ks else "copula"
    return replace(model, goodness=goodness, default_kind=better)


def _quantiles(values: FloatArray, levels: tuple[float, ...], digits: int) -> Quantiles:
    found = np.maximum.accumulate(np.round(np.quantile(values, levels), digits))
    return Quantiles(levels=levels, values=tuple(found.tolist()))


def _chain(rows: list[FloatArray], outage_bps: float) -> Chain:
    """Fit a chain: bands of equal time by log capacity over the trace's mean outside outages."""
    delivers = [(row >= outage_bps) & (row > 0) for row in rows]
    usable = [(row, on) for row, on in zip(rows, delivers, strict=True) if on.any()]
    if not usable:
        raise ModelError(f"no period reaches {outage_bps:g} bit/s; use a lower outage_bps")
    means = np.array([row[on].mean() for row, on in usable])
    logs = [
        np.log(np.where(on, row, mean) / mean)
        for (row, on), mean in zip(usable, means, strict=True)
    ]
    pooled = np.concatenate([log[on] for log, (_, on) in zip(logs, usable, strict=True)])
    edges = np.quantile(pooled, np.arange(1, _STATES) / _STATES)
    states = [
        np.where(on, 1 + np.searchsorted(edges, log, side="right"), 0)
        for log, (_, on) in zip(logs, usable, strict=True)
    ]
    centre, spread = _bands(pooled, edges)
    transition = _transition(states)
    return Chain(
        mean_bps=_quantiles(means, _MEAN_LEVELS, 0),
        outage_bps=outage_bps,
        initial=_shares(np.bincount(np.concatenate(states), minlength=_STATES + 1)),
        transition=transition,
        log_ratio_mean=tuple(np.round(centre, 4).tolist()),
        log_ratio_sigma=tuple(np.round(spread, 4).tolist()),
        within_phi=_within_phi(logs, states, centre, spread),
    )


def _bands(pooled: FloatArray, edges: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Mean and standard deviation of each band; an empty band takes the value of its edge."""
    band = np.searchsorted(edges, pooled, side="right")
    held = [pooled[band == k] for k in range(_STATES)]
    centre = [h.mean() if len(h) else edges[min(k, _STATES - 2)] for k, h in enumerate(held)]
    spread = [h.std() if len(h) else 0.0 for h in held]
    return np.array(centre), np.array(spread)


def _transition(states: list[NDArray[np.int64]]) -> tuple[tuple[float, ...], ...]:
    counts = np.zeros((_STATES + 1, _STATES + 1))
    for row in states:
        np.add.at(counts, (row[:-1], row[1:]), 1)
    # A state that was never left stays absorbing. One that was never observed gets a
    # uniform row, because nothing is known about it.
    return tuple(_shares(row if row.any() else np.ones(_STATES + 1)) for row in counts)


def _shares(counts: NDArray[Any]) -> tuple[float, ...]:
    return tuple(np.round(counts / counts.sum(), 6).tolist())


def _within_phi(
    logs: list[FloatArray], states: list[NDArray[np.int64]], centre: FloatArray, spread: FloatArray
) -> float:
    """Correlation of standardised values of consecutive periods in the same band."""
    products, squares = 0.0, 0.0
    for log, state in zip(logs, states, strict=True):
        band = np.maximum(state - 1, 0)
        place = (log - centre[band]) / np.where(spread[band] > 0, spread[band], 1.0)
        both = (state[1:] > 0) & (state[1:] == state[:-1])
        products += float((place[1:] * place[:-1])[both].sum())
        squares += float((place[1:] ** 2 + place[:-1] ** 2)[both].sum() / 2)
    return round(min(max(products / squares, 0.0), 0.95), 4) if squares > 0 else 0.0


def _copula(rows: list[FloatArray]) -> Copula:
    means = np.array([row.mean() for row in rows])
    ratios = [row / mean for row, mean in zip(rows, means, strict=True)]
    scales = two_time_scales(latent_correlation(ratios))
    return Copula(
        mean_bps=_quantiles(means, _MEAN_LEVELS, 0),
        ratios=_quantiles(np.concatenate(ratios), _RATIO_LEVELS, 6),
        slow_weight=scales.slow_weight,
        slow_phi=scales.slow_phi,
        fast_weight=scales.fast_weight,
        fast_phi=scales.fast_phi,
        noise_weight=round(1 - scales.slow_weight - scales.fast_weight, 6),
    )


def _goodness(model: Model, kind: Kind, rows: list[FloatArray]) -> Goodness:
    """Compare traces drawn with the lengths of the real ones to the real ones."""
    lengths = [len(row) for row in rows]
    drawn = [
        generate(
            model, seed=seed, duration_s=lengths[seed % len(rows)] * model.period_s, kind=kind
        ).capacity_bps
        for seed in range(_TRIALS)
    ]
    lags = min(_LAGS, min(lengths) - 1)
    return Goodness(
        ks=round(ks_distance(np.concatenate(rows), np.concatenate(drawn)), 4),
        acf_real=_acf(rows, lags),
        acf_generated=_acf(drawn, lags),
        outage_ratio_real=round(outage_ratio(rows, model.chain.outage_bps), 5),
        outage_ratio_generated=round(outage_ratio(drawn, model.chain.outage_bps), 5),
    )


def _acf(rows: list[FloatArray], lags: int) -> tuple[float, ...]:
    """Rounded autocorrelation; empty if all traces are constant."""
    found = autocorrelation(rows, lags)
    return tuple(round(value, 4) for value in found) if not np.isnan(found).any() else ()
