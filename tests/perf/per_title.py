"""Bits that a per-title ladder saves against Apple's at equal VMAF, and whether it keeps its word.

    python -m tests.perf.per_title trailer.mp4 --json per-title.json --picture docs/per-title.svg

Three steps, all with the product's own code and one preset:

1. The title is studied, and its ladder encoded in full: capped constant quality.
2. Apple's ladder, up to the master's size, is encoded as ``abr transcode --ladder apple`` does:
   one-pass mean bit rate (``-b:v``), the table's figures, peak 1.5 times the mean.
3. Every frame of every rung is scored against the master by libvmaf, at the master's size.

For each Apple rung, its bits are compared with those of our ladder at the same VMAF. That lies
between two of our rungs: our rate is interpolated, in its logarithm, along the curve through the
measured rungs. An Apple rung below our lowest VMAF or above our highest is compared with nothing
and says so. ``--from FILE`` draws and prints an earlier result again.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import resource
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, get_args

import numpy as np

from bench.reports.svg import Axis, Panel, draw_words
from transcode.config import Preset, TranscodeConfig
from transcode.ffmpeg import encode_arguments
from transcode.ladders.curves import interpolate
from transcode.ladders.ladder import ladder_for
from transcode.ladders.rungs import PlannedRung
from transcode.masters.master import Master
from transcode.measuring.comparing import MeasureJob, display_of
from transcode.measuring.trials import frames_of
from transcode.planning.chunks import Chunk
from transcode.planning.jobs import VideoJob
from transcode.planning.plan import plan_encode
from transcode.quality import pool_scores
from transcode.run.cache import Cache
from transcode.run.ffmpegtools import find
from transcode.run.pertitle import frame_bytes_of, study_title
from transcode.run.probe import probe
from transcode.run.process import run_ffmpeg
from transcode.run.scoring import measure


@dataclass(frozen=True, slots=True, kw_only=True)
class Rung:
    """One rung, encoded in full and measured."""

    height: int
    crf: float | None
    listed_bps: float
    """Predicted, or asked for."""
    rate_bps: float
    """Of the encoded frames."""
    vmaf: float
    low: float
    """Fifth percentile of the frames."""
    frames: int
    target: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """Both ladders, lowest rung first."""

    master: str
    preset: str
    ours: tuple[Rung, ...]
    apple: tuple[Rung, ...]
    study_cpu_s: float
    encode_cpu_s: float
    """Encoding and measuring our ladder."""
    trials: tuple[tuple[int, float, float, float], ...]
    """Height, factor, bit/s and VMAF of the trials: weighted means of the samples."""

    def savings(self) -> list[float | None]:
        """Part of each Apple rung's bits that ours saves at its VMAF; None where incomparable."""
        quality = np.array([rung.vmaf for rung in self.ours])
        logs = np.log2([rung.rate_bps for rung in self.ours])
        saved: list[float | None] = []
        for rung in self.apple:
            if not quality[0] <= rung.vmaf <= quality[-1]:
                saved.append(None)
                continue
            ours_bps = 2 ** float(interpolate(np.array([rung.vmaf]), quality, logs)[0])
            saved.append(1 - ours_bps / rung.rate_bps)
        return saved


