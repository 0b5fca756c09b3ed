"""Counters of a cache in the text format of Prometheus."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.parser import text_string_to_metric_families

from edge.counters import Counters
from edge.index import CacheIndex
from edge.operations.figures import ProcessFigures, collect_process
from edge.parents.parents import Why

LABELS = ("tier", "edge")
"""Labels of every metric."""

COUNTERS = {
    "requests": "Requests for cacheable objects.",
    "hits": "Requests answered from the cache without waiting for the parent.",
    "collapsed": "Requests answered by a fetch that another one caused.",
    "revalidated": "Requests answered from the cache after the parent confirmed it.",
    "served_stale": "Requests answered with a stale copy.",
    "sent_bytes": "Body bytes sent for cacheable objects.",
    "hit_bytes": "Body bytes sent on hits.",
    "fills": "Fetches from the parent for cacheable objects.",
    "fills_failed": "Fetches that failed.",
    "fetched_bytes": "Body bytes received from the parent for cacheable objects.",
    "passed": "Requests passed through to the parent.",
    "shed": "Requests made in advance that were refused, as viewers waited for others.",
    "evictions": "Objects evicted to make room.",
    "not_stored": "Whole objects that neither disk nor policy took.",
    "dropped": "Stored objects found damaged or gone.",
    "tokens_reused": "Uses after the first of tokens that ask for these to be noticed.",
}
"""Fields of ``Counters`` that are exposed as ``abr_edge_<field>_total``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UpstreamFigures:
    """What was asked of the parents."""

    asked: Mapping[Why, int]
    """Requests by why they went where they did: content, health, other."""
    retries: int
    hedges: int
    refused: int
    closed: Mapping[str, bool]
    """Whether the breaker of each parent is closed."""


@dataclass(slots=True, kw_only=True, eq=False)
class EdgeCollector:
    """Reads the counters when asked, so nothing is counted twice."""

    tier: str
    name: str
    counters: Counters
    index: CacheIndex
    fills_under_way: Callable[[], int]
    disk_troubles: Callable[[], int]
    upstream: Callable[[], UpstreamFigures]
    process: Callable[[], ProcessFigures] | None = None
    """Figures of the process that it runs in."""

    def collect(self) -> Iterator[Metric]:
        """All metrics of one edge."""
        for field, text in COUNTERS.items():
            yield self._counter(field, text, getattr(self.counters, field))
        yield self._counter("disk_troubles", "Failed writes to the cache.", self.disk_troubles())
        refused = CounterMetricFamily(
            "abr_edge_refusals", "Requests refused, by reason.", labels=(*LABELS, "reason")
        )
        for reason, count in self.counters.refusals.items():
            refused.add_metric((self.tier, self.name, reason), count)
        yield refused
        yield from self._collect_upstream()
        if self.process is not None:
            yield from collect_process(self.process(), labels=LABELS, values=(self.tier, self.name))
        gauges = {
            "hit_ratio": ("Hits per request.", self.counters.hit_ratio),
            "byte_hit_ratio": ("Bytes sent on hits per byte sent.", self.counters.byte_hit_ratio),
            "objects": ("Objects held.", len(self.index)),
            "held_bytes": ("Bytes charged to held objects.", self.index.held_bytes),
            "reserved_bytes": ("Bytes charged to fills.", self.index.reserved_bytes),
            "capacity_bytes": ("Most bytes held.", self.index.capacity_bytes),
            "fills_under_way": ("Fetches from the parent now.", self.fills_under_way()),
        }
        for field, (text, value) in gauges.items():
            gauge = GaugeMetricFamily(f"abr_edge_{field}", text, labels=LABELS)
            gauge.add_metric((self.tier, self.name), value)
            yield gauge

    def _collect_upstream(self) -> Iterator[Metric]:
        figures = self.upstream()
        asked = CounterMetricFamily(
            "abr_edge_asked",
            "Requests to parents, by why they went where they did.",
            labels=(*LABELS, "why"),
        )
        for why, count in figures.asked.items():
            asked.add_metric((self.tier, self.name, why), count)
        yield asked
        yield self._counter("retries", "Requests sent to another parent.", figures.retries)
        yield self._counter("hedges", "Requests sent to a second parent early.", figures.hedges)
        yield self._counter("unasked", "Requests for which no parent was left.", figures.refused)
        closed = GaugeMetricFamily(
            "abr_edge_breaker_closed",
            "Whether a parent is asked, 1 or 0.",
            labels=(*LABELS, "parent"),
        )
        for parent, is_closed in figures.closed.items():
            closed.add_metric((self.tier, self.name, parent), float(is_closed))
        yield closed

    def text(self) -> bytes:
        """Everything in the exposition format."""
        registry = CollectorRegistry(auto_describe=False)
        registry.register(self)
        return generate_latest(registry)

    def _counter(self, field: str, text: str, value: float) -> Metric:
        counter = CounterMetricFamily(f"abr_edge_{field}", text, labels=LABELS)
        counter.add_metric((self.tier, self.name), value)
        return counter


def merge_texts(texts: Mapping[str, str]) -> bytes:
    """The metrics of several workers as one text, each sample with its ``worker``.

    Args:
        texts: Their texts by what tells them apart.
    """
    families: dict[str, Metric] = {}
    for worker, text in texts.items():
        for family in text_string_to_metric_families(text):
            merged = families.setdefault(
                family.name, Metric(family.name, family.documentation, family.type)
            )
            for sample in family.samples:
                labels = {**sample.labels, "worker": worker}
                merged.add_sample(sample.name, labels, sample.value)
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Ready(families.values()))
    return generate_latest(registry)


@dataclass(frozen=True, slots=True, eq=False)
class _Ready:
    """Metrics that were collected before."""

    families: Iterable[Metric]

    def collect(self) -> Iterable[Metric]:
        return self.families
