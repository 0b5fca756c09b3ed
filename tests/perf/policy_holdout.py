"""How far the bundled policy is ahead of its rivals on held-out traces, near and far.

    python tests/perf/policy_holdout.py [--traces 200] [--policy FILE]
    python tests/perf/policy_holdout.py --far [--traces 120]
    python tests/perf/policy_holdout.py --files FOLDER ...

The score of a session is ``qoe_lin`` with the weight that fits its ladder: the mean over
segments of the rate, less the top rung's rate per second stalled and the absolute change
of rate, in percent of the top rung; startup counts nothing. ``robust-mpc`` plans with the same
weight. Each trace is one unit: its score is the mean over the presentations. Differences are
paired by trace, intervals are the 95 % ones of ``bench.analysis.stats``. Stalls are in
percent of the media time.

Traces are of seeds from 10,000 on (learning used 0 to 63, of six of the ten classes, and 20,000
to 20,031 chose among variants); those of the n-th class of a row, counted from 0, begin 1,000 n
later, since classes use the same random numbers for the same seed. The
presentations are other draws than those of learning, and two bundled with ``bench``. Sessions
are those of our own player's simulator, without limits in time, with 30 s of buffer at most
unless the row says otherwise. ``--far`` goes through ladders, networks, segment durations and
buffers of its own (``FAR``); with ``--files`` the traces of a folder are a row.

Bar: ahead of every rival with the interval above 0, and no more stalled than ``robust-mpc``;
the last lines say where not.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

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
CLASSES_APART = 1_000
LEAST_BPS = 0.4e6
UNLIMITED = Options(
    first_byte_limit_s=float("inf"), idle_limit_s=float("inf"), total_limit_s=float("inf")
)
NEAR = {
    "hd-5": Shape(bitrates_bps=(4e5, 1e6, 2e6, 4e6, 8e6), segments=100, segment_s=2.0),
    "hd-8": Shape(
        bitrates_bps=(2.5e5, 5e5, 8e5, 1.4e6, 2.4e6, 4e6, 6.5e6, 1e7), segments=40, segment_s=6.0
    ),
    "uhd-7": Shape(
        bitrates_bps=(1e6, 2.5e6, 5e6, 8e6, 1.4e7, 2.2e7, 3.5e7), segments=60, segment_s=4.0
    ),
}


def shape(*mbps: float, segment_s: float = 4.0) -> Shape:
    """Four minutes of a ladder."""
    return Shape(
        bitrates_bps=tuple(1e6 * each for each in mbps),
        segments=round(240 / segment_s),
        segment_s=segment_s,
    )


PENSIEVE = (0.3, 0.75, 1.2, 1.85, 2.85, 4.3)
HD = (1.0, 2.0, 3.0, 12.0, 15.0, 20.0)
FIVE_G = (20.0, 40.0, 60.0, 80.0, 110.0, 160.0)
PLAIN = (0.4, 1.0, 2.0, 4.0, 8.0)
MIXED = (
    "3g-commute",
    "fcc-home",
    "puffer-home",
    "wifi-weak-5mbps",
    "wifi-weak-50mbps",
    "lte-walking",
)


class Case(NamedTuple):
    """A row far from what most train on."""

    shape: Shape
    classes: tuple[str, ...] = MIXED
    max_buffer_s: float = 30.0


FAR = {
    "1 to 20 Mbit/s, lte-driving": Case(shape(*HD), ("lte-driving",)),
    "1 to 20 Mbit/s, lte-walking": Case(shape(*HD), ("lte-walking",)),
    "1 to 20 Mbit/s, puffer-home": Case(shape(*HD), ("puffer-home",)),
    "1 to 20 Mbit/s, wifi-weak-50mbps": Case(shape(*HD), ("wifi-weak-50mbps",)),
    "1 to 20 Mbit/s, starlink-driving": Case(shape(*HD), ("starlink-driving",)),
    "20 to 160 Mbit/s, 5g-mmwave-driving": Case(shape(*FIVE_G), ("5g-mmwave-driving",)),
    "20 to 160 Mbit/s, 5g-mmwave-walking": Case(shape(*FIVE_G), ("5g-mmwave-walking",)),
    "20 to 160 Mbit/s, starlink-driving": Case(shape(*FIVE_G), ("starlink-driving",)),
    "20 to 160 Mbit/s, lte-driving": Case(shape(*FIVE_G), ("lte-driving",)),
    "0.3 to 4.3 Mbit/s, 3g-commute, buffer of 60 s": Case(
        shape(*PENSIEVE), ("3g-commute",), max_buffer_s=60.0
    ),
    "0.3 to 4.3 Mbit/s, wifi-weak-5mbps, buffer of 60 s": Case(
        shape(*PENSIEVE), ("wifi-weak-5mbps",), max_buffer_s=60.0
    ),
    "segments of 1 s": Case(shape(*PLAIN, segment_s=1.0)),
    "segments of 2 s": Case(shape(*PLAIN, segment_s=2.0)),
    "segments of 6 s": Case(shape(*PLAIN, segment_s=6.0)),
    "segments of 10 s": Case(shape(*PLAIN, segment_s=10.0)),
    "segments of 2 s, buffer of 10 s": Case(shape(*PLAIN, segment_s=2.0), max_buffer_s=10.0),
    "buffer of 60 s": Case(shape(*PLAIN), max_buffer_s=60.0),
    "as live: segments of 1 s, buffer of 4 s": Case(shape(*PLAIN, segment_s=1.0), max_buffer_s=4.0),
    "as live: segments of 2 s, buffer of 8 s": Case(shape(*PLAIN, segment_s=2.0), max_buffer_s=8.0),
    "two rungs": Case(shape(1.0, 4.0)),
    "20 rungs": Case(shape(*np.geomspace(0.2, 8.0, 20))),
    "three equal rungs of five": Case(shape(0.3, 1.0, 1.0, 1.0, 3.0)),
    "one rung": Case(shape(1.5)),
    "segments of 1 s, buffer of 8 s": Case(shape(*PLAIN, segment_s=1.0), max_buffer_s=8.0),
    "buffer of two segments of 2 s": Case(shape(*PLAIN, segment_s=2.0), max_buffer_s=4.0),
    "buffer of two segments of 4 s": Case(shape(*PLAIN), max_buffer_s=8.0),
    "buffer of one segment of 1 s": Case(shape(*PLAIN, segment_s=1.0), max_buffer_s=1.0),
    "buffer of one segment of 2 s": Case(shape(*PLAIN, segment_s=2.0), max_buffer_s=2.0),
    "buffer of one segment of 4 s": Case(shape(*PLAIN), max_buffer_s=4.0),
    "buffer of one segment of 10 s": Case(shape(*PLAIN, segment_s=10.0), max_buffer_s=10.0),
}


class Row(NamedTuple):
    """What is played for a row."""

    name: str
    presentations: list[Presentation]
    make: Callable[[], list[Trace]]
    options: Options


class Played(NamedTuple):
    """Sessions of one algorithm."""

    scores: FloatArray
    """Percent of the top rung, shape (F, n)."""
    stalled: FloatArray
    """Percent of the media time, shape (F, n)."""


def near_presentations() -> list[Presentation]:
    """Held-out presentations."""
    draws = [
        draw(each, np.random.default_rng([2, k]), title=name)
        for k, (name, each) in enumerate(NEAR.items())
    ]
    return [builtin(name, seed=2) for name in BUILTIN] + draws


def play(make: Callable[[float], Algorithm], row: Row, over: Sequence[Trace]) -> Played:
    """Scores and stalls of an algorithm made for each ladder's top rung in Mbit/s."""
    scores, stalled = [], []
    for presentation in row.presentations:
        top_bps = float(presentation.bitrates_bps[-1])
        batch = run_batch(ABRKIT, presentation, over, make(top_bps / 1e6), options=row.options)
        rates = presentation.bitrates_bps[batch.rungs.astype(np.int64)] / top_bps
        changes = np.abs(np.diff(rates, axis=1)).sum(axis=1)
        stall_s = batch.total("stall_s")
        scores.append(100 * (rates.sum(axis=1) - stall_s - changes) / presentation.segments)
        stalled.append(100 * stall_s / presentation.duration_s)
    return Played(np.array(scores), np.array(stalled))


