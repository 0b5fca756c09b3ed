"""Train a policy like the bundled one with CMA-ES over simulated sessions.

Needs the extra ``learn`` (``pip install 'abrkit[learn]'``). A generation plays a
few thousand sessions in the compiled batch simulator, so 200 generations take minutes; the
same seed writes the same file on the same machine. Without ``--full`` the script runs for
some seconds, to show that it works, and learns next to nothing.

    python examples/train_policy.py --full --out mine.json
    abr simulate packages/presentation --trace train.csv --algorithm policy:mine.json

Traces are drawn from ``CLASSES`` of the bundled ones (``abr.generators``), seeds 0 to 63;
held-out figures use other seeds and classes too, see tests/perf/policy_holdout.py. Ladders are
drawn around what a class can carry, with segments and buffers of all sizes. What is learned
is the parameters of a planner (``abr.algorithms.policy.WEIGHTS``), not a neural network.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from abr import registry
from abr.algorithms.policy import WEIGHTS, build_rule
from abr.decision import Algorithm, Rule
from abr.files import models as modelfiles
from abr.files.policies import read_policy_file, write_policy_file
from abr.generators import generate
from abr.media import FloatArray, Presentation
from abr.policytext import Policy
from abr.trace import Trace
from bench.experiments.presentations import Shape, draw
from player.batch.abrkit.simulator import ABRKIT
from player.batch.abrkit.timeline import Options
from player.batch.run.batch import Batch, Engine, run_batch

UNLIMITED = Options(first_byte_limit_s=math.inf, idle_limit_s=math.inf, total_limit_s=math.inf)
"""The default player, without time limits on requests."""
RIVALS = ("robust-mpc", "bola-e", "dynamic")
CLASSES = (
    "3g-commute",
    "5g-mmwave-driving",
    "fcc-home",
    "lte-driving",
    "puffer-home",
    "wifi-weak-50mbps",
)
"""Classes of traces to train on, out of ten; the others are held out."""
TOP_OF_CAPACITY = (0.35, 1.4)
"""Range of a ladder's top rate, in multiples of the median capacity of a class."""
RUNGS, SPAN = (3, 10), (4.0, 25.0)
"""Ranges of the number of rungs, and of the top rate in multiples of the lowest."""
SEGMENTS_S, BUFFERS_S = (1.0, 2.0, 4.0, 4.0, 6.0, 10.0), (4.0, 10.0, 20.0, 30.0, 30.0, 60.0)
MEDIA_S = 240.0


def score(batch: Batch, presentation: Presentation) -> tuple[FloatArray, FloatArray]:
    """``qoe_lin`` in percent of the top rate, and percent of the media time stalled, shape (n,).

    A second of stall costs as much as the top rung has Mbit/s.
    """
    rates = presentation.bitrates_bps[batch.rungs.astype(np.int64)] / presentation.bitrates_bps[-1]
    changes = np.abs(np.diff(rates, axis=1)).sum(axis=1)
    stall_s = batch.total("stall_s")
    gained = (rates.sum(axis=1) - stall_s - changes) / presentation.segments
    return 100 * gained, 100 * stall_s / presentation.duration_s


@dataclass(frozen=True)
class Situation:
    """A presentation and a player, over networks of one class, and how the rivals fared."""

    presentation: Presentation
    options: Options
    traces: list[Trace]
    engine: Engine
    rivals: list[tuple[FloatArray, FloatArray]]
    """Scores and stalls of each rival, as of ``score``."""

    def play(self, algorithm: Algorithm, which: Any) -> tuple[FloatArray, FloatArray]:
        """Scores and stalls over some of the traces."""
        traces = [self.traces[k] for k in which]
        batch = run_batch(
            ABRKIT, self.presentation, traces, algorithm, options=self.options, engine=self.engine
        )
        return score(batch, self.presentation)

    def gain(self, rule: Rule, which: Any) -> float:
        """How far a policy leads the rivals.

        Leading every rival, and stalling no more than ``robust-mpc``, counts more than a
        large lead over one.
        """
        mine, stalled = self.play(rule, which)
        leads = [(mine - theirs[which]).mean() for theirs, _ in self.rivals]
        excess = (stalled - self.rivals[0][1][which]).mean()
        stalls = np.tanh(excess / 0.2) + 0.5 * max(excess, 0.0)
        return float(0.1 * np.mean(leads) + np.tanh(leads).mean() - stalls)


