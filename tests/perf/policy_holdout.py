"""How far the shipped policy is ahead of its rivals, class by class, on held-out traces.

    python tests/perf/policy_holdout.py [--traces 200] [--policy FILE] [--files FOLDER ...]

``qoe_lin`` per session: mean over segments of Mbit/s, less 4.3 per second stalled and the
absolute change in Mbit/s; startup counts nothing. Each trace is one unit: its score is
the mean over the presentations. Differences are paired by trace, intervals are the 95 %
ones of ``bench.analysis.stats``. Traces are of seeds from 10,000 on (learning used
0 to 63), and the presentations are other draws than those of learning, and two bundled with
``bench``. Sessions are those of our own player's simulator with 30 s of buffer at most,
without limits in time. With ``--files`` the traces of a folder are a class.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import numpy as np

from abr import registry
from abr.decision import Algorithm
from abr.files import models as modelfiles
from abr.files.policies import read_policy_file
from abr.files.traces import read_readings_file
from abr.generators import generate
from abr.media import FloatArray, Presentation
from abr.trace import Trace
from bench.analysis.stats import Estimate, mean_of
from bench.experiments.presentations import BUILTIN, Shape, builtin, draw
from player.batch.abrkit.simulator import ABRKIT
from player.batch.abrkit.timeline import Options
from player.batch.run.batch import run_batch

RIVALS = ("robust-mpc", "bola-e", "dynamic")
FIRST_SEED = 10_000
STALL_WEIGHT = 4.3
LEAST_BPS = 0.4e6
SHAPES = {
    "hd-5": Shape(bitrates_bps=(4e5, 1e6, 2e6, 4e6, 8e6), segments=100, segment_s=2.0),
    "hd-8": Shape(
        bitrates_bps=(2.5e5, 5e5, 8e5, 1.4e6, 2.4e6, 4e6, 6.5e6, 1e7), segments=40, segment_s=6.0
    ),
    "uhd-7": Shape(
        bitrates_bps=(1e6, 2.5e6, 5e6, 8e6, 1.4e7, 2.2e7, 3.5e7), segments=60, segment_s=4.0
    ),
}
OPTIONS = Options(first_byte_limit_s=math.inf, idle_limit_s=math.inf, total_limit_s=math.inf)


def presentations() -> list[Presentation]:
    """Held-out presentations."""
    draws = [
        draw(shape, np.random.default_rng([2, k]), title=name)
        for k, (name, shape) in enumerate(SHAPES.items())
    ]
    return [builtin(name, seed=2) for name in BUILTIN] + draws


def scores(
    algorithm: Algorithm, shown: Sequence[Presentation], over: Sequence[Trace]
) -> FloatArray:
    """``qoe_lin`` per presentation and trace, shape (F, n)."""
    rows = []
    for presentation in shown:
        batch = run_batch(ABRKIT, presentation, over, algorithm, options=OPTIONS)
        mbps = presentation.bitrates_bps[batch.rungs.astype(np.int64)] / 1e6
        changes = np.abs(np.diff(mbps, axis=1)).sum(axis=1)
        scores = mbps.sum(axis=1) - STALL_WEIGHT * batch.total("stall_s") - changes
        rows.append(scores / presentation.segments)
    return np.array(rows)


def drawn_traces(name: str, first_seed: int, count: int) -> list[Trace]:
    """Traces of a shipped class."""
    model = modelfiles.model(name)
    seeds = range(first_seed, first_seed + count)
    return [generate(model, seed=seed, duration_s=400.0) for seed in seeds]


def traces_in(folder: Path) -> list[Trace]:
    """All traces of a folder that go on, and carry 0.4 Mbit/s on average."""
    files = sorted(each for each in folder.rglob("*") if each.is_file() and each.suffix != ".md")
    found = [reading.trace for each in files for reading in read_readings_file(each)]
    means = [t.bits_by(float(t.times_s[-1])) / float(t.times_s[-1]) for t in found]
    return [t for t, mean in zip(found, means, strict=True) if t.end != "end" and mean >= LEAST_BPS]


def ahead(gains: FloatArray) -> Estimate:
    """Mean of paired differences, one per trace, with its interval."""
    return mean_of(gains)


def verdict(low: float, high: float) -> str:
    """What an interval says."""
    if low > 0:
        return "ahead"
    return "behind" if high < 0 else "undecided"


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print, a row per class."""
    ask = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    ask.add_argument("--traces", type=int, default=200, help="of each class")
    ask.add_argument("--first-seed", type=int, default=FIRST_SEED)
    ask.add_argument("--classes", nargs="*", default=list(modelfiles.names()))
    ask.add_argument("--files", nargs="*", type=Path, help="folders of traces, not classes")
    ask.add_argument("--policy", type=Path, help="another policy file than the shipped one")
    ask.add_argument("--each-presentation", action="store_true", help="a row per presentation too")
    given = ask.parse_args(arguments)
    mine: Algorithm = registry.load("abrkit-policy")
    if given.policy:
        mine = read_policy_file(given.policy).build_rule(str(given.policy))
    shown = presentations()
    print("| class | abrkit-policy | " + " | ".join(f"− {name}" for name in RIVALS) + " |")
    print("|---|---:|" + "---:|" * len(RIVALS))
    undecided = []
    classes: dict[str, Callable[[], list[Trace]]] = {
        name: partial(drawn_traces, name, given.first_seed, given.traces) for name in given.classes
    }
    if given.files:
        classes = {folder.name: partial(traces_in, folder) for folder in given.files}
    for name, make in classes.items():
        over = make()
        ours = scores(mine, shown, over)
        theirs = {rival: scores(registry.load(rival), shown, over) for rival in RIVALS}
        parts = [(f"{name} ({len(over)})", slice(None))]
        if given.each_presentation:
            parts += [
                (f"{name}, {presentation.title}", slice(f, f + 1))
                for f, presentation in enumerate(shown)
            ]
        for label, part in parts:
            cells = []
            for rival in RIVALS:
                found = ahead((ours - theirs[rival])[part].mean(axis=0))
                cells.append(f"{found.value:+.3f} [{found.low:.3f}, {found.high:.3f}]")
                if verdict(found.low, found.high) != "ahead":
                    word = verdict(found.low, found.high)
                    undecided.append(f"{label}: {word} against {rival}")
            print(f"| {label} | {ours[part].mean():.3f} | {' | '.join(cells)} |", flush=True)
    print()
    print("; ".join(undecided) if undecided else "Ahead of every rival in every row.")


if __name__ == "__main__":
    main()
