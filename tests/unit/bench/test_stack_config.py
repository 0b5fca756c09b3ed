"""Settings of a whole stack: what cannot be used is refused by name."""

from __future__ import annotations

import pytest

from abr.errors import ConfigError
from bench.stack.config import ServeConfig


def test_the_defaults_can_be_used() -> None:
    assert ServeConfig().check() == ServeConfig()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"host": "0.0.0.0"}, r"serve\.host: found '0\.0\.0\.0'; expected an address that only"),
        ({"edges": 0}, r"serve\.edges: found 0; expected 1 to 100"),
        ({"edges": 101}, r"serve\.edges"),
        ({"port": -1}, r"serve\.port: found -1; expected 0 to 65531"),
        ({"port": 65534, "edges": 2}, r"serve\.port: found 65534"),
        ({"cache_bytes": 0}, r"serve\.cache_bytes: found 0; expected more than 0"),
        ({"shutdown_s": -0.1}, r"serve\.shutdown_s: found -0\.1; expected 0 or more"),
        ({"token_ttl_s": float("nan")}, r"serve\.token_ttl_s: found nan"),
    ],
)
def test_what_cannot_be_used_is_named(settings: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        ServeConfig(**settings).check()  # type: ignore[arg-type]  # values of several kinds


def test_the_last_port_is_that_of_the_watch_page() -> None:
    """The origin, the regional tier, two edges and the watch page end at 65535."""
    assert ServeConfig(port=65531, edges=2).check().port == 65531