def rival(name: str, top_mbps: float) -> Algorithm:
    """A rival, with the weight of the score if it has one."""
    return registry.load(name, **({"stall_weight": top_mbps} if name == "robust-mpc" else {}))


def drawn_traces(names: Sequence[str], first_seed: int, count: int) -> list[Trace]:
    """Traces of bundled classes, as many of each, that share no random numbers."""
    each = max(count // len(names), 1)
    return [
        generate(modelfiles.model(name), seed=first_seed + CLASSES_APART * n + k, duration_s=400.0)
        for n, name in enumerate(names)
        for k in range(each)
    ]


def traces_in(folder: Path) -> list[Trace]:
    """All traces of a folder that go on, and carry 0.4 Mbit/s on average."""
    every = sorted(each for each in folder.rglob("*") if each.is_file())
    files = [each for each in every if each.suffix != ".md" and each.name != "README"]
    found = [reading.trace for each in files for reading in read_readings_file(each)]
    means = [t.bits_by(float(t.times_s[-1])) / float(t.times_s[-1]) for t in found]
    return [t for t, mean in zip(found, means, strict=True) if t.end != "end" and mean >= LEAST_BPS]


def rows_of(given: argparse.Namespace) -> Iterator[Row]:
    """What was asked for."""
    draws = partial(drawn_traces, first_seed=given.first_seed, count=given.traces)
    if given.far:
        for k, (name, case) in enumerate(FAR.items()):
            one = draw(case.shape, np.random.default_rng([3, k]), title=name)
            options = UNLIMITED._replace(max_buffer_s=case.max_buffer_s)
            yield Row(name, [one], partial(draws, case.classes), options)
        return
    shown = near_presentations()
    if given.files:
        for folder in given.files:
            yield Row(folder.name, shown, partial(traces_in, folder), UNLIMITED)
        return
    for name in given.classes:
        yield Row(name, shown, partial(draws, (name,)), UNLIMITED)


def ahead(gains: FloatArray) -> Estimate:
    """Mean of paired differences, one per trace, with its interval."""
    return mean_of(gains)


def verdict(low: float, high: float) -> str:
    """What an interval says."""
    if low > 0:
        return "ahead"
    return "behind" if high < 0 else "undecided"


def cells_of(label: str, ours: Played, theirs: dict[str, Played]) -> tuple[list[str], list[str]]:
    """The cells of a row, and where it falls short."""
    cells, short = [f"{ours.scores.mean():.1f}"], []
    for name, each in theirs.items():
        gains = (ours.scores - each.scores).mean(axis=0)
        found = ahead(gains)
        cells.append(f"{found.value:+.2f} [{found.low:.2f}, {found.high:.2f}]")
        word = verdict(found.low, found.high)
        if word != "ahead":
            short.append(f"{label}: {'equal to' if not gains.any() else f'{word} against'} {name}")
    mine, robust = ours.stalled, theirs["robust-mpc"].stalled
    more = ahead((mine - robust).mean(axis=0))
    cells.append(
        f"{mine.mean():.2f} ({', '.join(f'{each.stalled.mean():.2f}' for each in theirs.values())})"
    )
    cells.append(f"{more.value:+.2f} [{more.low:.2f}, {more.high:.2f}]")
    if more.value > 0:
        word = "more" if more.low > 0 else "perhaps more"
        short.append(f"{label}: stalls {word} than robust-mpc, by {more.value:.2f}")
    return cells, short


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print a row per class, folder or far case."""
    ask = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    ask.add_argument("--traces", type=int, default=200, help="of each row")
    ask.add_argument("--first-seed", type=int, default=FIRST_SEED)
    ask.add_argument("--classes", nargs="*", default=list(modelfiles.names()))
    ask.add_argument("--far", action="store_true", help="far ladders, durations and buffers")
    ask.add_argument("--files", nargs="*", type=Path, help="folders of traces, not classes")
    ask.add_argument("--policy", type=Path, help="another policy file than the bundled one")
    ask.add_argument("--each-presentation", action="store_true", help="a row per presentation too")
    given = ask.parse_args(arguments)
    mine: Algorithm = registry.load("abrkit-policy")
    if given.policy:
        mine = read_policy_file(given.policy).build_rule(str(given.policy))
    short: list[str] = []
    heads = [
        "row (traces)",
        "abrkit-policy",
        *(f"− {name}" for name in RIVALS),
        f"stalled % ({', '.join(RIVALS)})",
        "− robust-mpc",
    ]
    print(f"| {' | '.join(heads)} |\n|---|{'---:|' * (len(heads) - 1)}")
    for row in rows_of(given):
        over = row.make()
        ours = play(lambda top_mbps: mine, row, over)
        theirs = {name: play(partial(rival, name), row, over) for name in RIVALS}
        parts = [(f"{row.name} ({len(over)})", slice(None))]
        if given.each_presentation:
            parts += [
                (f"{row.name}, {each.title}", slice(f, f + 1))
                for f, each in enumerate(row.presentations)
            ]
        for label, part in parts:
            cells, lacks = cells_of(
                label,
                Played(*(x[part] for x in ours)),
                {name: Played(*(x[part] for x in each)) for name, each in theirs.items()},
            )
            short += lacks
            print(f"| {label} | {' | '.join(cells)} |", flush=True)
    print("\n" + ("; ".join(short) if short else "Ahead of every rival in every row."))


if __name__ == "__main__":
    main()
