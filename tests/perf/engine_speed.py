"""Segments a second of the batch simulators, one core, 199 segments.

By Sabre's rules:

A row per configuration of Sabre: compiled without and with abandonment, and plain Python
without. The bars are 4 M, 0.4 M and 30,000, in the median over configurations. Plain
Python is as fast as the interpreter was built to be: one made without profile-guided
optimisation takes a third longer.

    .venv/bin/python -m tests.perf.engine_speed

Our own player, each built-in rule that abandons nothing, in this checkout and in another one,
turn by turn; nanoseconds of processor time per segment, and whether every session came to
the same in both. The exit code is 1 where one did not:

    .venv/bin/python -m tests.perf.engine_speed --base PATH [RULE ...]
"""

from __future__ import annotations

import argparse
import hashlib
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from abr import registry
from abr.decision import Rule
from abr.errors import AbrError
from abr.files import models as modelfiles
from abr.generators import generate
from abr.media import Presentation
from abr.trace import Trace
from bench.experiments.presentations import builtin
from player.batch import sabre
from player.batch.configurations import SABRE_CONFIGURATIONS
from player.batch.run.batch import Engine, run_batch
from player.batch.simulators import load

SEGMENTS = 199
COLUMNS: tuple[tuple[str, Engine, bool, int, float], ...] = (
    ("compiled", "compiled", False, 4200, 4e6),
    ("compiled, abandoning", "compiled", True, 560, 0.4e6),
    ("plain", "plain", False, 14, 30e3),
)
ROUNDS = 5
TURNS = 9
TURN_S = 0.06
"""Processor time of a turn in the base."""
MOST_SESSIONS = 28_000
TRACES = 196
"""So many that the processor does not learn the branches of each by heart, as it does of 14."""


