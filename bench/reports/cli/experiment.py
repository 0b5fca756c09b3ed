"""``abr bench report``, ``compare`` and ``p1203``: what results say."""

from __future__ import annotations

import contextlib
import json
import re
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from abr.errors import InputError
from abr.shell import note

if TYPE_CHECKING:
    from collections.abc import Mapping

    from abr.qoe import Model
    from bench.analysis.compare import Comparison
    from bench.analysis.metrics import Metric
    from bench.experiments.results import Results

SEED = 20_260_101
"""Default seed of the resampling: the same results give the same shares."""


def _resampling(command: Any) -> Any:
    seed = click.option(
        "--seed",
        type=click.IntRange(min=0),
        default=SEED,
        help="Seed of the resampling, for shares of the frontier and tau. [a fixed one]",
    )
    resamples = click.option(
        "--resamples",
        type=click.IntRange(min=100, max=100_000),
        default=2000,
        show_default=True,
        help="Number of resamples, for shares of the frontier and tau.",
    )
    return seed(resamples(command))


def _qoe_option(command: Any) -> Any:
    return click.option(
        "--qoe",
        "qoe",
        multiple=True,
        metavar="NAME[:PARAM=VALUE]",
        help="Judge by this QoE instead of the plan's: qoe_lin, linear, log, hd, vmaf, ssim, "
        "sabre, p1203, or FILE.py:FUNCTION. May be repeated.",
    )(command)


def _scored(folder: Path, qoe: tuple[str, ...]) -> tuple[Results, tuple[Metric, ...]]:
    """Results with the scores of the QoEs that are asked for, else of their plan's."""
    from abr.qoe import named
    from bench.analysis import scores
    from bench.experiments.files import read_folder, read_timing

    results = read_folder(folder)
    planned = results.header.get("qoe", ())
    with contextlib.redirect_stdout(sys.stderr):  # what a function prints is no result
        if qoe:
            models = tuple(named(text) for text in qoe)
        elif planned:
            where = read_timing(folder).get("plan_folder")
            models = tuple(_planned(each, where) for each in planned)
        else:
            models = scores.models_of(results)
        return scores.score(results, models)


def _planned(entry: Mapping[str, Any], folder: str | None) -> Model:
    """A QoE of the plan, whose files start at the plan's folder while that is still there."""
    from abr.qoe import named

    here = Path(folder) if folder and Path(folder).is_dir() else None
    found = named(entry["name"], params=entry["params"], label=entry["label"], folder=here)
    if found.source != entry.get("source", found.source):
        note(
            f"QoE {found.label}: it was edited since `abr bench run`; scores are of what it is now"
        )
    return found


@click.command("report", no_args_is_help=True, short_help="Figures and differences with intervals.")
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@click.option(
    "--html", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE", help="Write a page."
)
@click.option(
    "--csv",
    "csv_file",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Write every figure, one per row.",
)
@click.option(
    "--base", metavar="ALGORITHM", help="Compare the others with this one. [the first that played]"
)
@click.option(
    "--level",
    type=click.FloatRange(min=0.5, max=0.999),
    default=0.95,
    show_default=True,
    help="Confidence level of the intervals.",
)
@_qoe_option
@_resampling
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of tables.")
def report(
    folder: Path,
    html: Path | None,
    csv_file: Path | None,
    base: str | None,
    level: float,
    qoe: tuple[str, ...],
    resamples: int,
    seed: int,
    as_json: bool,
) -> None:
    """Report what the results in DIR show, every figure with its interval.

    Differences are over the sessions that both algorithms played to their end; failed
    sessions are counted, with their reasons, and in no figure. Under several QoEs the orders
    stand side by side, every rank with its range. No session is played again.

    \b
    Examples:
      abr bench report results
      abr bench report results --html report.html --csv figures.csv
      abr bench report results --base throughput --json
      abr bench report results --qoe linear:stall_weight=20 --qoe log --qoe mine.py:score
    """
    import numpy as np

    from abr.files.whole import write_whole
    from bench.analysis.standings import bench_report
    from bench.experiments.files import read_timing
    from bench.reports.experiment_page import render_page
    from bench.reports.experiment_text import report_csv, report_json, report_text
    from player.files import check_writable

    for path in (html, csv_file):
        check_writable(path)
    results, metrics = _scored(folder, qoe)
    found = bench_report(
        results,
        rng=np.random.default_rng(seed),
        seed=seed,
        base=base,
        resamples=resamples,
        level=level,
        timing=read_timing(folder),
        metrics=metrics,
    )
    if html is not None:
        told = ["--base", base] if base else []
        told += [word for text in qoe for word in ("--qoe", text)]
        command = shlex.join(["abr", "bench", "report", folder.name, *told, "--html", html.name])
        write_whole(html, render_page(found, commands=[command]).encode())
    if csv_file is not None:
        write_whole(csv_file, report_csv(found).encode())
    click.echo(json.dumps(report_json(found)) if as_json else report_text(found))


