"""Formats told apart by their first lines, and doubts about units."""

from __future__ import annotations

import numpy as np
import pytest

from abr.errors import TraceFormatError
from abr.traceformats.detect import detect
from abr.traceformats.units import find_unit_doubts


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ('[{"duration_ms": 1000}]', "sabre"),
        ('{"periods": []}', "json"),
        ("12\n15\n", "mahimahi"),
        ("0.5 1.2\n1.0 2.5\n", "cooked"),
        ("0 30\n5000 30\n5000 40\n9000 40\n", "oboe"),
        ("0 30\n500 30\n", "oboe"),
        ("1289407470 11 59.85 10.78 141716 995", "hsdpa"),
        ("1453120590123 11 51.03 3.73 141716 995", "ghent"),
        ("Timestamp,Operator,DL_bitrate\n", "raca"),
        ("unit_id,dtime,bytes_sec\n", "fcc"),
        ("time,delivery_rate\n", "puffer"),
        ("time_s,mbps\n", "csv"),
    ],
)
def test_a_format_is_told_by_its_first_lines(text: str, name: str) -> None:
    assert detect(text, "x", "any") == name


def test_two_columns_of_a_cooked_trace_may_repeat_a_rate() -> None:
    """Rates in pairs are Oboe's only where periods touch, or last too long for seconds."""
    assert detect("0 3\n1 3\n2 4\n3 4\n", "x", "any") == "cooked"


def test_what_is_unknown_is_shown_with_its_line() -> None:
    with pytest.raises(TraceFormatError, match=r"net.txt:2: found 'hello there you'"):
        detect("\nhello there you", "net.txt", "csv")
    with pytest.raises(TraceFormatError, match="empty"):
        detect(" \n", "net.txt", "csv")


def uneven_times(count: int) -> np.ndarray:
    return np.cumsum(np.random.default_rng(0).uniform(0.5, 1.5, count))


def test_whole_bytes_at_uneven_times_raise_a_doubt() -> None:
    """Odd numbers of bytes per second, divided by a million."""
    rates = (np.arange(40) * 2 + 100_001) / 1e6
    (doubt,) = find_unit_doubts(uneven_times(40), rates)
    assert "8 times too low" in doubt
    assert find_unit_doubts(uneven_times(40), rates * 8) == ()
    assert find_unit_doubts(np.arange(40.0), rates) == ()


def test_rates_beyond_radio_links_raise_a_doubt() -> None:
    steady = np.arange(4.0)
    (doubt,) = find_unit_doubts(steady, np.full(4, 3000.0))
    assert "1000 times too high" in doubt
    assert find_unit_doubts(steady, np.full(4, 300.5)) != ()
    assert find_unit_doubts(steady, np.full(4, 300.0)) == ()  # 5G logs hold whole Mbit/s


def test_steps_of_minutes_raise_a_doubt() -> None:
    (doubt,) = find_unit_doubts(np.array([0.0, 1000.0, 2000.0]), np.ones(3))
    assert "1000 s apart" in doubt
