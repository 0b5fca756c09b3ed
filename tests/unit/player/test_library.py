"""What those who import the player rely on: errors, algorithms and traces as they give them."""

from __future__ import annotations

import asyncio
import functools
import pickle
from pathlib import Path

import pytest

import player
from abr.decision import Decision, Observation
from abr.errors import AlgorithmError, MissingFileError, PlaybackError, TraceFormatError
from abr.media import constant_presentation
from abr.trace import Trace
from player import PlayerConfig, replay, simulate, simulate_many
from player.drivers.live import LiveDriver
from player.playback.actions import Want
from player.playback.session import PlaybackSession
from tests.fakes.jumpingloop import run_jumping
from tests.fakes.shapes import Reply, ScriptedTransport, Shape
from tests.fakes.titles import fixed

PRESENTATION = constant_presentation([1e5, 2e5, 4e5], segments=6, segment_s=1.0)
FAST = Trace.constant(10e6)


class Counting:
    """Remembers every question: the rung is how many there were."""

    def __init__(self, first: int = 0) -> None:
        self.first, self.asked = first, 0

    def choose(self, seen: Observation) -> Decision:
        """One rung higher each time."""
        self.asked += 1
        return Decision(min(self.first + self.asked - 1, len(seen.ladder_bps) - 1), reason=3)


def rungs(log: object) -> list[int]:
    return [record["rung"] for record in log.of("decision")]  # type: ignore[attr-defined]


def test_an_object_given_as_algorithm_is_copied_for_each_playback() -> None:
    """The second playback is that of a fresh object, and the one given stays as it was."""
    given = Counting(1)
    first = simulate(PRESENTATION, trace=FAST, algorithm=given)
    again = simulate(PRESENTATION, trace=FAST, algorithm=given)
    assert rungs(first) == rungs(again) == [1, 2, 2, 2, 2, 2]
    assert given.asked == 0
    assert first.provenance["params"] == {"first": 1}
    assert first.provenance["algorithm"] == "Counting"


def test_many_playbacks_share_no_object_either() -> None:
    table = simulate_many(
        PRESENTATION,
        traces=[FAST, FAST],
        algorithms={"object": Counting(2), "maker": functools.partial(Counting, 2)},
    )
    assert list(table["algorithm"]) == ["object"] * 2 + ["maker"] * 2
    assert len(set(table["mean_bitrate_bps"])) == 1


def test_an_object_that_cannot_be_copied_is_refused_with_what_to_give() -> None:
    """A generator has a state that nobody can copy."""
    given = Counting()
    given.first = (n for n in range(3))  # type: ignore[assignment]
    with pytest.raises(AlgorithmError, match=r"'Counting'.*cannot be copied.*give its class"):
        simulate(PRESENTATION, trace=FAST, algorithm=given)


class Needy:
    """Has a parameter that nobody gave."""

    def __init__(self, margin: float) -> None:
        self.margin = margin

    def choose(self, _seen: Observation) -> int:
        return int(self.margin)


@pytest.mark.parametrize("given", [Needy, lambda seen: 1], ids=["class", "function"])
def test_what_makes_no_algorithm_by_itself_is_refused_with_what_to_give(given: object) -> None:
    with pytest.raises(AlgorithmError, match=r"missing a required.*choose\(seen\).*partial"):
        simulate(PRESENTATION, trace=FAST, algorithm=given)  # type: ignore[arg-type]
    partial = functools.partial(Needy, 1)
    log = simulate(PRESENTATION, trace=FAST, algorithm=partial)
    assert [record["rung"] for record in log.of("decision")] == [1] * 6


def test_a_type_error_of_an_algorithms_own_surfaces_as_it_is() -> None:
    def make() -> Needy:
        return Needy(len(3))  # type: ignore[arg-type]

    with pytest.raises(TypeError, match="has no len"):
        simulate(PRESENTATION, trace=FAST, algorithm=make)


@pytest.mark.parametrize("max_play_s", [-1.0, float("nan")])
def test_a_time_to_leave_that_is_none_is_refused(max_play_s: float) -> None:
    with pytest.raises(ValueError, match=r"max_play_s is .*expected 0 s or more"):
        simulate(PRESENTATION, trace=FAST, algorithm=Counting, max_play_s=max_play_s)
    with pytest.raises(ValueError, match=r"max_play_s is .*expected 0 s or more"):
        asyncio.run(player.play("http://127.0.0.1:9/m.m3u8", max_play_s=max_play_s))


