"""Fields of ffprobe's JSON as numbers; what is missing or impossible becomes None or 0."""

from __future__ import annotations

from fractions import Fraction


def fraction(value: object, *, least: Fraction = Fraction(1, 1000)) -> Fraction | None:
    """A ratio such as ``30000/1001`` between ``least`` and 10^6; None for anything else."""
    try:
        found = Fraction(str(value))
    except (ValueError, ZeroDivisionError):
        return None
    return found if least < found < 10**6 else None


def whole(value: object) -> int:
    """A whole number of 0 or more; 0 for anything else."""
    try:
        return max(0, int(str(value)))
    except ValueError:
        return 0
