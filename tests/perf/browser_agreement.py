"""The tables of docs/fidelity.md: a browser's playbacks recorded once, ours compared with them.

    python -m tests.perf.browser_agreement packages WORK
    python -m tests.perf.browser_agreement record WORK --players NODE --jobs 4 [--choose | --pin]
    python -m tests.perf.browser_agreement play WORK --jobs 6 [--choose | --pin]
    python -m tests.perf.browser_agreement compare WORK [--choose | --pin] [--set NAME=VALUE]

What the browser does depends on package, trace and link alone, so its records are made once;
``play`` (real time) and ``compare`` (simulations) can be repeated with every change of ours.
WORK/records holds a file per playback of a browser, WORK/played one per playback of ours.
Titles have tiny pictures of noise at the rates of real ones, so that decoding takes next to
nothing and several browsers fit a small machine.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import math
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from statistics import median
from typing import Any

from abr.files.traces import resolve_trace
from abr.qoe import Interval
from abr.trace import Trace
from bench.browser.apart import Apart, Case, Side, side_of_browser, side_of_log
from bench.browser.record import Watched, read_record, request_cost_s, startup_of
from bench.browser.run.cases import LIVE, PINNED, SIMULATED, configs_of, listed_rates_bps
from bench.browser.run.chromium import Chromium, Plan
from bench.browser.run.players import scripts_of
from bench.stack.cli.browsers import PRESET_OF
from bench.stack.served import served
from player import PlayerConfig, play, simulate
from player.presets import PRESETS
from transcode.files.reader import read_index, read_presentation
from transcode.run.ffmpegtools import find

SEGMENTS_S = (2, 4, 6)
RUNGS = range(4)
LADDER = "54:300,72:750,90:1500,108:3000"
SECONDS = 60.0
RTT_S = 0.04
CALM = "calm"
"""Over which everything is calibrated."""
CALIBRATIONS = 5
TRACES = {
    "square": Trace.from_periods([(10, 3e6), (10, 0.6e6)], name="square"),
    "outage": Trace.from_periods([(14, 2.5e6), (14, 0), (60, 2.5e6)], name="outage"),
    "starved": Trace.from_periods([(100, 1.4e6)], name="starved"),
    "faststart": Trace.from_periods([(10, 12e6), (32, 0), (60, 2e6)], name="faststart"),
    "3gcommute": "generate:3g-commute:7:70",
    CALM: Trace.constant(7e6, name=CALM),
}
"""More by --trace NAME=FILE."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One playback."""

    package: str
    trace: str
    player: str
    rung: int
    run: int

    @property
    def name(self) -> str:
        """Of its file."""
        return f"{self.package}-{self.trace}-{self.player}-{self.rung}-{self.run}"


def make_packages(work: Path) -> None:
    """64 s of noise in four rungs, in segments of 2, 4 and 6 s."""
    work.mkdir(parents=True, exist_ok=True)
    master = work / "master.mp4"
    picture = "testsrc2=s=192x108:r=25:d=64,noise=alls=60:allf=t"
    command = [find("ffmpeg").path, "-nostdin", "-v", "error", "-y", "-f", "lavfi", "-i", picture]
    command += ["-f", "lavfi", "-i", "sine=f=440:r=48000:d=64", "-c:v", "libx264"]
    command += ["-preset", "ultrafast", "-qp", "4", "-pix_fmt", "yuv420p", "-c:a", "aac"]
    subprocess.run([*command, "-b:a", "128k", str(master)], check=True, timeout=300)
    for length_s in SEGMENTS_S:
        made = [sys.executable, "-m", "abr", "transcode", str(master)]
        made += [str(work / "packages" / f"s{length_s}"), "--segment", str(length_s)]
        subprocess.run([*made, "--ladder", LADDER, "--no-cache"], check=True, timeout=300)


def jobs_of(arguments: argparse.Namespace) -> Iterator[Job]:
    """What is asked for: calibration, own choice, pinned rungs; the shortest list first."""
    traces = [name for name in arguments.traces if name != CALM]
    for run in range(1, CALIBRATIONS + 1):
        rung = 2 if arguments.player in PINNED else -1
        yield Job(package="s4", trace=CALM, player=arguments.player, rung=rung, run=run)
    for run in range(1, arguments.runs + 1):
        if not arguments.pin:
            for trace in traces:
                yield Job(package="s4", trace=trace, player=arguments.player, rung=-1, run=run)
    for run in range(1, arguments.runs + 1):
        if not arguments.choose:
            for package in (f"s{length_s}" for length_s in SEGMENTS_S):
                for trace in traces:
                    for rung in RUNGS:
                        yield Job(
                            package=package,
                            trace=trace,
                            player=arguments.player,
                            rung=rung,
                            run=run,
                        )


