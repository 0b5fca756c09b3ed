"""The commands ``abr bench run`` and ``abr bench plan``."""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from operator import attrgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from abr.errors import AlgorithmError, InputError, MissingFileError, PlaybackError
from abr.shell import note, one_line
from player.batch.simulators import PRESETS

if TYPE_CHECKING:
    from bench.experiments.experiment import Block, Experiment, Run
    from bench.experiments.failures import Failures
    from bench.experiments.files import Form
    from bench.experiments.planfile import Plan
    from bench.experiments.run.pool import Opener

Bodies = Mapping[str, bytes]
"""Rows of runs as lines of JSON, by id."""
Errors = Mapping[str, str]
"""Errors of failed runs, by id."""


class _Workers(NamedTuple):
    opener: Opener
    at_a_time: int


class _Ended(NamedTuple):
    """What playing came to."""

    rows: Bodies
    played: Collection[str]
    """Ids of the runs that were played now."""
    errors: Errors
    timing: dict[str, Any]


@click.command("run", short_help="Play every session of a plan.")
@click.argument("plan_file", required=False, metavar="[PLAN]", type=click.Path(path_type=Path))
@click.option(
    "-o",
    "--out",
    default="bench-out",
    show_default=True,
    metavar="DIR",
    type=click.Path(path_type=Path),
    help="Folder for results; an unfinished run in it is resumed.",
)
@click.option("--quick", is_flag=True, help="Use the small built-in plan.")
@click.option(
    "--workers",
    type=click.IntRange(min=1),
    metavar="N",
    help="Worker processes. [one per processor]",
)
@click.option(
    "--executor",
    default="local",
    show_default=True,
    metavar="WHERE",
    help="local, or the scheduler of a cluster: dask://HOST:PORT.",
)
@click.option(
    "--preset",
    type=click.Choice(PRESETS),
    help="Simulator to use instead of the plan's.",
)
@click.option(
    "--format",
    "form",
    type=click.Choice(["jsonl", "parquet"]),
    default="jsonl",
    show_default=True,
    help="Format of the results; Parquet needs pyarrow.",
)
@click.option("--force", is_flag=True, help="Replace the results of another plan.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of text.")
def run(
    plan_file: Path | None,
    out: Path,
    quick: bool,
    workers: int | None,
    executor: str,
    preset: str | None,
    form: Form,
    force: bool,
    as_json: bool,
) -> None:
    """Play every session of a PLAN: algorithms x networks x presentations x seeds.

    The results are the same bytes however often the run is interrupted: a worker that dies
    is replaced, and the same command resumes where it stopped. Runs whose algorithm has
    changed since are played again. An algorithm that fails does not stop the others.

    \b
    Examples:
      abr bench run --quick
      abr bench run plan.toml --out results
      abr bench run plan.toml --out results --workers 8 --format parquet
      abr bench run plan.toml --out results --executor dask://10.0.0.5:8786
    """
    from dataclasses import replace

    from bench.experiments.experiment import runs_of
    from bench.experiments.files import check_form, has_results, prepare
    from bench.experiments.run.materials import load_experiment
    from bench.experiments.run.pool import prepare_local

    check_form(form)  # now, rather than after an hour
    plan, folder = _plan(plan_file, quick=quick)
    if preset is not None:
        plan = replace(plan, preset=preset)
    if executor == "local" and not has_results(out):
        prepare_local()
    experiment = load_experiment(plan, folder=folder)
    prepare(out, name=plan.name, force=force)
    start_s = time.monotonic()
    runs = runs_of(experiment)
    there = _rows_there(runs, out)
    with _executor(executor, workers) as workplace:
        played, failures = _play(experiment, runs, there.keys(), out, workplace)
    timing = {"took_s": round(time.monotonic() - start_s, 3), "plan_folder": str(folder.resolve())}
    ended = _Ended({**there, **played}, played.keys(), failures, timing)
    _finish(experiment, runs, out, ended, form, as_json=as_json)


