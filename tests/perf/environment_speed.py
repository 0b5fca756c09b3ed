"""How many steps a second a vector environment of 1,024 copies makes.

    python tests/perf/environment_speed.py

One step is one segment of one copy: fetched, played, seen and scored. Actions are drawn
beforehand; everything else counts, infos and copies of the arrays included. Warm-up (the
first round, and compiling) is left out. The median of the rounds is printed with its
range. Steps per CPU second say what a machine without company would do.
"""

from __future__ import annotations

import argparse
import statistics
import time

import numpy as np

from abr.files import models as modelfiles
from abr.generators import generate
from bench.experiments.presentations import builtin
from player.batch.run.environment import AbrVectorEnv

LEAST_PER_S = 3e6


def rounds(copies: int, steps: int, count: int) -> list[tuple[float, float]]:
    """Steps per second of time, and per second of CPU, for each round."""
    names = modelfiles.names()
    traces = [
        generate(modelfiles.model(n), seed=s, duration_s=400.0) for n in names for s in (0, 1)
    ]
    env = AbrVectorEnv([builtin("vbr-6")], traces, copies=copies, order="shuffled", copy=False)
    env.reset(seed=1)
    actions = np.random.default_rng(1).integers(0, 6, (64, copies))
    found = []
    for _ in range(count + 1):
        began_s, cpu_s = time.perf_counter(), time.process_time()
        for k in range(steps):
            env.step(actions[k % len(actions)])
        taken_s, cpu_s = time.perf_counter() - began_s, time.process_time() - cpu_s
        found.append((copies * steps / taken_s, copies * steps / cpu_s))
    env.close()
    return found[1:]


def main() -> None:
    """Measure and print."""
    ask = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    ask.add_argument("--copies", type=int, default=1024)
    ask.add_argument("--steps", type=int, default=500)
    ask.add_argument("--rounds", type=int, default=9)
    given = ask.parse_args()
    found = rounds(given.copies, given.steps, given.rounds)
    walls, cpus = [wall for wall, _ in found], [cpu for _, cpu in found]
    median = statistics.median(walls)
    print(
        f"{given.copies} copies: "
        f"{median / 1e6:.2f} M steps/s ({min(walls) / 1e6:.2f} to {max(walls) / 1e6:.2f}), "
        f"{statistics.median(cpus) / 1e6:.2f} M per CPU second; "
        f"asked {LEAST_PER_S / 1e6:.0f} M: "
        f"{'met' if median >= LEAST_PER_S else 'missed'}"
    )


if __name__ == "__main__":
    main()
