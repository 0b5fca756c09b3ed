"""Counters of an edge, and the ratios made of them."""

import dataclasses

from edge.counters import Counters
from edge.metrics import COUNTERS


def test_hit_ratios_count_requests_and_bytes_apart() -> None:
    counters = Counters(requests=4, hits=3, sent_bytes=1000, hit_bytes=100)
    assert (counters.hit_ratio, counters.byte_hit_ratio) == (0.75, 0.1)
    assert (Counters().hit_ratio, Counters().byte_hit_ratio) == (0.0, 0.0)


def test_every_counter_is_exposed() -> None:
    counted = {field.name for field in dataclasses.fields(Counters)} - {"refusals"}
    assert counted == set(COUNTERS)
