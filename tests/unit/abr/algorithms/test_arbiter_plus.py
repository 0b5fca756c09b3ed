"""``arbiter-plus`` by hand: target rate, switching, sizes ahead."""

from __future__ import annotations

import numpy as np
import pytest

from abr.algorithms import arbiter_plus
from abr.decision import begin, downloads_from
from abr.media import Presentation
from tests.fakes.observations import PRESENTATION, make_download, seen


def test_newer_downloads_weigh_more() -> None:
    """Weights 0.4 and 0.24: (0.4 x 3 + 0.24 x 1) / 0.64 = 2.25 Mbit/s."""
    done = downloads_from([make_download(1e6), make_download(3e6)])
    assert arbiter_plus.exponential_mean_bps(done, 0.4, 10) == pytest.approx(2.25e6)
    assert arbiter_plus.exponential_mean_bps(done, 0.4, 1) == pytest.approx(3e6)


@pytest.mark.parametrize(
    ("throughput_bps", "buffer_s", "last_rung", "rung"),
    # Target: 0.75 of the mean when empty, 0.95 half full, 1.15 full.
    [
        (2.6e6, 0, 1, 0),  # 1.95
        (2.7e6, 0, 1, 1),  # 2.025
        (1.75e6, 30, 1, 1),  # 2.01
        (2.2e6, 15, 0, 1),  # 2.09 is more than 1.035 x 2, the margin of the second rung
        (2.17e6, 15, 0, 0),  # 2.0615 is less
        (100e6, 15, 0, 2),  # two at most
        (100e6, 15, 1, 3),
    ],
)
def test_the_target_rises_with_the_buffer_and_switches_are_controlled(
    throughput_bps: float, buffer_s: float, last_rung: int, rung: int
) -> None:
    running = begin(arbiter_plus.make(), PRESENTATION)
    looked = seen(buffer_s, last_rung=last_rung, downloads=[make_download(throughput_bps)])
    assert running.choose(looked).rung == rung


def test_large_segments_ahead_lower_the_rung() -> None:
    """The next five are of 1.2 times the nominal size: 4.8 Mbit/s do not fit 4.75."""
    parts = np.concatenate([np.ones(50), np.full(5, 1.2), np.ones(45)])
    presentation = Presentation(
        bitrates_bps=PRESENTATION.bitrates_bps,
        sizes_bytes=PRESENTATION.sizes_bytes * parts,
        durations_s=PRESENTATION.durations_s,
    )
    running = begin(arbiter_plus.make(), presentation)
    five = seen(15, presentation=presentation, last_rung=2, downloads=[make_download(5e6)])
    assert running.choose(five).rung == 1
    assert running.choose(five._replace(segment=51)).rung == 2  # 4.64 Mbit/s fit


def test_what_is_out_of_range_is_refused() -> None:
    for wrong in ({"weight": 0.0}, {"full_factor": 0.0}, {"ahead": 0}):
        with pytest.raises(ValueError, match=r"must be|more than"):
            arbiter_plus.make(**wrong)
