"""What HEVC and AV1 save against H.264 at equal VMAF, and what they cost, preset for preset.

Twelve seconds of a master at one rung's size, with the options that packages are made with and
no cap: constant qualities around a usual one for each codec. Printed are bits, VMAF and
processor time of every encode; the mean difference of bits at equal VMAF (BD-rate), with a
bar of -15 %; the ratio of processor times at equal VMAF, with a bar of 4; and the line that
turns x264's constant quality into the codec's own.

    nice .venv/bin/python -m tests.perf.codec_gain ../shared/media/bbb_trailer_720p24.mp4
"""

from __future__ import annotations

import argparse
import tempfile
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

import numpy as np

from tests.perf.rate_quality import RAW_FORMATS, Clip, arguments, bd_rate, clip, encode, vmaf
from transcode.encoders.rates import RateControl
from transcode.encoders.video import VIDEO_ENCODERS

BAR_BITS, BAR_COST = -0.15, 4.0
QUALITIES = {
    "h264": (20, 24, 28, 32),
    "hevc": (20, 24, 28, 32),
    "av1": (26, 34, 42, 50),
}
_PEAK_BPS = 12_000_000


class Point(NamedTuple):
    """One encode."""

    crf: float
    bits: float
    quality: float
    cpu_s: float


def measure(source: Clip, height: int, codec: str, preset: str) -> list[Point]:
    """Every quality of one codec."""
    encoder = VIDEO_ENCODERS[codec]
    rate = Fraction(source.frame_rate)
    points = []
    for crf in QUALITIES[codec]:
        options = encoder.options(
            preset=preset,
            level=encoder.level_for(source.width_at(height), height, rate, _PEAK_BPS),
            rate_control=RateControl(peak_bps=_PEAK_BPS, buffer_bits=_PEAK_BPS, crf=crf),
            gop_frames=round(2 * rate),
        )
        with tempfile.TemporaryDirectory() as folder:
            made = encode(source, height, arguments(options), Path(folder) / "stream")
            scores = vmaf(source, made.stream, form=RAW_FORMATS[encoder.name])
        seconds = float(source.frames / rate)
        points.append(Point(crf, made.bits, float(scores.mean()), made.cpu_s))
        print(
            f"{codec:5} {preset:9} {source.width_at(height)}x{height} crf {crf:4}: "
            f"{made.bits / seconds / 1000:7.1f} kbit/s  VMAF {scores.mean():6.2f}  "
            f"{made.cpu_s:6.2f} s of processor",
            flush=True,
        )
    return points


def compare(points: list[Point], base: list[Point]) -> tuple[float, float, float, float]:
    """BD-rate; cost over the base's at its qualities; slope and offset of the qualities."""
    gain = bd_rate([p[1:3] for p in points], [p[1:3] for p in base])
    rising = sorted(points, key=lambda p: p.quality)
    inside = [p for p in base if rising[0].quality <= p.quality <= rising[-1].quality]
    grades = [p.quality for p in rising]
    costs = [np.interp(p.quality, grades, [q.cpu_s for q in rising]) / p.cpu_s for p in inside]
    own = [np.interp(p.quality, grades, [q.crf for q in rising]) for p in inside]
    slope, offset = np.polyfit([p.crf for p in inside], own, 1)
    return gain, float(np.median(costs)), float(slope), float(offset)


def main() -> None:
    """Measure and compare."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("master", type=Path)
    parser.add_argument("--heights", default="360,720")
    parser.add_argument("--presets", default="veryfast")
    parser.add_argument("--codecs", default="hevc,av1")
    parser.add_argument("--start-s", type=float, default=16.0)
    parser.add_argument("--seconds", type=float, default=12.0)
    given = parser.parse_args()
    source = clip(given.master, start_s=given.start_s, most_s=given.seconds)
    for height in map(int, given.heights.split(",")):
        for preset in given.presets.split(","):
            base = measure(source, height, "h264", preset)
            for codec in given.codecs.split(","):
                points = measure(source, height, codec, preset)
                gain, cost, slope, offset = compare(points, base)
                print(
                    f"{codec} {preset} at {height}: BD-rate {100 * gain:+.1f} % (bar "
                    f"{100 * BAR_BITS:+.0f} %), processor time {cost:.2f} x (bar {BAR_COST:g} x); "
                    f"crf = {slope:.2f} x x264's {offset:+.1f}",
                    flush=True,
                )


if __name__ == "__main__":
    main()
