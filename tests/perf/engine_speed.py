"""Segments a second of the batch simulator, by Sabre's rules, one core, 199 segments.

A row per configuration of Sabre: compiled without and with abandonment, and plain Python
without. The bars are 4 M, 0.4 M and 30,000, in the median over configurations. Plain
Python is as fast as the interpreter was built to be: one made without profile-guided
optimisation takes a third longer.

    .venv/bin/python -m tests.perf.engine_speed
"""

from __future__ import annotations

import statistics
import sys
import time
from typing import Any

import numpy as np

from abr import registry
from abr.files import models as modelfiles
from abr.generators import generate
from abr.media import Presentation
from bench.experiments.presentations import builtin
from player.batch import sabre
from player.batch.configurations import SABRE_CONFIGURATIONS
from player.batch.run.batch import Engine, run_batch

SEGMENTS = 199
COLUMNS: tuple[tuple[str, Engine, bool, int, float], ...] = (
    ("compiled", "compiled", False, 4200, 4e6),
    ("compiled, abandoning", "compiled", True, 560, 0.4e6),
    ("plain", "plain", False, 14, 30e3),
)
ROUNDS = 5


def long_presentation() -> Presentation:
    """199 segments of the built-in presentation of six rungs."""
    once = builtin("vbr-6")
    sizes = np.tile(once.sizes_bytes, (1, -(-SEGMENTS // once.segments)))[:, :SEGMENTS]
    return Presentation(
        bitrates_bps=once.bitrates_bps, sizes_bytes=sizes, durations_s=np.full(SEGMENTS, 3.0)
    )


def main() -> int:
    """Print a table; 1 when a median is below its bar."""
    presentation = long_presentation()
    classes = ("3g-commute", "lte-driving", "fcc-home", "wifi-weak-5mbps")
    traces = [generate(modelfiles.model(classes[k % 4]), seed=k, duration_s=320) for k in range(14)]
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
