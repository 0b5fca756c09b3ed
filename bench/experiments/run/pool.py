"""Runs jobs on workers that may die; each job succeeds or fails on its own.

Data that several jobs share, a part, is sent once to each worker instead of with every job.
Local processes and a cluster take the same path. When a process of the standard pool dies,
all jobs under way are lost and the culprit is not known: they are then run one by one, each
in a process of its own, and a job that keeps killing its worker is reported.
"""

from __future__ import annotations

import contextlib
import functools
import multiprocessing
import os
import pickle
import shutil
import signal
import tempfile
import threading
from collections import Counter, deque
from collections.abc import Callable, Generator, Hashable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Future
from concurrent.futures import wait as wait_for
from concurrent.futures.process import ProcessPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass
from multiprocessing import forkserver, resource_tracker
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

from abr.errors import AbrError

Job = TypeVar("Job")
Part = TypeVar("Part")
Result = TypeVar("Result")

ATTEMPTS = 3
"""A job has failed when this many workers died that ran nothing else."""

GONE_WITHIN_S = 5.0
"""Longest wait for the end of a killed worker."""

PARTS_KEPT = 8
"""Parts that a worker keeps in memory."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome(Generic[Result]):
    """Result or error of one job."""

    index: int
    """Its place among the jobs."""
    result: Result | None = None
    error: str = ""
    """Why there is no result."""


class Workers(Protocol):
    """Runs jobs; see ``Opener``."""

    def submit(self, work: Callable[[Any, Any], Result], job: Any, part: int, /) -> Future[Result]:
        """Run ``work(job, parts[part])``.

        Raises:
            BrokenExecutor: a worker has died.
        """
        ...

    def forget(self, part: int, /) -> None:
        """Free a part that no further job needs."""
        ...


Opener = Callable[[int, Sequence[Any]], AbstractContextManager[Workers]]
"""Opens a number of workers for jobs with the given parts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Load(Generic[Job, Part, Result]):
    """Jobs and what they need."""

    jobs: Sequence[Job]
    """Picklable values."""
    parts: Sequence[Part]
    """Data that jobs share, picklable too."""
    part_of: Callable[[Job], int]
    """Index of the part that a job needs."""
    work: Callable[[Job, Part], Result]
    """A function at module level."""
    group_of: Callable[[Job], Hashable] | None = None
    """What the first of several jobs prepares for all, such as machine code: the others begin
    once it has ended."""


def outcomes(
    load: Load[Job, Part, Result], *, opener: Opener, workers: int, attempts: int = ATTEMPTS
) -> Iterator[Outcome[Result]]:
    """Run all jobs; yield their outcomes as they come.

    Args:
        load: The jobs.
        opener: Opens the workers, such as ``local``.
        workers: Their number. As many further jobs are queued, so that none is idle.
        attempts: Workers that may die of one job before it has failed.
    """
    todo = deque(range(len(load.jobs)))
    while todo:
        suspects = yield from _until_broken(load, todo, opener, workers)
        for index in suspects:
            yield _alone(load, index, opener, attempts)


def _until_broken(
    load: Load[Job, Part, Result], todo: deque[int], opener: Opener, workers: int
) -> Generator[Outcome[Result], None, list[int]]:
    """Run ``todo`` until it is empty or a worker dies; return the jobs that were under way."""
    suspects: list[int] = []
    running: dict[Future[Result], int] = {}
    turns = _Turns(load, todo)
    parts = [load.part_of(job) for job in load.jobs]
    left = Counter(parts[index] for index in todo)
    with opener(workers, load.parts) as there:
        while (todo and not suspects) or running:
            while not suspects and len(running) < 2 * workers:
                index = turns.next()
                if index is None:
                    break
                try:
                    future = there.submit(load.work, load.jobs[index], parts[index])
                except BrokenExecutor:
                    suspects.append(index)
                else:
                    running[future] = index
            for future in wait_for(running, return_when=FIRST_COMPLETED).done:
                index = running.pop(future)
                turns.note_end(index)
                outcome = _settled(future, index)
                if outcome is None:
                    suspects.append(index)
                    continue
                left[parts[index]] -= 1
                if not left[parts[index]]:
                    there.forget(parts[index])
                yield outcome
    return sorted(suspects)


class _Turns:
    """Which job is next: the first one whose group nobody is preparing."""

    def __init__(self, load: Load[Any, Any, Any], todo: deque[int]) -> None:
        self._todo = todo
        of = load.group_of
        self._groups = None if of is None else [of(job) for job in load.jobs]
        self._prepared: dict[Hashable, bool] = {}

    def __repr__(self) -> str:
        return f"<_Turns: {len(self._todo)} jobs, {len(self._prepared)} groups begun>"

    def next(self) -> int | None:
        """Take the next job; None when there is none that can begin now."""
        for place, index in enumerate(self._todo):
            if self._groups is None or self._prepared.get(self._groups[index], True):
                del self._todo[place]
                if self._groups is not None:
                    self._prepared.setdefault(self._groups[index], False)
                return index
        return None

    def note_end(self, index: int) -> None:
        """A job has ended, well or not."""
        if self._groups is not None:
            self._prepared[self._groups[index]] = True


