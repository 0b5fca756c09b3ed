"""Where jobs run: threads around ffmpeg on this machine, or a Dask cluster.

Both are a ``concurrent.futures.Executor``; nothing else is asked of them. Threads on this
machine are also told to stop, and tell how far they are.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, Future
from concurrent.futures.thread import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, TypeVar

from abr.errors import InputError, MissingFileError, PeerError
from abr.run.cluster import Cluster
from transcode.measuring.comparing import MeasureJob
from transcode.planning.chunks import cores_kept_busy
from transcode.planning.jobs import AudioJob, VideoJob
from transcode.run.cache import Cache
from transcode.run.encode import Source
from transcode.run.process import Tick

LOCAL = "local"
ALONE_S = 60.0
"""Longest wait for a worker to come back when all have gone."""
OnTick = Callable[[Any, Tick], None]
"""Told how far a job is."""
JobT_co = TypeVar("JobT_co", covariant=True)


class Task(Protocol[JobT_co]):
    """A job with everything that a worker needs for it; a value that can be sent."""

    @property
    def job(self) -> JobT_co:
        """What it is, for progress and messages."""
        ...

    @property
    def source(self) -> Source:
        """The master."""
        ...

    async def do(
        self,
        on_tick: Callable[[Tick], None] | None = None,
        on_eased: Callable[[], None] = lambda: None,
    ) -> None:
        """Do it, wherever this is; what comes of it is in the cache afterwards.

        Args:
            on_tick: Called with the progress about twice a second.
            on_eased: May be called when what is left keeps one core busy at the most.
        """
        ...


class Crew(Protocol):
    """Workers that do the tasks of one transcode."""

    def submit(self, task: Task[Any], /) -> Future[None]:
        """Do ``task`` as soon as a worker is free."""
        ...

    def check(self) -> None:
        """Check that somebody is still there to work.

        Raises:
            PeerError: nobody has been for a while.
        """
        ...

    def stop(self) -> None:
        """End what is under way, as far as that can be done."""
        ...


@contextlib.contextmanager
def open_crew(
    where: str, jobs: Sequence[Any], *, workers: int, source: Source, cache: Cache, on_tick: OnTick
) -> Iterator[Crew]:
    """The workers that ``where`` names, all of them at rest when the block is left.

    Args:
        where: ``local``, or ``dask://HOST:PORT``.
        jobs: What they will do.
        workers: Chunks at a time on this machine; 0 suits its cores.
        source: The master, which has to be visible to all workers.
        cache: Where products go, likewise.
        on_tick: Called, from any thread, with the progress of jobs on this machine.

    Raises:
        InputError: ``where`` is neither, or workers are not of the same version.
        ToolMissingError: Dask is not installed.
        PeerError: no scheduler answers, or it has no workers.
        MissingFileError: a worker does not see the master or the cache.
    """
    if where == LOCAL:
        with contextlib.closing(_LocalCrew(workers or workers_for(jobs), on_tick)) as crew:
            yield crew
        return
    with Cluster(where) as cluster:
        _check_cluster(cluster, source, cache)
        with cluster.executor() as executor:
            yield _ClusterCrew(cluster, executor)


def workers_for(jobs: Sequence[Any]) -> int:
    """Chunks at a time that keep this machine's cores busy; more would only take memory."""
    busy = [_cores_of(job) for job in jobs if isinstance(job, (VideoJob, MeasureJob))]
    cores = len(os.sched_getaffinity(0))
    return max(1, min(len(busy), math.ceil(cores / min(busy, default=1.0))))


def _cores_of(job: VideoJob | MeasureJob) -> float:
    """How many cores a job keeps busy by itself."""
    if isinstance(job, MeasureJob):  # every rung is measured in a thread of its own
        return float(len(job.rungs))
    return cores_kept_busy((rung.width, rung.height) for _, rung in job.rungs)


@dataclass(slots=True)
class _Here:
    """What threads of this process share."""

    on_tick: OnTick
    is_stopped: bool = False
    lock: threading.Lock = field(default_factory=threading.Lock)
    running: set[tuple[asyncio.AbstractEventLoop, asyncio.Task[None]]] = field(default_factory=set)

    def stop(self) -> None:
        """Cancel what runs, and what begins from now on.

        Each task is cancelled once: a second time would reach it while it cleans up.
        """
        with self.lock:
            self.is_stopped = True
            while self.running:
                loop, task = self.running.pop()
                loop.call_soon_threadsafe(task.cancel)