def cpu_s() -> float:
    """User and system time of all children so far."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


async def encode_and_measure(
    master: Path, facts: Master, config: TranscodeConfig, rungs: Sequence[PlannedRung], folder: Path
) -> tuple[Rung, ...]:
    """Encode a ladder in full and score every frame."""
    plan = plan_encode(facts, config, rungs=rungs)
    named = tuple((f"v{number}", rung) for number, rung in enumerate(plan.rungs))
    whole = Chunk(index=0, first_frame=0, frames=frames_of(plan))
    job = VideoJob(pictures=plan.pictures, chunk=whole, rungs=named)
    paths = [folder / f"{track}.mp4" for track, _ in named]
    program = find("ffmpeg", ["libx264"]).path
    outcome = await run_ffmpeg(
        lambda _outputs: encode_arguments(
            job, str(master.absolute()), [f"file:{path}" for path in paths], program=program
        )
    )
    assert outcome.is_clean, outcome.reason()
    display = display_of(facts, [(rung.width, rung.height) for rung in plan.rungs], "vmaf")
    comparison = MeasureJob(pictures=plan.pictures, chunk=whole, rungs=named, display=display)
    scores = await measure(comparison, master, paths)
    found = []
    for (track, _), rung, path in zip(named, rungs, paths, strict=True):
        sizes = frame_bytes_of(path)
        pooled = pool_scores(scores[track])
        seconds = len(sizes) / float(plan.pictures.frame_rate)
        found.append(
            Rung(
                height=rung.height, crf=rung.crf, listed_bps=rung.bitrate_bps,
                rate_bps=8 * sum(sizes) / seconds, vmaf=pooled.mean, low=pooled.low,
                frames=pooled.frames, target=rung.target,
            )
        )  # fmt: skip
    return tuple(found)


async def run(master: Path, preset: Preset, most_samples: int | None, scratch: Path) -> Result:
    """All three steps."""
    facts = await probe(master)
    config = TranscodeConfig(preset=preset)
    before = cpu_s()
    cache = Cache(scratch / "cache")
    cache.create()
    study = await study_title(master, facts, config, cache, "vmaf", most_samples=most_samples)
    studied = cpu_s()
    ours = await encode_and_measure(master, facts, config, study.rungs, scratch)
    encoded = cpu_s()
    apples = ladder_for(facts, wanted="apple")
    apple = await encode_and_measure(master, facts, config, apples, scratch)
    weights = np.array([sample.weight for sample in study.samples])
    seconds = np.array([s.frames for s in study.samples]) / float(facts.frame_rate)
    return Result(
        master=master.name, preset=preset, ours=ours, apple=apple,
        study_cpu_s=studied - before, encode_cpu_s=encoded - studied,
        trials=tuple(
            (t.height, t.crf, float(weights @ (t.bits / seconds)), float(weights @ t.quality))
            for t in study.trials
        ),
    )  # fmt: skip


def read_result(text: str) -> Result:
    """A result that was kept."""
    value: dict[str, Any] = json.loads(text)
    for name in ("ours", "apple"):
        value[name] = tuple(Rung(**each) for each in value[name])
    value["trials"] = tuple(map(tuple, value["trials"]))
    return Result(**value)


def print_result(result: Result) -> None:
    """Both ladders and the savings, as tables of the documentation have them."""
    print(f"{result.master}, preset {result.preset}, {result.ours[0].frames} frames")
    print(f"study {result.study_cpu_s:.0f} CPU s, ladder {result.encode_cpu_s:.0f} CPU s\n")
    print("| our rung | CRF | predicted kbit/s | kbit/s | target | VMAF | low 5 % |")
    print("|---|---|---|---|---|---|---|")
    for rung in result.ours:
        print(
            f"| {rung.height} | {rung.crf:g} | {rung.listed_bps / 1000:.0f} | "
            f"{rung.rate_bps / 1000:.0f} | {rung.target:.1f} | {rung.vmaf:.1f} | {rung.low:.1f} |"
        )
    print("\n| Apple's rung | kbit/s | VMAF | low 5 % | ours at that VMAF, kbit/s | saved |")
    print("|---|---|---|---|---|---|")
    savings = result.savings()
    for rung, saved in zip(result.apple, savings, strict=True):
        same = "-" if saved is None else f"{rung.rate_bps * (1 - saved) / 1000:.0f}"
        part = "not comparable" if saved is None else f"{100 * saved:.0f} %"
        print(
            f"| {rung.height} | {rung.rate_bps / 1000:.0f} | {rung.vmaf:.1f} | {rung.low:.1f} | "
            f"{same} | {part} |"
        )
    compared = [each for each in savings if each is not None]
    short = max((r.target or 0.0) - r.vmaf for r in result.ours)
    print(f"\nmean saving {100 * float(np.mean(compared)):.1f} % over {len(compared)} rungs")
    print(f"largest shortfall of a rung below its target: {short:.2f} VMAF")


def draw_result(result: Result) -> str:
    """Rate against VMAF: trials by size, both ladders."""
    width, top, height = 760, 50, 320
    rates = [rung.rate_bps for rung in (*result.ours, *result.apple)]
    axis = Axis(float(np.log2(min(rates) / 1.4)), float(np.log2(max(rates) * 1.4)))
    panel = Panel(x=axis, y=Axis(40, 100), top_px=top, height_px=height)
    parts = [panel.draw_grid(6)]
    for kbps in (50, 100, 200, 500, 1000, 2000, 5000):
        place = float(np.log2(kbps * 1000))
        if axis.low < place < axis.high:
            parts.append(panel.draw_words(str(kbps), place, top + height + 18, kind="tick"))
    for size, points in _by_size(result).items():
        inside = [each for each in points if axis.low < each[0] < axis.high and each[1] > 40]
        parts.append(panel.draw_line([inside], kind="trial"))
        if inside:
            best = inside[0]
            beside = float(panel.place_y(best[1])) + 4
            parts.append(
                panel.draw_words(f"{size} lines", best[0] + 0.05, beside, kind="s", anchor="start")
            )
    for kind, rungs in (("apple", result.apple), ("ours", result.ours)):
        points = [(float(np.log2(rung.rate_bps)), rung.vmaf) for rung in rungs]
        parts.append(panel.draw_line([points], kind=kind))
        parts += [
            panel.draw_dot(
                point, radius_px=4, kind=kind,
                title=f"{rung.height}: {rung.rate_bps / 1000:.0f} kbit/s, VMAF {rung.vmaf:.1f}",
            )
            for point, rung in zip(points, rungs, strict=True)
        ]  # fmt: skip
    key = draw_words("per-title", "2%", 24, kind="ours") + draw_words(
        "Apple's ladder", "16%", 24, kind="apple"
    )
    key += draw_words("trials of one size", "36%", 24, kind="s")
    key += draw_words("VMAF over kbit/s (logarithmic)", "98%", 24, kind="tick", anchor="end")
    inner = f'<svg x="46" width="{width - 66}" height="{top + height + 30}" overflow="visible">'
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {top + height + 34}" '
        f'role="img" aria-label="VMAF over bit rate of both ladders"><style>{_STYLE}</style>'
        f'<rect class="paper" width="100%" height="100%"/>{inner}{key}{"".join(parts)}'
        "</svg></svg>\n"
    )


def _by_size(result: Result) -> dict[int, list[tuple[float, float]]]:
    """Trials of each size as points of the chart, from the best down."""
    found: dict[int, list[tuple[float, float]]] = {}
    for height, _, rate_bps, vmaf in sorted(result.trials, key=lambda trial: -trial[3]):
        found.setdefault(height, []).append((float(np.log2(rate_bps)), vmaf))
    return found


_STYLE = """
text{font:13px system-ui,sans-serif;fill:#222}
.paper{fill:#fff}.grid{stroke:#e4e4e4}.tick{font-size:12px;fill:#555}.s{font-size:11px;fill:#888}
path{fill:none;stroke-width:2;vector-effect:non-scaling-stroke}
path.trial{stroke:#bbb;stroke-width:1.2;stroke-dasharray:4 3}
path.ours{stroke:#1f6f8b}circle.ours{fill:#1f6f8b}text.ours{fill:#1f6f8b;font-weight:600}
path.apple{stroke:#c8553d}circle.apple{fill:#c8553d}text.apple{fill:#c8553d;font-weight:600}
@media (prefers-color-scheme:dark){text{fill:#ddd}.paper{fill:#16181c}.grid{stroke:#33363c}
.tick{fill:#aaa}path.ours{stroke:#62b6cb}circle.ours,text.ours{fill:#62b6cb}
path.apple{stroke:#ee8868}circle.apple,text.apple{fill:#ee8868}}
"""


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("master", type=Path, nargs="?")
    parser.add_argument("--preset", choices=get_args(Preset), default="veryfast")
    parser.add_argument("--samples", type=int, help="groups of pictures to try")
    parser.add_argument("--json", type=Path, help="keep the result here")
    parser.add_argument("--from", type=Path, dest="kept", help="use a result that was kept")
    parser.add_argument("--picture", type=Path, help="draw it as SVG")
    given = parser.parse_args()
    if given.kept:
        result = read_result(given.kept.read_text(encoding="utf-8"))
    else:
        with tempfile.TemporaryDirectory(prefix="per-title-") as scratch:
            result = asyncio.run(run(given.master, given.preset, given.samples, Path(scratch)))
    print_result(result)
    if given.json:
        given.json.write_text(json.dumps(asdict(result), indent=1) + "\n", encoding="utf-8")
    if given.picture:
        given.picture.write_text(draw_result(result), encoding="utf-8")


if __name__ == "__main__":
    main()
