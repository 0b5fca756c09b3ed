"""Which bytes of AV1 are encrypted, against shaka-packager, another implementation."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from abr.errors import MediaError
from tests.reference.test_sample_encryption_peer import KEY, packager, parts_of
from transcode.media.fragments import Demuxer, VideoCutter
from transcode.packaging.sampleencryption import SampleEncrypter, Scheme
from transcode.run.ffmpegtools import Tool, candidates

ENCODERS = [
    tool
    for tool in candidates("ffmpeg")
    if isinstance(tool, Tool) and not tool.lacks(["libsvtav1", "librav1e"])
]
pytestmark = [
    pytest.mark.skipif(packager() is None, reason="shaka-packager was not found"),
    pytest.mark.skipif(not ENCODERS, reason="no ffmpeg with SVT-AV1 and rav1e was found"),
]
SVT = "-c:v libsvtav1 -g 24 -preset"
STREAMS = {
    "svt": f"{SVT} 8",
    "slow": f"{SVT} 5 -crf 25",
    "tiles": f"{SVT} 10 -s 640x352 -svtav1-params tile-columns=1:tile-rows=1",
    "grain": f"{SVT} 8 -svtav1-params film-grain=20",
    "10-bit": f"{SVT} 8 -pix_fmt yuv420p10le",
    "superres": f"{SVT} 8 -svtav1-params superres-mode=1:superres-denom=12",
    "low-delay": f"{SVT} 9 -svtav1-params pred-struct=1",
    "screen": f"{SVT} 8 -svtav1-params scm=1",
    "rav1e": "-c:v librav1e -speed 10 -g 12",
}


def encode(folder: Path, stream: str) -> Path:
    """Two seconds and a half: fades and noise make frames that refer to many others."""
    source = folder / "source.mp4"
    picture = "testsrc2=s=320x180:r=12:d=2.5,fade=t=in:d=1,noise=alls=15:allf=t"
    command = [
        *(ENCODERS[0].path, "-v", "error", "-f", "lavfi", "-i", picture, *STREAMS[stream].split()),
        *("-movflags", "+frag_keyframe+empty_moov+default_base_moof", str(source)),
    ]
    subprocess.run(command, check=True, capture_output=True, timeout=100)
    return source


def ours(source: Path, scheme: Scheme) -> list[list[tuple[int, int]]]:
    """Clear and encrypted bytes of each sample, by our own packager."""
    demuxer, cutter = Demuxer(), VideoCutter(1000)
    cuts = [*cutter.feed(demuxer.feed(source.read_bytes())), *cutter.close()]
    assert demuxer.init is not None
    encrypter = SampleEncrypter(scheme, KEY, demuxer.init)
    iv_bytes = 8 if scheme == "cenc" else 0
    return [part for cut in cuts for part in parts_of(encrypter.segment(cut.data), iv_bytes)]


def theirs(source: Path, scheme: Scheme) -> list[list[tuple[int, int]]]:
    """The same by shaka-packager."""
    folder = source.parent
    places = [f"init_segment={folder}/i.mp4", f"segment_template={folder}/{scheme}$Number$.m4s"]
    command = [
        str(packager()), ",".join([f"in={source}", "stream=video", *places]),
        *("--segment_duration", "100", "--clear_lead", "0", "--protection_scheme", scheme),
        *("--enable_raw_key_encryption", "--keys"),
        f"label=:key_id={KEY.kid}:key={KEY.key.hex()}",
    ]  # fmt: skip
    subprocess.run(command, check=True, capture_output=True, timeout=60)
    return parts_of((folder / f"{scheme}1.m4s").read_bytes(), 8 if scheme == "cenc" else 0)


@pytest.mark.parametrize("stream", STREAMS)
def test_the_data_of_all_tiles_are_encrypted_and_nothing_else(tmp_path: Path, stream: str) -> None:
    """cbcs: the same bytes. cenc: as many of each tile, and the binding wants them at its end."""
    source = encode(tmp_path, stream)
    found = ours(source, "cbcs")
    assert found == theirs(source, "cbcs")
    assert sum(len(sample) for sample in found) >= (100 if stream == "tiles" else 25)
    whole, sizes = ours(source, "cenc"), theirs(source, "cenc")
    for one, other, tiles in zip(whole, sizes, found, strict=True):
        assert [size for _, size in one if size] == [size for _, size in other if size]
        tile_sizes = [size for _, size in tiles if size]
        placed = zip(ends(tiles), tile_sizes, strict=True)
        assert ends(one) == [end for end, size in placed if size >= 16]


def ends(parts: list[tuple[int, int]]) -> list[int]:
    """Where each encrypted part of a sample ends."""
    at, found = 0, []
    for clear, protected in parts:
        at += clear + protected
        if protected:
            found.append(at)
    return found


def test_damage_of_a_real_sample_raises_our_error_only(tmp_path: Path) -> None:
    """One bit after another of the first headers, and every cut of them."""
    demuxer = Demuxer()
    samples = [sample.data for sample in demuxer.feed(encode(tmp_path, "svt").read_bytes())]
    assert demuxer.init is not None
    for place in range(8 * 60):
        damaged = bytearray(samples[1])
        damaged[place // 8] ^= 1 << place % 8
        for data in (bytes(damaged), samples[1][: place // 8]):
            encrypter = SampleEncrypter("cbcs", KEY, demuxer.init)
            try:
                list(encrypter._parts(samples[0]))
                parts = list(encrypter._parts(data))
            except MediaError as exc:
                assert "\n" not in str(exc)
            else:
                assert sum(map(sum, parts)) == len(data)
