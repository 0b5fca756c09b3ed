"""Masters whose pictures change on the way: every part comes out as it was put in."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from abr.errors import MediaError
from tests.fakes.masters import TS, run
from tests.perf.nasty_masters import decoded, media
from transcode.config import TranscodeConfig
from transcode.run.package import transcode

QUICK = TranscodeConfig(preset="ultrafast", no_cache=True)
CLOSE = 3.0
"""Code values."""
X264 = ("-c:v", "libx264", "-preset", "ultrafast", "-crf", "5", "-g", "25")
CODES = {
    "full": "scale=out_range=pc:out_color_matrix=bt709,format=yuv420p,"
    "setparams=range=pc:colorspace=bt709:color_primaries=bt709:color_trc=bt709",
    "limited": "scale=out_range=tv:out_color_matrix=bt709,format=yuv420p,"
    "setparams=range=tv:colorspace=bt709:color_primaries=bt709:color_trc=bt709",
    # Of BT.709's primaries, so that only the matrix differs.
    "601": "scale=out_range=tv:out_color_matrix=bt601,format=yuv420p,"
    "setparams=range=tv:colorspace=smpte170m:color_primaries=bt709:color_trc=bt709",
    "small 601": "scale=160:90:out_range=tv:out_color_matrix=bt601,format=yuv420p,"
    "setparams=range=tv:colorspace=smpte170m:color_primaries=bt709:color_trc=bt709",
}
PATCH = (118.0, 162.0, 97.0)
"""0x4080C0 in BT.709 of limited range, by its equations rounded."""


def joined(folder: Path, parts: Sequence[tuple[str, ...]]) -> Path:
    """Parts of a second and a half, one after the other in a transport stream."""
    out = folder / "film.ts"
    data = b""
    for number, options in enumerate(parts):
        run(*options, *TS, "-output_ts_offset", str(1.5 * number), "part.ts", cwd=folder)
        data += (folder / "part.ts").read_bytes()
    out.write_bytes(data)
    return out


def patch(kind: str) -> tuple[str, ...]:
    source = "color=c=0x4080c0:s=320x180:r=25:d=1.5,format=gbrp"
    return ("-f", "lavfi", "-i", source, "-vf", CODES[kind], *X264)


def seen(master: Path, *options: str, pixels: str) -> npt.NDArray[np.uint8]:
    """Every frame of the largest rung, flat."""
    package = master.parent / "out"
    index = asyncio.run(transcode(master, package, QUICK))
    track = max(index.video, key=lambda each: each.width)
    raw = decoded(
        media(package / track.folder), *options, "-fps_mode", "passthrough", "-pix_fmt", pixels,
        "-f", "rawvideo",
    )  # fmt: skip
    return np.frombuffer(raw, np.uint8)


@pytest.mark.parametrize(
    "kinds",
    [("full", "limited"), ("limited", "full"), ("limited", "601"), ("limited", "small 601")],
)
def test_range_and_matrix_are_followed(kinds: tuple[str, str], tmp_path: Path) -> None:
    master = joined(tmp_path, [patch(kind) for kind in kinds])
    frames = seen(master, "-vf", "crop=64:64,format=yuv444p", pixels="yuv444p")
    means = frames.reshape(-1, 3, 64 * 64).mean(axis=2)
    assert len(means) == pytest.approx(75, abs=1)
    for at in (5, 30, 45, 70):
        assert means[at] == pytest.approx(PATCH, abs=CLOSE), f"picture {at}"


def test_a_film_that_turns_on_the_way_is_refused_with_the_place(tmp_path: Path) -> None:
    turned = (*patch("limited"), "-bsf:v", "h264_metadata=display_orientation=insert:rotate=90")
    master = joined(tmp_path, [patch("limited"), turned])
    with pytest.raises(MediaError, match=r"rotation 0 to -?\d+ at 0:01\.\d+; .*cut it there"):
        asyncio.run(transcode(master, tmp_path / "out", QUICK))


@pytest.mark.parametrize("order", ["ip", "pi"])
def test_a_film_that_is_interlaced_in_one_half_is_not_combed(order: str, tmp_path: Path) -> None:
    """Lines next to each other differ by less than half of what they do in fields in pairs."""
    codec = ("-c:v", "mpeg2video", "-q:v", "3", "-g", "12", "-flags", "+ilme+ildct")
    bar = (
        "color=c=gray:s=320x288:r={rate}:d=3,format=yuv420p[b];color=c=white:s=24x288:r={rate}:d=3,"
    )
    bar += "format=yuv420p[w];[b][w]overlay=x='mod(t*400,320)':shortest=1"
    kinds = {
        "i": ("-f", "lavfi", "-i", f"{bar.format(rate=50)},tinterlace=4,setfield=tff", *codec),
        "p": ("-f", "lavfi", "-i", bar.format(rate=25), *codec),
    }
    out = tmp_path / "film.ts"
    data = b""
    for number, kind in enumerate(order):
        run(*kinds[kind], *TS, "-output_ts_offset", str(3 * number), "part.ts", cwd=tmp_path)
        data += (tmp_path / "part.ts").read_bytes()
    out.write_bytes(data)
    frames = seen(out, pixels="gray").reshape(-1, 288, 320).astype(np.int16)
    combs = np.abs(frames[:, 1:-1] * 2 - frames[:, :-2] - frames[:, 2:]).mean(axis=(1, 2))
    assert float(combs.max()) < 2.0, f"{combs.round(1)}"
