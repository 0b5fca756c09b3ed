"""Names of results: like those of the files they were made of, and no two alike."""

from __future__ import annotations

import pytest

from bench.traces.names import Names, is_other_kind, safe, stem_of, suffix_of


@pytest.mark.parametrize(
    ("name", "stem"),
    [
        ("train.csv", "train"),
        ("train.LOG", "train"),
        ("a.sabre.json", "a"),
        ("trace_1_http---edition.cnn.com", "trace_1_http---edition.cnn.com"),
        ("bus.oslo.2010-09-28.log", "bus.oslo.2010-09-28"),
        (".csv", ".csv"),
    ],
)
def test_only_ends_that_tell_of_a_format_are_dropped(name: str, stem: str) -> None:
    assert stem_of(name) == stem


def test_results_keep_folders_and_get_the_end_of_their_format() -> None:
    names = Names(suffix_of("mahimahi"))
    assert names.give("3g/bus.log", ["bus"]) == ["3g/bus.mahi"]
    assert suffix_of("unheard") == ".unheard"


def test_no_two_results_are_alike() -> None:
    """Also not where a file system takes capitals for small letters."""
    names = Names(".csv")
    assert names.give("bus.log", ["x"]) == ["bus.csv"]
    assert names.give("bus.txt", ["x"]) == ["bus-2.csv"]
    assert names.give("Bus.csv", ["x"]) == ["Bus-3.csv"]
    assert names.give("tram/bus.log", ["x"]) == ["tram/bus.csv"]


def test_traces_of_one_file_add_their_names() -> None:
    given = Names(".csv").give("webget.csv", ["7/www.example.org", "7/www.example.org", "../x"])
    assert given == [
        "webget-7-www.example.org.csv",
        "webget-7-www.example.org-2.csv",
        "webget-x.csv",
    ]
    assert safe("../..") == "trace"


@pytest.mark.parametrize("name", ["README", "readme.txt", "SOURCES.md", ".git", "a.png", "x~"])
def test_what_is_clearly_no_trace_is_passed_over_in_folders(name: str) -> None:
    assert is_other_kind(name)


@pytest.mark.parametrize("name", ["norway_bus_1", "a.log", "b.csv", "trace.com", "a.gz", "b.zip"])
def test_anything_else_may_be_a_trace(name: str) -> None:
    assert not is_other_kind(name)
