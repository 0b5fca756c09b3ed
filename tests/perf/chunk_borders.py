"""What encoding in chunks costs in quality, and whether its borders can be seen.

A master is encoded whole and in chunks, with the options that packages are made with, at
constant quality and at a stated rate, and, for comparison, at a mean that the encoder keeps.
Whole encodes at three qualities, or rates, give VMAF over bits; the loss is what a chunked
encode lies below that line at its own bits, with a bar of 0.3. Frame by frame it is compared
with the whole encode of the same setting: the worst frames within half a second of a border,
and those elsewhere. The zones that ``border_zones`` gives to chunks of packages are left out.

    nice .venv/bin/python -m tests.perf.chunk_borders ../shared/media/bbb_trailer_720p24.mp4
    nice .venv/bin/python -m tests.perf.chunk_borders --codec av1 --heights 360 --chunks-s 4 \
        --kinds quality,stated --start-s 10 --most-s 14 ../shared/media/bbb_trailer_720p24.mp4

Other codecs are given their share of H.264's bits, and the constant quality that looks like its.
"""

from __future__ import annotations

import argparse
import math
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from tests.perf.rate_quality import (
    RAW_FORMATS,
    Clip,
    FloatArray,
    arguments,
    clip,
    encode,
    quality_at,
    vmaf,
)
from transcode.encoders.rates import RateControl
from transcode.encoders.video import VIDEO_ENCODERS
from transcode.ladders.codecs import at_stated_rate, typical_crf
from transcode.ladders.rungs import PlannedRung

BAR = 0.3
RATES_BPS = {360: 365_000, 720: 3_000_000}
"""Apple's rungs."""
_PEAK_RATIO = 1.5
_PRESET = "veryfast"


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """One encode, measured."""

    bits: float
    scores: FloatArray
    """VMAF of each frame."""

    @property
    def mean(self) -> float:
        """VMAF of the whole."""
        return float(self.scores.mean())


def run(
    source: Clip, height: int, codec: str, rates: dict[str, Any], *, chunk_frames: int = 0
) -> Result:
    """Encode and measure."""
    width, rate = source.width_at(height), source.frame_rate
    encoder = VIDEO_ENCODERS[codec]
    options = encoder.options(
        preset=_PRESET,
        level=encoder.level_for(width, height, rate, rates["maxrate:v"]),
        rate_control=RateControl(crf=0, peak_bps=0, buffer_bits=0),
        gop_frames=round(2 * rate),
    )
    options = {name: value for name, value in options.items() if name != "crf"} | rates
    with tempfile.TemporaryDirectory() as folder:
        made = encode(
            source, height, arguments(options), Path(folder) / "stream", chunk_frames=chunk_frames
        )
        return Result(
            bits=made.bits, scores=vmaf(source, made.stream, form=RAW_FORMATS[encoder.name])
        )


def settings(height: int, width: int, codec: str, kind: str) -> list[dict[str, Any]]:
    """The middle setting, then one below and one above."""
    encoder = VIDEO_ENCODERS[codec]
    bps = round(RATES_BPS[height] * encoder.share)
    if kind == "quality":
        crf = typical_crf(RATES_BPS[height], width, height)
        return [
            RateControl(
                crf=encoder.crf_as(each, preset=_PRESET),
                peak_bps=round(_PEAK_RATIO * bps),
                buffer_bits=bps,
            ).options()
            for each in (crf, crf + 2, crf - 2)
        ]
    aims = [round(each * bps) for each in (1.0, 0.8, 1.2)]
    if kind == "stated":
        rungs = [
            at_stated_rate(PlannedRung(width, height, each, codec=codec), preset=_PRESET)
            for each in aims
        ]
        return [
            RateControl(crf=rung.crf or 0.0, peak_bps=aim, buffer_bits=2 * aim).options()
            for rung, aim in zip(rungs, aims, strict=True)
        ]
    return [{"b:v": aim, "maxrate:v": round(_PEAK_RATIO * aim), "bufsize:v": aim} for aim in aims]


