"""Levels: what a decoder must be able to do, and the lowest that covers a rung."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal, NamedTuple

Tier = Literal["main", "high"]


class Level(NamedTuple):
    """A level and its tier; H.264 has no tiers."""

    name: str
    """Such as ``3.1``."""
    tier: Tier = "main"


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """One row of a table of levels."""

    name: str
    picture: int
    """Luma samples of a picture."""
    longest_width: int
    longest_height: int
    per_second: int
    """Luma samples a second."""
    main_bps: float
    high_bps: float | None = None
    """None where the level has one tier only."""


def lowest(
    table: Iterable[Limits], *, width: int, height: int, rate: Fraction, peak_bps: int
) -> Level | None:
    """The first row that covers a rung; its high tier only where the main one is too slow."""
    for row in table:
        if (
            width * height > row.picture
            or width > row.longest_width
            or height > row.longest_height
            or width * height * rate > row.per_second
        ):
            continue
        if peak_bps <= row.main_bps:
            return Level(row.name)
        if row.high_bps is not None and peak_bps <= row.high_bps:
            return Level(row.name, "high")
    return None
