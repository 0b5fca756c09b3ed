"""The time an algorithm takes per decision, in plain Python on this machine.

It is measured after the experiment, in one process, because workers that share a machine
disturb each other; and as processor time, so that a busy machine matters little. It is not
part of the results, as it differs from run to run.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from abr.decision import Algorithm, Chooser, Decision, Observation, Rule
from bench.experiments.experiment import Block, Run
from bench.experiments.run.engine import play
from player.api import as_algorithm

SESSIONS = 1
"""Sessions that are timed; one has as many decisions as segments."""


def decision_time(run: Run, block: Block) -> Mapping[str, float]:
    """Time per decision over the first traces of ``run``, played as the plan has it.

    Returns:
        ``decisions``, ``median_us`` and ``p99_us``: microseconds per call of ``choose``.
    """
    taken_s: list[float] = []
    algorithm = _timed(as_algorithm(run.contender.loads_as, run.contender.params), taken_s)
    play(run, block[:SESSIONS], algorithm, engine="plain")
    taken_us = 1e6 * np.array(taken_s or [np.nan])
    return {
        "decisions": len(taken_s),
        "median_us": float(np.round(np.median(taken_us), 2)),
        "p99_us": float(np.round(np.quantile(taken_us, 0.99), 2)),
    }


def _timed(algorithm: Algorithm, taken_s: list[float]) -> Algorithm:
    if isinstance(algorithm, Rule):
        inner = algorithm.choose

        def choose(params: Any, state: Any, seen: Observation) -> Decision:
            start_s = time.thread_time()
            decision = inner(params, state, seen)
            taken_s.append(time.thread_time() - start_s)
            return decision

        return replace(algorithm, choose=choose)
    make = algorithm

    def timed() -> Chooser:
        return _TimedChooser(make(), taken_s)

    return timed


class _TimedChooser:
    """Wraps an object with ``choose(seen)`` and times its calls."""

    def __init__(self, inner: Any, taken_s: list[float]) -> None:
        self._inner = inner
        self._taken_s = taken_s
        for name in ("reconsider", "delivered", "waited"):
            if hasattr(inner, name):
                setattr(self, name, getattr(inner, name))

    def __repr__(self) -> str:
        return f"<_TimedChooser of {self._inner!r}, {len(self._taken_s)} decisions>"

    def choose(self, seen: Observation) -> Decision | int:
        start_s = time.thread_time()
        decision: Decision | int = self._inner.choose(seen)
        self._taken_s.append(time.thread_time() - start_s)
        return decision
