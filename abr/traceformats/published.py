"""Published measurement tables that differ only in which columns are what.

========= ==========================================================================
lumos5g   Lumos5G's table: Mbit/s for each second (``seq_num``) of each run on foot or in a car
5gophers  5Gophers' tables: Mbit/s for each second of each run
lumos     Lumos' logs of players: kbit/s and seconds of each download. The time between
          downloads is not recorded, so they follow one another
mtu       MTU's tables of 3G, 4G and 5G in Cork: Mbit/s *sent* since the row before
starlink  iperf tables of Starlink on the road: Mbit/s from ``timestamp_start`` to
          ``timestamp_end``; the time between two tests is left out
========= ==========================================================================

Sources: the headers and READMEs of the published tables; A. Narayanan et al., Lumos5G, IMC
2020, and A first look at commercial 5G performance on smartphones, WWW 2020; G. Lv et al.,
Lumos, INFOCOM 2022 (GreenLv/Lumos); MTU-Insectt/Measurements5G; sys-uos/Starlink-on-the-Road.
"""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

from abr.traceformats.columns import Place, parse_columns
from abr.traceformats.mapped import read_mapped
from abr.traceformats.rows import Found, split_comma_rows


class _Layout(NamedTuple):
    """How to know a table by its headings, and how to read it."""

    headings: frozenset[str]
    """Lower case, without what is in parentheses."""
    columns: str
    runs: tuple[str, ...] = ()
    """Columns, as far as there are such, that together tell runs apart."""
    note: str = ""


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
    first, *others = read_mapped(text, name, columns)
    notes = (layout.note, *first.notes) if layout.note else first.notes
    return [first._replace(notes=notes), *others]


def holds_several(called: str) -> bool:
    """Whether a table in the format ``called`` may hold several traces."""
    return any(layout.runs for layout in _LAYOUTS[called])


def _bare(heading: str) -> str:
    return heading.partition("(")[0].strip(' "').lower()
