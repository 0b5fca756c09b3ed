"""Made-up results of experiments, whose figures can be worked out by hand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from bench.experiments.results import Results, Row, results_of

PRESENTATION = {
    "title": "film",
    "digest": "f" * 64,
    "ladder_bps": [1e6, 2e6],
    "durations_s": [4.0, 4.0],
}


def row(algorithm: str, trace: int, **more: Any) -> Row:
    """One session: 100 s played at 1 Mbit/s, nothing else to tell."""
    base: Row = {
        "run": "r",
        "algorithm": algorithm,
        "params": {},
        "presentation": "film",
        "presentation_digest": "f" * 64,
        "trace": f"trace-{trace}",
        "trace_digest": f"{trace:064x}",
        "class": "3g",
        "cluster": f"file:{trace}",
        "seed": 0,
        "startup_s": 1.0,
        "stall_s": 0.0,
        "stall_events": 0,
        "played_s": 100.0,
        "elapsed_s": 101.0,
        "segments": 2,
        "mean_bitrate_bps": 1e6,
        "bitrate_change_bps": 0.0,
        "switches": 0,
        "qoe_lin": 1.0,
        "downloaded_bytes": 1e6,
        "wasted_bytes": 0.0,
        "ended": "complete",
        "rungs": [0, 1],
        "stalls": [],
    }
    return base | more


def results(
    rows: Sequence[Row], *, foresees: Sequence[str] = (), names: Mapping[str, str] | None = None
) -> Results:
    """Rows with a header that fits them."""
    labels = list(dict.fromkeys(each["algorithm"] for each in rows))
    header = {
        "name": "made up",
        "abrkit": "0",
        "preset": "abrkit",
        "player": {},
        "seeds": [0],
        "algorithms": [
            {
                "label": label,
                "name": (names or {}).get(label, label),
                "params": {"gp": 5},
                "foresees": label in foresees,
            }
            for label in labels
        ],
        "presentations": [PRESENTATION],
        "failed": [],
    }
    return results_of(header, rows, name="made up")
