"""How often intervals of 95 % hold the truth, over real traces and made-up households.

    python -m tests.perf.interval_coverage [--traces FOLDER ... [--least-mbps 0.4]]
        [--rules rate bba-1 dynamic] [--samples 2000]

The population are sessions of three rules over every trace below the folders, each begun at 20
places, or over 200 made-up households of 20 lines each, when no folder is given. The truth is
its figure. A sample draws clusters (files or households) with replacement: 10, 20, 50 or 200 with
one session each, or 15 with 20 sessions each. Bar: .92 to .97 at 20, at 200 and at 15 x 20, of
bitrate and QoE and their differences; of time stalled .92 and more, for its ends are meant to be
on the safe side.

Methods side by side: percentiles of the bootstrap with tails widened for few clusters, BCa, the
studentised bootstrap, ``bench.analysis.stats.interval``, and intervals as reports have them, which
is the same but for time stalled (``bench.analysis.rarity``). A sample without a stall has no
interval of an algorithm's own: the table says how many had one, and how wide intervals of reports
are on the mean beside those of the spread alone. The last lines say how many reports of equal
algorithms have a mark: copies of one rule that begin at other places.
"""

from __future__ import annotations

import argparse
import json
import math
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from statistics import NormalDist
from typing import NamedTuple

import numpy as np

from abr.files.models import find_model
from abr.generators import generate
from abr.media import FloatArray
from abr.wording import format_count
from bench.analysis.stats import (
    LEVEL,
    Estimate,
    Measured,
    holm,
    interval,
    measure,
    student_quantile,
)
from bench.experiments.experiment import Experiment, NetworkTrace, blocks_of, runs_of
from bench.experiments.planfile import read_plan
from bench.experiments.run.engine import run_block
from bench.experiments.run.materials import load_experiment

RULES = ("throughput", "bba-0", "bola-e")
FIGURES = ("bitrate", "stalled", "QoE")
RARE = (False, True, False)
PLACES = 20
SIZES = ((10, 1), (20, 1), (50, 1), (200, 1), (15, PLACES))
JUDGED = ((20, 1), (200, 1), (15, PLACES))
BAR = (0.92, 0.97)
SAFE = (0.92, 1.0)
"""Of time stalled."""
HOUSEHOLDS = 200
CLASSES = ("3g-commute", "fcc-home", "lte-driving", "puffer-home")
RESAMPLES = 500
COPIES = 8
NORMAL = NormalDist()

PLAN = """\
[plan]
name = "coverage"
engine = "compiled"
{seeds}
{rules}
[[traces]]
{traces}
[[presentation]]
builtin = "vbr-6"
"""


class Population(NamedTuple):
    """Tops and bottoms of ``FIGURES``, shape (rules, figures, clusters, places)."""

    rules: Sequence[str]
    top: FloatArray
    bottom: FloatArray


def experiment_of(rules: Sequence[str], traces: str, seeds: str = "") -> Experiment:
    """The rules over networks."""
    named = "\n".join(f'[[algorithm]]\nname = "{name}"' for name in rules)
    text = PLAN.format(rules=named, traces=traces, seeds=seeds)
    with tempfile.TemporaryDirectory() as folder:
        return load_experiment(read_plan(text, name="coverage"), folder=Path(folder))


def real(rules: Sequence[str], folders: Sequence[str], least_bps: float) -> Experiment:
    """Every trace below the folders, begun at ``PLACES`` places."""
    files = json.dumps([str(Path(each).resolve()) for each in folders])
    found = experiment_of(rules, f"files = {files}", f"seeds = {list(range(PLACES))}")
    carried = tuple(
        each
        for each in found.networks
        if each.trace.bits_by(each.trace.duration_s) >= least_bps * each.trace.duration_s
    )
    return replace(found, networks=carried)


def households(rules: Sequence[str]) -> Experiment:
    """Lines of a household are alike: each is a draw, times a factor of the household."""
    base = experiment_of(rules, f'generate = "{CLASSES[0]}"\ncount = 1\nduration_s = 320')
    rng, networks = np.random.default_rng(0), []
    for home in range(HOUSEHOLDS):
        model = find_model(CLASSES[home % len(CLASSES)])
        factor = math.exp(rng.normal(0, 0.5))
        for place in range(PLACES):
            trace = generate(model, seed=home * PLACES + place, duration_s=320)
            scaled = replace(trace, capacity_bps=trace.capacity_bps * factor)
            cluster = f"household:{home}"
            networks.append(NetworkTrace(trace=scaled, kind="home", seed=place, cluster=cluster))
    networks.sort(key=lambda each: each.seed)
    return replace(base, networks=tuple(networks))


