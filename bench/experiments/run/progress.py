"""Progress of a plan that is played: a bar on a terminal, or a line now and then."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable, Iterator, Sequence

from abr.shell import note
from bench.experiments.experiment import Run
from bench.experiments.pace import Pace

SAYS_EVERY_S = 10.0
"""Interval between lines of progress where there is no terminal."""


@contextlib.contextmanager
def showing_progress(todo: Sequence[Run]) -> Iterator[Callable[[Run], None]]:
    """Show progress: a bar on a terminal, else a line now and then."""
    pace = Pace(todo, time.monotonic())
    if not sys.stderr.isatty():
        yield _print_progress(pace)
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    columns = (
        TextColumn("sessions"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[left]}"),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=pace.total, left="")

        def advance(run: Run) -> None:
            now_s = time.monotonic()
            pace.add(run, now_s)
            bar.update(task, completed=pace.sessions, left=pace.left(now_s))

        yield advance


def _print_progress(pace: Pace) -> Callable[[Run], None]:
    said_s = pace.start_s

    def advance(run: Run) -> None:
        nonlocal said_s
        now_s = time.monotonic()
        pace.add(run, now_s)
        if now_s - said_s >= SAYS_EVERY_S and pace.sessions < pace.total:
            said_s = now_s
            note(f"{pace.sessions} of {pace.total} sessions, {pace.left(now_s)}")

    return advance
