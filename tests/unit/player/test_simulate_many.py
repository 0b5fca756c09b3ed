"""``player.simulate_many``: which sessions are played, and what a row says."""

from __future__ import annotations

import math
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from abr.decision import Observation
from abr.errors import AlgorithmError, InputError, TraceFormatError
from abr.files.traces import resolve_trace
from abr.media import constant_presentation
from abr.qoe import QoE, linear, named, own, qoe_lin, sabre, summary
from abr.registry import load
from abr.trace import Trace
from abr.traceedit import rotate
from player import PlayerConfig, simulate, simulate_many
from player.batch.run.sweep import FIGURES

SHORT = constant_presentation([3e5, 1e6, 3e6], segments=8, segment_s=4.0, title="short")
LONG = constant_presentation([4e5, 2e6], segments=12, segment_s=2.0, title="long")
FALLS = Trace.from_periods([(9.0, 4e6), (9.0, 2e5), (5.0, 1e6)], name="falls")
STEADY = Trace.constant(2e6, name="steady")
IN_SUMMARY = [name for name, _ in FIGURES if name in QoE.__dataclass_fields__]


class Middle:
    """An object with ``choose``."""

    def choose(self, seen: Observation) -> int:
        return len(seen.ladder_bps) // 2


def test_every_combination_is_played_in_the_order_given() -> None:
    table = simulate_many(
        [SHORT, LONG],
        traces=[FALLS, STEADY],
        algorithms=["throughput", "lowest"],
        seeds=[0, 3],
        engine="plain",
    )
    expected = [
        (presentation, algorithm, trace, seed)
        for presentation, algorithm, seed, trace in product(
            ["short", "long"], ["throughput", "lowest"], [0, 3], ["falls", "steady"]
        )
    ]
    names = ["presentation", "algorithm", "trace", "seed"]
    assert table[names].tolist() == expected
    assert set(table["ended"]) == {"complete"}
    assert table["segments"].tolist() == [8] * 8 + [12] * 8


@pytest.mark.parametrize("engine", ["plain", "auto"])
def test_each_row_is_the_session_that_simulate_plays(engine: str) -> None:
    """To the last bit, over the trace as its seed turns it."""
    config = PlayerConfig(max_buffer_s=12.0, startup_buffer_s=4.0)
    table = simulate_many(
        SHORT,
        traces=[FALLS, STEADY],
        algorithms=["throughput", "bola-e"],
        seeds=[0, 5],
        config=config,
        engine=engine,  # type: ignore[arg-type]
    )
    traces = {trace.name: trace for trace in (FALLS, STEADY)}
    for row in table:
        qoe = summary(
            simulate(
                SHORT,
                trace=rotate(traces[str(row["trace"])], int(row["seed"])),
                algorithm=str(row["algorithm"]),
                config=config,
            )
        )
        for name in IN_SUMMARY:
            assert row[name] == getattr(qoe, name), (row, name)
        rates_bps = [float(SHORT.bitrates_bps[rung]) for rung in qoe.rungs]
        assert row["qoe_lin"] == qoe_lin(rates_bps, qoe.stall_s)
        assert (row["segments"], row["ended"]) == (len(qoe.rungs), qoe.ended)


@pytest.mark.parametrize("engine", ["plain", "auto"])
def test_each_score_is_that_of_the_log_of_the_session(engine: str) -> None:
    """Under every QoE, and by a function that sees each segment and stall."""
    waits = own(lambda viewing: float(viewing.stalls_s @ np.arange(viewing.segments)), name="waits")
    models = [linear(startup_weight=1), "log", sabre(), waits, "qoe_lin"]
    table = simulate_many(
        SHORT, traces=[FALLS, STEADY], algorithms="rate", qoe=models, engine=engine,  # type: ignore[arg-type]
    )  # fmt: skip
    assert table["stall_s"][0] > 0
    for row, trace in zip(table, (FALLS, STEADY), strict=True):
        session = simulate(SHORT, trace=trace, algorithm="rate")
        for model in (linear(startup_weight=1), named("log"), sabre()):
            assert row[model.name] == pytest.approx(model.score(session), abs=1e-12)
        assert row["waits"] == pytest.approx(waits.score(session), abs=1e-4)
    alone = simulate_many(SHORT, traces=STEADY, algorithms="rate", qoe=linear(), engine="plain")
    assert alone["linear"].shape == (1,)


def test_a_session_that_failed_has_no_score() -> None:
    ends = Trace.from_periods([(1.0, 4e6), (4.0, 0.0)], end="end", name="ends")
    table = simulate_many(SHORT, traces=ends, algorithms="lowest", qoe="linear", engine="plain")
    assert table["ended"][0].startswith("error: ")
    assert math.isnan(table["linear"][0])


def test_single_things_need_no_list() -> None:
    (row,) = simulate_many(SHORT, traces=STEADY, algorithms="lowest", engine="plain")
    assert (row["presentation"], row["algorithm"], row["trace"]) == ("short", "lowest", "steady")
    # 8 segments of 4 s at 0.3 Mbit/s
    assert row["played_s"] == pytest.approx(32.0)
    assert row["mean_bitrate_bps"] == 3e5
    assert (row["switches"], row["stall_events"], row["wasted_bytes"]) == (0, 0, 0.0)
    assert row["downloaded_bytes"] == 1.2e6


