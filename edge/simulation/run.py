"""Simulates several caches over one log, in as many processes as there are cores.

Each process reads the log once and feeds all caches that it was given, a slice of requests
at a time, so memory holds the indexes and little else.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from abr.errors import LogFormatError, ResourceError
from edge import policies
from edge.index import CacheIndex
from edge.simulation.files import blocks
from edge.simulation.formats import Columns, Troubles, reader_of
from edge.simulation.replay import Outcome, Replay
from edge.simulation.requests import Request
from edge.simulation.survey import LogFacts, Survey

_SLICE = 4096
"""Requests that are in memory at once."""
_LOOK_S = 0.2
"""Seconds between two looks at how far the processes are."""

Told = Callable[[float], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Log:
    """A request log and how to read it."""

    path: Path
    format: str
    columns: Columns


@dataclass(frozen=True, slots=True, kw_only=True)
class Cache:
    """One cache to simulate."""

    policy: str
    capacity_bytes: int
    overhead_bytes: int
    """Charged for each object on top of its body."""
    lifetime_s: float
    """How long a stored object is fresh."""
    warm_up_requests: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Simulated:
    """What became of a cache, and how long it took."""

    cache: Cache
    outcome: Outcome
    cpu_s: float
    """Of the index alone, without reading the log."""


def survey(log: Log, told: Told) -> tuple[LogFacts, Troubles]:
    """Read the whole log once.

    Raises:
        LogFormatError: it holds no request.
    """
    troubles, found = Troubles(str(log.path)), Survey()
    found.feed(_requests(log, troubles, told))
    facts = found.facts()
    if not facts.requests:
        why = troubles.told[0] if troubles.told else f"{log.path}: empty"
        raise LogFormatError(f"{why}; no request in {log.path.name} (read as {log.format})")
    return facts, troubles


def simulate(
    log: Log, caches: Sequence[Cache], *, processes: int | None = None, told: Told
) -> list[Simulated]:
    """Feed the log to each of the caches; results are in their order.

    Args:
        log: The request log.
        caches: What to simulate.
        processes: At most so many; None: one for each core.
        told: Called now and then with the share of the work that is done.

    Raises:
        ResourceError: a process was killed, as happens when memory runs out.
    """
    count = min(processes or len(os.sched_getaffinity(0)), len(caches))
    if count <= 1:
        return _run(log, caches, told)
    shares = [caches[number::count] for number in range(count)]
    context = multiprocessing.get_context("forkserver")
    done = context.Array("d", count + 1, lock=False)  # how far each is; the last: stop
    with ProcessPoolExecutor(
        count, mp_context=context, initializer=_remember, initargs=(done,)
    ) as pool:
        try:
            futures = [
                pool.submit(_run_share, log, share, number) for number, share in enumerate(shares)
            ]
            while wait(futures, timeout=_LOOK_S).not_done:
                told(sum(done) / count)
            parts = [future.result() for future in futures]
        except BrokenProcessPool as exc:
            raise ResourceError(
                "simulation: a process was killed, perhaps for lack of memory; simulate fewer or "
                "smaller caches at once (--jobs 1)"
            ) from exc
        except BaseException:
            done[count] = 1.0
            raise
    found = [iter(part) for part in parts]
    return [next(found[number % count]) for number in range(len(caches))]


_done: Any = None


class _StoppedError(Exception):
    """The results are not wanted any more."""


def _remember(done: Any) -> None:
    global _done  # noqa: PLW0603 -- a process gets shared memory only when it starts
    _done = done
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches all; the parent says stop


def _run_share(log: Log, caches: Sequence[Cache], number: int) -> list[Simulated]:
    def told(share: float) -> None:
        _done[number] = share
        if _done[-1]:
            raise _StoppedError

    return _run(log, caches, told)


def _run(log: Log, caches: Sequence[Cache], told: Told) -> list[Simulated]:
    replays = [_replay(cache) for cache in caches]
    spent_s = [0.0] * len(replays)
    for requests in _slices(_requests(log, Troubles(str(log.path)), told)):
        for number, replay in enumerate(replays):
            started_s = time.process_time()
            replay.feed(requests)
            spent_s[number] += time.process_time() - started_s
    return [
        Simulated(cache=cache, outcome=replay.outcome(), cpu_s=cpu_s)
        for cache, replay, cpu_s in zip(caches, replays, spent_s, strict=True)
    ]


def _replay(cache: Cache) -> Replay:
    policy = policies.make(cache.policy, capacity_bytes=cache.capacity_bytes)
    index = CacheIndex(cache.capacity_bytes, policy, overhead_bytes=cache.overhead_bytes)
    return Replay(index, warm_up_requests=cache.warm_up_requests, lifetime_s=cache.lifetime_s)


def _requests(log: Log, troubles: Troubles, told: Told) -> Iterator[Request]:
    return reader_of(log.format, log.columns)(blocks(log.path, told), troubles)


def _slices(requests: Iterable[Request]) -> Iterator[list[Request]]:
    waiting = iter(requests)
    while taken := list(islice(waiting, _SLICE)):
        yield taken
