"""Counters of an origin: requests, bytes, refusals and times, in its own registry."""

from __future__ import annotations

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

# Not the library's newest, 1.0.0: no name here needs its quoting, and older scrapers know this.
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
"""Type of what ``generate_latest`` gives, at every tier."""

SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10)
"""Upper bounds of the latency histogram, seconds."""


class OriginMetrics:
    """Counters of one server; several servers in one process do not mix."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._requests = Counter(
            "abr_origin_requests",
            "Requests answered, by kind of target and status",
            ["route", "status"],
            registry=self.registry,
        )
        self._bytes = Counter(
            "abr_origin_sent_bytes",
            "Bytes of response bodies planned, by kind of target",
            ["route"],
            registry=self.registry,
        )
        self._refusals = Counter(
            "abr_origin_refusals",
            "Requests refused for their token, by reason",
            ["reason"],
            registry=self.registry,
        )
        self._reused = Counter(
            "abr_origin_tokens_reused",
            "Uses after the first of tokens that ask for these to be noticed",
            registry=self.registry,
        )
        self._seconds = Histogram(
            "abr_origin_request_seconds",
            "From the request's head to the end of the handler, by kind of target",
            ["route"],
            buckets=SECONDS,
            registry=self.registry,
        )

    def __repr__(self) -> str:
        samples = (sample for family in self.registry.collect() for sample in family.samples)
        name = "abr_origin_requests_total"
        requests = sum(sample.value for sample in samples if sample.name == name)
        return f"<OriginMetrics {requests:.0f} requests>"

    def count_response(self, route: str, status: int, *, body_bytes: int, seconds: float) -> None:
        """Count one response."""
        self._requests.labels(route, str(status)).inc()
        self._bytes.labels(route).inc(body_bytes)
        self._seconds.labels(route).observe(seconds)

    def count_refusal(self, reason: str) -> None:
        """Count one refusal."""
        self._refusals.labels(reason).inc()

    def count_reuse(self) -> None:
        """Count one use again."""
        self._reused.inc()

    def show_lost_lines(self, count: Callable[[], int]) -> None:
        """Show how many lines of the audit log could not be written."""
        gauge = Gauge(
            "abr_origin_audit_lines_lost",
            "Lines of the audit log that could not be written since the start",
            registry=self.registry,
        )
        gauge.set_function(count)

    def text(self) -> bytes:
        """All metrics in the text format of Prometheus."""
        return generate_latest(self.registry)