class _LocalCrew:
    """Threads of this process: some for chunks, and one for sound, which keeps one core busy.

    One chunk more is under way than are encoded at a time: a check of a chunk leaves cores idle,
    and the next one is encoded meanwhile.
    """

    def __init__(self, workers: int, on_tick: OnTick) -> None:
        self._here = _Here(on_tick)
        self._chunks = ThreadPoolExecutor(workers + 1, "abr-chunk")
        self._places = threading.Semaphore(workers)
        self._sound = ThreadPoolExecutor(1, "abr-sound")

    def __repr__(self) -> str:
        return f"<_LocalCrew, {len(self._here.running)} jobs running>"

    def submit(self, task: Task[Any]) -> Future[None]:
        if isinstance(task.job, AudioJob):
            return self._sound.submit(self._run, task)
        return self._chunks.submit(self._run_in_place, task)

    def _run_in_place(self, task: Task[Any]) -> None:
        with contextlib.ExitStack() as place:
            place.enter_context(self._places)
            self._run(task, place.close)

    def _run(self, task: Task[Any], on_eased: Callable[[], None] = lambda: None) -> None:
        asyncio.run(self._watched(task, on_eased))

    async def _watched(self, task: Task[Any], on_eased: Callable[[], None]) -> None:
        own = asyncio.current_task()
        assert own is not None
        entry = (asyncio.get_running_loop(), own)
        with self._here.lock:
            if self._here.is_stopped:
                raise asyncio.CancelledError
            self._here.running.add(entry)
        try:
            await task.do(lambda tick: self._here.on_tick(task.job, tick), on_eased)
        finally:
            with self._here.lock:
                self._here.running.discard(entry)

    def check(self) -> None:
        """Nothing: each ffmpeg is watched where it runs."""

    def stop(self) -> None:
        self._here.stop()

    def close(self) -> None:
        """End everything; what is under way leaves nothing behind."""
        self.stop()
        self._chunks.shutdown(wait=True, cancel_futures=True)
        self._sound.shutdown(wait=True, cancel_futures=True)


class _ClusterCrew:
    """Workers of a Dask scheduler."""

    def __init__(self, cluster: Cluster, executor: Executor) -> None:
        self._cluster = cluster
        self._executor = executor
        self._alone_since_s: float | None = None

    def __repr__(self) -> str:
        return f"<_ClusterCrew of {self._executor!r}>"

    def submit(self, task: Task[Any]) -> Future[None]:
        return self._executor.submit(run_task, task)

    def check(self) -> None:
        now_s = time.monotonic()
        if self._cluster.has_workers():
            self._alone_since_s = None
        elif self._alone_since_s is None:
            self._alone_since_s = now_s
        elif now_s - self._alone_since_s > ALONE_S:
            raise PeerError(
                f"{self._cluster.address}: no worker for {ALONE_S:g} s; start some, and run the "
                "command again: finished chunks are kept"
            )

    def stop(self) -> None:
        """Nothing: jobs under way end by themselves, and their products are kept."""


def run_task(task: Task[Any]) -> None:
    """Do a task in a worker's thread."""
    try:
        asyncio.run(task.do())
    except asyncio.CancelledError as exc:
        raise PeerError(f"{task.job}: was cancelled by its worker") from exc


def _check_cluster(cluster: Cluster, source: Source, cache: Cache) -> None:
    """Check that every worker is of this version, and sees the master and the cache."""
    cluster.check_version(version)
    with cache.workspace() as folder:
        answers = cluster.ask_workers(look_around, source, str(folder))
    for worker, problem in answers.items():
        if problem:
            raise MissingFileError(f"{worker}: {problem}")


def version() -> str:
    """Version of abrkit."""
    from abr import __version__

    return __version__


def look_around(source: Source, folder: str) -> str:
    """Why a worker here cannot do its jobs; empty when it can."""
    try:
        source.check()
        (Path(folder) / f"seen-{os.getpid()}").touch(exist_ok=True)
    except InputError as exc:
        return str(exc)
    except OSError as exc:
        return (
            f"{Path(folder).parent.parent}: {exc.strerror or exc}; expected the cache, at the "
            "same path and open for writing, wherever workers run; give one with --cache DIR"
        )
    return ""
