"""Figures with their intervals as people read them."""

from __future__ import annotations

import math

from bench.analysis.metrics import Metric
from bench.analysis.stats import Estimate

FEWER_SIGN = "†"
"""Marks an algorithm whose figures are over fewer sessions than those beside them."""


def format_figure(estimate: Estimate, metric: Metric, *, signed: bool = False) -> str:
    """``1.234 [1.111, 1.357]`` in the unit shown to people."""
    shown = estimate.scaled(metric.scale)
    form = f"{'+' if signed else ''}.{metric.digits}f"
    if math.isnan(shown.value):
        return "–"
    value = tidy(format(shown.value, form))
    if not shown.has_interval:
        return value
    return f"{value} [{tidy(format(shown.low, form))}, {tidy(format(shown.high, form))}]"


def tidy(text: str) -> str:
    """No sign before zero, and a true minus sign."""
    if not text.strip("+-0."):
        text = text.lstrip("+-")
    return text.replace("-", "−")
