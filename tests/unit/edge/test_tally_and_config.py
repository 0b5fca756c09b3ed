"""Counters and settings of an edge."""

import dataclasses
from typing import Any

import pytest

from abr.errors import ConfigError
from bench.stack.config import ServeConfig
from edge.config import EdgeConfig
from edge.metrics import COUNTERS
from edge.tally import Tally


def test_hit_ratios_count_requests_and_bytes_apart() -> None:
    tally = Tally(requests=4, hits=3, sent_bytes=1000, hit_bytes=100)
    assert (tally.hit_ratio, tally.byte_hit_ratio) == (0.75, 0.1)
    assert (Tally().hit_ratio, Tally().byte_hit_ratio) == (0.0, 0.0)


def test_every_counter_is_exposed() -> None:
    counted = {field.name for field in dataclasses.fields(Tally)} - {"refusals"}
    assert counted == set(COUNTERS)


@pytest.mark.parametrize(
    ("wrong", "expected"),
    [
        ({"parent": "example"}, "edge.parent: found 'example'; expected a URL"),
        ({"parent": "file:///etc/passwd"}, "edge.parent: found"),
        ({"parent": "http://x/?a=b"}, "expected scheme, host and port"),
        ({"port": 70000}, "edge.port: found 70000; expected 0 to 65535"),
        ({"cache_bytes": 0}, "edge.cache_bytes: found 0; expected more than 0"),
        ({"fill_limit_s": float("nan")}, "edge.fill_limit_s: found nan"),
        ({"keys_refresh_s": -1.0}, "edge.keys_refresh_s: found -1.0; expected 0 or more"),
        ({"name": "a\r\nb"}, "edge.name"),
        ({"policy": "lru2"}, "edge.policy: found 'lru2'; expected one of lru"),
    ],
)
def test_settings_that_cannot_be_used_are_named(wrong: dict[str, Any], expected: str) -> None:
    with pytest.raises(ConfigError) as caught:
        EdgeConfig(**wrong).check()
    assert expected in str(caught.value)


@pytest.mark.parametrize(
    "wrong",
    [{"edges": 0}, {"port": 65535}, {"cache_bytes": 0}, {"shutdown_s": -1.0}, {"token_ttl_s": 0.0}],
)
def test_settings_of_a_stack_are_checked_too(wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=f"serve.{next(iter(wrong))}"):
        ServeConfig(**wrong).check()
