"""Print the scores of every built-in algorithm over the two demonstration networks.

docs/algorithms.md holds what this prints; a test compares the two. After a change that
is meant to move a score: ``.venv/bin/python scripts/algorithm_table.py``
"""

from __future__ import annotations

from abr import registry
from abr.demotraces import demo_traces
from abr.media import constant_presentation
from abr.qoe import summary
from player import simulate

LADDER_BPS = (300e3, 750e3, 1.5e6, 3e6, 6e6)
SEGMENTS, SEGMENT_S = 45, 4.0


def built_ins() -> tuple[registry.Description, ...]:
    """Those that this distribution declares itself, but for those that need a file."""
    rows = (row for row in registry.describe() if row.distribution.startswith("abrkit "))
    return tuple(row for row in rows if None not in row.params.values())


def table() -> str:
    """The table's text, one playback a row."""
    presentation = constant_presentation(LADDER_BPS, segments=SEGMENTS, segment_s=SEGMENT_S)
    lines = [
        "| trace | algorithm | startup | stalls | stalled | mean bitrate | switches |",
        "|---|---|---:|---:|---:|---:|---:|",
    ]
    for trace in demo_traces(LADDER_BPS[-1]):
        for row in built_ins():
            got = summary(simulate(presentation, trace=trace, algorithm=row.name))
            assert got.startup_s is not None
            lines.append(
                f"| {trace.name} | `{row.name}` | {got.startup_s:.2f} s | {got.stall_events} "
                f"| {got.stall_s:.2f} s | {got.mean_bitrate_bps / 1e6:.2f} Mbit/s "
                f"| {got.switches} |"
            )
    return "\n".join([*lines, ""])


if __name__ == "__main__":
    print(table(), end="")
