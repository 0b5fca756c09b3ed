"""Counters of a cache in the text format of Prometheus."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from edge.counters import Counters
from edge.index import CacheIndex

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
    "evictions": "Objects evicted to make room.",
    "not_stored": "Whole objects that neither disk nor policy took.",
    "dropped": "Stored objects found damaged or gone.",
}
"""Fields of ``Counters`` that are exposed as ``abr_edge_<field>_total``."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class EdgeCollector:
    """Reads the counters when asked, so nothing is counted twice."""

    tier: str
    name: str
    counters: Counters
    index: CacheIndex
    fills_under_way: Callable[[], int]
    disk_troubles: Callable[[], int]

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

    def text(self) -> bytes:
        """Everything in the exposition format."""
        registry = CollectorRegistry(auto_describe=False)
        registry.register(self)
        return generate_latest(registry)

    def _counter(self, field: str, text: str, value: float) -> Metric:
        counter = CounterMetricFamily(f"abr_edge_{field}", text, labels=LABELS)
        counter.add_metric((self.tier, self.name), value)
        return counter
