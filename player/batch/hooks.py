"""What a kernel's hooks do where a rule does not say: nothing, and the lowest rung.

Kernels import these names; ``player.batch.run.batch`` binds a rule's functions in their
place.
"""

from __future__ import annotations

from typing import Any

from abr.decision import Decision, Download, Observation, Progress

CAN_RECONSIDER = False
"""Whether the rule may abandon downloads."""
CAN_LEARN = False
"""Whether the rule listens to finished downloads."""


def choose(params: Any, state: Any, seen: Observation) -> Decision:
    """The lowest rung."""
    return Decision(0, 0.0, 0, -1)


def reconsider(params: Any, state: Any, seen: Observation, progress: Progress) -> Decision:
    """Carry on."""
    return Decision(progress.rung, 0.0, 0, -1)


def delivered(params: Any, state: Any, seen: Observation, download: Download) -> None:
    """Learn nothing."""


def waited(params: Any, state: Any, seen: Observation, wait_s: float) -> None:
    """Learn nothing."""


def state_of(row: Any, fields: Any) -> Any:
    """The state of a rule over a row of numbers."""
    return None


def session(params: Any, state: Any, film: Any, link: Any, options: Any, out: Any) -> None:
    """One session of a kernel."""
