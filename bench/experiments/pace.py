"""Estimates how long an experiment will still take.

The first run of each algorithm may compile it and says nothing about later ones, so only
those count.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from abr.wording import format_count
from bench.experiments.experiment import Run


@dataclass(slots=True)
class Pace:
    """Progress of an experiment, and its pace."""

    todo: Sequence[Run]
    start_s: float
    sessions: int = 0
    """Done so far."""
    _firsts: set[str] = field(init=False)
    """Ids of the first runs of algorithms, as long as they are not done."""
    _warm_since_s: float = field(init=False, default=0.0)
    _warm_sessions: int = field(init=False, default=0)

    def __post_init__(self) -> None:
        first: dict[str, str] = {}
        for run in self.todo:
            first.setdefault(run.contender.label, run.id)
        is_compiled = any(run.engine == "auto" for run in self.todo)
        self._firsts = set(first.values()) if is_compiled else set()
        self._warm_since_s = self.start_s

    @property
    def total(self) -> int:
        """Sessions in all."""
        return sum(run.sessions for run in self.todo)

    def add(self, run: Run, now_s: float) -> None:
        """Note that a run is done."""
        self.sessions += run.sessions
        if run.id in self._firsts:
            self._firsts.remove(run.id)
            self._warm_since_s = now_s  # until now, others may have waited for a compiler
            self._warm_sessions = 0
        else:
            self._warm_sessions += run.sessions

    def left(self, now_s: float) -> str:
        """Time left in words."""
        if self._firsts:
            return f"compiling, {format_count(len(self._firsts), 'algorithm')} to go"
        took_s = now_s - self._warm_since_s
        if not self._warm_sessions or took_s <= 0:
            return "time left not known yet"
        left_s = took_s * (self.total - self.sessions) / self._warm_sessions
        return f"about {_long(left_s)} left"


def _long(left_s: float) -> str:
    if left_s < 100:
        return f"{left_s:.0f} s"
    return f"{left_s / 60:.0f} min" if left_s < 6000 else f"{left_s / 3600:.1f} h"
