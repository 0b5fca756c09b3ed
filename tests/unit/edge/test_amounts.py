"""Rates and windows as people type them."""

from __future__ import annotations

import pytest

from abr.errors import ConfigError
from edge.simulation.amounts import parse_rate, parse_window


@pytest.mark.parametrize(
    ("text", "bps"),
    [("50Mbit", 50e6), ("1.5 Gbit/s", 1.5e9), ("800kbit", 8e5), ("6MB/s", 48e6), ("9bit", 9.0)],
)
def test_rates_are_bits_or_bytes_a_second(text: str, bps: float) -> None:
    assert parse_rate(text, "--rate") == pytest.approx(bps)


@pytest.mark.parametrize("text", ["", "50", "50M", "0bit", "-1Mbit", "6MB", "1Tbit/h"])
def test_a_rate_without_its_unit_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match=r"--rate: found .*expected"):
        parse_rate(text, "--rate")


@pytest.mark.parametrize(
    ("text", "start_h", "length_h"),
    [
        ("02:00-06:00", 2, 4),
        ("22:30-01:00", 22.5, 2.5),
        ("00:00-24:00", 0, 24),
        ("01:00-05:00+02:00", 23, 4),
        ("22:00-23:00-05:00", 3, 1),
        ("02:00-06:00Z", 2, 4),
    ],
)
def test_a_window_is_in_utc_unless_it_names_an_offset(
    text: str, start_h: float, length_h: float
) -> None:
    assert parse_window(text, "--window") == (start_h * 3600, length_h * 3600)


@pytest.mark.parametrize("text", ["", "2-6", "02:00-02:00", "25:00-26:00", "02:60-03:00", "x"])
def test_a_window_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match=r"--window: found .*expected"):
        parse_window(text, "--window")
