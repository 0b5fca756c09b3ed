"""The encode of a whole plan: what the cache lacks is given to workers, the rest is there."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, replace

from abr.errors import AbrError, PeerError, ToolFailedError
from transcode.addresses import address_of
from transcode.planning.jobs import Job, ProductName, VideoJob
from transcode.run.cache import Cache
from transcode.run.encode import Task
from transcode.run.executors import Crew

_LOOK_EVERY_S = 5.0
"""How often workers are looked at while none of them has ended a job."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """All jobs of a plan, with the addresses of what they make."""

    jobs: tuple[Job, ...]
    addresses: dict[ProductName, str]

    def missing(self, is_there: Callable[[str], bool]) -> list[Job]:
        """The jobs that are left to do: chunks with those of their rungs that are not there."""
        left: list[Job] = []
        for job in self.jobs:
            lacking = {name.track for name in job.products if not is_there(self.addresses[name])}
            if not lacking:
                continue
            if isinstance(job, VideoJob):
                job = replace(  # noqa: PLW2901  # the same job, with fewer rungs
                    job, rungs=tuple(each for each in job.rungs if each[0] in lacking)
                )
            left.append(job)
        return left

    def addresses_of(self, job: Job) -> tuple[str, ...]:
        """Addresses of a job's products, in order."""
        return tuple(self.addresses[name] for name in job.products)


def order_of(jobs: Sequence[Job], *, source: str, build: str) -> Order:
    """The jobs with the addresses of all products; see ``address_of``."""
    return Order(
        jobs=tuple(jobs),
        addresses={
            name: address_of(job, name, source=source, build=build)
            for job in jobs
            for name in job.products
        },
    )


def look_up(order: Order, cache: Cache, check: Callable[[], None] = lambda: None) -> list[Job]:
    """The jobs that are left to do; products that are there are read and checked.

    Args:
        order: All jobs.
        cache: Where products are.
        check: Called often; what it raises ends the work.
    """
    there = set()
    for address in order.addresses.values():
        check()
        if cache.look_up(address) is not None:
            there.add(address)
    return order.missing(there.__contains__)


async def do_all(tasks: Sequence[Task], crew: Crew, on_done: Callable[[Job], None]) -> None:
    """Have all tasks done; the first failure ends it, and what was finished is kept.

    Raises:
        AbrError: a task failed, or there are no workers any more.
    """
    waiting = {asyncio.ensure_future(_outcome(crew.submit(task), task)): task for task in tasks}
    try:
        while waiting:
            done, _ = await asyncio.wait(
                waiting, timeout=_LOOK_EVERY_S, return_when=asyncio.FIRST_COMPLETED
            )
            if not done:
                await asyncio.to_thread(crew.check)
            for each in done:
                task = waiting.pop(each)
                each.result()
                on_done(task.job)
    finally:
        for each in waiting:
            each.cancel()
        crew.stop()
        await asyncio.gather(*waiting, return_exceptions=True)


async def _outcome(future: Future[None], task: Task) -> None:
    """Wait for a task; what the executor itself says is put into words."""
    try:
        await asyncio.wrap_future(future)
    except asyncio.CancelledError as exc:
        own = asyncio.current_task()
        if own is not None and own.cancelling():
            raise
        raise PeerError(
            f"{task.job}: the executor gave it up; is the scheduler still there? Start again: "
            "finished chunks are kept"
        ) from exc
    except AbrError:
        raise
    except Exception as exc:
        # Executors say in their own ways that workers died: KilledWorker, BrokenProcessPool.
        raise ToolFailedError(
            f"{task.source.where}: {task.job}: its worker failed ({type(exc).__name__}: {exc}); "
            "expected it to end by itself; is there enough memory?"
        ) from exc
