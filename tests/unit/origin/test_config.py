"""Settings of the origin that are refused, and secrets that are not shown."""

from __future__ import annotations

from typing import Any

import pytest

from abr.errors import ConfigError
from abr.settings import load, plain
from origin.config import OriginConfig, is_loopback


@pytest.mark.parametrize(
    "wrong",
    [
        {"port": -1},
        {"port": 65536},
        {"token_ttl_s": 0.0},
        {"token_ttl_s": float("inf")},
        {"session_ttl_s": -5.0},
        {"token_leeway_s": -1.0},
        {"token_leeway_s": float("nan")},
        {"playlist_max_age_s": -1},
        {"public_base": "cdn.example"},
        {"public_base": "ftp://cdn.example"},
        {"public_base": "https://user@cdn.example"},
        {"public_base": "https://cdn.example/?a=b"},
        {"host": "0.0.0.0"},
    ],
)
def test_values_out_of_range_are_named(wrong: dict[str, Any]) -> None:
    """The message begins with the name of the setting."""
    name = next(iter(wrong))
    with pytest.raises(ConfigError, match=rf"^origin\.{name}: .*(expected|set)"):
        OriginConfig(**wrong).check()


def test_the_defaults_can_be_used() -> None:
    """On loopback, without a secret."""
    assert OriginConfig().check() == OriginConfig()


def test_the_secret_comes_from_the_environment_and_is_shown_nowhere() -> None:
    """Neither by repr, nor in what a result file records."""
    config, origins = load(
        "origin",
        OriginConfig,
        text=None,
        source="",
        environ={"ABR_ORIGIN_PLAYBACK_SECRET": "hush", "ABR_ORIGIN_HOST": "0.0.0.0"},
        overrides={},
    )
    assert config.playback_secret == "hush"
    assert origins["playback_secret"] == "ABR_ORIGIN_PLAYBACK_SECRET"
    assert "hush" not in repr(config)
    assert "hush" not in str(plain(config))


@pytest.mark.parametrize(
    ("host", "loopback"),
    [
        ("127.0.0.1", True),
        ("127.8.9.1", True),
        ("::1", True),
        ("localhost", True),
        ("0.0.0.0", False),
        ("::", False),
        ("10.0.0.1", False),
        ("localhost.example", False),
        ("", False),
    ],
)
def test_only_loopback_counts_as_private(host: str, loopback: bool) -> None:
    """A name other than localhost may resolve to anything."""
    assert is_loopback(host) == loopback