def population(rules: Sequence[str], experiment: Experiment) -> Population:
    """Play everything."""
    names = list(dict.fromkeys(each.cluster for each in experiment.networks))
    found = np.full((2, len(rules), len(FIGURES), len(names), PLACES), np.nan)
    blocks = blocks_of(experiment)
    for run in runs_of(experiment):
        lines = run_block(run, blocks[run.block]).splitlines()[1:]
        for row in map(json.loads, lines):
            at = (rules.index(row["algorithm"]), slice(None), names.index(row["cluster"]))
            stall_s = row["stall_s"]
            tops = (row["mean_bitrate_bps"] / 1e6, stall_s, row["qoe_lin"])
            found[(0, *at, row["seed"])] = tops
            found[(1, *at, row["seed"])] = (1.0, stall_s + row["played_s"], 1.0)
    # A trace that does not change is the same wherever it begins, and is there once.
    first = found[..., :1]
    return Population(rules, *np.where(np.isnan(found), first, found))


def draw(
    people: Population, rng: np.random.Generator, clusters: int, each: int
) -> tuple[FloatArray, FloatArray]:
    """Tops and bottoms of a sample by cluster, shape (rules, figures, clusters)."""
    who = rng.integers(people.top.shape[2], size=clusters)
    places = np.array([rng.permutation(PLACES)[:each] for _ in who])
    top, bottom = (part[:, :, who[:, None], places].sum(-1) for part in people[1:])
    return top, bottom


Ends = tuple[float, float]


class Drawn(NamedTuple):
    """A figure or a difference of a sample, and of its resamples."""

    value: float
    parts: FloatArray
    values: FloatArray
    errors: FloatArray
    """Standard error in each resample."""
    reported: Estimate
    """As reports have it."""


def percentiles(of: Drawn) -> Ends:
    """Widened for few clusters as Hesterberg (2015) does."""
    n = len(of.parts)
    tail = NORMAL.cdf(-math.sqrt(n / (n - 1)) * student_quantile((1 + LEVEL) / 2, n - 1))
    low, high = np.quantile(of.values, [tail, 1 - tail])
    return float(low), float(high)


def bca(of: Drawn) -> Ends:
    """Bias-corrected and accelerated (Efron 1987)."""
    off = of.parts - of.parts.mean()
    square = float((off**2).sum())
    if not square:
        return of.value, of.value
    pace = float((off**3).sum()) / (6 * square**1.5)
    below = float((of.values < of.value).mean() + (of.values <= of.value).mean()) / 2
    bias = NORMAL.inv_cdf(min(max(below, 1e-4), 1 - 1e-4))
    tails = []
    for z in (-1, 1):
        moved = bias + z * NORMAL.inv_cdf((1 + LEVEL) / 2)
        tails.append(NORMAL.cdf(bias + moved / (1 - pace * moved)))
    low, high = np.quantile(of.values, tails)
    return float(low), float(high)


def studentised(of: Drawn) -> Ends:
    """The bootstrap of t."""
    n = len(of.parts)
    error = float(of.parts.std(ddof=1)) / math.sqrt(n)
    if not error:
        return of.value, of.value
    off = of.values - of.value
    with np.errstate(divide="ignore", invalid="ignore"):
        t = np.where(of.errors > 1e-9 * error, off / of.errors, np.sign(off) * np.inf)
    low, high = np.quantile(t, [(1 - LEVEL) / 2, (1 + LEVEL) / 2], method="nearest")
    return of.value - high * error, of.value - low * error


def spread(of: Drawn) -> Ends:
    """By the spread of the sample alone."""
    found = interval(of.value, of.parts)
    return found.low, found.high


def reports(of: Drawn) -> Ends:
    """As reports have it."""
    return of.reported.low, of.reported.high


METHODS: tuple[Callable[[Drawn], Ends], ...] = (percentiles, bca, studentised, spread, reports)
SPREAD, REPORTS = METHODS.index(spread), METHODS.index(reports)


class Target(NamedTuple):
    """A figure of a rule, or the difference of two rules."""

    rule: int
    base: int | None
    figure: int

    def name(self, rules: Sequence[str]) -> str:
        """As the table names it."""
        less = "" if self.base is None else f" − {rules[self.base]}"
        return f"{rules[self.rule]}{less}, {FIGURES[self.figure]}"

    def of(self, values: FloatArray) -> FloatArray:
        """Its part of an array by rule and figure."""
        own: FloatArray = values[self.rule, self.figure]
        return own if self.base is None else own - values[self.base, self.figure]

    def reported(self, own: Measured) -> Estimate:
        """With its interval as reports have it."""
        if self.base is None:
            found = own.estimate(self.rule, self.figure)
            return found.within(0.0, 1.0) if RARE[self.figure] else found
        return own.difference(self.rule, self.base, self.figure)


TARGETS = [
    Target(rule, base, figure)
    for base in (None, 0)
    for rule in range(0 if base is None else 1, len(RULES))
    for figure in range(len(FIGURES))
]


class Held(NamedTuple):
    """What came of the samples, shape (samples, targets, methods)."""

    held: FloatArray
    """Whether an interval held the truth."""
    widths: FloatArray
    """nan where there was none."""


