"""What ffprobe says becomes facts, and what cannot be used is refused by name."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from abr.errors import MediaError
from tests.packettables import packets
from transcode.masters.master import Master, master_from
from transcode.masters.packets import Packets
from transcode.masters.scan import Scan

VIDEO: dict[str, Any] = {
    "index": 0, "codec_type": "video", "codec_name": "h264", "width": 1280, "height": 720,
    "r_frame_rate": "24/1", "avg_frame_rate": "24/1", "nb_frames": "240",
    "nb_read_packets": "240", "duration": "10.0", "bit_rate": "1000000",
}  # fmt: skip
AUDIO: dict[str, Any] = {
    "index": 1, "codec_type": "audio", "codec_name": "aac", "channels": 6, "sample_rate": "48000",
    "tags": {"language": "fra"},
}  # fmt: skip


HELD: dict[int, Packets] = {
    0: packets(np.arange(240) / 24, lasts_s=1 / 24, key_every=48),
    **dict.fromkeys((1, 2), packets(np.arange(469) * 1024 / 48000, lasts_s=1024 / 48000)),
}


def read(*streams: dict[str, Any], held: dict[int, Packets] = HELD, **shown: object) -> Master:
    probed = {"streams": list(streams), "format": {"format_name": "mov,mp4", **shown}}
    return master_from(probed, name="film.mp4", packets=held, where="in/film.mp4")


def video(**changes: object) -> dict[str, Any]:
    return {**VIDEO, **changes}


def test_a_plain_master_is_read_field_by_field() -> None:
    master = read(VIDEO, AUDIO, size="5000000")
    assert (master.width, master.height, master.frame_rate) == (1280, 720, Fraction(24))
    assert (master.frames, master.duration_s, master.notes) == (240, 10.0, ())
    assert master.audio is not None
    assert (master.audio.index, master.audio.channels, master.audio.language) == (1, 6, "fr")
    assert master.scan == Scan()
    assert not (master.is_variable)
    assert not (master.is_hdr)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, (1280, 720)),
        ({"width": 720, "height": 576, "sample_aspect_ratio": "64:45"}, (1024, 576)),
        ({"width": 1440, "height": 1080, "sample_aspect_ratio": "4:3"}, (1920, 1080)),
        ({"width": 720, "height": 480, "sample_aspect_ratio": "8:9"}, (720, 540)),
        ({"sample_aspect_ratio": "0:1"}, (1280, 720)),
        ({"side_data_list": [{"rotation": -90}]}, (720, 1280)),
        ({"side_data_list": [{"rotation": 180}]}, (1280, 720)),
        ({"side_data_list": [{"side_data_type": "CPB"}], "tags": {"rotate": "270"}}, (720, 1280)),
    ],
)
def test_sizes_are_as_displayed(changes: dict[str, Any], expected: tuple[int, int]) -> None:
    """Square pixels, upright: no line or column is lost on the way."""
    master = read(video(**changes))
    assert (master.width, master.height) == expected


def test_a_picture_on_a_sound_file_is_no_video() -> None:
    cover = video(disposition={"attached_pic": 1})
    with pytest.raises(
        MediaError, match=r"^in/film\.mp4: found audio only, with a cover picture; "
    ):
        read(cover, AUDIO)


@pytest.mark.parametrize(
    ("streams", "shown", "words"),
    [
        ([AUDIO], {}, "audio only"),
        ([], {}, "no video"),
        ([VIDEO], {"format_name": "png_pipe"}, "still picture"),
        ([VIDEO], {"format_name": "tty"}, "still picture or text"),
        ([video(width=0)], {}, "pictures of 0x720"),
    ],
)
def test_what_cannot_be_encoded_is_refused(
    streams: list[dict[str, Any]], shown: dict[str, Any], words: str
) -> None:
    with pytest.raises(MediaError, match=words) as caught:
        read(*streams, **shown)
    assert str(caught.value).startswith("in/film.mp4: ")
    assert "expected a video file" in str(caught.value)


def test_encrypted_streams_are_named_before_anything_decodes_them() -> None:
    for number in (0, 1):
        held = {**HELD, number: replace(HELD[number], is_encrypted=True)}
        with pytest.raises(MediaError, match=f"stream {number} is encrypted.*decryption_key"):
            read(VIDEO, AUDIO, held=held)


def test_times_of_no_film_are_refused() -> None:
    """ffmpeg's reader of raw Dirac counts fields in ticks of another clock."""
    held = {0: packets(np.append(np.arange(48) * 1e-6, 0.04), lasts_s=0.04)}
    with pytest.raises(MediaError, match="a picture every 1e-06 s"):
        read(VIDEO, held=held)


@pytest.mark.parametrize(
    "told",
    [
        {"duration": "0.33"},
        {"duration": None, "tags": {"DURATION": "00:05:02.5"}},
        {"nb_frames": "9"},
    ],
)
def test_a_header_is_not_believed(told: dict[str, Any]) -> None:
    """A duration 30 times too short, a stale tag; and the user is told."""
    master = read(video(**told), AUDIO)
    assert (master.frames, master.duration_s) == (240, 10.0)
    said = [str(note) for note in master.notes]
    assert len(said) == ("nb_frames" not in told)
    assert all("it holds 10.00 s of pictures" in each for each in said)


def test_the_default_tracks_are_taken() -> None:
    """Of several, the one marked; else the first."""
    second = {**AUDIO, "index": 2, "disposition": {"default": 1}, "tags": {"language": "und"}}
    master = read(VIDEO, AUDIO, second)
    assert master.audio is not None
    assert (master.audio.index, master.audio.language) == (2, None)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3),
    max_leaves=4,
)


@given(st.dictionaries(st.sampled_from([*VIDEO, "start_time", "sample_aspect_ratio"]), JSON))
def test_odd_answers_raise_our_error_and_no_other(changes: dict[str, Any]) -> None:
    """Fields of any type, as a broken ffprobe might give them."""
    try:
        master = read(video(**{**changes, "codec_type": "video"}))
    except MediaError as exc:
        assert "film.mp4" in str(exc)
    else:
        assert master.frame_rate > 0
        assert master.duration_s >= 0