def _plan(plan_file: Path | None, *, quick: bool) -> tuple[Plan, Path]:
    from bench.experiments.planexamples import QUICK
    from bench.experiments.planfile import read_plan

    if quick and plan_file is not None:
        raise click.UsageError("give a plan or --quick, not both")
    if quick:
        return read_plan(QUICK, name="the quick plan"), Path()
    if plan_file is None:
        raise click.UsageError(
            "no plan; `abr bench plan > plan.toml` makes one to start from, --quick has its own"
        )
    return read_plan(_text(plan_file), name=str(plan_file)), plan_file.parent


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as exc:
        raise MissingFileError(f"{path}: {exc.strerror}; expected a plan (TOML)") from exc
    except UnicodeDecodeError as exc:
        raise InputError(f"{path}: not UTF-8 text; expected a plan (TOML)") from exc


@contextlib.contextmanager
def _executor(where: str, workers: int | None) -> Iterator[_Workers]:
    from bench.experiments.run import pool

    if where == "local":
        yield _Workers(pool.local, workers or len(os.sched_getaffinity(0)))
        return
    from bench.experiments.run.cluster import Cluster

    cluster = Cluster(where)
    try:
        yield _Workers(cluster.opener, workers or cluster.threads)
    finally:
        cluster.close()


def _play(
    experiment: Experiment,
    runs: Sequence[Run],
    there: Collection[str],
    out: Path,
    workers: _Workers,
) -> tuple[Bodies, Errors]:
    """Play the runs that are not ``there``; their rows, and the errors of those that failed."""
    from bench.experiments.experiment import blocks_of, in_turns
    from bench.experiments.files import keep
    from bench.experiments.results import split_block
    from bench.experiments.run.engine import run_block
    from bench.experiments.run.pool import Load, outcomes
    from bench.experiments.run.progress import showing_progress

    todo = in_turns([each for each in runs if each.id not in there])
    if len(todo) < len(runs):
        note(f"{out}: {len(runs) - len(todo)} of {len(runs)} runs are there already")
    load = Load(
        jobs=todo,
        parts=blocks_of(experiment),
        part_of=attrgetter("block"),
        work=run_block,
        group_of=None if experiment.engine == "plain" else attrgetter("kernel"),
    )
    played: dict[str, bytes] = {}
    failures: dict[str, str] = {}
    with showing_progress(todo) as advance:
        for outcome in outcomes(load, opener=workers.opener, workers=workers.at_a_time):
            job = todo[outcome.index]
            if outcome.result is None:
                failures[job.id] = outcome.error
                note(f"failed: {job.label}: {one_line(outcome.error)}")
            else:
                block = outcome.result.encode()
                keep(out, job, block)
                played[job.id] = split_block(block)[1]
            advance(job)
    return played, failures


def _rows_there(runs: Sequence[Run], out: Path) -> Bodies:
    """Rows of the runs whose results are there and certain to be up to date."""
    from bench.experiments.files import block_there
    from bench.experiments.run.facts import find_change

    there: dict[str, bytes] = {}
    why: dict[str, str] = {}
    for each in runs:
        block = block_there(out, each)
        if block is None:
            continue
        if what := each.contender.unseen or block.unseen:
            why[each.contender.label] = f"a change could not be detected in {what}"
        elif what := find_change(block.reached):
            why[each.contender.label] = f"{what} has changed"
        else:
            there[each.id] = block.body
    for label, what in why.items():
        note(f"{label}: played again, because {what}")
    return there


def _finish(
    experiment: Experiment,
    runs: Sequence[Run],
    out: Path,
    ended: _Ended,
    form: Form,
    *,
    as_json: bool,
) -> None:
    from bench.experiments.files import assemble, read_timing, write_timing
    from bench.experiments.header import header_of

    rows, failures, took_s = ended.rows, ended.errors, ended.timing["took_s"]
    if len(failures) == len(runs):
        raise AlgorithmError(f"every run failed; the first: {next(iter(failures.values()))}")
    failed = [
        {
            "run": each.label,
            "error": failures[each.id],
            "algorithm": each.contender.label,
            "sessions": each.sessions,
        }
        for each in runs
        if each.id in failures
    ]
    header = header_of(experiment, failed)
    path = assemble(out, header, [rows[each.id] for each in runs if each.id in rows], form=form)
    times = _decision_times(experiment, runs, ended, read_timing(out).get("decisions", {}))
    write_timing(out, {**ended.timing, "decisions": times})
    unplayed = _count_failures(header, runs, rows)
    for label, failed_of in unplayed.items():
        if failed_of.failed:
            note(f"{label}: {failed_of}")
    if as_json:
        counts = {"runs": len(runs), "sessions": experiment.sessions, "failed": failed}
        counts["failed_sessions"] = {label: each.failed for label, each in unplayed.items()}
        click.echo(json.dumps({"results": str(path), "took_s": took_s, **counts}))
    else:
        lost = sum(each.failed for each in unplayed.values())
        of_which = f", {lost} of them failed," if lost else ""
        click.echo(f"{path}: {experiment.sessions} sessions{of_which} in {took_s:.1f} s")
        if lost < experiment.sessions:
            click.echo(f"next: abr bench report {out} --html {out / 'report.html'}")
    if failed:
        raise AlgorithmError(
            f"{len(failed)} of {len(runs)} runs failed, the others are in {path}; "
            f"the first: {failed[0]['run']}: {failed[0]['error']}"
        )
    if all(each.failed == each.sessions for each in unplayed.values()):
        raise PlaybackError(f"{out}: every session failed; there is nothing to report")


