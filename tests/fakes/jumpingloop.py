"""An event loop whose clock jumps to the next timer: seconds of waiting take no time."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


class _Jumping(selectors.SelectSelector):
    """Instead of waiting, moves the loop's clock to where the wait would end."""

    now_s = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """What is ready now."""
        ready = super().select(0)
        if ready:
            return ready
        assert timeout is not None, "the loop waits for ever: no timer, nothing ready"
        self.now_s += max(timeout, 0.0)
        return ready


class JumpingLoop(asyncio.SelectorEventLoop):
    """Time passes only in waits, and then at once."""

    def __init__(self) -> None:
        self._jumping = _Jumping()
        super().__init__(self._jumping)

    def time(self) -> float:
        """Seconds since the loop was made."""
        return self._jumping.now_s

    def spend(self, time_s: float) -> None:
        """Time passes while something is computed."""
        self._jumping.now_s += time_s


def run_jumping(main: Coroutine[Any, Any, T]) -> T:
    """Run ``main`` to its end on a loop of its own."""
    with asyncio.Runner(loop_factory=JumpingLoop) as runner:
        return runner.run(main)
