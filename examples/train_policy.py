"""Train a policy like the bundled one with CMA-ES over simulated sessions.

Needs the extra ``learn`` (``pip install 'abrkit[learn]'``). A generation plays a
few thousand sessions in the compiled batch simulator, so 200 generations take minutes; the
same seed writes the same file on the same machine. Without ``--full`` the script runs for
some seconds, to show that it works, and learns next to nothing.

    python examples/train_policy.py --full --out mine.json
    abr simulate packages/presentation --trace train.csv --algorithm policy:mine.json

Traces are drawn from every shipped class (``abr.generators``): seeds 0 to 63 for
training; held-out figures use others, see tests/perf/policy_holdout.py. What is learned is
the parameters of a planner (``abr.algorithms.policy.WEIGHTS``), not a neural network.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from abr import registry
from abr.algorithms.policy import WEIGHTS, build_rule
from abr.decision import Algorithm
from abr.files import models as modelfiles
from abr.files.policies import read_policy_file, write_policy_file
from abr.generators import generate
from abr.media import FloatArray, Presentation
from abr.policytext import Policy
from abr.trace import Trace
from bench.experiments.presentations import Shape, draw
from player.batch.abrkit.simulator import ABRKIT
from player.batch.abrkit.timeline import Options
from player.batch.run.batch import Engine, run_batch

BASELINES = ("robust-mpc", "bola-e", "dynamic")
STALL_WEIGHT = 4.3
SHAPES: Mapping[str, Shape] = {
    "vbr-6": Shape(
        bitrates_bps=(3e5, 7.5e5, 1.2e6, 1.85e6, 2.85e6, 4.5e6), segments=60, segment_s=4.0
    ),
    "vbr-10": Shape(
        bitrates_bps=(2.3e5, 3.3e5, 4.8e5, 6.9e5, 9.9e5, 1.43e6, 2.06e6, 2.96e6, 4.26e6, 6e6),
        segments=80,
        segment_s=3.0,
    ),
    "hd-5": Shape(bitrates_bps=(4e5, 1e6, 2e6, 4e6, 8e6), segments=100, segment_s=2.0),
    "hd-8": Shape(
        bitrates_bps=(2.5e5, 5e5, 8e5, 1.4e6, 2.4e6, 4e6, 6.5e6, 1e7), segments=40, segment_s=6.0
    ),
    "uhd-7": Shape(
        bitrates_bps=(1e6, 2.5e6, 5e6, 8e6, 1.4e7, 2.2e7, 3.5e7), segments=60, segment_s=4.0
    ),
}
"""Four minutes each; sizes are drawn."""
OPTIONS = Options(first_byte_limit_s=math.inf, idle_limit_s=math.inf, total_limit_s=math.inf)
"""The default player, without time limits on requests."""


def make_presentations(seed: int) -> list[Presentation]:
    """One presentation of each shape."""
    return [
        draw(shape, np.random.default_rng([seed, k]), title=name)
        for k, (name, shape) in enumerate(SHAPES.items())
    ]


def make_traces(
    names: Sequence[str], seeds: Sequence[int], duration_s: float = 400.0
) -> list[Trace]:
    """One trace per class and seed, class by class."""
    models = [modelfiles.model(name) for name in names]
    return [generate(model, seed=s, duration_s=duration_s) for model in models for s in seeds]


def scores(
    algorithm: Algorithm, presentation: Presentation, over: Sequence[Trace], engine: Engine = "auto"
) -> FloatArray:
    """``qoe_lin`` per session: mean Mbit/s - 4.3 stalled s - |change| per segment, shape (n,)."""
    batch = run_batch(ABRKIT, presentation, over, algorithm, options=OPTIONS, engine=engine)
    mbps = presentation.bitrates_bps[batch.rungs.astype(np.int64)] / 1e6
    changes = np.abs(np.diff(mbps, axis=1)).sum(axis=1)
    total = mbps.sum(axis=1) - STALL_WEIGHT * batch.total("stall_s") - changes
    return np.asarray(total / presentation.segments)


@dataclass(frozen=True)
class TrainingSet:
    """Sessions to train on, and how the baselines scored in them."""

    presentations: list[Presentation]
    traces: list[Trace]
    """Class by class, the same number of each."""
    classes: int
    baselines: FloatArray
    """Scores, shape (baselines, presentations, traces)."""
    engine: Engine

    def sample(
        self, rng: np.random.Generator, presentation_count: int, each: int
    ) -> list[tuple[int, Any]]:
        """A few presentations, each with a few traces of every class, shape (classes, each)."""
        per_class = len(self.traces) // self.classes
        chosen = rng.permutation(len(self.presentations))[:presentation_count]
        starts = per_class * np.arange(self.classes)[:, None]
        return [(int(f), starts + rng.permutation(per_class)[:each]) for f in chosen]

    def gain(self, weights: Mapping[str, float], sample: list[tuple[int, Any]]) -> float:
        """How far a policy leads the baselines, in percent of the ladder's top rate.

        Leading every baseline in every class counts more than a large lead in one.
        """
        rule, ahead = build_rule(weights), []
        for f, which in sample:
            presentation = self.presentations[f]
            mine = scores(rule, presentation, [self.traces[k] for k in which.ravel()], self.engine)
            theirs = self.baselines[:, f, which.ravel()]
            gains = (mine - theirs).reshape(len(theirs), *which.shape).mean(axis=2)
            ahead.append(100e6 * gains / presentation.bitrates_bps[-1])
        percent = np.mean(ahead, axis=0)
        return float(0.3 * percent.mean() + np.tanh(percent / 0.5).mean())


def training_set(
    names: Sequence[str], seeds: int, presentation_count: int = len(SHAPES), engine: Engine = "auto"
) -> TrainingSet:
    """The presentations and traces, with each baseline played once over all of them."""
    shown, over = make_presentations(1)[:presentation_count], make_traces(names, range(seeds))
    baselines = [
        [scores(registry.load(name), presentation, over, engine) for presentation in shown]
        for name in BASELINES
    ]
    return TrainingSet(shown, over, len(names), np.array(baselines), engine)


def weights_at(point: FloatArray) -> dict[str, float]:
    """The weights at a point of the search space."""
    return {
        each.name: float(np.exp(np.clip(x, -12, 6))) if each.is_positive else float(x)
        for each, x in zip(WEIGHTS, point, strict=True)
    }


def point_of(weights: Mapping[str, float]) -> FloatArray:
    """The point of the search space that stands for these weights."""
    values = [(each.is_positive, weights[each.name]) for each in WEIGHTS]
    return np.array([math.log(value) if logs else value for logs, value in values])


def train(
    data: TrainingSet,
    begin: Mapping[str, float],
    *,
    generations: int,
    seed: int,
    each: int = 8,
    presentation_count: int = 3,
    keep: Path | None = None,
) -> dict[str, float]:
    """Run CMA-ES; each generation draws new traces, the same for all of its policies."""
    import cma

    options = {"seed": seed + 1, "verbose": -9, "maxiter": generations, "CMA_stds": _spreads()}
    search = cma.CMAEvolutionStrategy(point_of(begin), 0.3, options)
    rng = np.random.default_rng(seed)
    for generation in range(generations):
        sample = data.sample(rng, presentation_count, each)
        points = search.ask()
        gains = [data.gain(weights_at(point), sample) for point in points]
        search.tell(points, [-gain for gain in gains])
        middle = weights_at(search.mean)
        print(
            f"generation {generation + 1}: gain {np.mean(gains):.3f}, best {max(gains):.3f}",
            flush=True,
        )
        if keep is not None:
            write_policy_file(Policy(weights=middle), keep)
    return weights_at(search.mean)


def _spreads() -> list[float]:
    return [1.0 if each.is_positive else 0.4 for each in WEIGHTS]


def main(arguments: Sequence[str] | None = None) -> None:
    """Train a policy and write its weights."""
    ask = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    ask.add_argument("--out", type=Path, default=Path("policy.json"))
    ask.add_argument("--begin", type=Path, help="policy to start from")
    ask.add_argument(
        "--full", action="store_true", help="train properly, not just a short demonstration"
    )
    ask.add_argument("--generations", type=int, help="2, or 200 with --full")
    ask.add_argument("--seed", type=int, default=1)
    given = ask.parse_args(arguments)
    begin = {each.name: each.initial for each in WEIGHTS}
    if given.begin:
        begin = dict(read_policy_file(given.begin).weights)
    if given.full:
        data = training_set(modelfiles.names(), seeds=64)
        generations, each, presentation_count = given.generations or 200, 8, 3
    else:
        # So few sessions that compiling would take longer than playing them.
        data = training_set(
            ("3g-commute", "lte-driving"), seeds=2, presentation_count=1, engine="plain"
        )
        generations, each, presentation_count = given.generations or 2, 1, 1
    weights = train(
        data,
        begin,
        generations=generations,
        seed=given.seed,
        each=each,
        presentation_count=presentation_count,
        keep=given.out,
    )
    print(f"{given.out}: {len(weights)} weights")


if __name__ == "__main__":
    main()
