"""Jobs on real processes that die, fail and are interrupted."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterator, Sequence
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
