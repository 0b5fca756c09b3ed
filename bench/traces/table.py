"""Figures of traces as people read them: one trace in full, many as a table.

Plain text of fixed columns: a table of thousands of rows must not take longer to lay
out than to compute.
"""

from __future__ import annotations

from collections.abc import Sequence

from abr.tracestats import LAGS, PERCENTILES, TraceStats, totals

NAME_COLUMNS = 36
"""Longer names of traces lose their middle."""

_HEAD = (
    "duration", "periods", "mean", "min", "5 %", "50 %", "95 %", "max", "CV", "r(1)", "r(10)",
    "outages", "longest", "out",
)  # fmt: skip
_UNIT = (
    "s", "", "Mbit/s", "Mbit/s", "Mbit/s", "Mbit/s", "Mbit/s", "Mbit/s", "", "", "", "", "s", "%",
)  # fmt: skip


def stats_text(stats: Sequence[TraceStats]) -> str:
    """A table of several traces with a row for all together; every figure of a single one."""
    return _full(stats[0]) if len(stats) == 1 else _table(stats)


def _table(stats: Sequence[TraceStats]) -> str:
    rows = [(_shortened(each.name), *_cells(each)) for each in stats]
    rows.append(_total(stats))
    heads = [("trace", *_HEAD), ("", *_UNIT)]
    widths = [max(map(len, column)) for column in zip(*heads, *rows, strict=True)]
    lines = [_aligned(row, widths) for row in (*heads, *rows)]
    rule = "-" * max(map(len, lines))
    return "\n".join([*lines[:2], rule, *lines[2:-1], rule, lines[-1]])


def _aligned(row: Sequence[str], widths: Sequence[int]) -> str:
    cells = [f"{cell:>{width}}" for cell, width in zip(row[1:], widths[1:], strict=True)]
    return "  ".join([f"{row[0]:<{widths[0]}}", *cells]).rstrip()


def _cells(each: TraceStats) -> tuple[str, ...]:
    low, _, median, _, high = each.percentiles_bps
    rates = (each.mean_bps, each.min_bps, low, median, high, each.max_bps)
    return (
        f"{each.duration_s:.1f}",
        str(each.periods),
        *map(_rate, rates),
        f"{each.variation_ratio:.2f}",
        _correlation(each.autocorrelation[0]),
        _correlation(each.autocorrelation[-1]),
        str(each.outages),
        f"{each.longest_outage_s:.1f}",
        f"{100 * each.outage_ratio:.1f}",
    )


def _total(stats: Sequence[TraceStats]) -> tuple[str, ...]:
    every = totals(stats)
    return (
        f"{every.traces} traces",
        f"{every.duration_s:.1f}",
        str(sum(each.periods for each in stats)),
        _rate(every.mean_bps),
        _rate(every.min_bps),
        *["", "", ""],
        _rate(every.max_bps),
        *["", "", ""],
        str(every.outages),
        f"{every.longest_outage_s:.1f}",
        f"{100 * every.outage_ratio:.1f}",
    )


def _full(each: TraceStats) -> str:
    ranks = zip(PERCENTILES, each.percentiles_bps, strict=True)
    lags = zip(LAGS, each.autocorrelation, strict=True)
    outages = (
        f"{each.outage_s:.1f} s in all, the longest {each.longest_outage_s:.1f} s: "
        f"{100 * each.outage_ratio:.1f} % of the time"
    )
    rows = [
        ("duration", f"{each.duration_s:.3f} s in {each.periods} periods"),
        ("mean", f"{_rate(each.mean_bps)} Mbit/s"),
        ("min, max", f"{_rate(each.min_bps)}, {_rate(each.max_bps)} Mbit/s"),
        ("percentiles", "  ".join(f"{p} %: {_rate(bps)}" for p, bps in ranks) + "  Mbit/s"),
        ("variation", f"{each.variation_ratio:.3f} (standard deviation / mean)"),
        ("autocorrelation", "  ".join(f"{lag} s: {_correlation(r)}" for lag, r in lags)),
        ("outages", f"{each.outages}, {outages}"),
    ]
    return "\n".join([each.name, *(f"  {name:<16} {text}" for name, text in rows)])


def _rate(bps: float) -> str:
    """Mbit/s with three digits that count, and no more than three behind the point."""
    mbps = bps / 1e6
    if mbps >= 1e5:
        return f"{mbps:.3g}"
    digits = 3 if mbps < 10 else 2 if mbps < 100 else 1 if mbps < 1000 else 0
    return f"{mbps:.{digits}f}"


def _correlation(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}"


def _shortened(name: str) -> str:
    if len(name) <= NAME_COLUMNS:
        return name
    tail = NAME_COLUMNS // 2
    return f"{name[: NAME_COLUMNS - tail - 1]}…{name[-tail:]}"
