"""What a user should know of a master although it can be used."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """Something found, and what is made of it."""

    text: str
    at_s: float | None = None
    """Place in the film; None when it concerns all of it."""

    def __str__(self) -> str:
        return self.text if self.at_s is None else f"at {time_code(self.at_s)}: {self.text}"


def time_code(at_s: float) -> str:
    """``1:02:03.500``; hours only where there are some."""
    at_ms = round(at_s * 1000)
    minutes, rest_ms = divmod(at_ms, 60_000)
    hours, minutes = divmod(minutes, 60)
    head = f"{hours}:{minutes:02d}" if hours else f"{minutes}"
    return f"{head}:{rest_ms / 1000:06.3f}"