def test_a_mapping_labels_algorithms() -> None:
    """A name, a loaded algorithm and something that makes an object."""
    table = simulate_many(
        SHORT,
        traces=STEADY,
        algorithms={"a": "lowest", "b": load("fixed", rung=1), "c": Middle},
        engine="plain",
    )
    assert table["algorithm"].tolist() == ["a", "b", "c"]
    assert table["mean_bitrate_bps"].tolist() == [3e5, 1e6, 1e6]


def test_algorithms_without_a_label_go_by_their_name() -> None:
    table = simulate_many(SHORT, traces=STEADY, algorithms=[load("fixed"), Middle], engine="plain")
    assert table["algorithm"].tolist() == ["fixed", "Middle"]
    (row,) = simulate_many(SHORT, traces=STEADY, algorithms=Middle, engine="plain")
    assert row["algorithm"] == "Middle"


def test_a_seed_is_told_to_algorithms_that_draw_and_turns_the_trace_for_all() -> None:
    table = simulate_many(SHORT, traces=FALLS, algorithms="lowest", seeds=range(4), engine="plain")
    assert len(np.unique(table["elapsed_s"])) > 1
    assert table["mean_bitrate_bps"].tolist() == [3e5] * 4


def test_a_folder_of_traces_is_every_file_in_it_by_name(tmp_path: Path) -> None:
    (tmp_path / "b.csv").write_text("time_s,mbps\n0,4\n5,2\n10,\n")
    (tmp_path / "a.csv").write_text("time_s,mbps\n0,2\n10,\n")
    (tmp_path / "kept-apart").mkdir()
    table = simulate_many(SHORT, traces=tmp_path, algorithms="lowest", engine="plain")
    assert table["trace"].tolist() == ["a", "b"]
    assert table["elapsed_s"][1] < table["elapsed_s"][0] + 1


def test_profiles_and_generated_traces_go_by_their_name() -> None:
    wanted = "generate:lte-walking:7:60"
    table = simulate_many(SHORT, traces=[wanted], algorithms="lowest", engine="plain")
    assert table["trace"].tolist() == [resolve_trace(wanted).name]


def test_who_leaves_early_has_stopped() -> None:
    table = simulate_many(SHORT, traces=STEADY, algorithms="lowest", max_play_s=9.5, engine="plain")
    assert table["ended"].tolist() == ["stopped"]
    assert table["elapsed_s"].tolist() == [9.5]
    (row,) = table
    assert row["played_s"] == pytest.approx(9.5 - row["startup_s"])
    assert row["segments"] == 3  # of 4 s; the third was shown in part


def test_playback_that_never_began_has_no_startup() -> None:
    (row,) = simulate_many(
        SHORT, traces=Trace.constant(1000.0), algorithms="lowest", max_play_s=5.0, engine="plain"
    )
    assert math.isnan(row["startup_s"])
    assert (row["segments"], row["played_s"], row["rebuffer_ratio"]) == (0, 0.0, 0.0)


def test_progress_counts_sessions_up_to_all_of_them() -> None:
    told: list[tuple[int, int]] = []
    simulate_many(
        SHORT,
        traces=[FALLS, STEADY],
        algorithms="lowest",
        seeds=[0, 1, 2],
        engine="plain",
        on_progress=lambda done, total: told.append((done, total)),
    )
    assert told == [(2, 6), (4, 6), (6, 6)]


@pytest.mark.parametrize("what", ["presentations", "traces", "algorithms", "seeds"])
def test_nothing_to_play_is_an_error_that_says_what_is_missing(what: str) -> None:
    with pytest.raises(InputError, match=f"no {what}; give at least one"):
        simulate_many(
            [] if what == "presentations" else SHORT,
            traces=[] if what == "traces" else STEADY,
            algorithms=[] if what == "algorithms" else "lowest",
            seeds=[] if what == "seeds" else [0],
        )


def test_an_empty_folder_is_not_taken_for_no_networks(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="an empty folder; expected trace files"):
        simulate_many(SHORT, traces=tmp_path, algorithms="lowest")


def test_an_unknown_algorithm_is_named_with_the_nearest() -> None:
    with pytest.raises(AlgorithmError, match=r"'lowst'.*'lowest'"):
        simulate_many(SHORT, traces=STEADY, algorithms=["lowest", "lowst"])


def test_a_file_that_is_no_trace_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("not a trace at all\n")
    with pytest.raises(TraceFormatError, match="notes"):
        simulate_many(SHORT, traces=tmp_path, algorithms="lowest")


def test_what_cannot_be_compiled_is_an_error_where_that_is_asked_for() -> None:
    with pytest.raises(AlgorithmError):
        simulate_many(SHORT, traces=STEADY, algorithms=Middle, engine="compiled")


@pytest.mark.parametrize(
    ("given", "found"),
    [
        ({"engine": "fast"}, "engine is 'fast'"),
        ({"seeds": [-1]}, "seeds is -1"),
        ({"seeds": 3}, "3"),
    ],
)
def test_what_cannot_be_meant_is_refused_with_what_can(given: Any, found: str) -> None:
    with pytest.raises(InputError, match=found):
        simulate_many(
            constant_presentation([3e5], segments=2, segment_s=4.0),
            traces=Trace.constant(1e6),
            algorithms="fixed",
            **given,
        )