def coverage(people: Population, clusters: int, each: int, samples: int) -> Held:
    """Draw samples and see which intervals hold the truth."""
    truth = people.top.sum(axis=(2, 3)) / people.bottom.sum(axis=(2, 3))
    rng = np.random.default_rng([clusters, each])
    shape = (samples, len(TARGETS), len(METHODS))
    found = Held(np.zeros(shape), np.zeros(shape))
    for k in range(samples):
        top, bottom = draw(people, rng, clusters, each)
        own = measure(top, bottom, is_rare=RARE)
        again = rng.integers(clusters, size=(RESAMPLES, clusters))
        drawn = measure(*(part[..., again] for part in (top, bottom)))
        for t, target in enumerate(TARGETS):
            of = Drawn(
                value=float(target.of(own.values)),
                parts=target.of(own.parts),
                values=target.of(drawn.values),
                errors=target.of(drawn.parts).std(axis=-1, ddof=1) / math.sqrt(clusters),
                reported=target.reported(own),
            )
            aim = float(target.of(truth))
            ends = np.array([method(of) for method in METHODS])
            found.held[k, t] = (ends[:, 0] <= aim) & (aim <= ends[:, 1])
            found.widths[k, t] = ends[:, 1] - ends[:, 0]
    return found


def print_coverage(people: Population, samples: int) -> bool:
    """The table; whether every judged row of reports is within the bar."""
    print(
        "| clusters | figure | percentiles | BCa | studentised | spread | reports | width | given |"
    )
    print("|---:|---|---:|---:|---:|---:|---:|---:|---:|")
    passed = True
    for clusters, each in SIZES:
        found = coverage(people, clusters, each, samples)
        size = f"{clusters}" if each == 1 else f"{clusters} x {each}"
        for t, target in enumerate(TARGETS):
            given = np.isfinite(found.widths[:, t, REPORTS])
            shares = found.held[:, t].mean(axis=0)
            shares[REPORTS] = found.held[given, t, REPORTS].mean()
            # A share of so many samples is itself known to two standard errors only.
            slack = 2 * math.sqrt(0.05 * 0.95 / samples)
            least, most = SAFE if RARE[target.figure] else BAR
            is_judged = (clusters, each) in JUDGED
            is_out = is_judged and not least - slack <= shares[REPORTS] <= most + slack
            passed &= not is_out
            widths = found.widths[given, t].mean(axis=0)
            cells = " | ".join(f"{share:.3f}" for share in shares)
            mark = " out" if is_out else ""
            wider = widths[REPORTS] / widths[SPREAD]
            name = target.name(people.rules)
            print(f"| {size} | {name} | {cells}{mark} | {wider:.2f} | {given.mean():.0%} |")
    return passed


def print_false_marks(people: Population, samples: int) -> bool:
    """How many reports of equal algorithms have a mark, by what is done about their number."""
    rng = np.random.default_rng(3)
    counts = np.zeros(3)
    clusters, copies = 20, COPIES
    for _ in range(samples):
        who = rng.integers(people.top.shape[2], size=clusters)
        places = np.array([rng.permutation(PLACES)[:copies] for _ in who]).T
        top, bottom = (part[1][:, who, places].swapaxes(0, 1) for part in people[1:])
        found = measure(top, bottom, is_rare=RARE)
        chances = [found.chance(a, 0, m) for a in range(1, copies) for m in range(len(FIGURES))]
        known = [p for p in chances if not math.isnan(p)]
        counts += (
            min(known) < 1 - LEVEL,
            min(known) * len(known) < 1 - LEVEL,
            min(p for p in holm(chances) if not math.isnan(p)) < 1 - LEVEL,
        )
    alone, bonferroni, together = counts / samples
    print(
        f"{format_count(samples, 'report')} of {copies} copies of {people.rules[1]} over "
        f"{clusters} clusters, {(copies - 1) * len(FIGURES)} differences each: a mark in "
        f"{alone:.1%} where each stands alone, {bonferroni:.1%} with Bonferroni, {together:.1%} "
        "with Holm (bar 5 %)"
    )
    return bool(together <= 1 - LEVEL)


def main() -> int:
    """Print the tables; 1 when a bar is missed."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--traces", nargs="+", metavar="FOLDER")
    parser.add_argument("--least-mbps", type=float, default=0.0, help="that a trace carries")
    parser.add_argument("--rules", nargs=len(RULES), metavar="ALGORITHM", default=RULES)
    parser.add_argument("--samples", type=int, default=2000)
    args = parser.parse_args()
    least_bps = 1e6 * args.least_mbps
    rules = tuple(args.rules)
    folders: list[str] | None = args.traces
    people = population(rules, real(rules, folders, least_bps) if folders else households(rules))
    stalls, clusters = people.top[:, 1].sum(-1), people.top.shape[2]
    for rule, of_rule, sums in zip(people.rules, stalls, people.bottom[:, 1].sum(-1), strict=True):
        worst = of_rule.max() / max(of_rule.sum(), 1e-9)
        print(
            f"{rule}: {of_rule.sum() / sums.sum():.2%} stalled, in {np.count_nonzero(of_rule)} of "
            f"{clusters} clusters, {worst:.0%} of it in one"
        )
    is_covered = print_coverage(people, args.samples)
    return 0 if print_false_marks(people, args.samples) and is_covered else 1


if __name__ == "__main__":
    raise SystemExit(main())
