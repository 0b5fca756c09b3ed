"""The work of a whole plan: what the cache lacks is given to workers, the rest is there."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from abr.errors import AbrError, PeerError, ToolFailedError
from transcode.addresses import address_of
from transcode.config import TranscodeConfig
from transcode.planning.jobs import Job, ProductName, VideoJob
from transcode.run.cache import Cache
from transcode.run.encode import EncodeTask, Source
from transcode.run.executors import Crew, OnTick, Task, open_crew

JobT = TypeVar("JobT")
_LOOK_EVERY_S = 5.0
"""How often workers are looked at while none of them has ended a job."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """All jobs of a plan, with the addresses of what they make."""

    jobs: tuple[Job, ...]
    addresses: dict[ProductName, str]
    build: str
    """What tells the ffmpeg that is used from others."""

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
        build=build,
        addresses={
            name: address_of(job, name, source=source, build=build)
            for job in jobs
            for name in job.products
        },
    )


def keep_undamaged(before: Order, after: Order, cache: Cache) -> None:
    """Take what was made before damage was met: those parts decoded without an error.

    Args:
        before: The order that ended with the damage.
        after: The one that allows for it.
        cache: Where products are; it gets each of them under its new address too.
    """
    known = {str(job): job for job in before.jobs}
    for job in after.jobs:
        if known.get(str(job)) != _strict(job):
            continue
        for name in job.products:
            old, new = (cache.path_of(each.addresses[name]) for each in (before, after))
            new.parent.mkdir(parents=True, exist_ok=True)
            with contextlib.suppress(FileNotFoundError, FileExistsError):
                os.link(old, new)


def _strict(job: Job) -> Job:
    """``job`` as it is where no damage is known."""
    if isinstance(job, VideoJob):
        return replace(job, pictures=replace(job.pictures, is_damaged=False))
    return replace(job, audio=replace(job.audio, is_damaged=False))


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


def tasks_of(
    order: Order, todo: Sequence[Job], source: Source, config: TranscodeConfig, cache: Cache
) -> list[EncodeTask]:
    """The jobs ``todo`` of an order as workers take them."""
    return [
        EncodeTask(
            job=job,
            addresses=order.addresses_of(job),
            source=source,
            cache=cache,
            build=order.build,
            in_full=config.verify == "full",
            stall_limit_s=config.stall_limit_s,
        )
        for job in todo
    ]


async def do_all(
    tasks: Sequence[Task[JobT]],
    config: TranscodeConfig,
    cache: Cache,
    *,
    on_tick: OnTick = lambda _job, _tick: None,
    on_done: Callable[[JobT], None] = lambda _job: None,
) -> None:
    """Have all tasks, which have the same source, done where ``config`` says.

    The first failure ends it, and what was finished is kept.

    Args:
        tasks: What to do.
        config: Executor and workers.
        cache: Where results go, which has to be visible to all workers.
        on_tick: Called, from any thread, with the progress of jobs on this machine.
        on_done: Called with each job that is done.

    Raises:
        InputError, ToolMissingError, PeerError, MissingFileError: see ``open_crew``.
        AbrError: a task failed, or there are no workers any more.
    """
    if not tasks:
        return
    with open_crew(
        config.executor, [task.job for task in tasks],
        workers=config.workers, source=tasks[0].source, cache=cache, on_tick=on_tick,
    ) as crew:  # fmt: skip
        await _have_done(tasks, crew, on_done)


async def _have_done(
    tasks: Sequence[Task[JobT]], crew: Crew, on_done: Callable[[JobT], None]
) -> None:
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


async def _outcome(future: Future[None], task: Task[Any]) -> None:
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
