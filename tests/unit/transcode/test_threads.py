"""Work in threads ends before a cancellation goes on."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

import pytest

from transcode.run.threads import in_thread


async def test_what_the_work_returns_or_raises_comes_out() -> None:
    assert await in_thread(lambda _check: 7) == 7

    def fail(_check: Callable[[], None]) -> None:
        raise ValueError("wrong")

    with pytest.raises(ValueError, match="wrong"):
        await in_thread(fail)


async def test_a_cancelled_task_waits_for_its_thread() -> None:
    """So nothing is written any more when the clean-up begins."""
    steps: list[str] = []

    def work(check: Callable[[], None]) -> None:
        try:
            while True:
                check()
                time.sleep(0.01)
        finally:
            time.sleep(0.05)
            steps.append("ended")

    task = asyncio.ensure_future(in_thread(work))
    await asyncio.sleep(0.05)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert steps == ["ended"]
