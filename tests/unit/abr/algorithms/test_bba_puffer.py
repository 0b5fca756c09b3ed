"""``bba-puffer`` by hand: segments of 0.5, 1, 2 and 4 MB, a buffer of 15 s as in Puffer."""

from __future__ import annotations

import numpy as np
import pytest

from abr.algorithms import bba_puffer
from abr.decision import begin
from abr.media import Presentation
from tests.fakes.observations import PRESENTATION, seen


@pytest.mark.parametrize(
    ("buffer_s", "rung", "reason"),
    [
        (0.0, 0, 0),
        (3.0, 0, 0),  # the lower reservoir is 0.2 of 15 s
        (4.2, 0, 1),  # 0.5 MB + 3.5 MB x 1.2 s / 9 s = 0.967 MB
        (4.3, 1, 1),  # 1.006 MB
        (6.8, 1, 1),  # 1.978 MB
        (6.9, 2, 1),  # 2.017 MB
        (11.9, 2, 1),
        (12.0, 3, 2),  # the upper one is 0.8 of 15 s
        (99.0, 3, 2),
    ],
)
def test_the_buffer_says_how_large_a_segment_may_be(
    buffer_s: float, rung: int, reason: int
) -> None:
    looked = seen(buffer_s, max_buffer_s=15.0)
    assert begin(bba_puffer.make(), PRESENTATION).choose(looked)[:3] == (rung, 0.0, reason)


def test_sizes_count_and_not_rungs() -> None:
    """Rung 1 of this segment is the smallest and rung 2 the largest."""
    presentation = Presentation(
        bitrates_bps=np.array([1e6, 2e6, 4e6, 8e6]),
        sizes_bytes=np.array([[5e5], [4e5], [9e5], [6e5]]),
        durations_s=np.array([4.0]),
    )
    running = begin(bba_puffer.make(), presentation)
    picked = [
        running.choose(seen(buffer_s, presentation=presentation, segment=0, max_buffer_s=15.0)).rung
        for buffer_s in (1.0, 4.0, 7.0, 14.0)
    ]
    # In between: 0.4 MB + 0.5 MB x 1/9 or 4/9 permits 0.456 and 0.622 MB.
    assert picked == [1, 1, 3, 2]


def test_reservoirs_are_checked() -> None:
    with pytest.raises(ValueError, match="expected 0 <= lower < upper <= 1"):
        bba_puffer.make(lower=0.8, upper=0.2)
