"""Rows of an experiment are what the sessions came to, each played once, as the plan has it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

import player.api
from abr import registry
from abr.decision import Observation
from abr.errors import AlgorithmError, InputError
from abr.log import SessionLog
from abr.media import Presentation, constant_presentation
from abr.qoe import qoe_lin, stalls, summary
from abr.trace import Trace
from bench.experiments.experiment import Contender, NetworkTrace, Run
from bench.experiments.results import FIELDS, read_block
from bench.experiments.run import engine
from bench.experiments.run.decisiontime import decision_time
from bench.experiments.run.sources import our_code
from player.config import PlayerConfig

PRESENTATION = constant_presentation([3e5, 1e6, 3e6], segments=20, segment_s=4.0, title="film")
WITH_AUDIO = replace(PRESENTATION, audio_sizes_bytes=np.full(20, 60_000.0))
STEADY = Trace.constant(2.5e6, name="steady")
DIPS = Trace.from_periods([(20, 3e6), (30, 1e5)], name="dips")
SILENT = Trace.from_periods([(9, 3e6), (45, 0), (300, 3e6)], name="silent")
"""A response is silent for longer than it may, and is asked for again."""
DIES = Trace.from_periods([(9, 3e6), (4, 0)], end="end", name="dies")


def run_of(
    presentation: Presentation = PRESENTATION,
    *,
    name: str = "bola-sabre",
    preset: str = "abrkit",
    player: Mapping[str, Any] | None = None,
    params: Mapping[str, Any] | None = None,
    sessions: int = 1,
) -> Run:
    return Run(
        id="id",
        contender=Contender(label=name, name=name, params=params or {}),
        presentation=presentation,
        presentation_digest=presentation.digest(),
        block=0,
        sessions=sessions,
        first_trace="",
        preset=preset,
        player=player or {},
        engine="plain",
    )


def block_of(*traces: Trace) -> tuple[NetworkTrace, ...]:
    return tuple(
        NetworkTrace(trace=trace, kind="made up", seed=0, cluster="trace:x") for trace in traces
    )


def rows(run: Run, *traces: Trace) -> list[dict[str, Any]]:
    run = replace(run, sessions=len(traces))
    block = read_block(
        engine.run_block(run, block_of(*traces)).encode(), run="id", rows=len(traces)
    )
    assert block is not None
    return [json.loads(line) for line in block.body.splitlines()]


def expected(presentation: Presentation, log: SessionLog) -> dict[str, Any]:
    """The figures of a row, from the session's log."""
    got = summary(log)
    received = sum(float(r["size_bytes"]) for r in log.of("finished"))
    received += sum(float(r["received_bytes"]) for r in log.of("abort"))
    rates = [float(presentation.bitrates_bps[rung]) for rung in got.rungs]
    spells, stalled_s = [], 0.0
    for spell in stalls(log):
        spells.append([spell.start_s - (got.startup_s or 0.0) - stalled_s, spell.length_s])
        stalled_s += spell.length_s
    return {
        "startup_s": got.startup_s,
        "stall_s": got.stall_s,
        "stall_events": got.stall_events,
        "played_s": got.played_s,
        "elapsed_s": got.elapsed_s,
        "segments": len(got.rungs),
        "mean_bitrate_bps": got.mean_bitrate_bps,
        "bitrate_change_bps": got.switch_bps,
        "switches": got.switches,
        "qoe_lin": qoe_lin(rates, got.stall_s),
        "downloaded_bytes": received,
        "ended": got.ended,
        "rungs": list(got.rungs),
        "stalls": spells,
    }


@pytest.mark.parametrize("trace", [STEADY, DIPS, SILENT, DIES], ids=lambda trace: trace.name)
@pytest.mark.parametrize(
    ("presentation", "player"),
    [
        (PRESENTATION, {}),
        (PRESENTATION, {"max_buffer_s": 12.0, "startup_buffer_s": 6.0}),
        (PRESENTATION, {"max_buffer_s": 12.0, "backoff_s": 3.0, "backoff_max_s": 9.0, "seed": 5}),
        (WITH_AUDIO, {}),
        (WITH_AUDIO, {"tracks": "together"}),
    ],
    ids=["bare", "set", "retries", "audio", "together"],
)
def test_a_row_says_what_the_log_of_the_player_does(
    presentation: Presentation, player: Mapping[str, Any], trace: Trace
) -> None:
    """Whoever plays it: the compiled loop, or the player where the loop leaves a session to it."""
    (row,) = rows(run_of(presentation, player=player), trace)
    config = PlayerConfig(**player)
    log = simulate_as(presentation, trace, config)
    for name, value in expected(presentation, log).items():
        if name == "stalls":
            assert np.ravel(row[name]) == pytest.approx(np.ravel(value), abs=1e-5)
        elif isinstance(value, float):
            assert row[name] == pytest.approx(value, abs=1e-6), name
        else:
            assert row[name] == value, name


def simulate_as(presentation: Presentation, trace: Trace, config: PlayerConfig) -> SessionLog:
    return player.api.simulate(presentation, trace=trace, algorithm="bola-sabre", config=config)


def test_a_session_that_fails_says_why_and_is_played_once(monkeypatch: pytest.MonkeyPatch) -> None:
    played = []
    simulate = player.api.simulate

    def counted(*args: Any, **more: Any) -> SessionLog:
        played.append(more["trace"].name)
        return simulate(*args, **more)

    monkeypatch.setattr(player.api, "simulate", counted)
    found = rows(run_of(), STEADY, DIES, SILENT)
    assert played == ["dies", "silent"]
    assert [row["ended"] == "complete" for row in found] == [True, False, True]
    assert found[1]["segments"] < 20


