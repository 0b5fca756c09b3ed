"""What a loudness meter prints becomes figures, and figures a gain."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transcode.loudness import Loudness, Meter, gain_db

PRINTED = b"""frame:0    pts:0       pts_time:0
lavfi.r128.M=-120.691
lavfi.r128.I=-70.000
lavfi.r128.true_peaks_ch0=0.100
lavfi.r128.true_peak=0.100
frame:1    pts:4800    pts_time:0.1
lavfi.r128.I=-31.250
lavfi.r128.LRA=3.000
lavfi.r128.true_peak=0.500
"""


@given(st.integers(1, len(PRINTED)))
def test_the_last_reading_counts_however_it_arrives(size: int) -> None:
    meter = Meter()
    for at in range(0, len(PRINTED), size):
        meter.feed(PRINTED[at : at + size])
    heard = meter.reading()
    assert heard.integrated_lufs == -31.25
    assert heard.true_peak_db == pytest.approx(-6.02, abs=0.01)  # half of full scale


def test_a_sound_is_brought_to_the_target_by_the_difference() -> None:
    assert gain_db(Loudness(integrated_lufs=-31.25, true_peak_db=-6.0), -23.0) == 8.25
    assert gain_db(Loudness(integrated_lufs=-9.0, true_peak_db=0.5), -23.0) == -14.0


def test_silence_is_left_alone() -> None:
    heard = Meter().reading()
    assert heard.is_silent
    assert heard.true_peak_db == -math.inf
    assert gain_db(heard, -23.0) == 0.0
