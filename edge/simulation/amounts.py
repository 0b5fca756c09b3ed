"""Sizes, shares, rates and hours as people type them: ``10GB``, ``5%``, ``50Mbit``."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from abr.errors import ConfigError

_UNITS = {
    "": 1,
    "B": 1,
    **{f"{letter}B": 1000**power for power, letter in enumerate("KMGTP", start=1)},
    **{f"{letter}IB": 1024**power for power, letter in enumerate("KMGTP", start=1)},
}
_AMOUNT = re.compile(r"(\d+(?:\.\d*)?|\.\d+) ?(%|[A-Za-z]*)")


@dataclass(frozen=True, slots=True)
class Amount:
    """A number of something, or a share of a total that is not known yet."""

    value: float
    is_share: bool
    """``value`` is a share of the total, 0 to 1."""

    def of(self, total: int) -> int:
        """The whole number that this is, given the total."""
        return int(self.value * total if self.is_share else self.value)


def parse_size(text: str, option: str) -> Amount:
    """A size in bytes, or a share of the footprint.

    Raises:
        ConfigError: it is neither; the message names ``option``.
    """
    match = _AMOUNT.fullmatch(text.strip())
    unit = match[2].upper() if match else ""
    if match and unit == "%":
        value = float(match[1]) / 100
        if 0 < value <= 10:
            return Amount(value, is_share=True)
    elif match and unit in _UNITS:
        value = float(match[1]) * _UNITS[unit]
        if 1 <= value < 2**60:
            return Amount(value, is_share=False)
    raise ConfigError(
        f"{option}: found {text!r}; expected bytes such as 10GB or 512MiB, or a share such as 5%"
    )


def parse_requests(text: str, option: str) -> Amount:
    """A number of requests, or a share of all.

    Raises:
        ConfigError: it is neither; the message names ``option``.
    """
    match = _AMOUNT.fullmatch(text.strip())
    if match and match[2] == "%" and float(match[1]) < 100:
        return Amount(float(match[1]) / 100, is_share=True)
    if match and match[2] == "" and match[1].isdigit() and len(match[1]) <= 15:
        return Amount(float(match[1]), is_share=False)
    raise ConfigError(
        f"{option}: found {text!r}; expected a number of requests, or a share such as 20%"
    )


_RATE = re.compile(r"(\d+(?:\.\d*)?|\.\d+) ?([kKMG]?)(bit(?:/s)?|B/s)")


def parse_rate(text: str, option: str) -> float:
    """Bits per second.

    Raises:
        ConfigError: it is no rate; the message names ``option``.
    """
    match = _RATE.fullmatch(text.strip())
    if match:
        thousands = " KMG".index(match[2].upper() or " ")
        rate_bps = float(match[1]) * 1000.0**thousands * (8 if match[3] == "B/s" else 1)
        if 1 <= rate_bps < 1e15:
            return rate_bps
    raise ConfigError(f"{option}: found {text!r}; expected a rate such as 50Mbit or 6MB/s")


_TIME = r"(\d\d):([0-5]\d)"
_WINDOW = re.compile(rf"{_TIME}-{_TIME}(?:Z|([+-]){_TIME})?")
_DAY_S = 86_400


def parse_window(text: str, option: str) -> tuple[float, float]:
    """A time of day until another: seconds after midnight UTC, and its length.

    Raises:
        ConfigError: it is none; the message names ``option``.
    """
    match = _WINDOW.fullmatch(text.strip())
    if match:
        numbers = [int(group or 0) for group in match.group(1, 2, 3, 4, 6, 7)]
        start_s, stop_s, offset_s = (
            3600 * hours + 60 * minutes
            for hours, minutes in zip(numbers[::2], numbers[1::2], strict=True)
        )
        length_s = stop_s - start_s if stop_s > start_s else stop_s - start_s + _DAY_S
        if start_s < _DAY_S and stop_s <= _DAY_S and start_s != stop_s:
            offset_s = -offset_s if match[5] == "-" else offset_s
            return float((start_s - offset_s) % _DAY_S), float(length_s)
    raise ConfigError(
        f"{option}: found {text!r}; expected hours such as 02:00-06:00 (UTC) or 02:00-06:00+01:00"
    )


def show_bytes(count: float) -> str:
    """Three digits and a decimal unit, such as ``8.57 GB``."""
    for unit, size in (("TB", 1e12), ("GB", 1e9), ("MB", 1e6), ("KB", 1e3)):
        if count >= size:
            scaled = count / size
            digits = max(0, 2 - int(math.log10(scaled)))
            return f"{scaled:.{digits}f} {unit}"
    return f"{count:.0f} B"