def test_a_row_has_every_field_and_names_its_trace() -> None:
    found = rows(run_of(), STEADY, DIPS)
    always = [name for name, kind in FIELDS.items() if not kind.endswith("where measured")]
    assert [list(row) for row in found] == [always] * 2
    assert [row["trace"] for row in found] == ["steady", "dips"]
    assert [row["trace_digest"] for row in found] == [STEADY.digest(), DIPS.digest()]
    assert found[0]["presentation_digest"] == PRESENTATION.digest()


def test_a_row_has_the_quality_that_was_seen() -> None:
    """Of the rungs played, each segment as long as the others."""
    quality = np.arange(60.0).reshape(3, 20)
    measured = replace(PRESENTATION, quality=quality, quality_metric="vmaf")
    (row,) = rows(run_of(measured), STEADY)
    assert list(row) == list(FIELDS)
    seen = [float(quality[rung, k]) for k, rung in enumerate(row["rungs"])]
    assert row["quality_mean"] == pytest.approx(sum(seen) / 20)
    assert row["quality_lowest"] == min(seen)
    assert row["quality_change"] == sum(abs(b - a) for a, b in pairwise(seen))


def test_the_first_wait_of_the_pensieve_family_is_startup_and_no_stall() -> None:
    (row,) = rows(run_of(preset="pensieve"), STEADY)
    assert row["startup_s"] > 0
    assert (row["stall_s"], row["stall_events"], row["stalls"]) == (0.0, 0, [])


class Watcher:
    """Remembers what it was shown."""

    seen: list[Observation] = []  # noqa: RUF012  # the point: one list for all of them

    def choose(self, seen: Observation) -> int:
        self.seen.append(seen)
        return 0


@pytest.mark.parametrize(
    ("preset", "setting"), [("abrkit", {"max_buffer_s": 9.0}), ("sabre", {"max_buffer_s": 9.0})]
)
def test_decisions_are_timed_as_the_plan_plays(
    preset: str, setting: Mapping[str, float], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The plan's preset, settings and presentation; nothing is compiled."""
    Watcher.seen.clear()
    monkeypatch.setattr(registry, "load", lambda *_: Watcher)
    taken = decision_time(run_of(preset=preset, player=setting), block_of(STEADY, DIPS))
    assert (
        taken["decisions"] == len(Watcher.seen) >= PRESENTATION.segments - 1
    )  # Sabre picks the first
    assert 0 < taken["median_us"] <= taken["p99_us"]
    assert {seen.max_buffer_s for seen in Watcher.seen} == {9.0}
    assert {tuple(seen.ladder_bps) for seen in Watcher.seen} == {tuple(PRESENTATION.bitrates_bps)}


def test_ours_are_loaded_once_and_no_more_than_a_few_are_kept(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(engine, "_ours", {})
    monkeypatch.setattr(engine, "ALGORITHMS_KEPT", 2)
    loaded = []
    load = registry.load

    def counted(name: str, **params: Any) -> Any:
        loaded.append(params)
        return load(name, **params)

    monkeypatch.setattr(registry, "load", counted)
    for gp in (5, 5, 6, 5, 7, 7):
        engine.algorithm_of(Contender(label="b", name="bola-sabre", params={"gp": gp}))
    assert loaded == [{"gp": 5}, {"gp": 6}, {"gp": 7}]
    assert len(engine._ours) == 2


def test_other_sources_than_those_of_the_plan_are_not_played() -> None:
    same = our_code()
    engine.algorithm_of(Contender(label="b", name="bba-0", sources=same))
    with pytest.raises(AlgorithmError, match="its source here is not what it was"):
        engine.algorithm_of(Contender(label="b", name="bba-0", sources="edited"))


@pytest.mark.parametrize(
    ("preset", "player", "message"),
    [
        ("sabre", {"zzz": 3.0}, r"preset sabre has no such setting; expected "),
        ("sabre", {"maxbuffer": 3.0}, r"no such setting; did you mean 'max_buffer_s'\?"),
        ("abrkit", {"max_buffer_s": True}, r"max_buffer_s = True; expected a value such as 30.0"),
        ("abrkit", {"attempts": 2.5}, r"attempts = 2.5; expected a value such as 4"),
        ("abrkit", {"max_buffer_s": -1.0}, r"max_buffer_s is -1"),
        ("abrkit", {"like": "hlsjs-chrome"}, r"did you mean 'hlsjs-chromium'"),
        ("sabre", {"like": "ideal"}, r"preset sabre has no such setting"),
    ],
)
def test_a_wrong_setting_is_refused(preset: str, player: Mapping[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        engine.options_of(preset, player)


def test_a_plan_names_a_player_and_changes_some_of_it() -> None:
    """hls.js fills up to 600 s beyond its 30; here its 30 are 12."""
    options = engine.options_of("abrkit", {"like": "hlsjs-chromium", "max_buffer_s": 12})
    assert (options.max_buffer_s, options.buffer_limit_s, options.resume_growth) == (12, 600, 2)


def test_a_whole_number_will_do_where_a_fraction_is_expected() -> None:
    assert engine.options_of("abrkit", {"max_buffer_s": 12}).max_buffer_s == 12.0
