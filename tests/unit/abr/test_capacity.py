"""The closed forms that everybody asks of a link: numbers that can be checked by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from abr.capacity import (
    CapacityTable,
    End,
    bits_by,
    body_bytes,
    find_bound,
    find_period,
    fold,
    newest_bit_s,
    received_bytes,
    request,
    response_bits,
    table_of,
    time_of,
    wait_for_first_byte,
)


def table(end: End = "loop") -> CapacityTable:
    """1 Mbit/s for 2 s, nothing for 1 s, 4 Mbit/s for 1 s; round trips of 0.1, 0.2, 0.3 s."""
    return table_of(
        np.array([0.0, 2.0, 3.0, 4.0]),
        np.array([1e6, 0.0, 4e6]),
        np.array([0.1, 0.2, 0.3]),
        end,
    )


def test_bits_add_up_pass_by_pass() -> None:
    """A pass of 4 s offers 2 + 0 + 4 Mbit; 9 s are two passes and 1 s: 13 Mbit."""
    assert table().offered_bits.tolist() == [0.0, 2e6, 2e6, 6e6]  # type: ignore[union-attr]
    assert fold(table(), 9.0) == (2.0, 1.0)
    assert bits_by(table(), 9.0, 0) == 13e6


@pytest.mark.parametrize(
    ("bits", "at_s"), [(1e6, 1.0), (2e6, 2.0), (4e6, 3.5), (6e6, 4.0), (8e6, 6.0), (9e6, 7.25)]
)
def test_a_bit_comes_as_early_as_it_can(bits: float, at_s: float) -> None:
    """The last bit before an outage does not wait it out; the 9th Mbit comes at 4 + 3.25 s."""
    assert time_of(table(), bits, 0) == at_s


@pytest.mark.parametrize(
    ("end", "t_s", "newest_s"),
    [
        ("loop", 1.5, 1.5),
        ("loop", 2.5, 2.0),
        ("loop", 3.5, 3.5),
        ("loop", 10.75, 10.0),
        ("hold", 9.0, 9.0),
        ("end", 9.0, 4.0),
    ],
)
def test_the_newest_bit_came_before_the_silence(end: End, t_s: float, newest_s: float) -> None:
    """The second pass of a loop is silent from 6 to 7 s, the third from 10 to 11 s."""
    assert newest_bit_s(table(end), t_s, 0) == newest_s


def test_silence_may_begin_in_the_pass_before_or_never_end() -> None:
    zeros = np.zeros(3)
    ends_silent = table_of(np.array([0.0, 1.0, 2.0, 3.0]), np.array([0, 1e6, 0]), zeros, "loop")
    assert newest_bit_s(ends_silent, 3.5, 0) == 2.0
    assert newest_bit_s(ends_silent, 0.5, 0) == 0.0
    silent = table_of(np.array([0.0, 1.0, 2.0, 3.0]), zeros, zeros, "loop")
    assert newest_bit_s(silent, 2.5, 0) == 0.0


@pytest.mark.parametrize(
    ("end", "bits", "at_s"), [("loop", 8e6, 6.0), ("hold", 8e6, 4.5), ("end", 8e6, math.inf)]
)
def test_the_end_rule_is_part_of_the_table(end: End, bits: float, at_s: float) -> None:
    """After 4 s and 6 Mbit: 2 Mbit more take 2 s of the start, 0.5 s of the end, or for ever."""
    assert time_of(table(end), bits, 0) == at_s
    assert bits_by(table(end), 5.0, 0) == {"loop": 7e6, "hold": 10e6, "end": 6e6}[end]


def test_a_link_that_holds_nothing_delivers_no_more() -> None:
    held = table_of(np.array([0.0, 1.0, 2.0]), np.array([8e6, 0.0]), np.zeros(2), "hold")
    assert time_of(held, 8e6, 0) == 1.0
    assert time_of(held, 8e6 + 1, 0) == math.inf
    assert bits_by(held, 1e9, 0) == 8e6


def test_ever_can_be_finite() -> None:
    """For clocks that count in periods: 100 s more, and then from the start."""
    ends = table_of(np.array([0.0, 1.0]), np.array([8e6]), np.zeros(1), "end", ever_s=100.0)
    assert time_of(ends, 16e6, 0) == 102.0


def test_the_answer_does_not_depend_on_where_the_search_begins() -> None:
    many = table_of(np.arange(101.0), np.arange(100.0) % 7 * 1e6, np.zeros(100), "loop")
    for rest_s in (0.0, 0.5, 17.0, 63.2, 99.9):
        assert {find_period(many, rest_s, near) for near in range(100)} == {int(rest_s)}
    for bits in (1.0, 5e6, 2e8):
        expected = int(np.searchsorted(np.asarray(many.offered_bits), bits))
        assert {find_bound(many, bits, near) for near in range(100)} == {expected}


def test_rounding_does_not_wait_out_an_outage() -> None:
    """2 Mbit and some ulps come before the outage at 2 s; a thousandth of a bit more, after."""
    some = math.nextafter(2e6, math.inf)
    assert time_of(table(), some, 0) == 2.0
    assert time_of(table(), 2e6 + 1e-3, 0) == pytest.approx(3.0)


def test_a_request_takes_round_trips_software_headers_and_its_bytes() -> None:
    """Sent at 0 unconnected: 0.1 + 0.1 + 0.05 s; 125 kB in all take 1 s at 1 Mbit/s."""
    assert wait_for_first_byte(table(), 0.0, False, 0.05, 0) == (0.25, 0)
    got = request(table(), 0.0, False, 124_300.0, 700.0, 0.05, 0)
    assert got[:4] == (0.0, 0.25, 1.25, 0.25e6)


def test_round_trips_are_those_of_their_time() -> None:
    """The first of 0.1 s at 1.95 s ends at 2.05 s, where the second takes 0.2 s."""
    first_s, _ = wait_for_first_byte(table(), 1.95, False, 0.0, 0)
    assert first_s == pytest.approx(2.25)
    assert wait_for_first_byte(table(), 1.95, True, 0.0, 0)[0] == pytest.approx(2.05)


def test_headers_come_before_the_body() -> None:
    """Of 1000 and 9000 bytes: 8000 bits are headers alone, 12000 bits are 500 bytes of body."""
    assert response_bits(9000.0, 1000.0) == 80_000.0
    assert [body_bytes(bits, 9000.0, 1000.0) for bits in (0.0, 8e3, 12e3, 1e6)] == [0, 0, 500, 9000]


def test_bytes_arrive_as_the_link_offers_them() -> None:
    """From 0.25 s on at 1 Mbit/s: after 0.5 s 62.5 kB, 700 of them headers."""
    got = request(table(), 0.0, False, 124_300.0, 700.0, 0.05, 0)
    assert received_bytes(table(), got, 124_300.0, 700.0, 0.2) == 0.0
    assert received_bytes(table(), got, 124_300.0, 700.0, 0.75) == 61_800.0
