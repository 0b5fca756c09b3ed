"""Figures of the process that an edge runs in, for Prometheus."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)

TEXTS = {
    "connections": "Connections of clients that are open.",
    "loop_lag_seconds": "How late the event loop was lately: the worst, fading over seconds.",
    "resident_bytes": "Memory in use.",
    "descriptors": "Descriptors that are open.",
    "draining": "Whether it accepts nobody any more, 1 or 0.",
    "connections_accepted": "Connections that were let in.",
    "connections_refused": "Connections that were not, for lack of room.",
    "reloads": "Reloads of the settings that succeeded.",
    "log_lines_dropped": "Lines of logs that were lost because the disk was too slow.",
    "reports_refused": "Reports of players that were too large or too many.",
    "prefetches": "Objects that were fetched because a player named them as its next.",
    "prefetches_useful": "Of those, asked for later.",
    "prefetches_shed": "Objects named but not fetched, because there was too much to do.",
}
"""What each figure means; exposed as ``abr_edge_<name>``, counters with ``_total``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessFigures:
    """Figures of a process."""

    waits: Sequence[tuple[str, float]]
    """Answers that began within each bound, cumulated."""
    waits_s: float
    """All those waits together."""
    gauges: Mapping[str, float]
    counters: Mapping[str, float]


def collect_process(
    figures: ProcessFigures, *, labels: Sequence[str], values: Sequence[str]
) -> Iterator[Metric]:
    """The metrics of a process."""
    waits = HistogramMetricFamily(
        "abr_edge_first_byte_seconds",
        "From a request to the head of its answer; answers that are ready count as under 1 ms.",
        labels=labels,
    )
    waits.add_metric(values, buckets=list(figures.waits), sum_value=figures.waits_s)
    yield waits
    for name, value in figures.gauges.items():
        gauge = GaugeMetricFamily(f"abr_edge_{name}", TEXTS[name], labels=labels)
        gauge.add_metric(values, value)
        yield gauge
    for name, value in figures.counters.items():
        counter = CounterMetricFamily(f"abr_edge_{name}", TEXTS[name], labels=labels)
        counter.add_metric(values, value)
        yield counter
