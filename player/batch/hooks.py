"""What a simulator's hooks do where an algorithm does not say: nothing, and the lowest rung.

Simulators import these names; ``player.batch.run.batch`` binds an algorithm's functions in
their place.
"""

from __future__ import annotations

from typing import Any

from abr.decision import Decision, Download, Observation, Progress

CAN_RECONSIDER = False
"""Whether the algorithm may abandon downloads."""
HAS_AUDIO = False
"""Whether the presentation has audio of its own. This and the next are known before a loop is
compiled, so that bare presentations pay for neither, in speed or in time to compile."""
HAS_SIDE_FILES = False
"""Whether it has side files."""
CAN_LEARN = False
"""Whether the algorithm listens to finished downloads."""


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
    """The state of an algorithm over a row of numbers."""
    return None


def session(params: Any, state: Any, presentation: Any, link: Any, options: Any, out: Any) -> None:
    """One session of a simulator."""
