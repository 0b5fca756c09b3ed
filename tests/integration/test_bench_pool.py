"""Jobs on real processes that die, fail and are interrupted."""

from __future__ import annotations

import multiprocessing
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from bench.experiments.run.pool import Load, Outcome, Workers, local, outcomes
from tests.fakes.jobs import add_part, die_at_seven, die_once, double, refuse_odd


def settled(found: list[Outcome[int]]) -> dict[int, int | str]:
    """Result or error by job; each job must be there once."""
    by_index = {each.index: each.error or each.result for each in found}
    assert len(by_index) == len(found)
    return {index: by_index[index] or 0 for index in sorted(by_index)}


def load(jobs: Sequence[Any], work: Callable[[Any, None], int]) -> Load[Any, None, int]:
    """Jobs that share nothing."""
    return Load(jobs=jobs, parts=[None], part_of=lambda _: 0, work=work)


def test_every_job_is_done_once() -> None:
    found = settled(list(outcomes(load(range(20), double), opener=local, workers=2)))
    assert found == {number: 2 * number for number in range(20)}


def test_a_job_that_raises_fails_alone_and_is_named() -> None:
    found = settled(list(outcomes(load(range(4), refuse_odd), opener=local, workers=2)))
    assert found == {0: 0, 1: "ValueError: 1 is odd", 2: 4, 3: "ValueError: 3 is odd"}


def test_a_worker_killed_once_costs_nothing(tmp_path: Path) -> None:
    jobs = [(number, str(tmp_path / "died")) for number in range(10)]
    found = settled(list(outcomes(load(jobs, die_once), opener=local, workers=2)))
    assert found == {number: 2 * number for number in range(10)}
    assert (tmp_path / "died").exists()


def test_a_job_that_always_kills_its_worker_fails_alone() -> None:
    found = settled(list(outcomes(load(range(12), die_at_seven), opener=local, workers=2)))
    assert found.pop(7) == "its worker process died 3 times (killed, or out of memory)"
    assert found == {number: 2 * number for number in range(12) if number != 7}


def test_a_group_begins_with_one_job() -> None:
    """What it prepares, such as machine code, no other worker prepares meanwhile."""
    begun: list[int] = []
    waiting: list[tuple[int, Future[Any]]] = []

    class Given:
        def submit(self, work: Callable[[Any, Any], Any], job: Any, part: int) -> Future[Any]:
            future: Future[Any] = Future()
            begun.append(job)
            waiting.append((job, future))
            return future

        def forget(self, part: int) -> None:
            pass

    @contextmanager
    def opener(_workers: int, _parts: Sequence[Any]) -> Iterator[Workers]:
        yield Given()

    jobs = [0, 10, 20, 11, 21, 1, 2]
    work = Load(jobs=jobs, parts=[None], part_of=lambda _: 0, work=double, group_of=first_digit)
    steps: list[Outcome[int]] = []
    ended = threading.Thread(target=lambda: steps.extend(outcomes(work, opener=opener, workers=3)))
    ended.start()
    assert until(lambda: begun == [0, 10, 20])
    end(waiting, 10)
    assert until(lambda: begun == [0, 10, 20, 11])
    end(waiting, 0)
    assert until(lambda: begun == [0, 10, 20, 11, 1, 2])
    end(waiting, 20)
    assert until(lambda: begun == [0, 10, 20, 11, 1, 2, 21])
    for job in (11, 1, 2, 21):
        end(waiting, job)
    ended.join(5)
    assert sorted(each.index for each in steps) == list(range(7))


def first_digit(job: int) -> int:
    return job // 10


def end(waiting: Sequence[tuple[int, Future[Any]]], job: int) -> None:
    next(future for each, future in waiting if each == job).set_result(job)


def until(holds: Callable[[], bool]) -> bool:
    """Whether it holds within 5 s."""
    for _ in range(500):
        if holds():
            return True
        time.sleep(0.01)
    return False


def test_no_worker_outlives_an_interruption() -> None:
    before = {child.pid for child in multiprocessing.active_children()}
    going = outcomes(load(range(100), double), opener=local, workers=2)
    next(going)
    with pytest.raises(KeyboardInterrupt):
        going.throw(KeyboardInterrupt)  # type: ignore[attr-defined]  # it is a generator
    assert {child.pid for child in multiprocessing.active_children()} <= before


def test_each_job_gets_its_part_and_parts_without_jobs_are_forgotten() -> None:
    """Parts 0 and 1 for even and odd jobs: the job plus what its part holds."""
    forgotten = []

    @contextmanager
    def watched(workers: int, parts: Sequence[Any]) -> Iterator[Workers]:
        with local(workers, parts) as there:
            forget = there.forget
            there.forget = lambda part: forgotten.append(part) or forget(part)  # type: ignore[method-assign, func-returns-value]
            yield there

    jobs = Load(
        jobs=range(6), parts=[[100], [200]], part_of=lambda number: number % 2, work=add_part
    )
    found = settled(list(outcomes(jobs, opener=watched, workers=2)))
    assert found == {0: 100, 1: 201, 2: 102, 3: 203, 4: 104, 5: 205}
    assert sorted(forgotten) == [0, 1]