def _count_failures(
    header: Mapping[str, Any], runs: Sequence[Run], rows: Bodies
) -> Mapping[str, Failures]:
    from bench.experiments.failures import count_failures, why_row_failed
    from bench.experiments.results import are_plainly_whole

    sessions: Counter[str] = Counter()
    reasons: list[tuple[str, str]] = []
    for each in runs:
        label, body = each.contender.label, rows.get(each.id, b"")
        sessions[label] += body.count(b"\n")
        if not are_plainly_whole(body):
            found = (why_row_failed(json.loads(line)) for line in body.splitlines())
            reasons += [(label, reason) for reason in found if reason]
    return count_failures(header, sessions=sessions, reasons=reasons)


def _decision_times(
    experiment: Experiment, runs: Sequence[Run], ended: _Ended, before: Mapping[str, Any]
) -> dict[str, Any]:
    """By algorithm; those of which nothing was played take as long as ``before``."""
    played = {each.contender.label for each in runs if each.id in ended.played}
    times = {label: time for label, time in before.items() if label not in played}
    blocks: Sequence[Block] = ()
    for each in runs:
        label = each.contender.label
        if label not in times and each.id not in ended.errors:
            from bench.experiments.experiment import blocks_of
            from bench.experiments.run.decisiontime import decision_time

            blocks = blocks or blocks_of(experiment)
            times[label] = decision_time(each, blocks[each.block])
    return {label: times[label] for label in _labels(runs) if label in times}


def _labels(runs: Sequence[Run]) -> list[str]:
    return list(dict.fromkeys(each.contender.label for each in runs))


@click.command("plan", short_help="Print a plan to start from, or check one.")
@click.argument("plan_file", required=False, metavar="[PLAN]", type=click.Path(path_type=Path))
@click.option("--example", is_flag=True, help="Print a plan with every key and what it means.")
def plan(plan_file: Path | None, example: bool) -> None:
    """Print a plan to start from; with a PLAN, check it and show what it would play.

    \b
    Examples:
      abr bench plan > plan.toml
      abr bench plan --example
      abr bench plan plan.toml
    """
    from bench.experiments.planexamples import EXAMPLE, QUICK
    from bench.experiments.planfile import read_plan

    if plan_file is None:
        click.echo(EXAMPLE if example else QUICK, nl=False)
        return
    if example:
        raise click.UsageError("give a plan or --example, not both")
    from bench.experiments.clusters import count_by_kind, name_units
    from bench.experiments.experiment import runs_of
    from bench.experiments.header import judges_of
    from bench.experiments.run.materials import load_experiment

    found = read_plan(_text(plan_file), name=str(plan_file))
    experiment = load_experiment(found, folder=plan_file.parent)
    kinds: dict[str, int] = {}
    for network in experiment.networks:
        kinds[network.kind] = kinds.get(network.kind, 0) + 1
    rows = [
        ("algorithms", ", ".join(each.label for each in experiment.contenders)),
        ("networks", ", ".join(f"{count} {kind}" for kind, count in kinds.items())),
        ("independent", name_units(count_by_kind(each.cluster for each in experiment.networks))),
        ("presentations", ", ".join(each.title for each in experiment.presentations)),
        ("preset", experiment.preset),
        *judges_of(experiment),
        ("in all", f"{experiment.sessions} sessions in {len(runs_of(experiment))} runs"),
    ]
    click.echo("\n".join([experiment.name, *(f"  {name:<14} {text}" for name, text in rows)]))