def long_presentation() -> Presentation:
    """199 segments of the built-in presentation of six rungs."""
    once = builtin("vbr-6")
    sizes = np.tile(once.sizes_bytes, (1, -(-SEGMENTS // once.segments)))[:, :SEGMENTS]
    return Presentation(
        bitrates_bps=once.bitrates_bps, sizes_bytes=sizes, durations_s=np.full(SEGMENTS, 3.0)
    )


def networks() -> list[Trace]:
    """Of four kinds in turn."""
    classes = ("3g-commute", "lte-driving", "fcc-home", "wifi-weak-5mbps")
    return [
        generate(modelfiles.model(classes[k % 4]), seed=k, duration_s=320) for k in range(TRACES)
    ]


def calm_rules() -> list[str]:
    """Built-in rules that abandon nothing, and do not know the network in advance."""
    found = []
    for name in registry.names():
        try:
            rule = registry.load(name)
        except AbrError:  # needs parameters
            continue
        if isinstance(rule, Rule) and rule.reconsider is None and not rule.needs_trace:
            found.append(name)
    return found


def answer() -> None:
    """Play as many sessions as each line says, by its rule; print the time they took."""
    simulator, presentation, traces = load("abrkit"), long_presentation(), networks()

    def took_s(rule: Rule, sessions: int) -> tuple[float, str]:
        which = np.arange(sessions) % TRACES
        begun_s = time.process_time()
        batch = run_batch(simulator, presentation, traces, rule, which=which, engine="compiled")
        spent_s = time.process_time() - begun_s
        came_to = hashlib.sha256(batch.totals.tobytes() + batch.rungs.tobytes())
        return spent_s, came_to.hexdigest()

    for line in sys.stdin:
        name, sessions = line.split()
        rule: Any = registry.load(name)
        fixed_s, _ = took_s(rule, TRACES)  # what a call costs, whatever it plays
        spent_s, came_to = took_s(rule, int(sessions) + TRACES)
        print(spent_s - fixed_s, came_to, flush=True)


class Checkout:
    """A process that plays with the code of one checkout."""

    def __init__(self, path: Path) -> None:
        self.process = subprocess.Popen(
            [sys.executable, str(Path(__file__).resolve()), "--answer"],
            cwd=path,
            env={**os.environ, "PYTHONPATH": str(path)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            bufsize=1,
        )

    def __repr__(self) -> str:
        return f"<Checkout, process {self.process.pid}>"

    def play(self, name: str, sessions: int) -> tuple[float, str]:
        """Nanoseconds per segment, and a digest of all that came out."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(f"{name} {sessions}\n")
        spent_s, came_to = self.process.stdout.readline().split()
        return float(spent_s) / sessions / SEGMENTS * 1e9, came_to

    def close(self) -> None:
        """Let it end."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait(60)


def compare(base: Path, names: list[str]) -> int:
    """Print a row per rule; 1 when sessions differ."""
    here = Path(__file__).resolve().parents[2]
    checkouts = [Checkout(base.resolve()), Checkout(here)]
    ratios, all_same = [], True
    print(f"{'':16}{'base':>10}{'here':>10}{'ratio':>8}{'of turns':>14}")
    for name in names:
        for each in checkouts:
            each.play(name, TRACES)  # compiled here, or loaded
        first_ns, _ = checkouts[0].play(name, TRACES)
        sessions = int(TURN_S / (first_ns * 1e-9 * SEGMENTS))
        sessions = min(max(sessions // TRACES, 1) * TRACES, MOST_SESSIONS)
        turns: list[tuple[float, float]] = []
        for turn in range(TURNS):
            order = (0, 1) if turn % 2 == 0 else (1, 0)
            got = {place: checkouts[place].play(name, sessions) for place in order}
            all_same &= got[0][1] == got[1][1]
            turns.append((got[0][0], got[1][0]))
        of_turns = sorted(a / b for a, b in turns)
        ratios.append(statistics.median(of_turns))
        medians = [statistics.median(column) for column in zip(*turns, strict=True)]
        print(
            f"{name:16}{medians[0]:7.1f} ns{medians[1]:7.1f} ns{ratios[-1]:8.2f}"
            f"{of_turns[0]:7.2f} -{of_turns[-1]:5.2f}",
            flush=True,
        )
    for each in checkouts:
        each.close()
    print(
        f"ratio, median of {len(ratios)} rules: {statistics.median(ratios):.2f} "
        f"({min(ratios):.2f} - {max(ratios):.2f}); sessions "
        f"{'are the same' if all_same else 'DIFFER'}"
    )
    return int(not all_same)


def main() -> int:
    """What the arguments ask for."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--base", type=Path)
    parser.add_argument("--answer", action="store_true")
    parser.add_argument("rules", nargs="*")
    given = parser.parse_args()
    if given.answer:
        answer()
        return 0
    if given.base is not None:
        return compare(given.base, given.rules or calm_rules())
    return by_sabre()


def by_sabre() -> int:
    """Print a table; 1 when a median is below its bar."""
    presentation = long_presentation()
    traces = networks()
    speeds: dict[str, list[list[float]]] = {}
    for _ in range(ROUNDS):  # round by round, so that a slow minute is shared by all
        for name, each in SABRE_CONFIGURATIONS.items():
            rule = registry.load(each.algorithm, **dict(each.params))
            row = speeds.setdefault(name, [[] for _ in COLUMNS])
            for place, (_, engine, abandon, sessions, _) in enumerate(COLUMNS):
                settings: dict[str, Any] = {"abandon": abandon, **each.options}
                options = sabre.Options(**settings)
                which = np.arange(sessions) % len(traces)
                if not row[place]:  # compiled here, or loaded
                    run_batch(
                        sabre.SABRE, presentation, traces, rule, options=options, engine=engine
                    )
                begun_s = time.process_time()
                run_batch(
                    sabre.SABRE,
                    presentation,
                    traces,
                    rule,
                    options=options,
                    which=which,
                    engine=engine,
                )
                row[place].append(sessions * SEGMENTS / (time.process_time() - begun_s))
    medians = {name: [statistics.median(each) for each in row] for name, row in speeds.items()}
    print(" " * 18 + "".join(f"{heading:>22}" for heading, *_ in COLUMNS))
    over = [statistics.median(each[place] for each in medians.values()) for place in range(3)]
    for name, values in medians.items():
        print(f"{name:18}" + "".join(f"{value / 1e3:20,.1f} k" for value in values))
    print(f"{'median':18}" + "".join(f"{value / 1e3:20,.1f} k" for value in over))
    print(f"{'bar':18}" + "".join(f"{bar / 1e3:20,.1f} k" for *_, bar in COLUMNS))
    return int(any(value < bar for value, (*_, bar) in zip(over, COLUMNS, strict=True)))


if __name__ == "__main__":
    sys.exit(main())
