"""Names of traces of a set."""

from __future__ import annotations

from abr.traceformats.names import distinguish


def test_names_that_differ_stay() -> None:
    assert distinguish(["a", "b"], ["x/a.log", "y/b.log"]) == ["a", "b"]


def test_equal_names_get_as_many_folders_as_tell_them_apart() -> None:
    places = ["s/bus/1/r.log", "s/bus/2/r.log", "s/tram/2/r.log", "s/car.log"]
    assert distinguish(["r", "r", "r", "car"], places) == ["1/r", "bus/2/r", "tram/2/r", "car"]


def test_what_folders_cannot_tell_apart_is_numbered() -> None:
    assert distinguish(["a", "a", "a-2"], ["a.log", "a.csv", "b"]) == ["a", "a-2", "a-2-2"]
    assert distinguish(["a", "a"], ["", ""]) == ["a", "a-2"]
