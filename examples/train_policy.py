"""Train abrkit's policy, or one of your own, with CMA-ES over simulated sessions.

Needs the extra ``learn`` (``pip install 'abrkit[learn]'``). A generation plays some
thousands of sessions in the compiled batch simulator, so that 200 of them take minutes;
the same seed writes the same file on the same machine. Without ``--full`` it is a taste of
seconds that learns next to nothing.

    python examples/train_policy.py --full --out mine.json
    abr simulate packages/film --trace train.csv --algorithm policy:mine.json

Traces are drawn from every shipped class (``abr.generators``): seeds 0 to 63 to learn
from; held-out figures use others, see tests/perf/policy_holdout.py. What is learned is a
planner's numbers (``abr.algorithms.policy.WEIGHTS``), not a network's.
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
from player.batch.abrkit import session as abrkit
from player.batch.run.batch import Engine, run_batch

RIVALS = ("robust-mpc", "bola-e", "dynamic")
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
OPTIONS = abrkit.Options(first_byte_limit_s=math.inf, total_limit_s=math.inf)
"""Our own player, but that no request is ever given up for lack of time."""


def films(seed: int) -> list[Presentation]:
    """One presentation of each shape."""
    return [
        draw(shape, np.random.default_rng([seed, k]), title=name)
        for k, (name, shape) in enumerate(SHAPES.items())
    ]


def traces(names: Sequence[str], seeds: Sequence[int], duration_s: float = 400.0) -> list[Trace]:
    """One trace per class and seed, class by class."""
    models = [modelfiles.model(name) for name in names]
    return [generate(model, seed=s, duration_s=duration_s) for model in models for s in seeds]


def scores(
    algorithm: Algorithm, film: Presentation, over: Sequence[Trace], engine: Engine = "auto"
) -> FloatArray:
    """``qoe_lin`` per session: mean Mbit/s - 4.3 stalled s - |change| per segment, shape (n,)."""
    batch = run_batch(abrkit, film, over, algorithm, options=OPTIONS, engine=engine)
    mbps = film.bitrates_bps[batch.rungs.astype(np.int64)] / 1e6
    changes = np.abs(np.diff(mbps, axis=1)).sum(axis=1)
    worth = mbps.sum(axis=1) - STALL_WEIGHT * batch.total("stall_s") - changes
    return np.asarray(worth / film.segments)


@dataclass(frozen=True)
class School:
    """What is learned from: sessions, and what the rivals made of them."""

    films: list[Presentation]
    traces: list[Trace]
    """Class by class, as many of each."""
    classes: int
    rivals: FloatArray
    """Scores, shape (rivals, films, traces)."""
    engine: Engine

    def lesson(self, rng: np.random.Generator, films_: int, each: int) -> list[tuple[int, Any]]:
        """A few presentations, each with a few traces of every class, shape (classes, each)."""
        per_class = len(self.traces) // self.classes
        chosen = rng.permutation(len(self.films))[:films_]
        starts = per_class * np.arange(self.classes)[:, None]
        return [(int(f), starts + rng.permutation(per_class)[:each]) for f in chosen]

    def gain(self, weights: Mapping[str, float], lesson: list[tuple[int, Any]]) -> float:
        """How far a policy is ahead of the rivals, in percent of the ladder's top rate.

        Being ahead of every rival in every class counts more than being far ahead in one.
        """
        rule, ahead = build_rule(weights), []
        for f, which in lesson:
            film = self.films[f]
            mine = scores(rule, film, [self.traces[k] for k in which.ravel()], self.engine)
            theirs = self.rivals[:, f, which.ravel()]
            gains = (mine - theirs).reshape(len(theirs), *which.shape).mean(axis=2)
            ahead.append(100e6 * gains / film.bitrates_bps[-1])
        percent = np.mean(ahead, axis=0)
        return float(0.3 * percent.mean() + np.tanh(percent / 0.5).mean())


def school(
    names: Sequence[str], seeds: int, films_: int = len(SHAPES), engine: Engine = "auto"
) -> School:
    """Play the rivals once."""
    shown, over = films(1)[:films_], traces(names, range(seeds))
    rivals = [
        [scores(registry.load(name), film, over, engine) for film in shown] for name in RIVALS
    ]
    return School(shown, over, len(names), np.array(rivals), engine)


def weights_at(point: FloatArray) -> dict[str, float]:
    """The numbers at a point of the search."""
    return {
        each.name: float(np.exp(np.clip(x, -12, 6))) if each.is_positive else float(x)
        for each, x in zip(WEIGHTS, point, strict=True)
    }


def point_of(weights: Mapping[str, float]) -> FloatArray:
    """The point of the search where these numbers are."""
    values = [(each.is_positive, weights[each.name]) for each in WEIGHTS]
    return np.array([math.log(value) if logs else value for logs, value in values])


def train(
    taught: School,
    begin: Mapping[str, float],
    *,
    generations: int,
    seed: int,
    each: int = 8,
    films_: int = 3,
    keep: Path | None = None,
) -> dict[str, float]:
    """CMA-ES; every generation has traces of its own, the same for all its policies."""
    import cma

    options = {"seed": seed + 1, "verbose": -9, "maxiter": generations, "CMA_stds": _spreads()}
    search = cma.CMAEvolutionStrategy(point_of(begin), 0.3, options)
    rng = np.random.default_rng(seed)
    for generation in range(generations):
        lesson = taught.lesson(rng, films_, each)
        points = search.ask()
        gains = [taught.gain(weights_at(point), lesson) for point in points]
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
    """Train, and write the weights."""
    ask = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    ask.add_argument("--out", type=Path, default=Path("policy.json"))
    ask.add_argument("--begin", type=Path, help="policy to begin with")
    ask.add_argument("--full", action="store_true", help="train in earnest, not just a taste")
    ask.add_argument("--generations", type=int, help="2, or 200 with --full")
    ask.add_argument("--seed", type=int, default=1)
    given = ask.parse_args(arguments)
    begin = {each.name: each.initial for each in WEIGHTS}
    if given.begin:
        begin = dict(read_policy_file(given.begin).weights)
    if given.full:
        taught = school(modelfiles.names(), seeds=64)
        generations, each, films_ = given.generations or 200, 8, 3
    else:
        # A taste: so few sessions that compiling would take longer than playing them.
        taught = school(("3g-commute", "lte-driving"), seeds=2, films_=1, engine="plain")
        generations, each, films_ = given.generations or 2, 1, 1
    weights = train(
        taught,
        begin,
        generations=generations,
        seed=given.seed,
        each=each,
        films_=films_,
        keep=given.out,
    )
    print(f"{given.out}: {len(weights)} numbers")


if __name__ == "__main__":
    main()
