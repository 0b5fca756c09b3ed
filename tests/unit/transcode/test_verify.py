"""Judging an encode: frame counts, and whose fault a failure is."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest

from abr.errors import MediaError, ToolFailedError
from transcode.config import TranscodeConfig
from transcode.masters.master import Master
from transcode.plan import EncodePlan, plan_encode
from transcode.verify import check_frames, fault_of


def made(**changes: Any) -> tuple[Master, EncodePlan]:
    facts: dict[str, Any] = {
        "name": "film.mp4", "where": "in/film.mp4", "index": 0, "codec": "h264", "width": 320,
        "height": 180, "frame_rate": Fraction(25), "duration_s": 10.0, "frames": 250,
    }  # fmt: skip
    master = Master(**{**facts, **changes})
    return master, plan_encode(master, TranscodeConfig())


@pytest.mark.parametrize("frames", [250, 245, 256])
def test_a_few_frames_more_or_less_are_no_matter(frames: int) -> None:
    """2 % and 2 frames: 243 to 257."""
    check_frames(*made(), [frames, frames])


@pytest.mark.parametrize("frames", [0, 200, 242, 258])
def test_a_master_that_gave_other_frames_is_refused(frames: int) -> None:
    with pytest.raises(
        MediaError, match=r"^in/film\.mp4: \d+ frames came out; expected 243 to 257"
    ):
        check_frames(*made(), [frames])


def test_rungs_must_have_the_same_frames() -> None:
    with pytest.raises(ToolFailedError, match="250, 249 frames"):
        check_frames(*made(), [250, 249])


def test_thinning_a_lead_and_a_varying_rate_are_allowed_for() -> None:
    """120 frames a second become 60; half a second of lead adds 30."""
    fast = made(frame_rate=Fraction(120), frames=1200, lead_s=0.5)
    check_frames(*fast, [630])
    varying = made(frames=90, is_variable=True)
    check_frames(*varying, [250])


def test_a_damaged_master_is_the_givers_fault() -> None:
    line = "[h264 @ 0x55d0c0ffee00] [error] error while decoding MB 3 4, bytestream -7"
    error = fault_of("in/film.mp4", line)
    assert isinstance(error, MediaError)
    assert str(error) == (
        "in/film.mp4: damaged or cut off: [h264] error while decoding MB 3 4, bytestream -7; "
        "expected a file that decodes without errors"
    )


@pytest.mark.parametrize(
    "line",
    [
        "[vost#0:0/libx264 @ 0x5581] [enc:libx264 @ 0x55] [error] Error while opening encoder",
        "[libx264 @ 0x55d0] [error] baseline profile doesn't support 4:4:4",
        "[fc#0 @ 0x55] [error] Error reinitializing filters!",
    ],
)
def test_a_failing_encoder_is_the_machines_fault(line: str) -> None:
    assert isinstance(fault_of("in/film.mp4", line), ToolFailedError)
