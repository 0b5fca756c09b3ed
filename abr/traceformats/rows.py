"""What the readers of text tables share: numbered lines, checked numbers, times."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from abr.errors import TraceFormatError
from abr.media import FloatArray


def numbered_lines(text: str) -> Iterator[tuple[int, str]]:
    """Numbered lines, from 1, without blanks and ``#`` comments."""
    for number, line in enumerate(text.splitlines(), 1):
        if (line := line.strip()) and line[0] != "#":
            yield number, line


def number_in(text: str, where: str, what: str, *, least: float = 0.0) -> float:
    """The finite number in ``text``; errors call it ``what`` at ``where``."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not least <= value < math.inf:
        bound = f" of {least:g} or more" if least > -math.inf else ""
        raise TraceFormatError(f"{where}: found {what} {text!r}; expected a finite number{bound}")
    return value


def digits_of(value: float, unit: float) -> str:
    """``value`` in ``unit``s, in digits that read back as exactly ``value`` if any do."""
    near = value / unit
    for digits in (near, math.nextafter(near, math.inf), math.nextafter(near, -math.inf)):
        if digits * unit == value:
            near = digits
            break
    return repr(int(near)) if near == int(near) and abs(near) < 1e15 else repr(near)


class Clock:
    """Checks that times do not decrease, and rebases them to the first."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.times: list[float] = []
        self.last = -math.inf

    def add(self, time: float, number: int, unit: str) -> None:
        """Take the time of line ``number``.

        Raises:
            TraceFormatError: it is before the last one.
        """
        if time < self.last:
            raise TraceFormatError(
                f"{self.name}:{number}: time {time:g} {unit} comes after {self.last:g} {unit}; "
                "times must not decrease"
            )
        self.last = time
        self.times.append(time)

    def from_zero(self) -> FloatArray:
        """All times so far, counted from the first."""
        times = np.array(self.times, dtype=np.float64)
        return times - times[0] if len(times) else times


def need_two_rows(clock: Clock) -> None:
    """Refuse a table that has no length.

    Raises:
        TraceFormatError: fewer than two rows.
    """
    if len(clock.times) < 2:
        raise TraceFormatError(
            f"{clock.name}:1: found {len(clock.times)} rows; expected two or more, "
            "as one row has no length"
        )