async def record(arguments: argparse.Namespace) -> None:
    """Play in the browser what has no record yet."""
    folder = arguments.work / "records"
    folder.mkdir(parents=True, exist_ok=True)
    todo = [job for job in jobs_of(arguments) if not (folder / f"{job.name}.json").exists()]
    scripts = scripts_of([arguments.player], arguments.players)
    packages = [arguments.work / "packages" / f"s{length_s}" for length_s in SEGMENTS_S]
    async with served(packages, keys=None) as urls, Chromium(scripts) as chromium:

        async def one(job: Job) -> None:
            package = arguments.work / "packages" / job.package
            rate_bps = listed_rates_bps(package, read_index(package))[job.rung]
            plan = Plan(
                player=job.player,
                trace=arguments.traces[job.trace],
                rung=job.rung,
                rates_bps=None if job.rung < 0 else (rate_bps - 1, rate_bps + 1),
                seconds=10.0 if job.trace == CALM else SECONDS,
                rtt_s=RTT_S,
            )
            raw = await chromium.play(urls[job.package], plan)
            raw |= asdict(job)
            (folder / f"{job.name}.json").write_text(json.dumps(raw), encoding="utf-8")

        await _all(todo, one, arguments.jobs)


async def play_ours(arguments: argparse.Namespace) -> None:
    """Play over HTTP what has not been played yet, calibrated by the records."""
    folder = arguments.work / "played"
    folder.mkdir(parents=True, exist_ok=True)
    calm = [seen for job, seen in _watched(arguments).items() if job.trace == CALM]
    cost_s = request_cost_s(calm, RTT_S)
    base = _preset(arguments)
    config, _ = configs_of(base, base.server_s if cost_s is None else cost_s, 0.0, 0.0)
    todo = [
        job
        for job in jobs_of(arguments)
        if (job.run == 1 or job.trace == CALM) and not (folder / f"{job.name}.json").exists()
    ]
    packages = [arguments.work / "packages" / f"s{length_s}" for length_s in SEGMENTS_S]
    async with served(packages, keys=None) as urls:

        async def one(job: Job) -> None:
            algorithm, params = _algorithm(job)
            log = await play(
                urls[job.package],
                trace=arguments.traces[job.trace],
                algorithm=algorithm,
                params=params,
                config=config,
                max_play_s=10.0 if job.trace == CALM else SECONDS,
            )
            side = asdict(side_of_log(log, LIVE))
            (folder / f"{job.name}.json").write_text(json.dumps(side), encoding="utf-8")

        calibrating = [job for job in todo if job.trace == CALM]
        await _all(calibrating, one, 1)
        delay_s = _delay_s(arguments, _played(arguments, CALM))
        config = replace(config, render_delay_s=delay_s)
        await _all([job for job in todo if job.trace != CALM], one, arguments.jobs)


def compare(arguments: argparse.Namespace) -> None:
    """Print a row for each case, and how many pairs keep all bounds."""
    watched = _watched(arguments)
    calm = [seen for job, seen in watched.items() if job.trace == CALM]
    base = _preset(arguments)
    cost_s = request_cost_s(calm, RTT_S)
    _, base = configs_of(base, base.server_s if cost_s is None else cost_s, 0.0, 0.0)
    simulated = {job: _simulated(arguments, job, base) for job in watched if job.trace == CALM}
    delay_s = _delay_s(arguments, list(simulated.values()))
    config = replace(base, render_delay_s=delay_s)
    print(f"calibrated: server_s={config.server_s:.4f} render_delay_s={delay_s:.4f}")
    cases = []
    for first in [job for job in watched if job.run == 1 and job.trace != CALM]:
        runs = [job for job in watched if replace(job, run=1) == first]
        ours = [_simulated(arguments, first, config), *_played_of(arguments, first)]
        cases.append(
            Case(
                package=first.package,
                player=first.player,
                trace=first.trace,
                pinned_rung=first.rung,
                browser=tuple(side_of_browser(watched[job]) for job in runs),
                ours=tuple(ours),
            )
        )
    for case in cases:
        _print_case(case, verbose=arguments.verbose)
    _print_shares(cases)


def _print_case(case: Case, *, verbose: bool) -> None:
    name = f"{case.package} {case.trace:10} {'own' if case.chooses else case.pinned_rung!s:3}"
    for side in (*case.browser, *case.ours):
        apart = Apart(browser=case.browser[0], ours=side, chooses=case.chooses)
        faults = " ".join(apart.faults) if side is not case.browser[0] else ""
        startup_s = math.nan if side.startup_s is None else side.startup_s
        figures = f"{startup_s:7.2f} {len(side.stalls):3} {side.stall_s:7.2f}"
        rungs = "".join(map(str, side.rungs)) if case.chooses else ""
        busy = " BUSY" if side.is_overloaded else ""
        print(f"{name:20} {side.source:12} {figures} {rungs} {faults}{busy}")
        if verbose and faults:
            print("    ", [(round(s.start_s, 2), round(s.length_s, 2)) for s in side.stalls])


def _print_shares(cases: list[Case]) -> None:
    for chooses in (False, True):
        some = [case for case in cases if case.chooses == chooses]
        for source in (LIVE, SIMULATED):
            pairs = [apart for case in some for apart in case.apart(source)]
            if pairs:
                _print_share(f"{'own choice' if chooses else 'pinned'}, {source}", pairs)
        spread = [apart for case in some for apart in case.spread]
        if spread:
            _print_share(f"{'own choice' if chooses else 'pinned'}, browser and itself", spread)


