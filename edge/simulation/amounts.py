"""Sizes and shares as people type them: ``10GB``, ``512MiB``, ``5%``."""

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


def show_bytes(count: float) -> str:
    """Three digits and a decimal unit, such as ``8.57 GB``."""
    for unit, size in (("TB", 1e12), ("GB", 1e9), ("MB", 1e6), ("KB", 1e3)):
        if count >= size:
            scaled = count / size
            digits = max(0, 2 - int(math.log10(scaled)))
            return f"{scaled:.{digits}f} {unit}"
    return f"{count:.0f} B"