def draw_situation(
    name: str, seed: int, traces: list[Trace], rng: np.random.Generator, engine: Engine
) -> Situation:
    """Draw a ladder around the capacity of a class, a segment duration and a buffer."""
    means = [each.bits_by(MEDIA_S) / MEDIA_S for each in traces]
    top_bps = float(np.median(means)) * np.exp(rng.uniform(*np.log(TOP_OF_CAPACITY)))
    rungs, segment_s = int(rng.integers(RUNGS[0], RUNGS[1] + 1)), float(rng.choice(SEGMENTS_S))
    span = float(np.exp(rng.uniform(*np.log(SPAN))))
    steps = np.cumsum(np.r_[0.0, rng.uniform(0.5, 1.5, rungs - 1)])
    ladder_bps = np.round(top_bps * span ** (steps / steps[-1] - 1))
    shape = Shape(
        bitrates_bps=tuple(ladder_bps), segments=round(MEDIA_S / segment_s), segment_s=segment_s
    )
    presentation = draw(shape, rng, title=f"{name}-{seed}")
    buffer_s = max(float(rng.choice(BUFFERS_S)), 2 * segment_s)
    options = UNLIMITED._replace(max_buffer_s=buffer_s)
    begun = Situation(presentation, options, traces, engine, [])
    every = range(len(traces))
    fitting = {"robust-mpc": {"stall_weight": float(ladder_bps[-1] / 1e6)}}
    found = [begun.play(registry.load(each, **fitting.get(each, {})), every) for each in RIVALS]
    return replace(begun, rivals=found)


def draw_situations(
    names: Sequence[str], seeds: int, each: int, engine: Engine = "auto"
) -> list[Situation]:
    """Several situations of each class, on traces of the first seeds."""
    found = []
    for k, name in enumerate(names):
        model = modelfiles.model(name)
        traces = [generate(model, seed=seed, duration_s=1.6 * MEDIA_S) for seed in range(seeds)]
        for j in range(each):
            rng = np.random.default_rng([1, k, j])
            found.append(draw_situation(name, j, traces, rng, engine))
    return found


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
    situations: Sequence[Situation],
    begin: Mapping[str, float],
    *,
    generations: int,
    seed: int,
    at_once: int = 24,
    traces: int = 12,
    step: float = 0.3,
    keep: Path | None = None,
) -> dict[str, float]:
    """Run CMA-ES; each generation draws situations and traces, the same for all its policies."""
    import cma

    options = {"seed": seed + 1, "verbose": -9, "maxiter": generations, "CMA_stds": _spreads()}
    search = cma.CMAEvolutionStrategy(point_of(begin), step, options)
    rng = np.random.default_rng(seed)
    for generation in range(generations):
        chosen = [situations[k] for k in rng.permutation(len(situations))[:at_once]]
        sample = [(each, rng.permutation(len(each.traces))[:traces]) for each in chosen]
        points, gains = search.ask(), []
        for point in points:
            rule = build_rule(weights_at(point))
            gains.append(float(np.mean([each.gain(rule, which) for each, which in sample])))
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
        situations = draw_situations(CLASSES, seeds=64, each=16)
        generations, at_once, traces = given.generations or 200, 24, 12
    else:
        # So few sessions that compiling would take longer than playing them.
        situations = draw_situations(CLASSES[:1], seeds=2, each=1, engine="plain")
        generations, at_once, traces = given.generations or 2, 1, 2
    weights = train(
        situations,
        begin,
        generations=generations,
        seed=given.seed,
        at_once=at_once,
        traces=traces,
        step=0.15 if given.begin else 0.3,
        keep=given.out,
    )
    print(f"{given.out}: {len(weights)} weights")


if __name__ == "__main__":
    main()
