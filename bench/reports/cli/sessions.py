"""``abr report``: session logs in, one HTML page out."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click

from abr.cli.traces import columns_option, read_traces
from abr.errors import InputError, MissingFileError, PlaybackError

if TYPE_CHECKING:
    from bench.reports.sessions import ReportData


def write_report(path: Path, data: ReportData) -> None:
    """Write the page of ``data`` to ``path``: all of it, or nothing.

    Raises:
        MissingFileError: the folder does not exist.
        OSError: it cannot be written; ``path`` is as it was.
    """
    from abr.files.whole import write_whole
    from bench.reports.session_page import render_page

    write_whole(path, render_page(data).encode())


@click.command(no_args_is_help=True)
@click.argument("logs", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="LOG...")
@click.option(
    "-o",
    "--out",
    default="report.html",
    show_default=True,
    type=click.Path(dir_okay=False, path_type=Path),
    help="The page to write; an older one is replaced.",
)
@click.option(
    "--trace",
    "traces",
    multiple=True,
    metavar="TRACE",
    help="Trace that was played, to draw its capacity; may be repeated.",
)
@columns_option
@click.option(
    "--cache-stats",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help='JSON: {"TIER": {"requests", "hits", "bytes", "hit_bytes"}}, nearest the player first.',
)
@click.option(
    "--picture",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Write the charts alone to this SVG file, instead of a page.",
)
@click.option("--title", "heading", default="Playback report", help="Heading of the page.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of text.")
def report(
    logs: tuple[Path, ...],
    out: Path,
    traces: tuple[str, ...],
    columns: str | None,
    cache_stats: Path | None,
    picture: Path | None,
    heading: str,
    as_json: bool,
) -> None:
    """Make one HTML page from session logs; it opens offline and loads nothing.

    Describes what the viewer of each session would have noticed. Failed sessions are
    listed with the reason and left out of comparisons; exits 1 when every session failed.

    \b
    Examples:
      abr report demo-out/logs/*.jsonl
      abr report a.jsonl --picture a.svg
      abr report a.jsonl b.jsonl --trace lte.csv --out compare.html
      abr report logs/*.jsonl --cache-stats stats.json --title "Friday's run"
    """
    from abr.files.whole import write_whole
    from abr.wording import format_count
    from bench.reports.picture import draw_picture
    from bench.reports.sessions import failures_json, report_data
    from bench.reports.wording import describe_sessions
    from player.files import check_writable, read_log

    written = picture or out
    check_writable(written)
    data = report_data(
        [read_log(path) for path in logs],
        heading=heading,
        traces=read_traces(traces, columns),
        cache_stats=None if cache_stats is None else _counts(cache_stats),
    )
    if picture is not None:
        write_whole(picture, draw_picture(data.sessions).encode())
    else:
        write_report(out, data)
    sessions, places = len(data.sessions), len(data.comparisons)
    if as_json:
        said = {"report": str(written), "sessions": sessions, "traces": places}
        click.echo(json.dumps({**said, **failures_json(data)}))
    else:
        click.echo("\n".join(describe_sessions(data)))
        click.echo(
            f"{written}: {format_count(sessions, 'session')} over {format_count(places, 'trace')}"
        )
    if all(session.failure is not None for session in data.sessions):
        raise PlaybackError("every session failed; there is nothing to compare")


def _counts(path: Path) -> Mapping[str, Mapping[str, float]]:
    try:
        counts = json.loads(path.read_bytes())
    except FileNotFoundError as exc:
        raise MissingFileError(f"{path}: no such file; expected cache counts as JSON") from exc
    except ValueError as exc:
        raise InputError(f"{path}: not JSON ({exc}); expected cache counts by tier") from exc
    if not isinstance(counts, dict) or not all(isinstance(each, dict) for each in counts.values()):
        raise InputError(f"{path}: not an object of objects; expected cache counts by tier")
    return counts
