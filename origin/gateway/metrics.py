"""Counters of a gateway, in its own registry."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest

from origin.metrics import SECONDS


class GatewayMetrics:
    """Counters of one server; several servers in one process do not mix."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._requests = Counter(
            "abr_gateway_requests",
            "Requests answered, by route and status",
            ["route", "status"],
            registry=self.registry,
        )
        self._refusals = Counter(
            "abr_gateway_refusals",
            "Requests refused, by reason",
            ["reason"],
            registry=self.registry,
        )
        self._asked = Counter(
            "abr_gateway_dependency_requests",
            "What was asked of accounts, state and titles, by outcome: ok, failed, late, or open "
            "for requests that the breaker kept away",
            ["dependency", "outcome"],
            registry=self.registry,
        )
        self._unnoted = Counter(
            "abr_gateway_heartbeats_not_noted",
            "Heartbeats accepted while the state did not answer",
            registry=self.registry,
        )
        self._seconds = Histogram(
            "abr_gateway_request_seconds",
            "From the request's head to the end of the handler, by route",
            ["route"],
            buckets=SECONDS,
            registry=self.registry,
        )

    def __repr__(self) -> str:
        samples = (sample for family in self.registry.collect() for sample in family.samples)
        name = "abr_gateway_requests_total"
        requests = sum(sample.value for sample in samples if sample.name == name)
        return f"<GatewayMetrics {requests:.0f} requests>"

    def count_response(self, route: str, status: int, *, seconds: float) -> None:
        """Count one response."""
        self._requests.labels(route, str(status)).inc()
        self._seconds.labels(route).observe(seconds)

    def count_refusal(self, reason: str) -> None:
        """Count one refusal."""
        self._refusals.labels(reason).inc()

    def count_dependency(self, dependency: str, outcome: str) -> None:
        """Count what came of asking something."""
        self._asked.labels(dependency, outcome).inc()

    def count_unnoted(self) -> None:
        """Count a heartbeat that was accepted and could not be noted."""
        self._unnoted.inc()

    def text(self) -> bytes:
        """All metrics in the text format of Prometheus."""
        return generate_latest(self.registry)
