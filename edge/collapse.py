"""Request collapsing: one fetch from the parent per key at a time.

Pure bookkeeping. The first request for a key starts a fill, and requests that come before it
ends join it. No request owns a fill: when one leaves, even the first, the fill continues. A
fill that has ended is never joined again, even if its end is noticed late.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, TypeVar

F = TypeVar("F")
"""The shell's type of a fill under way."""


@dataclass(frozen=True, slots=True)
class Joined(Generic[F]):
    """A request's part in a fill."""

    fill: F
    started: bool
    """True for the request that made this fill necessary, False for all that joined it."""


class Collapse(Generic[F]):
    """Fills under way by key."""

    def __init__(self) -> None:
        self._under_way: dict[str, F] = {}

    def __repr__(self) -> str:
        return f"<Collapse of {len(self._under_way)} fills under way>"

    def __len__(self) -> int:
        return len(self._under_way)

    def join(self, key: str) -> Joined[F] | None:
        """Join the fill of ``key``; None when there is none, so the caller starts one."""
        found = self._under_way.get(key)
        return None if found is None else Joined(found, started=False)

    def start(self, key: str, fill: F) -> Joined[F]:
        """Enter a new fill.

        Raises:
            ValueError: one is under way for ``key``; join that instead.
        """
        if key in self._under_way:
            raise ValueError("a fill of this key is under way; join it")
        self._under_way[key] = fill
        return Joined(fill, started=True)

    def finish(self, key: str, fill: F) -> None:
        """End a fill, in success or failure; the late end of an older one changes nothing."""
        if self._under_way.get(key) is fill:
            del self._under_way[key]
