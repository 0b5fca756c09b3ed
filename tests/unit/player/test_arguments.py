"""What the functions of ``player`` are given is refused in words, before anything happens."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from dataclasses import fields
from typing import Any

import pytest

import player
from abr.errors import AbrError, ArgumentError, ConfigError, InputError
from abr.media import constant_presentation
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
    simulate: ("source", "trace", "algorithm", "params", "config", "max_play_s"),
    play: (
        "url", "trace", "algorithm", "params", "config", "max_play_s", "on_progress", "on_end",
        "sink", "headers", "cmcd",
    ),
    simulate_many: (
        "sources", "traces", "algorithms", "seeds", "config", "max_play_s", "threads",
        "on_progress", "engine", "qoe",
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
