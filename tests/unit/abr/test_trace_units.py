"""Units that a file does not name, judged by the figures of a whole set."""

from __future__ import annotations

import numpy as np
import pytest

from abr.errors import TraceFormatError
from abr.traceformats import Reading, find_set_doubts, read_readings


def two_columns(step: float, low: float, high: float, seed: int, separator: str = " ") -> bytes:
    rates = np.random.default_rng(seed).uniform(low, high, 60)
    return "".join(f"{k * step:g}{separator}{r:.2f}\n" for k, r in enumerate(rates)).encode()


def read_set(files: list[bytes]) -> list[Reading]:
    return [r for k, data in enumerate(files) for r in read_readings(data, name=f"t{k}")]


@pytest.mark.parametrize(
    ("step", "low", "high", "separator", "option"),
    [
        (1, 60, 140, " ", "if it is kbit/s: --columns time=1:s,rate=2:kbit,applies=since"),
        (1, 500, 4000, " ", "if it is kbit/s: --columns time=1:s,rate=2:kbit,applies=since"),
        (1, 20, 90, ",", "if it is Mbit/s: --columns time=1:s,rate=2:mbit"),
        (1, 4e5, 8e5, ",", "--columns time=1:s,rate=2:B/s or --columns time=1:s,rate=2:bit"),
        (50, 1, 4, " ", "if these are ms: --columns time=1:ms,rate=2:mbit,applies=since"),
        (50, 800, 4000, ",", "if these are ms: --columns time=1:ms,rate=2:kbit"),
        (1000, 1, 4, " ", "if these are ms: --columns time=1:ms,rate=2:mbit,applies=since"),
        (1e6, 1, 4, " ", "if these are us: --columns time=1:us,rate=2:mbit,applies=since"),
        (
            1,
            4e5,
            8e5,
            " ",
            "if it is bytes or bits per second: --columns time=1:s,rate=2:B/s,applies=since",
        ),
    ],
)
def test_a_set_in_another_unit_is_doubted_once_with_the_option_that_reads_it(
    step: float, low: float, high: float, separator: str, option: str
) -> None:
    readings = read_set([two_columns(step, low, high, k, separator) for k in range(5)])
    (doubt,) = find_set_doubts(readings)
    assert option in doubt
    assert "in 5 traces" in doubt
    used = option.split("--columns ")[1].split(" or ", maxsplit=1)[0]
    again = read_readings(two_columns(step, low, high, 0, separator), name="x", columns=used)
    assert find_set_doubts(again) == ()


def test_two_wrong_units_are_put_right_by_one_option() -> None:
    doubts = find_set_doubts(read_set([two_columns(1000, 500, 4000, k) for k in range(5)]))
    assert len(doubts) == 2
    assert all("--columns time=1:ms,rate=2:kbit,applies=since" in doubt for doubt in doubts)


def test_times_that_an_option_names_without_a_unit_are_doubted() -> None:
    """Unix time in ms, taken as s, is a trace of a thousand times its length."""
    rows = "".join(f"{1700000000000 + 1000 * k},{800 + k}\n" for k in range(20))
    data = f"timestamp,kbps\n{rows}".encode()
    (reading,) = read_readings(data, name="x", columns="time=timestamp,rate=kbps")
    assert "if these are ms: --columns time=timestamp:ms,rate=kbps" in reading.remarks[0]
    (reading,) = read_readings(data, name="x", columns="time=timestamp:ms,rate=kbps")
    assert reading.remarks == ()
    assert reading.trace.duration_s == 20
    dates = "".join(f"2024-01-0{k + 1},{800 + k}\n" for k in range(5))
    (reading,) = read_readings(f"day,kbps\n{dates}".encode(), name="x", columns="time=1,rate=2")
    assert reading.remarks == ()


def test_one_column_under_a_heading_is_refused_with_the_option_that_reads_it() -> None:
    data = b"throughput\n1.5\n2.5\n"
    with pytest.raises(TraceFormatError, match="--columns rate=1:mbit,step=1s"):
        read_readings(data, name="x")
    (reading,) = read_readings(data, name="x", columns="rate=1:mbit,step=1s")
    assert reading.trace.duration_s == 2


@pytest.mark.parametrize(
    ("low", "high", "separator"), [(0.3, 6, " "), (2, 18, " "), (300, 6000, ","), (9e3, 9e4, ",")]
)
def test_usual_sets_are_not_doubted(low: float, high: float, separator: str) -> None:
    readings = read_set([two_columns(1, low, high, k, separator) for k in range(5)])
    assert find_set_doubts(readings) == ()
    assert all(not reading.remarks for reading in readings)


def test_what_one_file_is_too_short_to_show_a_set_shows() -> None:
    """Ten chunks of a session prove nothing; those of ten sessions do."""
    files = []
    for seed in range(10):
        rng = np.random.default_rng(seed)
        times, rates = np.cumsum(rng.normal(2, 0.3, 12)), rng.integers(100_000, 4_000_000, 12) / 1e6
        rows = zip(times - times[0], rates, strict=True)
        files.append("".join(f"{t:.6f} {r:.6f}\n" for t, r in rows).encode())
    readings = read_set(files)
    assert not any("8 times" in remark for reading in readings for remark in reading.remarks)
    (doubt,) = find_set_doubts(readings)
    assert "8 times too low: --columns time=1:s,rate=2:MB/s,applies=since" in doubt
    bits = read_readings(files[0], name="x", columns="time=1:s,rate=2:MB/s,applies=since")
    assert bits[0].trace.mean_bps == pytest.approx(8 * readings[0].trace.mean_bps)


def test_a_file_in_another_unit_than_the_rest_is_named() -> None:
    files = [two_columns(1, 1, 4, k) for k in range(6)]
    readings = read_set([*files, two_columns(1, 1000, 4000, 7)])
    (doubt,) = find_set_doubts(readings)
    assert doubt.startswith("1 of 7 traces (t6) have rates ")
    assert find_set_doubts(read_set(files)) == ()


def test_a_third_column_that_is_no_round_trip_time_is_doubted() -> None:
    """Two rates side by side, as of two paths, without headings."""
    rows = b"".join(b"%d,%d,%d\n" % (k, 3000 + k, 5000 + k) for k in range(9))
    (reading,) = read_readings(rows, name="x")
    assert any("third column, taken as round-trip times" in each for each in reading.remarks)


def test_units_that_a_file_names_are_believed() -> None:
    rows = b"time_s,capacity_kbps\n" + b"".join(b"%d,45\n" % k for k in range(60))
    assert find_set_doubts(read_readings(rows, name="x")) == ()