@click.command("compare", no_args_is_help=True, short_help="Fail when a candidate is worse.")
@click.argument("base")
@click.argument("candidate")
@click.option(
    "--in",
    "folder",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Take BASE and CANDIDATE as two algorithms of these results.",
)
@click.option(
    "--margin",
    "margins",
    multiple=True,
    metavar="FIGURE=BY",
    help="How much worse a figure may be: a number, or a share of the base's figure such as 2%. "
    "May be repeated; then only these figures count. "
    "[bitrate_bps=1%, stall_ratio=0.001, every QoE 1%]",
)
@click.option("--strict", is_flag=True, help="Also fail where worse cannot be ruled out.")
@_qoe_option
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of a table.")
def compare(
    base: str,
    candidate: str,
    folder: Path | None,
    margins: tuple[str, ...],
    strict: bool,
    qoe: tuple[str, ...],
    as_json: bool,
) -> None:
    """Exit 1 when CANDIDATE is worse than BASE by more than a margin, beyond chance.

    Each is a folder of results; every algorithm that both have is compared, over the
    sessions that both played to their end. A candidate that failed sessions the base
    played is worse. Equal algorithms are called worse or better in at most one
    comparison of twenty, however many figures are tested.

    \b
    Examples:
      abr bench compare main-results branch-results
      abr bench compare throughput bola-sabre --in results
      abr bench compare old new --margin stall_ratio=0.002 --margin bitrate_bps=2% --strict
      abr bench compare old new --qoe log --margin log=1%
    """
    from bench.analysis import compare as comparing
    from bench.analysis import scores
    from bench.experiments.files import read_folder
    from bench.reports.experiment_text import comparison_json, comparison_text

    allowed = [comparing.margin_from(text) for text in margins] or None
    after, metrics = _scored(folder or Path(candidate), qoe)
    if folder is not None:
        found = comparing.compare_two(after, base, candidate, margins=allowed, metrics=metrics)
    else:
        models = [metric.model for metric in metrics if metric.model is not None]
        before, _ = scores.score(read_folder(Path(base)), models)
        found = comparing.compare(
            before,
            after,
            margins=allowed,
            metrics=metrics,
        )
    why = _why_worse(found, of=candidate if folder is not None else "", strict=strict)
    if as_json:
        click.echo(json.dumps({"passed": not why, **comparison_json(found)}))
    else:
        click.echo(comparison_text(found))
    if why:
        raise InputError(f"{candidate} {'; '.join(why)}")


def _why_worse(found: Comparison, *, of: str, strict: bool) -> list[str]:
    """Why a candidate does not pass; nothing when it does.

    Args:
        found: By comparing.
        of: The algorithm that the candidate is; empty where it is a folder of several.
        strict: Whether every figure must be shown to be within its margin.
    """
    from abr.wording import format_count

    why = [
        f"failed {format_count(each.newly_failed, 'session')}"
        f"{_of(each.algorithm, but=of)} that the base played"
        for each in found.newly_failed
    ]
    named = found.worse or (found.unproven if strict else [])
    if named:
        what = "worse beyond the margin" if found.worse else "not shown to be within the margin"
        labels = {each.name: each.label if each.is_score else each.name for each in found.metrics}
        figures = (f"{labels[each.metric]}{_of(each.algorithm, but=of)}" for each in named)
        why.append(f"is {what} in {', '.join(figures)}")
    return why


def _of(algorithm: str, *, but: str) -> str:
    return "" if algorithm == but else f" of {algorithm}"


@click.command("p1203", no_args_is_help=True, short_help="Write input for ITU-T P.1203.")
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@click.option(
    "-o",
    "--out",
    required=True,
    metavar="DIR",
    type=click.Path(path_type=Path),
    help="New or empty folder for the files, one per session.",
)
@click.option("--algorithm", metavar="ALGORITHM", help="Only sessions of this algorithm.")
@click.option(
    "--audio-kbps",
    type=click.FloatRange(min=0),
    default=128.0,
    show_default=True,
    help="Bit rate of the audio; 0: none.",
)
@click.option(
    "--fps",
    type=click.FloatRange(min=1, max=240),
    default=24.0,
    show_default=True,
    help="Frame rate of the video.",
)
@click.option(
    "--device",
    type=click.Choice(["pc", "mobile"]),
    default="pc",
    show_default=True,
    help="What the sessions were watched on.",
)
def p1203(
    folder: Path,
    out: Path,
    algorithm: str | None,
    audio_kbps: float,
    fps: float,
    device: str,
) -> None:
    """Write each session of the results in DIR as input of ITU-T P.1203's open model.

    The model itself is not part of abrkit: its licence does not allow that. Picture sizes
    are assumed from bit rates, since presentations do not state them. Failed sessions are
    left out.

    \b
    Examples:
      abr bench p1203 results --out p1203
      abr bench p1203 results --out p1203 --algorithm bola-sabre --device mobile
    """
    from abr.files.whole import write_whole
    from abr.qoe.itu import p1203_input
    from abr.wording import format_count
    from bench.analysis.scores import viewing_of_row
    from bench.experiments.failures import why_row_failed
    from bench.experiments.files import read_folder

    results = read_folder(folder)
    if algorithm is not None and algorithm not in results.algorithms:
        known = ", ".join(results.algorithms)
        raise InputError(f"no algorithm {algorithm!r} in {folder}; expected one of {known}")
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise InputError(f"{out}: exists and is not an empty folder; name a new one")
    out.mkdir(parents=True, exist_ok=True)
    presentations = {each["digest"]: each for each in results.header.get("presentations", ())}
    written, failed = 0, 0
    for row in results.rows:
        if algorithm is not None and row["algorithm"] != algorithm:
            continue
        if why_row_failed(row) is not None:
            failed += 1
            continue
        words = (row["algorithm"], row["presentation"], row["trace"], f"seed{row['seed']}")
        name = "_".join(re.sub(r"[^\w.@-]+", "-", str(word)) for word in words)
        played = presentations[row["presentation_digest"]]
        viewing = viewing_of_row(row, played)
        made = p1203_input(viewing, audio_kbps=audio_kbps, fps=fps, device=device)
        write_whole(out / f"{name}.{written:05d}.json", (json.dumps(made) + "\n").encode())
        written += 1
    if failed:
        note(f"left out: {format_count(failed, 'session')} that failed")
    if not written:
        raise InputError(f"{folder}: every session failed; nothing was written")
    click.echo(f"{out}: {format_count(written, 'session')}")
