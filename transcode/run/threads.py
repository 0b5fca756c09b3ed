"""Work in a thread that ends soon when the command is interrupted."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import TypeVar

Result = TypeVar("Result")


class StoppedError(Exception):
    """The work was told to stop."""


async def in_thread(work: Callable[[Callable[[], None]], Result]) -> Result:
    """Call ``work`` in a thread, with a function that it calls often.

    That function raises ``StoppedError`` once this task is cancelled, and the thread has ended
    before the cancellation goes on, so that what it wrote can be removed.
    """
    stopped = threading.Event()

    def check() -> None:
        if stopped.is_set():
            raise StoppedError

    task = asyncio.ensure_future(asyncio.to_thread(work, check))
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        stopped.set()
        await asyncio.wait([task])
        task.exception()  # StoppedError, or nothing: either is known
        raise
