"""Presentations: ceilings of the ladder."""

from __future__ import annotations

import numpy as np
import pytest

from abr.errors import ConfigError
from abr.media import Presentation, SideFiles, constant_presentation

RATES = (1e6, 2e6, 4e6, 8e6)
WHOLE = Presentation(
    bitrates_bps=np.array(RATES),
    sizes_bytes=np.outer(RATES, np.ones(3)),
    durations_s=np.full(3, 4.0),
    quality=np.outer([50, 60, 70, 80], np.ones(3)),
    quality_metric="vmaf",
    listed_first=3,
    peak_bitrates_bps=np.array(RATES) * 2,
    heights=np.array([360, 720, 540, 1080]),
    side_files=SideFiles(
        multivariant_bytes=900.0,
        listed_sizes_bytes=np.outer(RATES, np.ones(3)),
        listed_rates_bps=np.array(RATES),
        playlist_bytes=np.full(4, 500.0),
        init_bytes=np.full(4, 700.0),
    ),
)


@pytest.mark.parametrize(
    ("ceiling", "rungs"),
    [((0, 0), 4), ((4e6, 0), 3), ((3.9e6, 0), 2), ((0, 720), 3), ((0, 540), 1), ((1.0, 1.0), 1)],
)
def test_a_ceiling_leaves_the_rungs_below_the_first_above_it(
    ceiling: tuple[float, float], rungs: int
) -> None:
    """The same rungs as of a playlist: tests/unit/player/test_ladder.py."""
    cut = WHOLE.up_to(*ceiling)
    assert cut.bitrates_bps.tolist() == list(RATES[:rungs])
    assert cut.quality is not None
    assert cut.side_files is not None
    assert cut.quality.shape == cut.sizes_bytes.shape == (rungs, 3)
    assert len(cut.peaks_bps) == len(cut.side_files.playlist_bytes) == rungs
    assert cut.listed_first == rungs - 1
    assert cut.up_to(*ceiling) is cut


def test_lines_of_pictures_cannot_be_a_ceiling_where_nobody_says_them() -> None:
    plain = constant_presentation(RATES, segments=3, segment_s=4, title="film")
    with pytest.raises(ConfigError, match=r"'film' does not say.*set max_bitrate_bps instead"):
        plain.up_to(max_height=720)


def test_heights_do_not_change_a_digest() -> None:
    plain = constant_presentation(RATES, segments=3, segment_s=4)
    tall = Presentation(
        bitrates_bps=plain.bitrates_bps,
        sizes_bytes=plain.sizes_bytes,
        durations_s=plain.durations_s,
        heights=np.array([360, 540, 720, 1080]),
    )
    assert tall.digest() == plain.digest()
