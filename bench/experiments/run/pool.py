"""Jobs to workers that may die: every outcome comes back once, each job fails for itself.

What several jobs need, their part, is sent apart from them: once to each worker rather than
with every job. Local processes and a cluster take the same path. When a worker process
dies, the standard pool loses all that were under way and does not say whose fault it was:
those are then played one by one, each in a process of its own, and a job that keeps killing
its worker is named.
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
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Future
from concurrent.futures import wait as wait_for
from concurrent.futures.process import ProcessPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass
from multiprocessing import forkserver
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

from abr.errors import AbrError

Job = TypeVar("Job")
Part = TypeVar("Part")
Result = TypeVar("Result")

ATTEMPTS = 3
"""A job whose worker dies this often, alone in it, has failed."""

GONE_WITHIN_S = 5.0
"""A killed worker is waited for no longer than this."""

PARTS_KEPT = 8
"""A worker holds this many parts; jobs come in an order in which few are needed at a time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome(Generic[Result]):
    """What became of one job."""

    index: int
    """Its place among the jobs."""
    result: Result | None = None
    error: str = ""
    """Why there is no result."""


class Workers(Protocol):
    """Where jobs are done."""

    def submit(self, work: Callable[[Any, Any], Result], job: Any, part: int, /) -> Future[Result]:
        """Do ``work(job, parts[part])``.

        Raises:
            BrokenExecutor: a worker has died.
        """
        ...

    def forget(self, part: int, /) -> None:
        """No more jobs need this part."""
        ...


Opener = Callable[[int, Sequence[Any]], AbstractContextManager[Workers]]
"""Opens so many workers for jobs with these parts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Load(Generic[Job, Part, Result]):
    """What is to be done."""

    jobs: Sequence[Job]
    """Picklable values."""
    parts: Sequence[Part]
    """What jobs share, picklable too."""
    part_of: Callable[[Job], int]
    """Which of them a job needs."""
    work: Callable[[Job, Part], Result]
    """A function at module level."""


def outcomes(
    load: Load[Job, Part, Result], *, opener: Opener, workers: int, attempts: int = ATTEMPTS
) -> Iterator[Outcome[Result]]:
    """Do all jobs and yield each outcome as it comes.

    Args:
        load: The jobs.
        opener: Where to; see ``local``.
        workers: How many at a time. One more each is kept waiting, so nobody idles.
        attempts: How often a worker may die over one job.
    """
    todo = deque(range(len(load.jobs)))
    while todo:
        suspects = yield from _until_broken(load, todo, opener, workers)
        for index in suspects:
            yield _alone(load, index, opener, attempts)


def _until_broken(
    load: Load[Job, Part, Result], todo: deque[int], opener: Opener, workers: int
) -> Generator[Outcome[Result], None, list[int]]:
    """Work through ``todo`` until it is empty or a worker died; return who may have done it."""
    suspects: list[int] = []
    running: dict[Future[Result], int] = {}
    parts = [load.part_of(job) for job in load.jobs]
    left = Counter(parts[index] for index in todo)
    with opener(workers, load.parts) as there:
        while (todo and not suspects) or running:
            while todo and not suspects and len(running) < 2 * workers:
                index = todo.popleft()
                try:
                    future = there.submit(load.work, load.jobs[index], parts[index])
                except BrokenExecutor:
                    suspects.append(index)
                else:
                    running[future] = index
            for future in wait_for(running, return_when=FIRST_COMPLETED).done:
                index = running.pop(future)
                outcome = _settled(future, index)
                if outcome is None:
                    suspects.append(index)
                    continue
                left[parts[index]] -= 1
                if not left[parts[index]]:
                    there.forget(parts[index])
                yield outcome
    return sorted(suspects)


def _alone(
    load: Load[Job, Part, Result], index: int, opener: Opener, attempts: int
) -> Outcome[Result]:
    """One job in a process of its own, more than once if need be."""
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


class _LocalWorkers:
    """Processes on this machine, which read their parts from files."""

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
    """Start the process that local workers are forked from, if it does not run yet.

    It loads what they need meanwhile; call it before something else that takes long.
    """
    forkserver.set_forkserver_preload(["bench.experiments.run.engine", "numba"])
    forkserver.ensure_running()


@contextlib.contextmanager
def local(workers: int, parts: Sequence[Any]) -> Iterator[Workers]:
    """Processes on this machine; all of them are gone when the context is left.

    Workers are forked from a clean server process that has loaded what they need: it holds
    no threads and no locks of ours, and a new worker starts in milliseconds.
    """
    context = multiprocessing.get_context("forkserver")
    prepare_local()
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
    """Ctrl-C is the parent's to handle, and no worker outlives its parent."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    threading.Thread(target=_leave_with_parent, args=(parts_folder,), daemon=True).start()


def _leave_with_parent(parts_folder: str) -> None:
    """Wait for the parent's end, whatever it dies of, and go too; tidy up what it cannot."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        shutil.rmtree(parts_folder, ignore_errors=True)
        os._exit(1)
