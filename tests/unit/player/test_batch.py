"""The batch driver: engines, threads, what is kept, and what is refused."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import numpy as np
import pytest

from abr import registry
from abr.decision import Observation, Rule
from abr.errors import AlgorithmError
from abr.media import Presentation, constant_presentation
from abr.qoe import summary
from abr.trace import Trace
from player import simulate
from player.batch.abrkit.simulator import ABRKIT
from player.batch.abrkit.timeline import options_of
from player.batch.pensieve import PENSIEVE
from player.batch.run import compiled
from player.batch.run.batch import Engine, run_batch
from player.batch.sabre import SABRE
from player.batch.simulators import PRESETS, load
from player.batch.tables import COLUMNS
from player.config import PlayerConfig
from player.presets import PRESETS as PLAYERS
from tests.fakes import unfitrule

PRESENTATION = constant_presentation([3e5, 1e6, 3e6], segments=30, segment_s=4.0)
TRACES = [
    Trace.from_periods([(20.0, 2e6, 0.05), (9.0, 2e5, 0.05)], name="falls"),
    Trace.constant(5e6),
    Trace.from_periods([(5.0, 9e5, 0.1), (5.0, 4e6, 0.1)], name="square"),
]

ENGINES: list[Engine] = ["plain", "compiled"]


def rule(name: str) -> Rule:
    made = registry.load(name)
    assert isinstance(made, Rule)
    return made


class Second:
    """An object with ``choose``, not functions."""

    def __init__(self) -> None:
        self.asked = 0

    def choose(self, seen: Observation) -> int:
        self.asked += 1
        return 1 if self.asked < 10 else 2


def test_engines_and_threads_give_the_same_numbers() -> None:
    which = [0, 1, 2, 0, 2]
    tried: list[tuple[Engine, int]] = [("plain", 1), ("compiled", 1), ("compiled", 2)]
    runs = [
        run_batch(
            SABRE, PRESENTATION, TRACES, rule("throughput"), which=which, engine=engine, threads=n
        )
        for engine, n in tried
    ]
    assert [run.engine for run in runs] == ["plain", "compiled", "compiled"]
    for run in runs[1:]:
        assert (run.rungs == runs[0].rungs).all()
        assert run.totals == pytest.approx(runs[0].totals, rel=1e-12, abs=1e-12)
    assert (runs[0].rungs[0] == runs[0].rungs[3]).all()
    assert (runs[0].rungs[0] != runs[0].rungs[1]).any()


def test_an_object_begins_anew_in_every_session() -> None:
    batch = run_batch(SABRE, PRESENTATION, TRACES, Second)
    assert batch.engine == "plain"
    assert "not a Rule" in batch.remark
    assert batch.algorithm == "Second"
    assert batch.rungs[:, :12].tolist() == [[0] + [1] * 9 + [2] * 2] * 3


def test_what_is_kept_is_what_was_asked_for() -> None:
    none = run_batch(
        PENSIEVE, PRESENTATION, TRACES, rule("fixed"), engine="plain", keep_rungs=False
    )
    assert none.rungs.shape == (0, 30)
    assert none.columns.shape[0] == 0
    every = run_batch(
        PENSIEVE, PRESENTATION, TRACES, rule("fixed"), engine="plain", keep_columns=True
    )
    assert every.column("qoe_lin").shape == (3, 30)
    assert (np.diff(every.column("end_s"), axis=1) > 0).all()
    assert (every.total("played_s") == 120).all()


def test_a_rule_that_does_not_compile_runs_as_it_is_and_says_why() -> None:
    unfit = replace(rule("fixed"), choose=unfitrule.choose)
    batch = run_batch(SABRE, PRESENTATION, TRACES[:1], unfit)
    assert batch.engine == "plain"
    assert batch.rungs[0].tolist() == [0] + [2] * 29
    assert "cannot be compiled" in batch.remark
    with pytest.raises(AlgorithmError, match="'fixed' cannot be compiled"):
        run_batch(SABRE, PRESENTATION, TRACES[:1], unfit, engine="compiled")


class _Notes(NamedTuple):
    segments: list[int]


def test_a_rule_whose_state_is_no_array_runs_as_it_is_and_says_why() -> None:
    noting = replace(rule("fixed"), start=lambda *_: _Notes([]))
    batch = run_batch(SABRE, PRESENTATION, TRACES[:1], noting)
    assert batch.engine == "plain"
    assert "its state holds a list" in batch.remark
    with pytest.raises(AlgorithmError, match="its state holds a list"):
        run_batch(SABRE, PRESENTATION, TRACES[:1], noting, engine="compiled")


@pytest.mark.parametrize("name", ["clairvoyant", "optimal"])
def test_an_upper_bound_is_told_of_traces_of_all_lengths(name: str) -> None:
    """Its state has another size for each."""
    runs = [
        run_batch(ABRKIT, PRESENTATION, TRACES, rule(name), engine=engine) for engine in ENGINES
    ]
    assert (runs[0].rungs == runs[1].rungs).all()
    alone = run_batch(ABRKIT, PRESENTATION, TRACES[2:], rule(name), engine="compiled")
    assert (alone.rungs[0] == runs[1].rungs[2]).all()


def test_sizes_in_any_order_of_memory_are_the_same_sizes() -> None:
    sizes = np.asfortranarray(PRESENTATION.sizes_bytes * np.linspace(0.5, 1.5, 30))
    presentation = replace(PRESENTATION, sizes_bytes=sizes)
    runs = [
        run_batch(SABRE, presentation, TRACES, rule("throughput"), engine=engine).totals
        for engine in ENGINES
    ]
    assert runs[1] == pytest.approx(runs[0], rel=1e-12, abs=1e-12)


def test_whole_numbers_in_a_configuration_compile_as_others_do() -> None:
    """5 and 5.0 would be two types to the compiler, which knows no number that is both."""
    config = PlayerConfig(max_buffer_s=12, startup_buffer_s=5, resume_buffer_s=3)
    options = options_of(config, max_play_s=60)
    batch = run_batch(
        ABRKIT, PRESENTATION, TRACES, rule("fixed"), options=options, engine="compiled"
    )
    assert repr(batch) == "<Batch of 3 sessions of fixed, compiled>"


@pytest.mark.parametrize("name", PRESETS)
def test_every_simulator_plays_by_its_name(name: str) -> None:
    simulator = load(name)
    assert simulator.name == name
    batch = run_batch(
        simulator, PRESENTATION, TRACES, rule("fixed"), engine="plain", keep_columns=True
    )
    assert batch.column_names == (*COLUMNS, *simulator.extra_columns)
    assert (batch.total("played_s") == 120).all()


def test_an_unknown_simulator_is_refused_with_the_names_there_are() -> None:
    with pytest.raises(ValueError, match="'sabr'; expected one of abrkit, sabre, pensieve"):
        load("sabr")


def test_no_traces_are_an_error() -> None:
    with pytest.raises(ValueError, match="no traces"):
        run_batch(SABRE, PRESENTATION, [], rule("fixed"))


def test_a_trace_that_ends_is_refused() -> None:
    ends = Trace.from_periods([(10.0, 1e6)], end="end", name="short")
    with pytest.raises(ValueError, match="short"):
        run_batch(SABRE, PRESENTATION, [ends], rule("fixed"), engine="plain")


def test_a_compiled_loop_is_looked_up_and_not_told_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a batch costs beside its sessions must stay small: our own loops never change."""
    monkeypatch.setattr(compiled, "_known", {})
    run_batch(load("abrkit"), PRESENTATION, TRACES[:1], registry.load("bba-0"), engine="compiled")
    assert [known.fingerprint.still_holds() for known in compiled._known.values()] == [True]


