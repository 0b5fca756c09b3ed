"""What the functions of ``player`` are given is refused in words, before anything happens."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from dataclasses import fields
from typing import Any

import numpy as np
import pytest

import player
from abr.errors import AbrError, ArgumentError, ConfigError, InputError
from abr.media import constant_presentation
from abr.registry import load
from abr.trace import Trace
from player import CmcdConfig, PlaybackSession, PlayerConfig
from player.playback.retry import Failure

TITLE, TRACE = constant_presentation([1e5], segments=1, segment_s=1.0), Trace.constant(1e6)
URL = "http://127.0.0.1:9/multivariant.m3u8"


def simulate(**given: Any) -> object:
    return player.simulate(**{"source": TITLE, "trace": TRACE, **given})


def simulate_many(**given: Any) -> object:
    known = {"sources": TITLE, "traces": TRACE, "algorithms": "bba-0", "engine": "plain"}
    return player.simulate_many(**{**known, **given})


def play(**given: Any) -> object:
    return asyncio.run(player.play(**{"url": URL, **given}))


def session(**given: Any) -> object:
    return PlaybackSession(**{"source": TITLE, "algorithm": "bba-0", **given})


ENTRIES: dict[Callable[..., object], tuple[str, ...]] = {
    simulate: ("source", "trace", "algorithm", "params", "config", "max_play_s", "raise_on_error"),
    play: (
        "url", "trace", "algorithm", "params", "config", "max_play_s", "on_progress", "on_end",
        "sink", "headers", "cmcd", "insecure", "raise_on_error",
    ),
    simulate_many: (
        "sources", "traces", "algorithms", "seeds", "config", "max_play_s", "threads",
        "on_progress", "engine", "qoe", "columns",
    ),
    session: ("source", "config", "trace", "provenance"),
    player.replay: ("recorded",),
}  # fmt: skip


@pytest.mark.parametrize("found", [object(), b"bytes", 1j])
@pytest.mark.parametrize(
    ("entry", "name"), [(entry, name) for entry, names in ENTRIES.items() for name in names]
)
def test_an_argument_of_the_wrong_type_is_named(
    entry: Callable[..., object], name: str, found: object
) -> None:
    """Wherever it is given, the error is one of our own."""
    with pytest.raises(InputError, match=rf"(?s)\b{name}\b.*(?:expected|which has no choose)"):
        entry(**{name: found})


@pytest.mark.parametrize("entry", [simulate, play, simulate_many])
@pytest.mark.parametrize("found", [-1.0, float("nan")])
def test_a_time_out_of_range_is_refused(entry: Callable[..., object], found: float) -> None:
    with pytest.raises(ConfigError, match=r"max_play_s is .*; expected 0 s or more"):
        entry(max_play_s=found)


def test_none_is_no_url() -> None:
    """The error is a ``TypeError`` too, as for any other library."""
    with pytest.raises(TypeError, match=re.escape("play(url=...): found None; expected the URL")):
        play(url=None)
    with pytest.raises(ArgumentError, match=re.escape("sources[1]=...): found None")):
        simulate_many(sources=[TITLE, None])


def test_labels_are_text_and_seeds_may_come_from_an_iterator() -> None:
    with pytest.raises(InputError, match="algorithms has the label 2; expected text"):
        simulate_many(algorithms={"a": "bba-0", 2: "rate"})
    found: Any = simulate_many(seeds=iter([0, 1]))
    assert found["seed"].tolist() == [0, 1]


@pytest.mark.parametrize("entry", [simulate, play])
@pytest.mark.parametrize("found", ["no", "", 0, 1, None])
def test_a_choice_of_two_is_no_other_value(entry: Callable[..., object], found: object) -> None:
    """Text such as ``"no"`` would be true."""
    with pytest.raises(ArgumentError, match=r"raise_on_error=\.\.\.\): .*; expected True or False"):
        entry(raise_on_error=found)


@pytest.mark.parametrize("entry", [simulate, play])
def test_parameters_have_names(entry: Callable[..., object]) -> None:
    with pytest.raises(ArgumentError, match="expected a mapping of names, as text, to values"):
        entry(params={1: 2})


def test_numbers_of_numpy_are_numbers() -> None:
    found: Any = simulate_many(threads=np.int64(1), max_play_s=np.float32(5), seeds=np.arange(2))
    assert found["seed"].tolist() == [0, 1]


SAME = constant_presentation([2e5], segments=1, segment_s=1.0)


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"algorithms": ["bba-0", "bba-0"]}, "2 algorithms are called 'bba-0'; give each a label"),
        (
            {"algorithms": [load("bba-0"), load("bba-0", reservoir_s=9)]},
            "2 algorithms are called 'bba-0'",
        ),
        ({"sources": [TITLE, SAME]}, r"2 presentations are called 'constant'; .*replace\("),
        ({"seeds": [0, 1, 0]}, "seed 0 is there twice; expected each once"),
        ({"seeds": [True]}, "one of the seeds is True; expected several whole numbers"),
        ({"seeds": {0: 1}}, "seeds are a value of type dict; expected several whole numbers"),
        ({"columns": 3}, "columns: found a value of type int; expected a text or a mapping"),
        ({"columns": "foo"}, "columns: found 'foo'; expected NAME=COLUMN"),
        ({"columns": "time=1:s,rate=2:kbit"}, "say how a file is read, and none is given"),
        (
            {"traces": [TRACE, "profile:sitespeed-3g"], "columns": {"time": 1, "rate": "2:bit"}},
            "say how a file is read, and profile:sitespeed-3g is none; leave them out",
        ),
    ],
)
def test_rows_that_could_not_be_told_apart_and_columns_of_no_use_are_refused(
    given: dict[str, Any], says: str
) -> None:
    with pytest.raises(InputError, match=says) as told:
        simulate_many(**given)
    assert "\n" not in str(told.value)


def test_labels_that_an_error_suggests_are_taken() -> None:
    found: Any = simulate_many(algorithms={"bba-0, one": "bba-0", "bba-0, other": "bba-0"})
    assert found["algorithm"].tolist() == ["bba-0, one", "bba-0, other"]


def test_a_value_is_not_repeated_that_may_be_a_secret() -> None:
    with pytest.raises(ArgumentError) as caught:
        play(headers=["Authorization: Bearer secret"])
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("config", [PlayerConfig, CmcdConfig])
def test_every_setting_of_the_wrong_type_is_named(config: type[Any]) -> None:
    """A number as text among them."""
    wrong: tuple[object, ...] = ("30", None, [], True, b"")
    for field in fields(config):
        for found in wrong:
            is_fit = (found == "30" and isinstance(field.default, str)) or (
                found is True and field.default in (True, False) and field.type == "bool"
            )
            if is_fit and field.name not in ("begins_with", "tracks", "carriage"):
                continue
            with pytest.raises(AbrError, match=f"^{field.name} is .*; expected "):
                config(**{field.name: found})


def test_a_refusal_for_want_of_an_authorisation_says_how_to_give_one() -> None:
    assert str(Failure("status", 401)) == "status 401 (no valid Authorization; -H gives one)"
    assert str(Failure("status", 401, "expired")) == "status 401 (expired)"
    assert str(Failure("status", 404)) == "status 404"


def test_packages_of_equal_titles_are_told_apart_by_their_folders(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("player.batch.run.combinations.read_presentation", lambda _: TITLE)
    found: Any = simulate_many(sources=["a/film", "b/film"])
    assert found["presentation"].tolist() == ["a/constant", "b/constant"]
    with pytest.raises(InputError, match="2 presentations are called 'a/film'; give it once"):
        simulate_many(sources=["a/film", "a/film"])
