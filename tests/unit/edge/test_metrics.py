"""An edge's counters as a Prometheus client reads them."""

from __future__ import annotations

from collections.abc import Mapping

from prometheus_client.parser import text_string_to_metric_families

from edge import policies
from edge.counters import Counters
from edge.index import CacheIndex, Entry
from edge.metrics import EdgeCollector, UpstreamFigures


def _detail(labels: Mapping[str, str]) -> str | None:
    """What tells the samples of one metric apart."""
    return labels.get("reason") or labels.get("why") or labels.get("parent")


def test_counters_and_gauges_carry_the_tier_and_the_name() -> None:
    """Read when asked: nothing is counted twice."""
    index = CacheIndex(1000, policies.make("lru", capacity_bytes=1000), overhead_bytes=50)
    index.reserve("/a", 100)
    index.commit(Entry(key="/a", size_bytes=100, stored_s=0.0))
    index.reserve("/b", 200)
    counters = Counters(requests=4, hits=3, sent_bytes=400, hit_bytes=100)
    collector = EdgeCollector(
        tier="isp",
        name="isp-1",
        counters=counters,
        index=index,
        fills_under_way=lambda: 2,
        disk_troubles=lambda: 7,
        upstream=lambda: UpstreamFigures(
            asked={"content": 9, "health": 1},
            retries=2,
            hedges=3,
            refused=4,
            closed={"http://a": True, "http://b": False},
        ),
    )
    counters.refusals["expired"] += 5
    found = {
        (sample.name.removeprefix("abr_edge_"), _detail(sample.labels)): sample.value
        for family in text_string_to_metric_families(collector.text().decode())
        for sample in family.samples
        if (sample.labels["tier"], sample.labels["edge"]) == ("isp", "isp-1")
    }
    assert found["requests_total", None] == 4
    assert found["asked_total", "health"] == 1
    assert found["retries_total", None] == 2
    assert found["hedges_total", None] == 3
    assert found["breaker_closed", "http://b"] == 0
    assert found["refusals_total", "expired"] == 5
    assert found["disk_troubles_total", None] == 7
    assert found["hit_ratio", None] == 0.75
    assert found["byte_hit_ratio", None] == 0.25
    assert found["objects", None] == 1
    assert found["held_bytes", None] == 150  # with 50 of overhead
    assert found["reserved_bytes", None] == 250
    assert found["fills_under_way", None] == 2
