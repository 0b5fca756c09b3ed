"""The table that ``abr play``, ``simulate`` and ``replay`` print: one session's QoE."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rich.console import Console, Group
from rich.table import Table
from rich.text import Text

from abr.log import SessionLog
from abr.qoe import Model, QoE, scores, summary

_RUNG_LINE = 40
"""Segments per line where the rung of every segment is listed."""


PIPE_COLUMNS = 120
"""Width of tables where there is no terminal to ask."""


def console() -> Console:
    """Where tables are printed: as wide as the terminal, and not narrow in a file or pipe."""
    probe = Console(soft_wrap=True)
    return probe if probe.is_terminal else Console(soft_wrap=True, width=PIPE_COLUMNS)


def session_table(log: SessionLog, qoe: Sequence[Model] = ()) -> Group:
    """What a viewer got, as text for a terminal; every ratio with its denominator.

    Args:
        log: Of the session.
        qoe: What to score it by.

    Raises:
        ArgumentError: no log, or no QoE among them.
    """
    got = summary(log)
    table = Table(title=_caption(log.provenance), title_justify="left", show_header=False, box=None)
    table.add_column(style="dim", no_wrap=True)
    table.add_column(justify="right", no_wrap=True)
    table.add_column(style="dim")
    for name, value, remark in _rows(got):
        table.add_row(name, value, remark)
    for each in scores(log, qoe):
        table.add_row(Text(each["label"]), f"{each['score']:.3f}", Text(each["formula"]))
    return Group(table, _ladder(got, log.provenance.get("ladder_bps", [])), _rungs(got.rungs))


def _caption(provenance: dict[str, Any]) -> str:
    algorithm = provenance.get("algorithm", "no algorithm")
    trace = provenance.get("trace")
    over = f" over {trace}" if trace else ""
    return f"{algorithm}{over} ({provenance.get('driver', 'unknown driver')})"


def _rows(qoe: QoE) -> list[tuple[str, str, str]]:
    startup = "never" if qoe.startup_s is None else f"{qoe.startup_s:.3f} s"
    denominator = f"of {qoe.rebuffer_denominator_s:.1f} s played + stalled"
    rows = [
        ("startup", startup, "play asked to first frame playable"),
        ("stalls", str(qoe.stall_events), f"{qoe.stall_s:.3f} s in all"),
        ("rebuffer ratio", f"{qoe.rebuffer_ratio:.2%}", denominator),
        ("played", f"{qoe.played_s:.1f} s", f"in {qoe.elapsed_s:.1f} s; ended: {qoe.ended}"),
        ("mean bitrate", f"{qoe.mean_bitrate_bps / 1e6:.3f} Mbit/s", "weighted by time played"),
        ("switches", str(qoe.switches), f"{qoe.switch_bps / 1e6:.1f} Mbit/s in all"),
    ]
    if qoe.quality is not None:
        metric, lowest = qoe.quality.metric.upper(), qoe.quality.lowest
        remark = f"{metric}, weighted by time played; lowest segment {lowest:.4g}"
        rows.append(("mean quality", f"{qoe.quality.mean:.4g}", remark))
    if qoe.live is not None:
        live = qoe.live
        remark = (
            f"behind the live edge; {live.start_s:.1f} s at first, {live.highest_s:.1f} s at most"
        )
        rows.append(("mean latency", f"{live.mean_s:.1f} s", remark))
        remark = f"target duration {live.target_duration_s:g} s"
        rows.append(("hold-back", f"{live.hold_back_s:.1f} s", remark))
    return rows


def _ladder(qoe: QoE, ladder_bps: Sequence[float]) -> Table:
    table = Table(show_header=False, box=None)
    table.add_column(style="dim", no_wrap=True)
    table.add_column(justify="right", no_wrap=True)
    table.add_column(no_wrap=True)
    longest_s = max(qoe.time_per_rung_s, default=0.0)
    for rung, (rate_bps, time_s) in reversed(
        list(enumerate(zip(ladder_bps, qoe.time_per_rung_s, strict=False)))
    ):
        bar = "█" * round(24 * time_s / longest_s) if longest_s > 0 else ""
        table.add_row(f"rung {rung}  {rate_bps / 1e6:6.2f} Mbit/s", f"{time_s:.1f} s", bar)
    return table


def _rungs(rungs: Sequence[int]) -> Text:
    lines = [rungs[i : i + _RUNG_LINE] for i in range(0, len(rungs), _RUNG_LINE)]
    shown = "\n".join("  " + " ".join(map(str, line)) for line in lines)
    return Text(f" rung per segment\n{shown}", style="dim")


def sessions_table(rows: Sequence[dict[str, Any]]) -> Table:
    """One row per session of a preset."""
    table = Table(box=None, title_justify="left")
    for name in ("movie", "network", "algorithm"):
        table.add_column(name, no_wrap=True)
    names = ("mean Mbit/s", "startup s", "stalls", "stalled s", "switched Mbit/s", "abandoned")
    for name in names:
        table.add_column(name, justify="right", no_wrap=True)
    for row in rows:
        startup_s = row["startup_s"]
        table.add_row(
            row["movie"],
            row["network"],
            row["algorithm"],
            f"{row['mean_bitrate_bps'] / 1e6:.3f}",
            "never" if startup_s is None else f"{startup_s:.3f}",
            str(row["stall_events"]),
            f"{row['stall_s']:.3f}",
            f"{row['bitrate_change_bps'] / 1e6:.1f}",
            str(row["abandoned"]),
        )
    return table
