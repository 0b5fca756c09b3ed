"""Results as text: whatever is printed reads back, whatever is cut short is noticed."""

from __future__ import annotations

import math

import pytest

from bench.experiments.failures import why_row_failed
from bench.experiments.results import (
    FIELDS,
    ResultsError,
    Row,
    are_plainly_whole,
    compact,
    print_block,
    print_results,
    read_block,
    read_results,
)
from tests.fakes.results import row

ROWS = [row("a", 0), row("a", 1, startup_s=None)]


def body_of(*rows: Row) -> bytes:
    return "".join(f"{compact(each)}\n" for each in rows).encode()


def test_a_row_has_every_field_in_order() -> None:
    always = [name for name, kind in FIELDS.items() if not kind.endswith("where measured")]
    assert list(row("a", 0)) == always


def test_results_read_back() -> None:
    data = print_results({"name": "x"}, [body_of(each) for each in ROWS])
    found = read_results(data.decode(), name="x")
    assert list(found.rows) == ROWS
    assert found.name == "x"
    assert found.algorithms == ("a",)
    assert found.numbers["startup_s"][0] == 1.0
    assert math.isnan(found.numbers["startup_s"][1])
    assert math.isnan(found.numbers["quality_mean"][0])


def test_a_block_is_whole_or_nothing() -> None:
    """Cut at any byte, of another run, of another length: nothing."""
    data = print_block("id", ROWS).encode()
    block = read_block(data, run="id", rows=2)
    assert block is not None
    assert block.body == body_of(*ROWS)
    for cut in range(len(data)):
        assert read_block(data[:cut], run="id", rows=2) is None
    assert read_block(data, run="other", rows=2) is None
    assert read_block(data, run="id", rows=3) is None
    assert read_block(b"\xff" + data, run="id", rows=2) is None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no results of `abr bench run`"),
        ("[]", "no results"),
        ('{"format": "abrkit results", "version": "2.0"}\n', "of version 2.0; this abrkit reads"),
        ('{"format": "abrkit results", "version": "1.7"}\n', "no rows"),
        ('{"format": "abrkit results", "version": "1.0"}\nx\n', "x.jsonl:2: not JSON"),
        ('{"format": "abrkit results", "version": "1.0"}\n{}\n', "a row without 'seed'"),
        ('{"format": "abrkit results", "version": "1.0"}\n[]\n', "a row without"),
    ],
)
def test_what_is_no_results_is_refused(text: str, message: str) -> None:
    with pytest.raises(ResultsError, match=message):
        read_results(text, name="x.jsonl")


@pytest.mark.parametrize(
    ("more", "whole"),
    [
        ({}, True),
        ({"startup_s": None}, False),
        ({"ended": "error: no byte after 20 s"}, False),
        ({"ended": "stopped"}, False),
        ({"algorithm": '"ended":"complete","rungs":[', "ended": "stopped"}, False),
        ({"params": {"startup_s": None}}, True),
    ],
)
def test_lines_tell_without_parsing_whether_all_their_sessions_are_whole(
    more: dict[str, object], whole: bool
) -> None:
    each = {**row("a", 0), **more}
    for others in ([], [row("a", 1)], [row("b", 1), row("b", 2)]):
        assert are_plainly_whole(body_of(*others, each)) is whole
        assert are_plainly_whole(body_of(each, *others)) is whole
    assert (why_row_failed(each) is None) is whole
