"""How long a large experiment takes: many algorithms, 500 networks, a report.

Played as a user plays it: ``abr bench run`` and ``abr bench report`` with its page, in
processes of their own, on two workers. ``--shape wide`` is 20 algorithms over two
presentations, 20,000 sessions, together within 180 s; ``--shape deep`` is 12 algorithms over
8 seeds, 48,000 sessions, to be played within 8 s, or 40 s where nothing has been compiled.
``--cold`` gives it an empty folder for machine code, as on the first day; without it the
plan is run once before. Processor time is that of all processes.

    .venv/bin/python -m tests.perf.bench_plan
    .venv/bin/python -m tests.perf.bench_plan --shape deep --times 3 --base ../older-checkout
"""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import NamedTuple

CLASSES = ("3g-commute", "lte-driving", "lte-walking", "fcc-home", "wifi-weak-5mbps")
ALGORITHMS = (
    "throughput", "rate", "hyb", "bba-0", "bba-1", "bba-2", "bola-sabre", "bola-e",
    "bola-pensieve", "dynamic", "dynamic-dash", "festive", "panda", "elastic", "arbiter-plus",
    "soda", "mpc", "robust-mpc", "hls-js", "quetra",
)  # fmt: skip
ADOPTS_ORPHANS = 36
"""Number of Linux's ``PR_SET_CHILD_SUBREAPER``: workers outlive the process that we start."""


class Shape(NamedTuple):
    """Size of a plan, and what it may take."""

    algorithms: int
    networks: int
    seeds: int
    presentations: tuple[str, ...]
    bar_s: float
    cold_bar_s: float


SHAPES = {
    "wide": Shape(20, 500, 1, ("vbr-6", "vbr-10"), 180.0, 180.0),
    "deep": Shape(12, 500, 8, ("vbr-6",), 8.0, 40.0),
}


class Took(NamedTuple):
    """Seconds of a command."""

    wall_s: float
    processor_s: float


def plan_text(shape: Shape) -> str:
    """The plan; as many networks of each class as make ``networks`` in all."""
    lines = [f'[plan]\nname = "large"\nseeds = {list(range(shape.seeds))}']
    lines += [f'[[algorithm]]\nname = "{name}"' for name in ALGORITHMS[: shape.algorithms]]
    for place, name in enumerate(CLASSES):
        count = (shape.networks + place) // len(CLASSES)
        lines += [f'[[traces]]\ngenerate = "{name}"\ncount = {count}\nduration_s = 320']
    lines += [f'[[presentation]]\nbuiltin = "{name}"' for name in shape.presentations]
    return "\n".join(lines) + "\n"


def run(checkout: Path, *args: str, **more: str) -> Took:
    """What a command of a checkout took, with all the processes that it left behind."""
    python = checkout / ".venv/bin/python"
    environment = os.environ | {"PYTHONPATH": str(checkout)} | more
    before, begun_s = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    command = [str(python if python.is_file() else sys.executable), "-m", "abr", "bench", *args]
    subprocess.run(command, check=True, env=environment, stdout=subprocess.DEVNULL)
    wall_s = time.perf_counter() - begun_s
    with contextlib.suppress(ChildProcessError):
        while True:
            os.wait()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    used_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Took(wall_s, used_s)


def main() -> int:
    """Print seconds of each part; 1 when over the bar."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--shape", choices=SHAPES, default="wide")
    parser.add_argument("--workers", default="2")
    parser.add_argument("--cold", action="store_true")
    parser.add_argument("--times", type=int, default=1, help="repetitions, in turns with --base")
    parser.add_argument("--base", type=Path, help="another checkout, with its .venv")
    args = parser.parse_args()
    ctypes.CDLL(None).prctl(ADOPTS_ORPHANS, 1, 0, 0, 0)
    shape = SHAPES[args.shape]
    here = Path(__file__).parents[2]
    checkouts = {"here": here} | ({"base": args.base.resolve()} if args.base else {})
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        (folder / "plan.toml").write_text(plan_text(shape))
        took: dict[str, list[Took]] = {}
        for turn in range(args.times + (not args.cold)):
            for name, checkout in checkouts.items():
                out, cache = folder / f"out-{name}", folder / f"cache-{name}"
                shutil.rmtree(out, ignore_errors=True)
                if args.cold:
                    shutil.rmtree(cache, ignore_errors=True)
                one = run(
                    checkout, "run", str(folder / "plan.toml"), "--out", str(out),
                    "--workers", args.workers, ABR_CACHE_DIR=str(cache),
                )  # fmt: skip
                if args.cold or turn:
                    took.setdefault(name, []).append(one)
        for name, each in took.items():
            walls, used = [one.wall_s for one in each], [one.processor_s for one in each]
            print(
                f"{name}: run {median(walls):.1f} s ({min(walls):.1f} to {max(walls):.1f}), "
                f"{median(used):.1f} s of processor time"
            )
        page, table = str(folder / "r.html"), str(folder / "r.csv")
        said = run(here, "report", str(folder / "out-here"), "--html", page, "--csv", table)
        mib = (folder / "out-here/results.jsonl").stat().st_size / 2**20
    ran_s = median([one.wall_s for one in took["here"]])
    all_s = ran_s + (said.wall_s if args.shape == "wide" else 0.0)
    bar_s = shape.cold_bar_s if args.cold else shape.bar_s
    print(f"report {said.wall_s:.1f} s; {all_s:.1f} s of a bar of {bar_s:g} s")
    print(f"results {mib:.1f} MiB; load of the machine {os.getloadavg()[1]:.1f} over 5 min")
    return 0 if all_s <= bar_s else 1


if __name__ == "__main__":
    raise SystemExit(main())
