"""How often ``abr bench compare`` calls equal algorithms worse or better: 1 in 20 at most.

One algorithm under two names, 200 times. Two copies of a deterministic rule would play
exactly alike and prove nothing, so the algorithm draws: it follows the throughput but
steps aside by chance, with a seed of its own in each copy. Each repetition has networks
of its own; margins are 0, the hardest case, and then the defaults.

    .venv/bin/python -m tests.perf.false_confidence
"""

from __future__ import annotations

import argparse
from functools import partial
from typing import Any

import numpy as np

from abr.decision import Observation
from abr.files.models import find_model
from abr.generators import generate
from abr.media import Presentation
from abr.qoe import qoe_lin
from bench.analysis.compare import Margin, compare_two, default_margins
from bench.experiments.presentations import builtin
from bench.experiments.results import Results, Row, results_of
from player.batch.pensieve import PENSIEVE
from player.batch.run.batch import run_batch

BAR = 0.05
CLASSES = ("3g-commute", "lte-driving", "fcc-home")


class Wavering:
    """The highest rung below the last throughput; one time in three one lower."""

    def __init__(self, seed: int) -> None:
        self._rng = np.random.default_rng(seed)

    def choose(self, seen: Observation) -> int:
        done = seen.downloads
        if not len(done.size_bytes):
            return 0
        bps = 8 * done.size_bytes[-1] / (done.end_s[-1] - done.start_s[-1])
        rung = int((seen.ladder_bps <= 0.9 * bps).sum()) - 1
        return max(0, rung - int(self._rng.random() < 1 / 3))


def rows(label: str, presentation: Presentation, networks: list[Any], seed: int) -> list[Row]:
    """Sessions of one copy, as rows with what comparing needs."""
    found = []
    for place, trace in enumerate(networks):
        # A chooser is made for a session, so each session needs a seed of its own.
        make = partial(Wavering, seed * 10_000 + place)
        batch = run_batch(PENSIEVE, presentation, [trace], make, engine="plain", keep_columns=True)
        total = {name: float(batch.total(name)[0]) for name in TAKEN}
        first_s = float(batch.column("stall_s")[0, 0])
        stall_s = max(total["stall_s"] - first_s, 0.0)
        rates = [float(presentation.bitrates_bps[rung]) for rung in batch.rungs[0]]
        found.append(
            {
                "algorithm": label,
                "trace_digest": trace.digest(),
                "presentation_digest": "film",
                "class": "any",
                "seed": 0,
                "startup_s": total["startup_s"],
                "stall_s": stall_s,
                "stall_events": total["stall_events"],
                "played_s": total["played_s"],
                "elapsed_s": total["ended_s"],
                "segments": len(rates),
                "mean_bitrate_bps": total["bitrate_time_bits"] / total["played_s"],
                "bitrate_change_bps": total["bitrate_change_bps"],
                "switches": total["switches"],
                "qoe_lin": qoe_lin(rates, stall_s),
                "downloaded_bytes": total["downloaded_bytes"],
                "wasted_bytes": total["wasted_bytes"],
                "ended": "complete",
            }
        )
    return found


TAKEN = (
    "startup_s", "stall_s", "stall_events", "played_s", "ended_s", "bitrate_time_bits",
    "bitrate_change_bps", "switches", "downloaded_bytes", "wasted_bytes",
)  # fmt: skip


def repetition(number: int, networks: int, presentation: Presentation) -> Results:
    """The same algorithm as ``one`` and ``other``, over networks of its own."""
    drawn = [
        generate(find_model(CLASSES[k % len(CLASSES)]), seed=number * networks + k, duration_s=320)
        for k in range(networks)
    ]
    both = rows("one", presentation, drawn, 2 * number) + rows(
        "other", presentation, drawn, 2 * number + 1
    )
    return results_of({}, both, name=f"repetition {number}")


def main() -> int:
    """Print how many repetitions were told apart; 1 when too many."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--repetitions", type=int, default=200)
    parser.add_argument("--networks", type=int, default=20)
    args = parser.parse_args()
    presentation = builtin("vbr-6")
    strictest = [Margin(metric=each.metric, by=0.0) for each in default_margins()]
    flagged, lenient = 0, 0
    for number in range(args.repetitions):
        made = repetition(number, args.networks, presentation)

        def apart(margins: list[Margin], made: Results = made) -> bool:
            found = compare_two(made, "one", "other", margins=margins)
            return any(each.is_worse or each.is_better for each in found.findings)

        flagged += apart(strictest)
        lenient += apart(list(default_margins()))
    share = flagged / args.repetitions
    print(
        f"{args.repetitions} repetitions over {args.networks} networks: {flagged} called worse "
        f"or better without a margin ({share:.1%}, bar {BAR:.0%}), {lenient} with the default "
        "margins"
    )
    return 0 if share <= BAR else 1


if __name__ == "__main__":
    raise SystemExit(main())
