"""Measured quality reaches the log, what is computed from it, and algorithms."""

from __future__ import annotations

import numpy as np
import pytest

from abr.decision import Observation
from abr.errors import AlgorithmError
from abr.log import SessionLog
from abr.media import Presentation
from abr.qoe import ViewedQuality, as_dict, summary
from abr.trace import Trace
from player.api import replay, simulate
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
