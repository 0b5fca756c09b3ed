"""The compiled loop of our own player against the virtual driver's log, field by field."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings

from abr import registry
from abr.decision import Algorithm, Decision, Observation, Progress
from abr.log import SessionLog
from abr.qoe import stalls, summary
from player import simulate
from player.batch.abrkit.simulator import ABRKIT
from player.batch.abrkit.timeline import options_of
from player.batch.run.batch import Batch, Engine, run_batch
from player.batch.tables import COMPLETE, FAILED, STOPPED
from tests.fakes.playbacks import Case, cases

RULES: dict[str, dict[str, Any]] = {
    "fixed": {"rung": 2},
    "throughput": {},
    "bola-sabre": {},
    "bola-pensieve": {},
    "bba-0": {},
}


class Erratic:
    """Legal answers without sense: any rung, some waiting, some abandonment."""

    def __init__(self, seed: int) -> None:
        self._rng = np.random.default_rng(seed)
        self.waits: list[tuple[int, float, float, float]] = []

    def waited(self, seen: Observation, wait_s: float) -> None:
        assert wait_s > 0
        self.waits.append((seen.segment, seen.now_s, seen.buffer_s, wait_s))

    def choose(self, seen: Observation) -> Decision:
        rung = int(self._rng.integers(len(seen.ladder_bps)))
        return Decision(rung, wait_s=float(self._rng.choice([0.0, 0.0, 0.7])))

    def reconsider(self, seen: Observation, progress: Progress) -> Decision | None:
        assert seen.segment == progress.segment
        if self._rng.random() > 0.2:
            return None
        return Decision(int(self._rng.integers(progress.rung)), float(self._rng.choice([0.0, 0.3])))


def played_both(case: Case, algorithm: Algorithm, engine: Engine) -> tuple[Batch, SessionLog]:
    batch = run_batch(
        ABRKIT,
        case.presentation,
        [case.trace],
        algorithm,
        options=options_of(case.config, max_play_s=case.max_play_s),
        engine=engine,
        keep_columns=True,
    )
    log = simulate(
        case.presentation,
        trace=case.trace,
        algorithm=algorithm,
        config=case.config,
        max_play_s=case.max_play_s,
    )
    return batch, log


def assert_same(batch: Batch, log: SessionLog, case: Case) -> None:
    """Every field that both have is the same number, to the last bit."""
    totals = {name: float(batch.total(name)[0]) for name in ("shown", "outcome", "ended_s")}
    qoe = summary(log)
    ended = {"complete": COMPLETE, "stopped": STOPPED}
    assert ended.get(qoe.ended, FAILED) == totals["outcome"]
    assert_same_segments(batch, log)
    assert totals["ended_s"] == qoe.elapsed_s
    startup_s = float(batch.total("startup_s")[0])
    assert (None if np.isnan(startup_s) else startup_s) == qoe.startup_s
    assert batch.total("stall_events")[0] == qoe.stall_events
    assert batch.total("stall_s")[0] == qoe.stall_s
    assert batch.total("played_s")[0] == qoe.played_s
    assert tuple(batch.rungs[0, : int(totals["shown"])]) == qoe.rungs
    assert batch.total("switches")[0] == qoe.switches
    assert batch.total("bitrate_change_bps")[0] == qoe.switch_bps
    assert batch.total("mean_bitrate_bps")[0] == qoe.mean_bitrate_bps


def assert_same_segments(batch: Batch, log: SessionLog) -> None:
    """Decisions, requests, arrivals and stalls."""
    column = {
        name: batch.column(name)[0].tolist()
        for name in (
            "rung",
            "start_s",
            "first_byte_s",
            "end_s",
            "size_bytes",
            "stall_s",
            "stall_start_s",
            "decided_s",
        )
    }
    decided = {r["segment"]: r for r in log.of("decision")}
    video = {
        r["id"]: r for r in log.of("fetch") if r["kind"] == "segment" and r["track"] == "video"
    }
    first_byte_s = {r["id"]: r["t"] for r in log.of("response")}
    failed = {video[r["id"]]["segment"] for r in log.of("abort") if r["id"] in video}
    here = 0
    for end in log.of("finished"):
        if end["id"] not in video:
            continue
        asked = video[end["id"]]
        k = asked["segment"]
        assert k == here
        here += 1
        got = {name: values[k] for name, values in column.items() if "stall" not in name}
        assert got == {
            "rung": asked["rung"],
            "start_s": asked["t"],
            "first_byte_s": first_byte_s[end["id"]],
            "end_s": end["t"],
            "size_bytes": end["size_bytes"],
            "decided_s": decided[k]["t"],
        }
        assert batch.rungs[0, k] == asked["rung"]
        if k not in failed:  # another rung may stand in for one that did not come
            assert asked["rung"] == decided[k]["rung"]
    assert (batch.rungs[0, here:] == -1).all()
    assert batch.total("abandoned")[0] == sum(r["why"] == "abandoned" for r in log.of("abort"))
    assert batch.total("downloads")[0] == len(list(log.of("fetch")))
    starts, lengths = column["stall_start_s"], column["stall_s"]
    stalled = [(a, n) for a, n in zip(starts, lengths, strict=True) if n > 0]
    assert stalled == together([(each.start_s, each.length_s) for each in stalls(log)], starts)
    assert all(a < b for (a, _), (b, _) in pairwise(stalled))


def together(logged: list[tuple[float, float]], starts: list[float]) -> list[tuple[float, float]]:
    """Stalls by the segment that ended them: its video may end one, its audio the next."""
    merged: list[tuple[float, float]] = []
    for start_s, length_s in logged:
        if merged and start_s not in starts:
            merged[-1] = (merged[-1][0], merged[-1][1] + length_s)
        else:
            merged.append((start_s, length_s))
    return merged


@pytest.mark.parametrize("name", RULES)
@settings(max_examples=25, deadline=None)
@given(case=cases)
def test_a_rule_plays_the_same_in_both(name: str, case: Case) -> None:
    """Rungs, times, stalls and quality of the loop are those of the log."""
    rungs = case.presentation.rungs
    params = {k: min(v, rungs - 1) for k, v in RULES[name].items()}
    batch, log = played_both(case, registry.load(name, **params), "plain")
    assert_same(batch, log, case)


@settings(max_examples=200, deadline=None)
@given(case=cases)
def test_an_erratic_algorithm_plays_the_same_in_both(case: Case) -> None:
    """So are they when every legal answer is given, at any time; and so are the waits."""
    made: list[Erratic] = []

    def make() -> Erratic:
        made.append(Erratic(case.seed))
        return made[-1]

    batch, log = played_both(case, make, "plain")
    assert_same(batch, log, case)
    in_batch, in_player = [each.waits for each in made][-2:]
    assert in_batch == in_player


@pytest.mark.timeout(400)  # compiles several rules; a busy machine takes minutes
@settings(max_examples=80, deadline=None)
@given(case=cases)
def test_machine_code_plays_the_same_too(case: Case) -> None:
    """Compiled sessions are equal to the last bit as well."""
    batch, log = played_both(case, registry.load("throughput"), "compiled")
    assert batch.engine == "compiled"
    assert_same(batch, log, case)


@settings(max_examples=60, deadline=None)
@given(case=cases)
def test_machine_code_of_what_abandons_nothing_plays_the_same_too(case: Case) -> None:
    """Whether the columns of segments are kept or not."""
    bare_of: dict[str, Any] = {
        "audio_sizes_bytes": None,
        "audio_durations_s": None,
        "side_files": None,
    }
    case = case._replace(presentation=replace(case.presentation, **bare_of))  # one kernel
    rule = registry.load("rate")
    batch, log = played_both(case, rule, "compiled")
    assert batch.engine == "compiled"
    assert_same(batch, log, case)
    options = options_of(case.config, max_play_s=case.max_play_s)
    engines: tuple[Engine, ...] = ("compiled", "plain")
    for engine in engines:
        bare = run_batch(
            ABRKIT, case.presentation, [case.trace], rule, options=options, engine=engine
        )
        assert len(bare.columns) == 0
        assert bare.totals.tobytes() == batch.totals.tobytes()
        assert bare.rungs.tobytes() == batch.rungs.tobytes()
