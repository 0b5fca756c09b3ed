"""``abr traces plot``: a picture of traces, one panel each, on shared axes."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from abr.cli.traces import columns_option
from abr.errors import InputError
from abr.shell import note
from bench.traces.cli.write import FORCE_HELP

if TYPE_CHECKING:
    from abr.trace import Trace
    from bench.traces.files import Read

FORMS: dict[str, Literal["svg", "png"]] = {".svg": "svg", ".png": "png"}
"""Formats of pictures by the end of the file's name."""


@click.command(no_args_is_help=True, short_help="Draw traces, one panel each.")
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
@click.option(
    "-o",
    "--out",
    required=True,
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Picture to write; its name ends in .svg or .png.",
)
@click.option("--format", "form", metavar="FORMAT", help="Format of the traces. [detected]")
@columns_option
@click.option(
    "--panels", type=click.IntRange(min=1, max=20), metavar="N", help="Panels side by side."
)
@click.option(
    "--limit",
    type=click.IntRange(min=1, max=400),
    default=60,
    show_default=True,
    metavar="N",
    help="Draw at most this many traces, the first ones.",
)
@click.option(
    "--mean-over",
    "mean_over_s",
    type=click.FloatRange(min=0, min_open=True),
    metavar="SECONDS",
    help="Draw means over this time. [each period, or 600 means if there are more]",
)
@click.option("--log", "is_log", is_flag=True, help="Use a logarithmic axis, for traces far apart.")
@click.option(
    "--until",
    "until_s",
    type=click.FloatRange(min=0, min_open=True),
    metavar="SECONDS",
    help="Draw only up to this time.",
)
@click.option("--own-axes", is_flag=True, help="Give each panel its own axes.")
@click.option("--force", is_flag=True, help=FORCE_HELP)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def plot(
    files: tuple[str, ...],
    out: Path,
    form: str | None,
    columns: str | None,
    panels: int | None,
    limit: int,
    mean_over_s: float | None,
    is_log: bool,
    until_s: float | None,
    own_axes: bool,
    force: bool,
    as_json: bool,
) -> None:
    """Draw traces, one panel each, all on the same axes: capacity, its mean, and outages.

    FILE is a file, a folder, a quoted pattern or a named trace. Outages (below 100 kbit/s)
    are shaded, the mean is a dashed line. Rare peaks may exceed the shared axis; each
    panel states its maximum. Needs matplotlib: pip install "abrkit[plot]".

    \b
    Examples:
      abr traces plot train.csv --out train.svg
      abr traces plot traces/ --limit 20 --panels 4 --until 300 --out traces.png
      abr traces plot generate:starlink-driving:1 home.csv --log --out two.svg
    """
    from abr.traceformats.names import distinguish
    from bench.traces.cli.write import check_free, write_result
    from bench.traces.figure import are_far_apart, picture
    from bench.traces.files import Doubts, check_format, need_some, progress, read_source, sources

    if out.suffix.lower() not in FORMS:
        raise InputError(f"{out}: not a picture's name; expected one that ends in .svg or .png")
    check_format(files, form, columns)
    check_free([out], force=force)
    meant = sources(files)
    reads = [read_source(each, form, columns) for each in progress(meant[:limit], "reading")]
    bad = [each for each in reads if each.error]
    found = [trace for each in reads for trace in each.traces]
    need_some(len(found), bad)
    places = [each.source.text for each in reads for _ in each.traces]
    names = distinguish([trace.name for trace in found], places)
    found = [trace.named(name) for trace, name in zip(found, names, strict=True)]
    drawn = [shorten(trace, until_s) for trace in found[:limit]]
    left_out = len(found) - len(drawn) + max(len(meant) - limit, 0)
    data = picture(
        drawn,
        FORMS[out.suffix.lower()],
        columns=panels,
        mean_over_s=mean_over_s,
        is_log=is_log,
        has_own_axes=own_axes,
    )
    write_result(out, data, force=force)
    _tell(out, len(drawn), left_out, bad, as_json=as_json)
    doubts = Doubts()
    doubts.add(reading for each in reads for reading in each.readings)
    doubts.tell()
    if are_far_apart(drawn) and not (is_log or own_axes):
        note("some are over 20 times as fast as others; --log or --own-axes shows them all")
    if bad:
        raise InputError(f"{len(bad)} of {len(reads)} could not be read; left out")


def _tell(out: Path, drawn: int, left_out: int, bad: Sequence[Read], *, as_json: bool) -> None:
    from abr.wording import format_count
    from bench.traces.files import note_left_out

    if as_json:
        errors = [{"file": each.source.text, "error": each.error} for each in bad]
        shown = {"out": str(out), "traces": drawn, "left_out": left_out, "errors": errors}
        click.echo(json.dumps(shown))
    else:
        click.echo(f"{out}: {format_count(drawn, 'trace')}")
        note_left_out(bad)
    if left_out:
        note(f"{left_out} more not drawn; --limit draws more")


def shorten(trace: Trace, until_s: float | None) -> Trace:
    """The beginning of a trace; all of it when it is not longer."""
    from abr.traceedit import cut

    is_longer = until_s is not None and until_s < trace.duration_s
    return cut(trace, 0.0, until_s) if is_longer else trace
