"""Measured quality reaches the log, what is computed from it, and algorithms."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
import pytest

from abr.decision import Decision, Observation, Rule
from abr.errors import AlgorithmError
from abr.log import SessionLog
from abr.media import FloatArray, Presentation
from abr.qoe import ViewedQuality, as_dict, summary
from abr.trace import Trace
from player.api import replay, simulate
from player.batch.run.sweep import simulate_many
from player.table import session_table
from tests.unit.player.test_given import FULL

QUALITY = np.array([[50.0, 85.0, 40.0], [70.0, 95.0, 82.0]])
FAST = Trace(times_s=np.array([0.0, 60.0]), capacity_bps=np.array([1e8]))


def measured() -> Presentation:
    return Presentation(
        bitrates_bps=FULL.bitrates_bps,
        sizes_bytes=FULL.sizes_bytes,
        durations_s=FULL.durations_s,
        side_files=FULL.side_files,
        audio_sizes_bytes=FULL.audio_sizes_bytes,
        quality=QUALITY,
        quality_metric="vmaf",
    )


class GoodEnough:
    """The lowest rung whose quality is 80, or else the highest."""

    def prepare(self, presentation: Presentation) -> None:
        assert presentation.quality is not None
        self.quality = presentation.quality

    def choose(self, seen: Observation) -> int:
        fitting = np.flatnonzero(self.quality[:, seen.segment] >= 80)
        return int(fitting[0]) if len(fitting) else len(self.quality) - 1


def test_an_algorithm_sees_the_quality_of_every_segment() -> None:
    """Rung 0 is good enough for segment 1 only."""
    log = simulate(measured(), trace=FAST, algorithm=GoodEnough)
    assert [record["rung"] for record in log.of("play")] == [1, 0, 1]
    assert [record["quality"] for record in log.of("play")] == [70.0, 85.0, 82.0]


def test_quality_of_experience_holds_the_quality_that_was_seen() -> None:
    """All segments last 4 s: the mean is that of 70, 85 and 82; changes are 15 and 3."""
    log = simulate(measured(), trace=FAST, algorithm=GoodEnough)
    assert summary(log).quality == ViewedQuality(metric="vmaf", mean=79.0, lowest=70.0, change=18.0)
    assert as_dict(log)["quality"]["mean"] == 79.0


def test_a_recording_replays_with_its_quality() -> None:
    log = SessionLog.loads(simulate(measured(), trace=FAST, algorithm=GoodEnough).dumps())
    again = replay(log, algorithm=GoodEnough)
    assert summary(again).quality == summary(log).quality
    assert session_table(again) is not None


class _Wanted(NamedTuple):
    """What is good enough."""

    least: float


class _Known(NamedTuple):
    """The quality of every segment at every rung."""

    quality: FloatArray


def _start(
    params: _Wanted, ladder_bps: FloatArray, durations_s: FloatArray, quality: FloatArray
) -> _Known:
    assert quality.shape == (len(ladder_bps), len(durations_s))
    return _Known(quality)


def _choose(params: _Wanted, state: _Known, seen: Observation) -> Decision:
    for rung in range(len(state.quality)):
        if state.quality[rung, seen.segment] >= params.least:
            return Decision(rung, 0.0, 0, -1)
    return Decision(len(state.quality) - 1, 0.0, 0, -1)


RULE = Rule(
    name="good-enough", params=_Wanted(80.0), start=_start, choose=_choose, needs_quality=True
)


def test_a_rule_that_needs_quality_is_started_with_it() -> None:
    log = simulate(measured(), trace=FAST, algorithm=RULE)
    assert [record["rung"] for record in log.of("play")] == [1, 0, 1]
    with pytest.raises(AlgorithmError, match=r"good-enough.*must know the quality of segments"):
        simulate(FULL, trace=FAST, algorithm=RULE)


@pytest.mark.parametrize("engine", ["plain", "compiled"])
def test_many_simulations_see_and_report_quality_as_one_does(engine: Any) -> None:
    """The viewer leaves in the middle of a segment, which counts as much as was played."""
    slow = Trace(times_s=np.array([0.0, 60.0]), capacity_bps=np.array([1e7]))
    for most_s in (math.inf, 6.0):
        (row,) = simulate_many(
            measured(), traces=slow, algorithms=RULE, engine=engine, max_play_s=most_s
        )
        log = simulate(measured(), trace=slow, algorithm=RULE, max_play_s=most_s)
        seen = summary(log).quality
        assert seen is not None
        assert (row["quality_mean"], row["quality_lowest"], row["quality_change"]) == (
            seen.mean, seen.lowest, seen.change,
        )  # fmt: skip
    (row,) = simulate_many(FULL, traces=slow, algorithms="lowest", engine="plain")
    assert np.isnan([row["quality_mean"], row["quality_lowest"], row["quality_change"]]).all()
    (row,) = simulate_many(measured(), traces=slow, algorithms={"a": GoodEnough}, engine="plain")
    assert row["quality_mean"] == 79.0


def test_what_was_not_measured_has_no_quality() -> None:
    log = simulate(FULL, trace=FAST, algorithm="lowest")
    assert summary(log).quality is None
    assert "quality" not in as_dict(log)


def test_a_fault_while_preparing_is_the_algorithms() -> None:
    with pytest.raises(AlgorithmError, match=r"GoodEnough.*prepare\(\) raised AssertionError"):
        simulate(FULL, trace=FAST, algorithm=GoodEnough)


@pytest.mark.parametrize(
    ("quality", "metric"),
    [(QUALITY, None), (None, "vmaf"), (QUALITY[:, :2], "vmaf"), (QUALITY * np.nan, "vmaf")],
)
def test_quality_that_does_not_fit_is_refused(
    quality: np.ndarray[tuple[int, int], np.dtype[np.float64]] | None, metric: str | None
) -> None:
    with pytest.raises(ValueError, match="quality"):
        Presentation(
            bitrates_bps=FULL.bitrates_bps,
            sizes_bytes=FULL.sizes_bytes,
            durations_s=FULL.durations_s,
            quality=quality,
            quality_metric=metric,
        )
