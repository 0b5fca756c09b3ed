"""Jobs to workers that may die: every outcome comes back once, each job fails for itself.

Depends on the protocol of ``concurrent.futures.Executor`` alone, so local processes and
a cluster take the same path. When a worker process dies, the standard pool loses all
that were under way and does not say whose fault it was: those are then played one by
one, each in a process of its own, and a job that keeps killing its worker is named.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Executor, Future
from concurrent.futures import wait as wait_for
from concurrent.futures.process import ProcessPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Generic, TypeVar

from abr.errors import AbrError

Job = TypeVar("Job")
Result = TypeVar("Result")

ATTEMPTS = 3
"""A job whose worker dies this often, alone in it, has failed."""

GONE_WITHIN_S = 5.0
"""A killed worker is waited for no longer than this."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome(Generic[Result]):
    """What became of one job."""

    index: int
    """Its place among the jobs."""
    result: Result | None = None
    error: str = ""
    """Why there is no result."""


Opener = Callable[[int], AbstractContextManager[Executor]]
"""Opens an executor with room for so many jobs at a time."""


def outcomes(
    jobs: Sequence[Job],
    work: Callable[[Job], Result],
    *,
    opener: Opener,
    workers: int,
    attempts: int = ATTEMPTS,
) -> Iterator[Outcome[Result]]:
    """Do all jobs and yield each outcome as it comes.

    Args:
        jobs: Picklable values.
        work: A function at module level.
        opener: Where to; see ``local``.
        workers: How many at a time. One more each is kept waiting, so nobody idles.
        attempts: How often a worker may die over one job.
    """
    todo = deque(range(len(jobs)))
    while todo:
        suspects = yield from _until_broken(jobs, work, todo, opener, workers)
        for index in suspects:
            yield _alone(jobs[index], work, index, opener, attempts)


def _until_broken(
    jobs: Sequence[Job],
    work: Callable[[Job], Result],
    todo: deque[int],
    opener: Opener,
    workers: int,
) -> Generator[Outcome[Result], None, list[int]]:
    """Work through ``todo`` until it is empty or a worker died; return who may have done it."""
    suspects: list[int] = []
    running: dict[Future[Result], int] = {}
    with opener(workers) as executor:
        while (todo and not suspects) or running:
            while todo and not suspects and len(running) < 2 * workers:
                index = todo.popleft()
                try:
                    running[executor.submit(work, jobs[index])] = index
                except BrokenExecutor:
                    suspects.append(index)
            for future in wait_for(running, return_when=FIRST_COMPLETED).done:
                index = running.pop(future)
                outcome = _settled(future, index)
                if outcome is None:
                    suspects.append(index)
                else:
                    yield outcome
    return sorted(suspects)


def _alone(
    job: Job, work: Callable[[Job], Result], index: int, opener: Opener, attempts: int
) -> Outcome[Result]:
    """One job in a process of its own, more than once if need be."""
    for _ in range(attempts):
        with opener(1) as executor:
            future = executor.submit(work, job)
            wait_for([future])
            outcome: Outcome[Result] | None = _settled(future, index)
        if outcome is not None:
            return outcome
    died = f"its worker process died {attempts} times (killed, or out of memory)"
    return Outcome(index=index, error=died)


def _settled(future: Future[Result], index: int) -> Outcome[Result] | None:
    """What a finished future holds; None when its worker died."""
    try:
        return Outcome(index=index, result=future.result())
    except BrokenExecutor:
        return None
    except AbrError as exc:
        return Outcome(index=index, error=str(exc))
    # Whatever a stranger's algorithm raises is that job's failure, and is named.
    except Exception as exc:  # noqa: BLE001
        return Outcome(index=index, error=f"{type(exc).__name__}: {exc}")


@contextlib.contextmanager
def local(workers: int) -> Iterator[Executor]:
    """Processes on this machine; all of them are gone when the context is left.

    Workers are forked from a clean server process that has loaded what they need: it holds
    no threads and no locks of ours, and a new worker starts in milliseconds.
    """
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["bench.experiments.run.engine"])
    before = {child.pid for child in multiprocessing.active_children()}
    executor = ProcessPoolExecutor(workers, mp_context=context, initializer=_enter_worker)
    try:
        yield executor
    except BaseException:
        executor.shutdown(wait=False, cancel_futures=True)
        ours = [each for each in multiprocessing.active_children() if each.pid not in before]
        for child in ours:
            child.kill()
        for child in ours:
            child.join(GONE_WITHIN_S)
        raise
    finally:
        executor.shutdown(wait=True, cancel_futures=True)


def _enter_worker() -> None:
    """Ctrl-C is the parent's to handle, and no worker outlives its parent."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    threading.Thread(target=_leave_with_parent, daemon=True).start()


def _leave_with_parent() -> None:
    """Wait for the parent's end, whatever it dies of, and go too."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