def _print_share(name: str, pairs: list[Apart]) -> None:
    held = sum(not apart.faults for apart in pairs)
    startups_s = [abs(apart.startup_s) for apart in pairs if apart.startup_s is not None]
    stalled = [
        abs(apart.stalled_s) / apart.browser.stall_s for apart in pairs if apart.browser.stall_s > 5
    ]
    rungs = [apart.same_rungs for apart in pairs]
    print(
        f"{name}: {held} of {len(pairs)} pairs within all bounds; medians: startup "
        f"{median(startups_s):.3f} s apart, stalled time {median(stalled or [0]):.1%} where over "
        f"5 s; same rungs {sum(rungs) / len(rungs):.1%}"
    )


def _preset(arguments: argparse.Namespace) -> PlayerConfig:
    config = PRESETS[PRESET_OF[arguments.player]].config
    kinds = {field.name: type(getattr(config, field.name)) for field in fields(config)}
    return replace(config, **{name: kinds[name](value) for name, value in arguments.settings})


def _algorithm(job: Job) -> tuple[str, Mapping[str, Any]]:
    if job.rung >= 0:
        return "fixed", {"rung": job.rung}
    return PRESETS[PRESET_OF[job.player]].algorithm, {}


def _simulated(arguments: argparse.Namespace, job: Job, config: PlayerConfig) -> Side:
    algorithm, params = _algorithm(job)
    log = simulate(
        read_presentation(arguments.work / "packages" / job.package),
        trace=arguments.traces[job.trace],
        algorithm=algorithm,
        params=params,
        config=config,
        max_play_s=SECONDS,
    )
    return side_of_log(log, SIMULATED)


def _watched(arguments: argparse.Namespace) -> dict[Job, Watched]:
    found = {}
    for job in jobs_of(arguments):
        path = arguments.work / "records" / f"{job.name}.json"
        if path.exists():
            index = read_index(arguments.work / "packages" / job.package)
            found[job] = read_record(json.loads(path.read_text(encoding="utf-8")), index)
    return found


def _delay_s(arguments: argparse.Namespace, ours: list[Side]) -> float:
    """What first pictures take more in the browser than in ours, over the calm link."""
    calm = [seen for job, seen in _watched(arguments).items() if job.trace == CALM]
    theirs_s, ours_s = startup_of(calm), [side.startup_s or 0.0 for side in ours]
    return max((theirs_s or 0.0) - median(ours_s), 0.0)


def _played(arguments: argparse.Namespace, trace: str) -> list[Side]:
    jobs = [job for job in jobs_of(arguments) if job.trace == trace]
    return [side for job in jobs for side in _played_of(arguments, job)]


def _played_of(arguments: argparse.Namespace, job: Job) -> list[Side]:
    path = arguments.work / "played" / f"{job.name}.json"
    if not path.exists():
        return []
    raw = json.loads(path.read_text(encoding="utf-8"))
    stalls = tuple(Interval(**stall) for stall in raw.pop("stalls"))
    return [Side(**{**raw, "stalls": stalls, "rungs": tuple(raw["rungs"])})]


async def _all(todo: list[Job], one: Any, jobs: int) -> None:
    waiting = list(reversed(todo))

    async def worker() -> None:
        while waiting:
            job = waiting.pop()
            await one(job)
            print(time.strftime("%H:%M:%S"), job.name, f"{len(waiting)} to go", flush=True)

    async with asyncio.TaskGroup() as group:
        for _ in range(jobs):
            group.create_task(worker())


def _setting(text: str) -> tuple[str, str]:
    name, _, value = text.partition("=")
    return name, value


def main() -> int:
    """Read the command line and do it."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("step", choices=["packages", "record", "play", "compare"])
    parser.add_argument("work", type=Path)
    parser.add_argument("--players", type=Path, help="folder of npm packages")
    parser.add_argument("--player", default="hls.js", choices=list(PRESET_OF))
    parser.add_argument("--trace", dest="more", action="append", default=[], type=_setting)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--runs", type=int, default=2)
    parser.add_argument("--choose", action="store_true", help="own choice alone")
    parser.add_argument("--pin", action="store_true", help="pinned rungs alone")
    parser.add_argument("--set", dest="settings", action="append", default=[], type=_setting)
    parser.add_argument("--verbose", action="store_true")
    arguments = parser.parse_args()
    found = {**TRACES, **dict(arguments.more)}
    arguments.traces = {
        name: each if isinstance(each, Trace) else resolve_trace(each)
        for name, each in found.items()
    }
    if arguments.step == "packages":
        make_packages(arguments.work)
    elif arguments.step == "record":
        asyncio.run(record(arguments))
    elif arguments.step == "play":
        asyncio.run(play_ours(arguments))
    else:
        compare(arguments)
    return 0


if __name__ == "__main__":
    sys.exit(main())
