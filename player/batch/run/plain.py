"""Simulation loops in plain Python, linked with an algorithm and kept.

Linking takes about as long as a session. A loop holds the state of the session that it
plays, so one that is in use is nobody else's until it is given back.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from types import FunctionType
from typing import Any

from abr.compilable import cells
from abr.decision import Downloads
from abr.media import FloatArray
from player.batch.fingerprint import Fingerprint
from player.batch.many import play_many
from player.batch.run.compiled import fingerprint_of, linked
from player.batch.simulators import Simulator
from player.batch.tables import downloads_so_far, remember

_KEPT = 32
"""Pairs of a simulator and an algorithm whose loops are kept."""


class PlainLoop:
    """``play_many`` linked with a simulator and with what an algorithm answers.

    Args:
        simulator: Whose sessions are played.
        hooks: Values of the names in ``player.batch.hooks``.
    """

    def __init__(self, simulator: Simulator, hooks: Mapping[str, Any]) -> None:
        self._state: Any = None
        self._history: Any = None
        self._numbers: Any = None
        self._views: list[Downloads] = []
        parts = {"session": simulator.session, "state_of": self._newest_state}
        history = {"downloads_so_far": self._downloads_so_far, "remember": self._remember}
        self._loop = linked(play_many, {**hooks, **history}, parts=parts)
        self._fingerprint: Fingerprint | None = None
        if _can_be_kept(hooks):
            self._fingerprint = fingerprint_of([play_many, simulator.session, *hooks.values()])

    def __repr__(self) -> str:
        return f"<PlainLoop, {len(self._views)} downloads seen>"

    def play(self, state: Any, *given: Any) -> None:
        """Play sessions of an algorithm whose state is ``state``."""
        self._state = state
        self._loop(*given)

    def still_holds(self) -> bool:
        """Whether linking would make the same loop again."""
        return self._fingerprint is not None and self._fingerprint.still_holds()

    def _newest_state(self, *_: Any) -> Any:
        return self._state

    def _downloads_so_far(self, of: FloatArray, count: int) -> Downloads:
        """As in ``player.batch.tables``; the views of a history are made once."""
        if of is not self._history:
            self._take(of)
        return self._views[count]

    def _remember(self, to: FloatArray, *download: Any) -> int:
        if to is not self._history:
            self._take(to)
        return remember(self._numbers, *download)

    def _take(self, history: FloatArray) -> None:
        self._history, self._numbers = history, cells(history)
        self._views = [downloads_so_far(history, count) for count in range(history.shape[1] + 1)]


@contextlib.contextmanager
def plain_loop(simulator: Simulator, hooks: Mapping[str, Any]) -> Iterator[PlainLoop]:
    """A loop for the caller alone."""
    key = (simulator.session, *hooks.items()) if _can_be_kept(hooks) else None
    kept = _kept.setdefault(key, []) if key is not None else []
    while len(_kept) > _KEPT:
        del _kept[next(iter(_kept))]
    loop = kept.pop() if kept else None
    if loop is None or not loop.still_holds():
        loop = PlainLoop(simulator, hooks)
    try:
        yield loop
    finally:
        if key is not None:
            kept.append(loop)


_kept: dict[tuple[Any, ...], list[PlainLoop]] = {}


def _can_be_kept(hooks: Mapping[str, Any]) -> bool:
    """Whether a digest tells of everything that the hooks hold."""
    return all(
        isinstance(hook, bool | int | float | None)
        or (isinstance(hook, FunctionType) and not hook.__closure__)
        for hook in hooks.values()
    )
