"""Judging an encode: frame counts, and whose fault a failure is."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest

from abr.errors import MediaError, ToolFailedError
from transcode.config import TranscodeConfig
from transcode.masters.master import Master
from transcode.planning.plan import EncodePlan, plan_encode
from transcode.verify import check_frames, check_sound, fault_of


def made(**changes: Any) -> tuple[Master, EncodePlan]:
    facts: dict[str, Any] = {
        "name": "film.mp4", "where": "in/film.mp4", "index": 0, "codec": "h264", "width": 320,
        "height": 180, "frame_rate": Fraction(25), "duration_s": 10.0, "frames": 250,
    }  # fmt: skip
    master = Master(**{**facts, **changes})
    return master, plan_encode(master, TranscodeConfig())


def test_a_frame_more_or_less_is_refused() -> None:
    """10 s of 25 frames a second are 250."""
    check_frames(*made(), [250, 250])
    for frames in (249, 251):
        with pytest.raises(
            MediaError, match=rf"^in/film\.mp4: {frames} frames came out; expected 250"
        ):
            check_frames(*made(), [frames])


def test_rungs_must_have_the_same_frames() -> None:
    with pytest.raises(ToolFailedError, match="250, 249 frames"):
        check_frames(*made(), [250, 249])


def test_frames_are_counted_at_the_rate_of_the_plan() -> None:
    """1,201 frames at 120 a second are 601 at 60: the last one in full."""
    check_frames(*made(frame_rate=Fraction(120), frames=1201), [601])


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


def test_sound_as_long_as_the_picture_passes() -> None:
    """To within one frame of AAC, 21.3 ms: sound is cut at the frame nearest to the end."""
    check_sound("film.mp4", 10.0, {"a0": 10.011, "a1": 9.99})


@pytest.mark.parametrize("sound_s", [1.33, 9.97, 10.03])
def test_sound_of_another_length_is_never_published(sound_s: float) -> None:
    with pytest.raises(ToolFailedError, match=rf"film.mp4: a1 lasts {sound_s:.3f} s and the pict"):
        check_sound("film.mp4", 10.0, {"a0": 10.0, "a1": sound_s})
