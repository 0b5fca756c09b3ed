"""Bits, frames and VMAF of an encode in chunks: what measurements of encoders share.

Chunks are encoded one after another by one ffmpeg each, as raw streams that join by
appending. VMAF is that of the pictures scaled up to the master's size, frame by frame by
number, so that a missing frame cannot be paired away; frames are counted beside it.
"""

from __future__ import annotations

import json
import math
import re
import resource
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from transcode.run.ffmpegtools import find

FloatArray = npt.NDArray[np.float64]
RAW_FORMATS = {"libx264": "h264", "libx265": "hevc", "libsvtav1": "obu"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Clip:
    """A run of a master's frames, at its constant frame rate."""

    path: Path
    width: int
    height: int
    frame_rate: Fraction
    first: int
    """The first frame of the run, from 0."""
    frames: int

    def start_s(self, frame: int) -> float:
        """Where to seek for a frame: half a frame before it, so that rounding cannot skip it."""
        return max(0.0, float((self.first + frame - Fraction(1, 2)) / self.frame_rate))

    def width_at(self, height: int) -> int:
        """Even width of a rung of ``height``."""
        return 2 * round(self.width * height / self.height / 2)


@dataclass(frozen=True, slots=True, kw_only=True)
class Encoded:
    """One encode: a stream, its bits and what it cost."""

    stream: Path
    bits: int
    cpu_s: float
    """User and system time of ffmpeg."""
    chunk_bits: tuple[int, ...]


def clip(path: Path, *, start_s: float = 0.0, most_s: float = math.inf) -> Clip:
    """``most_s`` seconds of the master at ``path``, from ``start_s`` on."""
    asked = ["-v", "error", "-select_streams", "v:0", "-of", "json", "-show_streams"]
    command = [find("ffprobe").path, *asked, str(path)]
    answer = subprocess.run(command, check=True, capture_output=True, timeout=60).stdout
    shown = json.loads(answer)["streams"][0]
    rate = Fraction(shown["r_frame_rate"])
    first = round(start_s * rate)
    return Clip(
        path=path,
        width=shown["width"],
        height=shown["height"],
        frame_rate=rate,
        first=first,
        frames=int(min(int(shown["nb_frames"]) - first, most_s * rate)),
    )


def encode(
    source: Clip, height: int, options: Sequence[str], stream: Path, *, chunk_frames: int = 0
) -> Encoded:
    """Encode ``source`` at ``height`` into ``stream``.

    Args:
        source: What to encode.
        height: Of the rung.
        options: Of the encoder, ``-c:v`` first.
        stream: File to write.
        chunk_frames: Frames of each chunk; 0 is one chunk.
    """
    form = RAW_FORMATS[options[options.index("-c:v") + 1]]
    chunk_frames = chunk_frames or source.frames
    sizes, before = [], resource.getrusage(resource.RUSAGE_CHILDREN)
    with stream.open("wb") as out, tempfile.TemporaryDirectory() as folder:
        for first in range(0, source.frames, chunk_frames):
            piece = Path(folder) / "piece"
            count = min(chunk_frames, source.frames - first)
            scale = f"scale={source.width_at(height)}:{height}:flags=bicubic"
            _run(
                "-ss", f"{source.start_s(first):.6f}", "-i", str(source.path), "-map", "0:v:0",
                "-frames:v", str(count), "-vf", scale, "-fps_mode", "passthrough",
                *options, "-f", form, str(piece),
            )  # fmt: skip
            data = piece.read_bytes()
            out.write(data)
            sizes.append(8 * len(data))
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    spent_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Encoded(stream=stream, bits=sum(sizes), cpu_s=spent_s, chunk_bits=tuple(sizes))


def vmaf(source: Clip, stream: Path, *, form: str = "h264") -> FloatArray:
    """VMAF of every frame, shape (frames,).

    Raises:
        AssertionError: the stream has another number of frames than the clip.
    """
    same = "settb=1/1000,setpts=N"
    size = f"{source.width}:{source.height}"
    graph = (
        f"[0:v]{same},scale={size}:flags=bicubic,format=yuv420p[a];"
        f"[1:v]trim=end_frame={source.frames},{same},format=yuv420p[b];"
        "[a][b]libvmaf=log_fmt=json:log_path={}"
    )
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "vmaf.json"
        shown = _run(
            "-f", form, "-i", str(stream),
            "-ss", f"{source.start_s(0):.6f}", "-i", str(source.path),
            "-filter_complex", graph.format(log), "-f", "null", "-",
        )  # fmt: skip
        frames = json.loads(log.read_text())["frames"]
    decoded = int(re.findall(r"^frame=(\d+)", shown, re.MULTILINE)[-1])
    assert decoded == len(frames) == source.frames, (decoded, len(frames), source.frames)
    return np.array([each["metrics"]["vmaf"] for each in frames])


def arguments(options: Mapping[str, Any]) -> list[str]:
    """An encoder's options as this project plans them, for a raw stream: without its tag."""
    given = {name: value for name, value in options.items() if name != "tag:v"}
    return [part for name, value in given.items() for part in (f"-{name}", str(value))]


def quality_at(bits: float, curve: Sequence[tuple[float, float]]) -> float:
    """The quality of ``curve``, pairs of bits and quality, where it has ``bits``.

    Between points, and a little beyond, straight over the logarithm of bits.
    """
    points = sorted(curve)
    at = next((n for n, (most, _) in enumerate(points[1:-1], 1) if bits < most), len(points) - 1)
    (low, worse), (high, better) = points[at - 1], points[at]
    share = math.log(bits / low) / math.log(high / low)
    return worse + share * (better - worse)


def bd_rate(curve: Sequence[tuple[float, float]], against: Sequence[tuple[float, float]]) -> float:
    """Mean difference of bits at equal quality, as a share of those of ``against``.

    Curves are pairs of bits and quality. Between points straight over the logarithm of
    bits, over the qualities that both have.

    Source: G. Bjøntegaard, VCEG-M33 (2001); straight lines instead of a cubic, which needs
    four points and can bend between them.
    """
    one, other = (np.array(sorted(c, key=lambda p: p[1])).T for c in (curve, against))
    low, high = max(one[1, 0], other[1, 0]), min(one[1, -1], other[1, -1])
    assert low < high, f"qualities do not overlap: {one[1]} and {other[1]}"
    at = np.linspace(low, high, 200)
    logs = [np.interp(at, each[1], np.log(each[0])) for each in (one, other)]
    return float(np.exp(np.trapezoid(logs[0] - logs[1], at) / (high - low)) - 1)


def _run(*arguments: str) -> str:
    command = [find("ffmpeg", ("libvmaf",)).path, "-nostdin", "-y", "-v", "error"]
    done = subprocess.run(
        [*command, "-progress", "pipe:1", "-nostats", *arguments],
        check=True,
        capture_output=True,
        text=True,
        timeout=1800,
    )
    return done.stdout