def near_borders(frames: int, chunk_frames: int, reach: int) -> npt.NDArray[np.bool_]:
    """Which frames lie within ``reach`` of a border, as booleans."""
    at = np.arange(frames)
    distance = np.minimum(at % chunk_frames, chunk_frames - at % chunk_frames)
    last = chunk_frames * ((frames - 1) // chunk_frames)
    inner = (at >= chunk_frames - reach) & (at < last + reach)
    return (distance < reach) & inner


def report(
    source: Clip, height: int, kind: str, chunk_s: float, whole: Sequence[Result], chunked: Result
) -> None:
    """Print the loss and the frames near borders."""
    curve = [(each.bits, each.mean) for each in whole]
    loss = quality_at(chunked.bits, curve) - chunked.mean
    seconds = float(source.frames / source.frame_rate)
    chunk = round(Fraction(chunk_s) * source.frame_rate)
    change = chunked.scores - whole[0].scores
    near = near_borders(source.frames, chunk, round(source.frame_rate / 2))
    print(
        f"{height:4} {kind:8} chunks of {chunk_s:4g} s: {chunked.bits / seconds / 1000:7.1f} "
        f"kbit/s (whole {whole[0].bits / seconds / 1000:7.1f}), VMAF {chunked.mean:6.2f}, loss "
        f"{loss:+.2f} (bar {BAR}); frame by frame against whole: near borders mean "
        f"{change[near].mean():+.2f}, worst {change[near].min():+.1f}; elsewhere mean "
        f"{change[~near].mean():+.2f}, worst {change[~near].min():+.1f}",
        flush=True,
    )


def draw(path: Path, whole: Result, chunked: dict[float, Result], rate: Fraction) -> None:
    """The quality of every frame, whole and in chunks, as a picture."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(14, 3 * (1 + len(chunked))), layout="constrained")
    axes = figure.subplots(1 + len(chunked), 1, sharex=True)
    at_s = np.arange(len(whole.scores)) / float(rate)
    axes[0].plot(at_s, whole.scores, linewidth=0.6)
    axes[0].set_ylabel("VMAF, whole")
    for axis, (chunk_s, each) in zip(axes[1:], chunked.items(), strict=True):
        axis.plot(at_s, each.scores - whole.scores, linewidth=0.6)
        for border in np.arange(chunk_s, at_s[-1], chunk_s):
            axis.axvline(border, color="0.7", linewidth=0.5)
        axis.set_ylabel(f"chunks of {chunk_s:g} s, less whole")
    axes[-1].set_xlabel("s")
    figure.savefig(path)


def main() -> None:
    """Measure both kinds at every height."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("master", type=Path)
    parser.add_argument("--heights", default="360,720")
    parser.add_argument("--kinds", default="quality,stated,mean")
    parser.add_argument("--chunks-s", default="8,28")
    parser.add_argument("--codec", default="h264", choices=list(VIDEO_ENCODERS))
    parser.add_argument("--start-s", type=float, default=0.0)
    parser.add_argument("--most-s", type=float, default=math.inf)
    parser.add_argument("--plots", type=Path, help="folder for pictures of the quality by frame")
    given = parser.parse_args()
    source = clip(given.master, start_s=given.start_s, most_s=given.most_s)
    for height in map(int, given.heights.split(",")):
        for kind in given.kinds.split(","):
            controls = settings(height, source.width_at(height), given.codec, kind)
            whole = [run(source, height, given.codec, each) for each in controls]
            chunked: dict[float, Result] = {}
            for chunk_s in map(float, given.chunks_s.split(",")):
                frames = round(Fraction(chunk_s) * source.frame_rate)
                chunked[chunk_s] = run(
                    source, height, given.codec, controls[0], chunk_frames=frames
                )
                report(source, height, kind, chunk_s, whole, chunked[chunk_s])
            if given.plots:
                path = given.plots / f"borders-{height}-{kind}.png"
                draw(path, whole[0], chunked, source.frame_rate)


if __name__ == "__main__":
    main()