def test_parameters_of_a_partial_are_in_the_log() -> None:
    log = simulate(PRESENTATION, trace=FAST, algorithm=functools.partial(Counting, first=2))
    assert log.provenance["params"] == {"first": 2}
    assert log.provenance["algorithm"] == "Counting"


def test_a_replay_of_ones_own_algorithm_says_what_it_needs() -> None:
    log = simulate(PRESENTATION, trace=FAST, algorithm=Counting)
    with pytest.raises(AlgorithmError, match=r"not registered here.*replay\(log, algorithm="):
        replay(log)
    assert replay(log, algorithm=Counting).records == log.records


def test_a_reason_without_a_name_is_recorded_as_text() -> None:
    """The column has one type."""
    log = simulate(PRESENTATION, trace=FAST, algorithm=Counting)
    assert {record["why"] for record in log.of("decision")} == {"3"}


def test_traces_are_taken_by_path_and_by_name(tmp_path: Path) -> None:
    """A path, the same as text, and what the command takes."""
    path = tmp_path / "net.csv"
    path.write_text("t_s,kbps\n0,4000\n10,\n")
    by_path = simulate(PRESENTATION, trace=path)
    assert by_path.records == simulate(PRESENTATION, trace=str(path)).records
    assert by_path.provenance["trace"] == "net"
    assert simulate(PRESENTATION, trace="profile:sitespeed-3g").provenance["trace_digest"]
    with pytest.raises(MissingFileError, match="no such file"):
        simulate(PRESENTATION, trace=tmp_path / "none.csv")
    path.write_text("nonsense")
    with pytest.raises(TraceFormatError):
        simulate(PRESENTATION, trace=path)


def test_an_error_is_a_result_unless_it_is_asked_to_be_raised() -> None:
    """The log is not lost with it, also between processes."""
    dead = Trace.from_periods([(0.5, 10e6), (1e4, 0.0)], end="hold")
    config = PlayerConfig(total_limit_s=2.0, patience_s=1.0, attempts=1)
    long = constant_presentation([1e6], segments=60, segment_s=4.0)
    log = simulate(long, trace=dead, config=config)
    with pytest.raises(PlaybackError, match="not complete after 2 s") as raised:
        simulate(long, trace=dead, config=config, raise_on_error=True)
    assert raised.value.log is not None
    assert raised.value.log.records == log.records
    again = pickle.loads(pickle.dumps(raised.value))
    assert str(again) == str(raised.value)
    assert again.log.records == log.records
    assert simulate(PRESENTATION, trace=FAST, raise_on_error=True).records


class Interrupting:
    """A sink that ends the program."""

    def __init__(self, error: BaseException) -> None:
        self.error = error

    def add(self, _want: Want, _data: bytes) -> None:
        raise self.error


@pytest.mark.parametrize("place", ["sink", "on_progress"])
@pytest.mark.parametrize(
    "error", [PlaybackError("mine"), TimeoutError("mine"), GeneratorExit("mine")]
)
def test_what_a_callback_raises_surfaces_as_it_was(place: str, error: BaseException) -> None:
    """Also what the session itself would take for its own, and what is no ``Exception``."""

    def progress(session: PlaybackSession) -> None:
        if session.state == "playing":
            raise error

    shape = Shape()
    driver = LiveDriver(
        PlaybackSession(shape.url, fixed(0)),
        ScriptedTransport(shape, lambda _want: Reply()),
        sink=Interrupting(error) if place == "sink" else None,
        on_progress=progress if place == "on_progress" else None,
    )
    with pytest.raises(type(error), match="mine") as raised:
        run_jumping(driver.run())
    assert raised.value is error


async def test_a_coroutine_function_is_refused_where_it_would_not_be_awaited() -> None:
    async def progress(_session: PlaybackSession) -> None:
        """Never awaited."""

    with pytest.raises(TypeError, match="on_progress is a coroutine function"):
        await player.play("http://127.0.0.1:1/x.m3u8", on_progress=progress)  # type: ignore[arg-type]
