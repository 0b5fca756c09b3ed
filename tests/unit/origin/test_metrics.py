"""What an origin counts, as a Prometheus client reads it."""

from __future__ import annotations

from prometheus_client.parser import text_string_to_metric_families

from origin.metrics import OriginMetrics


def samples(metrics: OriginMetrics) -> dict[tuple[str, ...], float]:
    """Values by name and values of labels."""
    return {
        (sample.name, *sorted(sample.labels.values(), reverse=True)): sample.value
        for family in text_string_to_metric_families(metrics.text().decode())
        for sample in family.samples
    }


def test_responses_are_counted_by_what_was_asked_for_and_status() -> None:
    metrics = OriginMetrics()
    metrics.count_response("object", 200, body_bytes=1000, seconds=0.002)
    metrics.count_response("object", 206, body_bytes=10, seconds=0.2)
    metrics.count_response("key", 200, body_bytes=16, seconds=0.001)
    found = samples(metrics)
    assert found["abr_origin_requests_total", "object", "200"] == 1
    assert found["abr_origin_requests_total", "object", "206"] == 1
    assert found["abr_origin_sent_bytes_total", "object"] == 1010
    assert found["abr_origin_sent_bytes_total", "key"] == 16
    assert found["abr_origin_request_seconds_count", "object"] == 2
    assert found["abr_origin_request_seconds_bucket", "object", "0.0025"] == 1
    assert repr(metrics) == "<OriginMetrics 3 requests>"


def test_servers_in_one_process_do_not_mix() -> None:
    one, other = OriginMetrics(), OriginMetrics()
    one.count_refusal("expired")
    assert samples(one)["abr_origin_refusals_total", "expired"] == 1
    assert ("abr_origin_refusals_total", "expired") not in samples(other)
