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


def uncounted(array: Any) -> Any:
    """``array`` as it is.

    Compiled: a view that does not keep its memory. Counting who uses an array costs more
    than most of what is done with it; the loop around the sessions keeps it.
    """
    return array


def numbers(array: Any) -> Any:
    """What is only looked up, as plain Python looks it up fastest.

    Compiled: ``uncounted``.
    """
    return array.tolist()


def cells(array: Any) -> Any:
    """What is written a number at a time, as plain Python does so fastest.

    Compiled: ``uncounted``.
    """
    return memoryview(array)


def session(params: Any, state: Any, film: Any, link: Any, options: Any, out: Any) -> None:
    """One session of a kernel."""
