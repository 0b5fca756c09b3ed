"""What 48,000 short sessions cost beyond being played: a plan of 960 small runs.

12 algorithms over 500 traces of 8 seeds, on two workers, as a user runs them: ``abr bench
run`` in a process of its own. With ``--against PYTHON``, the Python of an environment with
another abrkit, both play in turns and the ratio of medians is printed; the bar is 0.4.
Machine code is made beforehand and kept for each of the two.

    .venv/bin/python -m tests.perf.small_blocks --against ../base/.venv/bin/python
"""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

BAR = 0.4
CLASSES = ("3g-commute", "lte-driving", "lte-walking", "fcc-home", "wifi-weak-5mbps")
ALGORITHMS = (
    "throughput", "rate", "hyb", "bba-0", "bba-1", "bba-2", "bola-sabre", "bola-e", "dynamic",
    "festive", "panda", "elastic",
)  # fmt: skip


class Cost(NamedTuple):
    """Of one command."""

    wall_s: float
    user_s: float
    """Processor time of the command and its workers."""


def plan_text(algorithms: int, traces: int, seeds: int) -> str:
    """The plan; as many traces of each class as make ``traces`` for each seed."""
    lines = [f'[plan]\nname = "small blocks"\nseeds = {list(range(seeds))}']
    lines += [f'[[algorithm]]\nname = "{name}"' for name in ALGORITHMS[:algorithms]]
    for place, name in enumerate(CLASSES):
        count = (traces + place) // len(CLASSES)
        if count:
            lines.append(f'[[traces]]\ngenerate = "{name}"\ncount = {count}\nduration_s = 320')
    lines.append('[[presentation]]\nbuiltin = "vbr-6"')
    return "\n".join(lines) + "\n"


def run(python: str, plan: Path, out: Path, cache: Path, workers: str) -> Cost:
    """Play ``plan`` with the abrkit of ``python``."""
    command = [python, "-m", "abr", "bench", "run", str(plan), "--out", str(out)]
    before_s = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
    begun_s = time.perf_counter()
    subprocess.run(
        [*command, "--workers", workers],
        check=True,
        cwd=plan.parent,
        env=os.environ | {"ABR_CACHE_DIR": str(cache)},
        stdout=subprocess.DEVNULL,
    )
    wall_s = time.perf_counter() - begun_s
    with contextlib.suppress(ChildProcessError):
        while True:
            os.wait()
    return Cost(wall_s, resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - before_s)


def adopt_orphans() -> None:
    """Have workers, whose own parent does not wait for them, counted among our children."""
    set_child_subreaper = 36  # Linux, prctl(2)
    ctypes.CDLL(None, use_errno=True).prctl(set_child_subreaper, 1)


def told(name: str, costs: list[Cost]) -> str:
    """Medians in words, and each round's wall time."""
    wall_s = statistics.median(cost.wall_s for cost in costs)
    user_s = statistics.median(cost.user_s for cost in costs)
    each = " ".join(f"{cost.wall_s:.1f}" for cost in costs)
    return f"{name}: {wall_s:.1f} s, of processors {user_s:.1f} s (rounds: {each})"


def main() -> int:
    """Print seconds of each; 1 when over the bar."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--against", metavar="PYTHON", help="of the environment to compare with")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--traces", type=int, default=500)
    parser.add_argument("--seeds", type=int, default=8)
    parser.add_argument("--workers", default="2")
    args = parser.parse_args()
    adopt_orphans()
    pythons = {"here": sys.executable}
    if args.against:
        pythons = {"there": str(Path(args.against).absolute()), **pythons}
    costs: dict[str, list[Cost]] = {name: [] for name in pythons}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        first, plan = folder / "first.toml", folder / "plan.toml"
        first.write_text(plan_text(len(ALGORITHMS), 300, 1))  # enough to be compiled
        plan.write_text(plan_text(len(ALGORITHMS), args.traces, args.seeds))
        for which, python in pythons.items():
            run(python, first, folder / f"first-{which}", folder / which, args.workers)
        for turn in range(args.rounds):
            for which, python in pythons.items():
                out = folder / f"{which}-{turn}"
                costs[which].append(run(python, plan, out, folder / which, args.workers))
                print(f"{which} {costs[which][-1]}", flush=True)
    for which, found in costs.items():
        print(told(which, found))
    if not args.against:
        return 0
    ratio = statistics.median(c.wall_s for c in costs["here"]) / statistics.median(
        c.wall_s for c in costs["there"]
    )
    print(f"ratio {ratio:.2f} (bar {BAR}); load of the machine {os.getloadavg()[1]:.1f} over 5 min")
    return 0 if ratio <= BAR else 1


if __name__ == "__main__":
    raise SystemExit(main())
