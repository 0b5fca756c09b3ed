"""Results as text: whatever is printed reads back, whatever is cut short is noticed."""

from __future__ import annotations

import math

import pytest

from bench.experiments.failures import why_row_failed
from bench.experiments.results import (
    FIELDS,
    ResultsError,
    compact,
    is_plainly_whole,
    print_block,
    print_results,
    read_block,
    read_results,
)
from tests.fakes.results import row

ROWS = [row("a", 0), row("a", 1, startup_s=None)]


def test_a_row_has_every_field_in_order() -> None:
    always = [name for name, kind in FIELDS.items() if not kind.endswith("where measured")]
    assert list(row("a", 0)) == always


def test_results_read_back() -> None:
    text = print_results({"name": "x"}, [compact(each) for each in ROWS])
    found = read_results(text, name="x")
    assert list(found.rows) == ROWS
    assert found.name == "x"
    assert found.algorithms == ("a",)
    assert found.numbers["startup_s"][0] == 1.0
    assert math.isnan(found.numbers["startup_s"][1])
    assert math.isnan(found.numbers["quality_mean"][0])


def test_a_block_is_whole_or_nothing() -> None:
    """Cut at any byte, of another run, of another length: nothing."""
    text = print_block("id", ROWS)
    block = read_block(text, run="id", rows=2)
    assert block is not None
    assert block.lines == [compact(each) for each in ROWS]
    for cut in range(len(text)):
        assert read_block(text[:cut], run="id", rows=2) is None
    assert read_block(text, run="other", rows=2) is None
    assert read_block(text, run="id", rows=3) is None


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
def test_a_line_tells_without_parsing_whether_its_session_is_whole(
    more: dict[str, object], whole: bool
) -> None:
    each = {**row("a", 0), **more}
    assert is_plainly_whole(compact(each)) is whole
    assert (why_row_failed(each) is None) is whole
