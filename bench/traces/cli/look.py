"""``abr traces list``, ``stats`` and ``validate``: commands that look and write nothing."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from abr.cli.traces import columns_option
from abr.errors import InputError

if TYPE_CHECKING:
    from abr.trace import Trace
    from abr.traceformats import Reading
    from abr.tracestats import TraceStats
    from bench.traces.files import Read

FORMAT_HELP = "Format of the files; detected from their content if not given."
FILES_HELP = "FILE..."
MEANS_S = {"mahimahi": 1.0}
"""Formats whose periods are single packets: means over this many seconds say more."""


class Row(NamedTuple):
    """One line of ``abr traces list``."""

    kind: str
    """profile, generator, demo or file."""
    name: str
    """What to write after ``--trace``, where that works; the name or path otherwise."""
    about: str
    """One line of what it is."""


@click.command("list", short_help="List profiles, generators and traces.")
@click.argument("files", nargs=-1, metavar="[FILE...]")
@columns_option
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def list_traces(files: tuple[str, ...], columns: str | None, as_json: bool) -> None:
    """List built-in profiles, generators and demo networks, and the traces in FILEs.

    Names beginning with `profile:` or `generate:` stand for a file wherever one is taken.
    Files that cannot be read are named and skipped; the exit code is then 1.

    \b
    Examples:
      abr traces list
      abr traces list traces/ "more/*.csv"
      abr traces list --json
    """
    from bench.traces.files import Doubts, check_format, need_some, note_left_out, read_each

    check_format(files, None, columns)
    doubts = Doubts()
    rows, bad, good = built_in() if not files else [], [], 0
    for read in read_each(files, None, "reading", columns):
        doubts.add(read.readings)
        bad += [read] if read.error else []
        good += not read.error
        several = len(read.readings) > 1
        for each in read.readings:
            name = f"{read.source.text}#{each.trace.name}" if several else read.source.text
            rows.append(Row("file", name, f"{each.format}, {outline(each.trace)}"))
    need_some(len(rows), bad)
    if as_json:
        errors = [{"file": each.source.text, "error": each.error} for each in bad]
        told = {"traces": [row._asdict() for row in rows], "doubts": doubts.find()}
        click.echo(json.dumps({**told, "errors": errors}))
    else:
        width = max((len(row.name) for row in rows), default=0)
        click.echo(
            "\n".join(f"{row.kind:<10}{row.name:<{min(width, 60)}}  {row.about}" for row in rows)
        )
        doubts.tell()
        note_left_out(bad)
    if bad:
        raise InputError(f"{len(bad)} of {len(bad) + good} files could not be read; left out")


def built_in() -> list[Row]:
    """What is bundled: profiles, generators, demo networks."""
    from abr.demotraces import demo_traces
    from abr.files.models import model, names
    from abr.traceformats.profiles import names as profile_names
    from abr.traceformats.profiles import profile

    rows = [Row("profile", f"profile:{each}", _delay(profile(each))) for each in profile_names()]
    for name in names():
        held = model(name)
        about = f"{held.default_kind} of {held.fitted_traces} traces; {held.caution}".strip("; ")
        rows.append(Row("generator", f"generate:{name}:SEED", about))
    scaled = "scaled to the ladder by `abr demo`"
    rows += [Row("demo", t.name, f"{t.duration_s:g} s, {scaled}") for t in demo_traces(1e6)]
    return rows


def _delay(trace: Trace) -> str:
    rtt = "" if trace.rtt_s is None else f", {1e3 * trace.rtt_s[0]:g} ms"
    return f"{trace.mean_bps / 1e6:g} Mbit/s{rtt}"


def outline(trace: Trace) -> str:
    """``300 s, 1.84 Mbit/s``."""
    return f"{trace.duration_s:.6g} s, {trace.mean_bps / 1e6:.3g} Mbit/s"


@click.command(no_args_is_help=True, short_help="Show capacity, its spread and outages.")
@click.argument("files", nargs=-1, required=True, metavar=FILES_HELP)
@click.option("--format", "form", metavar="FORMAT", help=FORMAT_HELP)
@columns_option
@click.option(
    "--outage-kbps",
    type=click.FloatRange(min=0, min_open=True),
    default=100.0,
    show_default=True,
    help="Capacity below which there is an outage.",
)
@click.option(
    "--mean-over",
    "mean_over_s",
    type=click.FloatRange(min=0, min_open=True),
    metavar="SECONDS",
    help="Average over this time. [1 for mahimahi, whose periods are packets; else each period]",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object with every figure.")
def stats(
    files: tuple[str, ...],
    form: str | None,
    columns: str | None,
    outage_kbps: float,
    mean_over_s: float | None,
    as_json: bool,
) -> None:
    """Show how much capacity traces have, how uneven it is, and for how long there is none.

    FILE is a file, a folder, a quoted pattern, or a named trace (see `abr traces list`).
    Figures cover one pass and are weighted by time; formulas are in docs/traces.md. Below 100
    kbit/s is an outage. CV is standard deviation / mean, r(L) the autocorrelation at L s.
    Files that cannot be read are named and skipped; the exit code is then 1.

    \b
    Examples:
      abr traces stats train.csv
      abr traces stats traces/ --outage-kbps 50 --mean-over 1
      abr traces stats "logs/*.log" --json > figures.json
      abr traces stats generate:lte-walking:7
    """
    from abr.traceedit import average
    from abr.traceformats.names import distinguish
    from abr.tracestats import LAGS, PERCENTILES, totals, trace_stats
    from bench.traces.files import Doubts, check_format, need_some, note_left_out, read_each
    from bench.traces.table import stats_text

    check_format(files, form, columns)
    doubts = Doubts()
    bad: list[Read] = []
    found: list[TraceStats] = []
    heads: list[dict[str, Any]] = []
    for read in read_each(files, form, "reading", columns):
        bad += [read] if read.error else []
        doubts.add(read.readings)
        for reading in read.readings:
            over_s = mean_over_s or MEANS_S.get(reading.format)
            trace = average(reading.trace, over_s) if over_s else reading.trace
            found.append(trace_stats(trace, outage_bps=1e3 * outage_kbps))
            heads.append(
                {"file": read.source.text, "format": reading.format, "mean_over_s": over_s}
            )
    need_some(len(found), bad)
    names = distinguish([each.name for each in found], [head["file"] for head in heads])
    found = [replace(each, name=name) for each, name in zip(found, names, strict=True)]
    rows = [{**head, **asdict(each)} for head, each in zip(heads, found, strict=True)]
    if as_json:
        shown = {
            "outage_below_bps": 1e3 * outage_kbps,
            "percentiles": PERCENTILES,
            "lags_s": LAGS,
            "traces": rows,
            "total": asdict(totals(found)),
            "doubts": doubts.find(),
            "errors": [{"file": each.source.text, "error": each.error} for each in bad],
        }
        click.echo(json.dumps(shown))
    else:
        click.echo(stats_text(found))
        doubts.tell()
        note_left_out(bad)
    if bad:
        raise InputError(f"{len(bad)} of {len(bad) + len(rows)} could not be read; left out")


@click.command(no_args_is_help=True, short_help="Check which files are usable traces.")
@click.argument("files", nargs=-1, required=True, metavar=FILES_HELP)
@click.option("--format", "form", metavar="FORMAT", help=FORMAT_HELP)
@columns_option
@click.option("-q", "--quiet", is_flag=True, help="Do not list files that are ok.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.pass_context
def validate(
    ctx: click.Context,
    files: tuple[str, ...],
    form: str | None,
    columns: str | None,
    quiet: bool,
    as_json: bool,
) -> None:
    """Check whether each file is a usable trace, and say what to know before using it.

    ok: can be used. remark: can be used, but look at what is said, such as a unit that is
    likely wrong. error: cannot be read; says where and why. Exit code 1 with any error.

    \b
    Examples:
      abr traces validate traces/
      abr traces validate "traces/**/*.log" --quiet
      abr traces validate odd.txt --format cooked --json
    """
    from bench.traces.files import Doubts, check_format, read_each

    check_format(files, form, columns)
    doubts = Doubts()
    verdicts = []
    for read in read_each(files, form, "checking", columns):
        doubts.add(read.readings)
        verdicts.append(_verdict(read.source.text, read.readings, read.error))
    said = {remark for verdict in verdicts for remark in verdict["remarks"]}
    about_all = [each for each in doubts.find() if len(verdicts) > 1 and each not in said]
    counts = {word: sum(v["verdict"] == word for v in verdicts) for word in WORDS}
    if as_json:
        click.echo(json.dumps({"files": verdicts, "counts": counts, "doubts": about_all}))
    else:
        lines = [_line(v) for v in verdicts if not (quiet and v["verdict"] == "ok")]
        summary = ", ".join(f"{number} {word}" for word, number in counts.items())
        together = [f"{click.style('all    ', fg='yellow')} {doubt}" for doubt in about_all]
        click.echo("\n".join([*lines, *together, summary]))
    ctx.exit(1 if counts["error"] else 0)


WORDS = ("ok", "remark", "error")
"""Verdicts on a file, from good to bad."""


def _verdict(file: str, readings: tuple[Reading, ...], error: str) -> dict[str, Any]:
    several = len(readings) > 1
    found = [
        f"{reading.trace.name}: {remark}" if several else remark
        for reading in readings
        for remark in reading.remarks
    ]
    return {
        "file": file,
        "verdict": "error" if error else "remark" if found else "ok",
        "format": readings[0].format if readings else None,
        "traces": [
            {
                "name": reading.trace.name,
                "duration_s": reading.trace.duration_s,
                "mean_bps": reading.trace.mean_bps,
            }
            for reading in readings
        ],
        "remarks": found,
        "error": error,
    }


def _line(verdict: dict[str, Any]) -> str:
    word = verdict["verdict"]
    colour = dict(zip(WORDS, ("green", "yellow", "red"), strict=True))[word]
    head = click.style(f"{word:<7}", fg=colour)
    if word == "error":
        return f"{head} {verdict['error']}"
    held = verdict["traces"]
    lasting_s = sum(each["duration_s"] for each in held)
    what = f"{len(held)} traces, " if len(held) > 1 else ""
    about = f"{head} {verdict['file']}: {verdict['format']}, {what}{lasting_s:.6g} s"
    return "; ".join([about, *verdict["remarks"]])
