"""The figures that results are judged by, each a ratio of two sums over sessions.

A mean over sessions divides by their number, a stall ratio by time: written as
numerator and denominator per session, both kinds resample alike, and ratios over
unequal lengths are never averaged by accident.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from abr.media import FloatArray
from abr.qoe import QOE_LIN, Model

Columns = Mapping[str, FloatArray]
"""Columns of results by the name of their field, one value per session."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """One figure: the sum of ``top`` over the sum of ``bottom``."""

    name: str
    label: str
    unit: str
    scale: float
    """Shown figures are this many times those of the name's unit."""
    digits: int
    is_more_better: bool
    formula: str
    top: Callable[[Columns], FloatArray]
    bottom: Callable[[Columns], FloatArray]
    is_rare: bool = False
    """It is 0 in most clusters, and spread as ``bench.analysis.rarity`` says in the others."""
    is_score: bool = False
    """It is a QoE: one number for everything a viewer got."""
    model: Model | None = None
    """That QoE."""


def _column(name: str) -> Callable[[Columns], FloatArray]:
    return lambda columns: np.nan_to_num(columns[name])


def _sessions(columns: Columns) -> FloatArray:
    return np.ones(len(columns["played_s"]))


OTHERS: tuple[Metric, ...] = (
    Metric(
        name="bitrate_bps",
        label="bitrate",
        unit="Mbit/s",
        scale=1e-6,
        digits=3,
        is_more_better=True,
        formula="mean over sessions of the nominal bit rate played, weighted by media time",
        top=_column("mean_bitrate_bps"),
        bottom=_sessions,
    ),
    Metric(
        name="stall_ratio",
        label="stalled",
        unit="%",
        scale=100.0,
        digits=3,
        is_more_better=False,
        formula="Σ stalled / Σ (played + stalled), over all sessions",
        top=_column("stall_s"),
        bottom=lambda columns: columns["played_s"] + columns["stall_s"],
        is_rare=True,
    ),
    Metric(
        name="startup_s",
        label="startup",
        unit="s",
        scale=1.0,
        digits=3,
        is_more_better=False,
        formula="mean over sessions; it counts in no other figure",
        top=_column("startup_s"),
        bottom=lambda columns: (~np.isnan(columns["startup_s"])).astype(np.float64),
    ),
    Metric(
        name="stalls_per_h",
        label="stalls",
        unit="per h",
        scale=1.0,
        digits=2,
        is_more_better=False,
        formula="Σ stalls / Σ hours played",
        top=_column("stall_events"),
        bottom=lambda columns: columns["played_s"] / 3600,
    ),
    Metric(
        name="switches_per_min",
        label="switches",
        unit="per min",
        scale=1.0,
        digits=2,
        is_more_better=False,
        formula="Σ switches / Σ minutes played",
        top=_column("switches"),
        bottom=lambda columns: columns["played_s"] / 60,
    ),
    Metric(
        name="change_bps",
        label="change",
        unit="Mbit/s",
        scale=1e-6,
        digits=3,
        is_more_better=False,
        formula="Σ |change of nominal bit rate| / Σ pairs of consecutive segments",
        top=_column("bitrate_change_bps"),
        bottom=lambda columns: np.maximum(columns["segments"] - 1, 0),
    ),
    Metric(
        name="wasted_ratio",
        label="wasted",
        unit="%",
        scale=100.0,
        digits=2,
        is_more_better=False,
        formula="Σ bytes received and never played / Σ bytes received",
        top=_column("wasted_bytes"),
        bottom=_column("downloaded_bytes"),
    ),
)
"""Every figure but QoEs."""


def column_of(model: Model) -> str:
    """The column that holds the scores of a QoE; that of QoE_lin is in every row."""
    return model.name if model.name == QOE_LIN.name else f"score {model.name}"


def score_metric(model: Model, presentations: Sequence[Mapping[str, Any]] = ()) -> Metric:
    """A QoE as a figure.

    Args:
        model: The QoE.
        presentations: What was played, as the header of results tells.
    """
    formulas: dict[str, list[str]] = {}
    for each in presentations:
        formula = model.formula(np.array(each["ladder_bps"], dtype=np.float64))
        formulas.setdefault(formula, []).append(str(each["title"]))
    if len(formulas) > 1:
        text = "; ".join(f"{formula} for {', '.join(of)}" for formula, of in formulas.items())
    else:
        text = next(iter(formulas), model.name)
    return Metric(
        name=model.name,
        label=model.label,
        unit="",
        scale=1.0,
        digits=3,
        is_more_better=True,
        formula=f"mean over sessions of {text}",
        top=_column(column_of(model)),
        bottom=_sessions,
        is_score=True,
        model=model,
    )


METRICS: tuple[Metric, ...] = (
    *OTHERS[:2],
    score_metric(QOE_LIN, [{"title": "its own", "ladder_bps": [4.3e6]}]),
    *OTHERS[2:],
)
"""Figures of results that name no QoE, over a ladder like Pensieve's."""

BY_NAME: Mapping[str, Metric] = {metric.name: metric for metric in METRICS}


def place_of(metrics: Sequence[Metric], name: str) -> int:
    """Where the figure called ``name`` stands among ``metrics``."""
    return [metric.name for metric in metrics].index(name)


def scores_of(metrics: Sequence[Metric]) -> tuple[Metric, ...]:
    """The QoEs among ``metrics``; the first leads: findings, regret and classes are in it."""
    return tuple(metric for metric in metrics if metric.is_score)
