"""Published measurement tables that differ only in which columns are what.

========= ==========================================================================
lumos5g   Lumos5G's table: Mbit/s for each second (``seq_num``) of each run on foot or in a car
5gophers  5Gophers' tables: Mbit/s for each second of each run
lumos     Lumos' logs of players: kbit/s and seconds of each download. The time between
          downloads is not recorded, so they follow one another
mtu       MTU's tables of 3G, 4G and 5G in Cork: Mbit/s *sent* since the row before. Where the
          counter of bytes was not read, or began anew, that rate and the next are wrong and
          left out, as in the folder ``cleaned`` of the set
starlink  iperf tables of Starlink on the road: Mbit/s from ``timestamp_start`` to
          ``timestamp_end``; the time between two tests is left out
========= ==========================================================================

Sources: the headers and READMEs of the published tables; A. Narayanan et al., Lumos5G, IMC
2020, and A first look at commercial 5G performance on smartphones, WWW 2020; G. Lv et al.,
Lumos, INFOCOM 2022 (GreenLv/Lumos); MTU-Insectt/Measurements5G; sys-uos/Starlink-on-the-Road.
"""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import zip_longest
from typing import NamedTuple

from abr.traceformats.columns import Place, parse_columns
from abr.traceformats.mapped import read_mapped
from abr.traceformats.rows import Found, Row, split_comma_rows
from abr.traceformats.stamps import is_number


class _Layout(NamedTuple):
    """How to know a table by its headings, and how to read it."""

    headings: frozenset[str]
    """Lower case, without what is in parentheses."""
    columns: str
    runs: tuple[str, ...] = ()
    """Columns, as far as there are such, that together tell runs apart."""
    note: str = ""
    counter: str = ""
    """Column of a count that never decreases, of whose differences the rates were made."""


_LAYOUTS: dict[str, tuple[_Layout, ...]] = {
    "lumos5g": (
        _Layout(
            frozenset({"run_num", "seq_num", "throughput"}),
            "time=seq_num:s,rate=throughput:mbit",
            ("mobility_mode", "trajectory_direction", "run_num"),
        ),
    ),
    "5gophers": (
        _Layout(
            frozenset({"seq_num", "throughput_mbps"}),
            "time=seq_num:s,rate=throughput_mbps:mbit",
            ("carrier", "protocol", "server_location", "num_tcp_conn", "run_num"),
        ),
    ),
    "lumos": (
        _Layout(
            frozenset({"app_throughput", "delivery_time"}),
            "duration=delivery_time:s,rate=app_throughput:kbit",
            note="downloads of a player, joined: the time between them is not recorded",
        ),
    ),
    "mtu": (
        _Layout(
            frozenset({"time", "sent bytes", "rate"}),
            "time=time,rate=rate:mbit,applies=since",
            note="rates of bytes sent, so this is an uplink",
            counter="sent bytes",
        ),
    ),
    "starlink": (
        _Layout(
            frozenset({"timestamp_start", "timestamp_end", "download_mbps"}),
            "time=timestamp_start,end=timestamp_end,rate=download_mbps:mbit",
        ),
        _Layout(
            frozenset({"timestamp_start_dl", "timestamp_end_dl", "download"}),
            "time=timestamp_start_dl,end=timestamp_end_dl,rate=download:mbit",
        ),
    ),
}

NAMES = tuple(_LAYOUTS)
"""Names of the formats."""


def known_layout(headings: list[str]) -> str | None:
    """The format whose headings these are."""
    there = set(map(_bare, headings))
    for name, layouts in _LAYOUTS.items():
        if any(layout.headings <= there for layout in layouts):
            return name
    return None


def read_published(called: str, text: str, name: str) -> list[Found]:
    """Read a table in the format ``called``."""
    rows = split_comma_rows(text, name)
    there = set(map(_bare, rows[0].fields)) if rows else set()
    layouts = _LAYOUTS[called]
    layout = next((each for each in layouts if each.headings <= there), layouts[0])
    columns = parse_columns(layout.columns)
    if runs := tuple(run for run in layout.runs if run in there):
        columns = replace(columns, run=Place(columns=runs))
    lost = _lost_lines(rows, layout.counter)
    if lost:  # left empty, so that the others keep their numbers
        lines = text.splitlines()
        text = "\n".join("" if n in lost else line for n, line in enumerate(lines, 1))
    first, *others = read_mapped(text, name, columns)
    notes = [layout.note] if layout.note else []
    notes += (
        [f"{len(lost)} rows around lost readings of {layout.counter}, left out"] if lost else []
    )
    return [first._replace(notes=(*notes, *first.notes)), *others]


def _lost_lines(rows: list[Row], counter: str) -> set[int]:
    """Lines on which a counter is missing or smaller than before, and the line after each."""
    there = [_bare(field) for field in rows[0].fields] if rows else []
    if counter not in there:
        return set()
    at, lost, last = there.index(counter), set(), 0.0
    for row, after in zip_longest(rows[1:], rows[2:]):
        text = row.fields[at] if at < len(row.fields) else ""
        value = float(text) if is_number(text) else math.nan
        if not value >= last:
            lost |= {row.line} | ({after.line} if after else set())
        last = last if math.isnan(value) else value
    return lost


def holds_several(called: str) -> bool:
    """Whether a table in the format ``called`` may hold several traces."""
    return any(layout.runs for layout in _LAYOUTS[called])


def _bare(heading: str) -> str:
    return heading.partition("(")[0].strip(' "').lower()