WITH_AUDIO = replace(
    PRESENTATION,
    audio_sizes_bytes=np.full(30, 64e3),
    audio_durations_s=np.full(30, 4.0),
    peak_bitrates_bps=PRESENTATION.bitrates_bps * 1.3,
)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("presentation", [PRESENTATION, WITH_AUDIO], ids=["muxed", "apart"])
@pytest.mark.parametrize("name", PLAYERS)
def test_players_of_browsers_play_the_same_in_batches(
    name: str, presentation: Presentation, engine: Engine
) -> None:
    """Startup, stalls, rungs and end of every session are those of its log."""
    player = PLAYERS[name]
    batch = run_batch(
        ABRKIT,
        presentation,
        TRACES,
        rule(player.algorithm),
        options=options_of(player.config),
        config=player.config,
        engine=engine,
    )
    for place, trace in enumerate(TRACES):
        log = simulate(presentation, trace=trace, algorithm=player.algorithm, config=player.config)
        found = summary(log)
        figures = ("startup_s", "stall_s", "stall_events", "played_s", "switches")
        assert [batch.total(each)[place] for each in figures] == [
            getattr(found, each) for each in figures
        ]
        assert tuple(batch.rungs[place]) == found.rungs


def test_bytes_of_what_dash_js_replaces_are_wasted() -> None:
    """Everything is fetched once at the least; what came twice was played once."""
    config = PLAYERS["dashjs-chromium"].config
    batch = run_batch(
        ABRKIT,
        PRESENTATION,
        TRACES[1:2],
        Second,
        options=options_of(config),
        config=config,
        engine="plain",
    )
    # The tenth decision, of segment 9, is the first of rung 2: some of those before are replaced.
    played = PRESENTATION.sizes_bytes[batch.rungs[0], np.arange(30)].sum()
    assert batch.total("wasted_bytes")[0] > 0
    assert batch.total("downloaded_bytes")[0] - batch.total("wasted_bytes")[0] == played
    assert (np.diff(batch.rungs[0]) >= 0).all()
    assert batch.rungs[0, 8] == 2