def _alone(
    load: Load[Job, Part, Result], index: int, opener: Opener, attempts: int
) -> Outcome[Result]:
    """Run one job in a process of its own, repeatedly if that dies."""
    job = load.jobs[index]
    for _ in range(attempts):
        with opener(1, load.parts) as there:
            future = there.submit(load.work, job, load.part_of(job))
            wait_for([future])
            outcome: Outcome[Result] | None = _settled(future, index)
        if outcome is not None:
            return outcome
    died = f"its worker process died {attempts} times (killed, or out of memory)"
    return Outcome(index=index, error=died)


def _settled(future: Future[Result], index: int) -> Outcome[Result] | None:
    """The outcome of a finished future; None when its worker died."""
    try:
        return Outcome(index=index, result=future.result())
    except BrokenExecutor:
        return None
    except AbrError as exc:
        return Outcome(index=index, error=str(exc))
    # A third-party algorithm may raise anything.
    except Exception as exc:  # noqa: BLE001
        return Outcome(index=index, error=f"{type(exc).__name__}: {exc}")


class _LocalWorkers:
    """Processes on this machine; they read parts from temporary files."""

    def __init__(self, executor: ProcessPoolExecutor, parts: Sequence[Any], folder: Path) -> None:
        self._executor = executor
        self._parts = parts
        self._folder = folder

    def __repr__(self) -> str:
        return f"_LocalWorkers({len(self._parts)} parts, {self._folder})"

    def submit(self, work: Callable[[Any, Any], Result], job: Any, part: int) -> Future[Result]:
        path = self._file(part)
        if not path.exists():
            path.write_bytes(pickle.dumps(self._parts[part], protocol=pickle.HIGHEST_PROTOCOL))
        with _signals_wait():  # a worker that it starts is known, and can be killed, afterwards
            return self._executor.submit(_work_on, work, job, str(path))

    def forget(self, part: int) -> None:
        self._file(part).unlink(missing_ok=True)

    def _file(self, part: int) -> Path:
        return self._folder / f"{part}.pickle"


def _work_on(work: Callable[[Any, Any], Result], job: Any, path: str) -> Result:
    return work(job, _part(path))


@functools.lru_cache(maxsize=PARTS_KEPT)
def _part(path: str) -> Any:
    return pickle.loads(Path(path).read_bytes())  # noqa: S301  # our parent wrote it


def prepare_local() -> None:
    """Start the server process that local workers are forked from, unless it runs.

    It imports modules in the background, so it is best started early.
    """
    forkserver.set_forkserver_preload(["bench.experiments.run.preload"])
    resource_tracker.ensure_running()  # which takes SIGINT out of the mask
    # It inherits the mask: Ctrl-C, which ends it with us, must not end its imports by a traceback.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
    try:
        forkserver.ensure_running()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _answer() -> None:
    """Run in a process that is only started to see that processes can be."""


@contextlib.contextmanager
def _signals_wait() -> Iterator[None]:
    """Hand signals to their handlers when the block is left, not in the middle of it."""
    came: list[int] = []
    handlers: dict[signal.Signals, Any] = {}
    if threading.current_thread() is threading.main_thread():  # no other one runs handlers
        for name in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            if callable(signal.getsignal(name)):
                handlers[name] = signal.signal(name, lambda number, _frame: came.append(number))
    try:
        yield
    finally:
        for name, handler in handlers.items():
            signal.signal(name, handler)
        for number in dict.fromkeys(came):
            signal.raise_signal(number)


@contextlib.contextmanager
def local(workers: int, parts: Sequence[Any]) -> Iterator[Workers]:
    """Processes on this machine, all of which have ended when the context is left.

    They are forked from a server process that has loaded what they need and holds none of
    our threads and locks, so a new one starts in milliseconds.
    """
    context = multiprocessing.get_context("forkserver")
    prepare_local()
    first = context.Process(target=_answer)
    first.start()  # waits, and can be interrupted, while the server process imports
    first.join()
    before = {child.pid for child in multiprocessing.active_children()}
    with tempfile.TemporaryDirectory(prefix="abrkit-") as folder:
        executor = ProcessPoolExecutor(
            workers, mp_context=context, initializer=_enter_worker, initargs=(folder,)
        )
        try:
            yield _LocalWorkers(executor, parts, Path(folder))
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


def _enter_worker(parts_folder: str) -> None:
    """Leave Ctrl-C to the parent, and see that the worker does not outlive it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    threading.Thread(target=_leave_with_parent, args=(parts_folder,), daemon=True).start()


def _leave_with_parent(parts_folder: str) -> None:
    """Exit when the parent has ended, and remove the temporary files that it left."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        shutil.rmtree(parts_folder, ignore_errors=True)
        os._exit(1)
