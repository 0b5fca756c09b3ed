"""Masters as people really have them, transcoded, and what came of each checked.

Prints a line for each: ok, refused (with the reason), or what is wrong. A fault is silent
when the command succeeded and printed no word about it; the bar is none.

    .venv/bin/python -m tests.perf.nasty_masters [--only WORD] [--keep DIR]
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tests.fakes.broken_masters import BROKEN
from tests.fakes.masters import CASES, Case
from tests.fakes.odd_masters import ODD
from tests.fakes.rare_masters import RARE
from transcode.run.ffmpegtools import find

RATE = 48_000
FRAME_S = 0.041
_LIMIT_S = 120


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What came of a master."""

    name: str
    said: str
    """Last line of the command's error, or its notes."""
    faults: tuple[str, ...]
    refused: bool
    seconds: float


def main() -> int:
    """Run all, or those whose name holds a word."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--only", default="", help="Run cases whose name holds this.")
    parser.add_argument("--keep", type=Path, help="Keep masters and packages in this folder.")
    args = parser.parse_args()
    bad = 0
    for case in (*CASES, *RARE, *BROKEN, *ODD):
        if args.only not in case.name:
            continue
        with tempfile.TemporaryDirectory() as scratch:
            folder = (args.keep or Path(scratch)) / re.sub(r"\W+", "-", case.name)
            folder.mkdir(parents=True)
            verdict = judge(case, folder)
        bad += bool(verdict.faults)
        word = "FAULT" if verdict.faults else "refused" if verdict.refused else "ok"
        print(f"{word:8}{verdict.seconds:5.1f} s  {case.name}", flush=True)
        for line in (*verdict.faults, *([verdict.said] if verdict.said else [])):
            print(f"              {line[:230]}")
    print(f"{bad} faults")
    return min(bad, 1)


def judge(case: Case, folder: Path) -> Verdict:
    """Make a master, transcode it, and check the package."""
    (folder / "in").mkdir()
    master = case.make(folder / "in")
    command = [
        sys.executable, "-m", "abr", "transcode", str(master), str(folder / "out"), "--json",
        "--preset", "ultrafast", *case.options,
    ]  # fmt: skip
    began = time.perf_counter()
    done = subprocess.run(command, capture_output=True, text=True, timeout=_LIMIT_S, check=False)
    seconds = time.perf_counter() - began
    said = done.stderr.strip().replace(str(folder), "").replace("\n", " | ")
    faults: list[str] = []
    refused = done.returncode != 0
    if refused:
        if "Traceback" in done.stderr or done.returncode != 1:
            faults.append(f"exit code {done.returncode}")
        if case.refusal and not re.search(case.refusal, said):
            faults.append(f"refused for another reason than {case.refusal!r}")
        if not case.refusal and not case.may_refuse:
            faults.append("refused")
    elif case.refusal:
        faults.append("taken, but should have been refused")
    else:
        summary = json.loads(done.stdout)
        notes = summary.get("notes") or []
        said = " | ".join([said, *map(str, notes)]).strip(" |")
        faults += check(case, folder / "out", summary)
    return Verdict(
        name=case.name, said=said, faults=tuple(faults), refused=refused, seconds=seconds
    )


def check(case: Case, package: Path, summary: dict[str, object]) -> list[str]:
    """What is wrong with a package."""
    index = json.loads((package / "presentation.json").read_text(encoding="utf-8"))
    video, audio = index["video"], index["audio"]
    length_s = sum(each["duration_s"] for each in video[0]["segments"])
    faults = []
    if case.duration_s is not None and abs(length_s - case.duration_s) > FRAME_S + case.slack_s:
        faults.append(f"lasts {length_s:.3f} s; expected {case.duration_s} s")
    if bool(audio) != case.has_sound:
        faults.append(f"{len(audio)} renditions of sound")
    size = (video[-1]["width"], video[-1]["height"])
    if case.size is not None and max(abs(a - b) for a, b in zip(size, case.size, strict=True)) > 2:
        faults.append(f"pictures of {size}; expected {case.size}")
    rate = video[0]["frame_rate"]
    if rate < case.least_rate:
        faults.append(f"{rate:g} frames/s; expected {case.least_rate:g} or more")
    for track in (video[0], video[-1]):
        levels = brightness(package / track["folder"])
        if abs(len(levels) - length_s * rate) > 1.5:
            faults.append(f"{track['folder']}: {len(levels)} frames for {length_s:.3f} s")
        if case.flashes_s is not None:
            faults += compare(f"flashes of {track['folder']}", rises(levels, rate), case.flashes_s)
    if audio:
        heard = loudness(package / audio[0]["folder"])
        audio_s = len(heard) / RATE
        if abs(audio_s - length_s) > FRAME_S:
            faults.append(f"sound of {audio_s:.3f} s for {length_s:.3f} s of picture")
        expected = case.beeps_s if case.beeps_s is not None else case.flashes_s
        if expected is not None:
            faults += compare("beeps", onsets(heard), expected)
    return faults


def compare(what: str, found: list[float], expected: tuple[float, ...]) -> list[str]:
    """Whether events come when they should, within a frame."""
    if len(found) < len(expected):
        return [f"{what}: {len(found)} at {[round(f, 2) for f in found]}; expected {expected}"]
    off = [min(abs(at - each) for each in found) for at in expected]
    if max(off) > FRAME_S + 0.005:
        return [f"{what} at {[round(f, 3) for f in found]}; expected {expected}"]
    return []


def media(folder: Path) -> bytes:
    """A track in one piece."""
    segments = sorted(folder.glob("*.m4s"))
    return b"".join(path.read_bytes() for path in [folder / "init.mp4", *segments])


def decoded(data: bytes, *options: str) -> bytes:
    """What ffmpeg makes of a track."""
    command = [find("ffmpeg").path, "-v", "error", "-i", "pipe:0", *options, "pipe:1"]
    return subprocess.run(command, input=data, capture_output=True, check=True, timeout=60).stdout


def brightness(folder: Path) -> np.ndarray:
    """Mean level of the middle of every frame, 0 to 255, shape (frames,).

    Not of its edges: a picture of another shape may have borders.
    """
    middle = "crop=max(iw/4\\,2):max(ih/4\\,2),scale=16:16:flags=area,format=gray"
    raw = decoded(
        media(folder), "-vf", middle, "-fps_mode", "passthrough",
        "-f", "rawvideo",
    )  # fmt: skip
    levels: np.ndarray = np.frombuffer(raw, np.uint8).reshape(-1, 256).mean(axis=1)
    return levels


def rises(levels: np.ndarray, rate: float) -> list[float]:
    """When the picture becomes bright, seconds."""
    bright = levels > (levels.min() + 255) / 2
    return [float(at) / rate for at in np.flatnonzero(bright[1:] & ~bright[:-1]) + 1]


def loudness(folder: Path) -> np.ndarray:
    """Samples of all channels added, shape (samples,)."""
    raw = decoded(media(folder), "-ac", "1", "-ar", str(RATE), "-f", "f32le")
    return np.frombuffer(raw, np.float32)


def onsets(samples: np.ndarray) -> list[float]:
    """When it begins to beep, seconds."""
    step = RATE // 200
    power = np.abs(samples[: len(samples) // step * step]).reshape(-1, step).max(axis=1)
    loud = power > max(0.02, 0.25 * float(power.max(initial=0.0)))
    starts = np.flatnonzero(loud[1:] & ~loud[:-1]) + 1
    times = [float(start) / 200 for start in starts]
    return [at for number, at in enumerate(times) if number == 0 or at - times[number - 1] > 0.2]


if __name__ == "__main__":
    sys.exit(main())
