"""Which columns of a table are times and rates, and in which units: ``time=1:ms,rate=2:kbit``.

Items are separated by commas. A column is its heading, or its number from 1; its unit follows
a colon, and may be left out if the heading ends with it.

=========== =========================================================================
time        time of a row: ``s``, ``ms``, ``us`` or ``ns``, seconds if nothing says otherwise;
            or ``date``, which is ``dmy`` or ``mdy`` where nothing tells day from month
end         with ``time``: the time at which what the row measured ended
duration    instead of ``time``: how long the row's rate lasted
step        instead of ``time``: how long each row lasted, such as ``step=1s``
rate        ``bit``, ``kbit``, ``mbit``, ``gbit`` per second, or ``B/s``, ``kB/s``, ``MB/s``;
            ``2+3:mbit`` adds columns up
bytes       instead of ``rate``: what arrived during the row, ``B``, ``kB``, ``MB`` or ``kbit``
bytes_total instead of ``rate``: a running counter of what has arrived, in the same units
rtt, loss   round-trip time; loss in ``pct`` or ``ratio``
run         column whose values tell several traces of one file apart; ``a+b`` for several
applies     ``until`` the next row, or ``since`` the previous row as in Pensieve's files
decimal     ``comma`` or ``point``, where numbers such as 1,234 leave it open
=========== =========================================================================
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, Literal, get_args

from abr.errors import ConfigError
from abr.traceformats.numerals import Decimal
from abr.traceformats.quantities import (
    rate_scale,
    share_scale,
    size_scale,
    spoken_rate_scale,
    time_scale,
    unit_of_heading,
)

Applies = Literal["until", "since"]

_WORDS: Mapping[str, tuple[str, ...]] = {"applies": get_args(Applies), "decimal": get_args(Decimal)}
_AMOUNTS = ("rate", "bytes", "bytes_total")
KEYS = ("time", "end", "duration", "step", *_AMOUNTS, "rtt", "loss", "run", *_WORDS)
"""What a column may be, and what else may be said of a table."""
EXAMPLE = "time=1:ms,rate=2:kbit"
DATES = ("date", "dmy", "mdy")
"""Units of times that are dates; two say whether day or month comes first."""
_LITERAL = re.compile(r"([0-9.eE+-]+) *([a-z]+)")
_SCALES: Mapping[str, Callable[[str], float | None]] = {
    "time": time_scale,
    "end": time_scale,
    "duration": time_scale,
    "rtt": time_scale,
    "rate": spoken_rate_scale,
    "bytes": size_scale,
    "bytes_total": size_scale,
    "loss": share_scale,
}
_TIMES, _SIZES = "s, ms, us or ns", "B, kB, MB, bit, kbit or mbit"
_UNITS = {
    "time": f"{_TIMES}, or {', '.join(DATES)}",
    "end": f"{_TIMES}, or {', '.join(DATES)}",
    "rate": "bit, kbit, mbit, gbit, B/s, kB/s or MB/s",
    "bytes": _SIZES,
    "bytes_total": _SIZES,
    "loss": "pct or ratio",
}
_TIME = re.compile(r"time|stamp|seq|elapsed|^ts?$|sec(onds?)?$")
_LONGEST = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a quantity is, and its unit."""

    columns: tuple[str, ...]
    """Headings or numbers from 1; the values of several are added up."""
    unit: str = ""
    """Empty: the one in the heading."""

    def __str__(self) -> str:
        return "+".join(self.columns) + (f":{self.unit}" if self.unit else "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Columns:
    """Which columns of a table are what; the module's docstring has the keys."""

    time: Place | None = None
    end: Place | None = None
    duration: Place | None = None
    step_s: float | None = None
    rate: Place | None = None
    bytes: Place | None = None
    bytes_total: Place | None = None
    rtt: Place | None = None
    loss: Place | None = None
    run: Place | None = None
    applies: Applies = "until"
    decimal: Decimal | None = None

    @property
    def places(self) -> dict[str, Place]:
        """The columns that are used, by key."""
        every = {key: getattr(self, key) for key in KEYS if key not in ("step", *_WORDS)}
        return {key: place for key, place in every.items() if place is not None}

    def __str__(self) -> str:
        items = [f"{key}={place}" for key, place in self.places.items()]
        items += [f"step={self.step_s:g}s"] if self.step_s is not None else []
        items += ["applies=since"] if self.applies == "since" else []
        items += [f"decimal={self.decimal}"] if self.decimal is not None else []
        return ",".join(items)


def parse_columns(given: str | Mapping[str, object] | Columns) -> Columns:
    """The columns that a text such as ``time=1:ms,rate=2:kbit`` or a mapping names.

    Raises:
        ConfigError: neither of these, an unknown key or unit, or a combination that makes no
            trace.
    """
    if isinstance(given, Columns):
        return given
    if not isinstance(given, (str, Mapping)):
        raise ConfigError(
            f"columns: found a value of type {type(given).__name__}; expected a text or a mapping, "
            f"as in {EXAMPLE!r}"
        )
    items = _items(given) if isinstance(given, str) else {str(k): str(given[k]) for k in given}
    for key in items:
        if key not in KEYS:
            near = get_close_matches(key, KEYS, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"expected {', '.join(KEYS)}"
            raise ConfigError(f"columns: found {key[:40]!r}; {hint}")
    words: dict[str, Any] = {key: _word(key, items[key]) for key in _WORDS if key in items}
    step_s = _duration(items["step"]) if "step" in items else None
    places: dict[str, Any] = {
        key: _place(key, items[key]) for key in items if key not in ("step", *_WORDS)
    }
    _check_together(set(items), words.get("applies", ""))
    return Columns(**places, step_s=step_s, **words)


def _check_together(keys: set[str], applies: str) -> None:
    """Refuse what makes no trace.

    Raises:
        ConfigError: too much or too little is said.
    """
    if len(keys & {"time", "duration", "step"}) != 1:
        raise ConfigError(f"columns: expected one of time, duration and step, as in {EXAMPLE}")
    if len(keys & set(_AMOUNTS)) != 1:
        raise ConfigError(f"columns: expected one of rate, bytes and bytes_total, as in {EXAMPLE}")
    if "end" in keys and not {"time", "rate"} <= keys:
        raise ConfigError("columns: end goes with time and rate")
    if "rate" not in keys and keys & {"rtt", "loss"}:
        raise ConfigError("columns: rtt and loss go with rate")
    is_free = "time" in keys and "end" not in keys
    if applies and not (is_free and ("rate" in keys or applies == "since")):
        raise ConfigError(f"columns: applies={applies} goes with time and rate, without end")


def _word(key: str, value: str) -> str:
    if value not in _WORDS[key]:
        raise ConfigError(f"columns: {key}={value[:40]}; expected {' or '.join(_WORDS[key])}")
    return value


def _items(text: str) -> dict[str, str]:
    items: dict[str, str] = {}
    for item in filter(None, map(str.strip, text.split(","))):
        key, equals, value = item.partition("=")
        if not equals or not value.strip():
            raise ConfigError(
                f"columns: found {item[:40]!r}; expected NAME=COLUMN[:UNIT], as in {EXAMPLE} "
                "(a heading with a comma is named by its number)"
            )
        if key.strip() in items:
            raise ConfigError(f"columns: found {key.strip()!r} twice; expected it once")
        items[key.strip()] = value.strip()
    return items


def _place(key: str, value: str) -> Place:
    name, colon, unit = value.rpartition(":")
    if not colon or not name:
        name, unit = value.rstrip(":"), ""
    is_unit = key in _SCALES and (_SCALES[key](unit) is not None or _is_date(key, unit))
    if unit and not is_unit:
        if key == "run":
            raise ConfigError(f"columns: run={value[:40]}; expected columns without a unit")
        raise ConfigError(
            f"columns: {key}={value[:40]}; expected a unit of {_UNITS.get(key, _TIMES)} after "
            "the colon"
        )
    several = tuple(filter(None, map(str.strip, name.split("+")))) or (name,)
    if len(several) > 1 and key not in (*_AMOUNTS, "run"):
        several = (name,)
    return Place(columns=several, unit=unit)


def _is_date(key: str, unit: str) -> bool:
    return key in ("time", "end") and unit in DATES


def _duration(value: str) -> float:
    match = _LITERAL.fullmatch(value.strip())
    scale = time_scale(match[2]) if match else None
    try:
        seconds = float(match[1]) * scale if match and scale else 0.0
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < 1e9:
        raise ConfigError(f"columns: step={value[:40]}; expected a time above 0, such as 1s")
    return seconds


def suggest_columns(headings: list[str]) -> str:
    """The option that would read a table with these headings, as far as they tell."""
    times = [h for h in headings if _TIME.search(h.lower())]
    rates = [
        h
        for h in headings
        if h not in times
        and re.search(r"through|bandw|tput|bps|bit/?s|b/s|capac|downl|goodput|\brate\b", h.lower())
    ]
    rate = next((h for h in rates if unit_of_heading(h, rate_scale)), rates[0] if rates else "")
    time = _called(times[0], headings) if times else "TIME"
    sizes = [h for h in headings if h not in times and re.search(r"bytes|octets", h.lower())]
    if sizes and not rate:
        is_total = re.search(r"total|cumul|[rt]x|recv|sent|counter", sizes[0].lower())
        key = "bytes_total" if is_total else "bytes"
        unit = "" if unit_of_heading(sizes[0], size_scale) else ":B"
        return f"--columns time={time},{key}={_called(sizes[0], headings)}{unit}"
    unit = "" if unit_of_heading(rate, rate_scale) else ":UNIT"
    return f"--columns time={time},rate={_called(rate, headings) if rate else 'RATE'}{unit}"


def _called(heading: str, headings: list[str]) -> str:
    """A heading as an option names it: itself, or its number if it has signs of the option."""
    is_plain = len(heading) <= _LONGEST and not any(sign in heading for sign in ",=:+'\" ")
    return heading if is_plain else str(headings.index(heading) + 1)
