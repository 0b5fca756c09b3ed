"""Units of times, rates, sizes and shares, as tables and users write them.

Case matters only between bits and bytes: ``mbit/s`` is ``Mbit/s``, but ``MB/s`` is not ``Mb/s``.
"""

from __future__ import annotations

import re
from collections.abc import Callable

TIME_UNITS = {"s": 1.0, "sec": 1.0, "seconds": 1.0, "ms": 1e-3, "us": 1e-6, "ns": 1e-9}
_PREFIXES = {"": 1.0, "k": 1e3, "m": 1e6, "g": 1e9}
_BIT_RATES = {
    f"{prefix}{unit}": scale
    for prefix, scale in _PREFIXES.items()
    for unit in ("bps", "bit/s", "bits/s", "b/s")
}
_BYTE_RATE = re.compile(r"([kKmMgG]?)(?:B/s|Bps|bytes?/s)")
_BYTES = re.compile(r"([kKmMgG]?)(?:B|[bB]ytes?)")
_BITS = re.compile(r"([kKmMgG]?)bits?")
_SHARES = {"pct": 0.01, "%": 0.01, "percent": 0.01, "ratio": 1.0}
_TAIL = re.compile(r"(?:.*?[^a-zA-Z/%]|)([a-zA-Z/%]+)\W*", re.DOTALL)


def time_scale(unit: str) -> float | None:
    """Seconds in one ``unit``; None if it is no unit of time."""
    return TIME_UNITS.get(unit.lower())


def rate_scale(unit: str) -> float | None:
    """Bits per second in one ``unit``; None if it is no unit of rate."""
    if match := _BYTE_RATE.fullmatch(unit):
        return 8 * _PREFIXES[match[1].lower()]
    return _BIT_RATES.get(unit.lower())


def spoken_rate_scale(unit: str) -> float | None:
    """Like ``rate_scale``; where only a rate can be meant, ``kbit`` is kbit/s."""
    match = _BITS.fullmatch(unit)
    return _PREFIXES[match[1].lower()] if match else rate_scale(unit)


def size_scale(unit: str) -> float | None:
    """Bits in one ``unit``; None if it is no unit of size."""
    if match := _BYTES.fullmatch(unit):
        return 8 * _PREFIXES[match[1].lower()]
    match = _BITS.fullmatch(unit)
    return _PREFIXES[match[1].lower()] if match else None


def share_scale(unit: str) -> float | None:
    """The share that one ``unit`` is; None if it is no unit of shares."""
    return _SHARES.get(unit.lower())


def unit_of_heading(heading: str, scale: Callable[[str], float | None]) -> str:
    """The unit at the end of a heading such as ``rate_kbps`` or ``Rate (Mbit/s)``; else empty."""
    match = _TAIL.fullmatch(heading)
    unit = match[1] if match else ""
    return unit if scale(unit) is not None else ""
