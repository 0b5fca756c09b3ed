"""Settings that could never work are refused."""

from __future__ import annotations

import pytest

from player.config import PlayerConfig


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("max_buffer_s", 0.0),
        ("max_buffer_s", float("nan")),
        ("connections", 0),
        ("rtt_s", -0.1),
        ("jitter_ratio", 2.0),
        ("startup_buffer_s", 99.0),
        ("resume_buffer_s", 31.0),
        ("tracks", "sideways"),
    ],
)
def test_a_value_out_of_range_is_named(name: str, value: object) -> None:
    """The message begins with the setting and shows what was found."""
    with pytest.raises(ValueError, match=f"{name} is .*expected"):
        PlayerConfig(**{name: value})  # type: ignore[arg-type]  # wrong on purpose
