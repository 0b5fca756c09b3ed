"""``abr traces slice``, ``scale`` and ``concat``: one trace out of one or several."""

from __future__ import annotations

from pathlib import Path

import click

from abr.cli.traces import columns_option
from abr.errors import InputError
from bench.traces.cli.write import FORCE_HELP, write_one

OUT_HELP = "The file to write."
TO_HELP = "Format of that file. [by its extension]"


@click.command("slice", no_args_is_help=True, short_help="Cut a piece out of a trace.")
@click.argument("file", metavar="FILE")
@columns_option
@click.option(
    "--start",
    "start_s",
    type=float,
    default=0.0,
    metavar="SECONDS",
    help="Where the piece begins. [0]",
)
@click.option(
    "--end", "end_s", type=float, metavar="SECONDS", help="Where the piece ends. [the end]"
)
@click.option(
    "-o", "--out", required=True, metavar="FILE", type=click.Path(path_type=Path), help=OUT_HELP
)
@click.option("--to", "form", metavar="FORMAT", help=TO_HELP)
@click.option("--force", is_flag=True, help=FORCE_HELP)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def slice_trace(
    file: str,
    columns: str | None,
    start_s: float,
    end_s: float | None,
    out: Path,
    form: str | None,
    force: bool,
    as_json: bool,
) -> None:
    """Write the piece of a trace between two times; it begins at 0 again.

    \b
    Examples:
      abr traces slice train.csv --start 60 --end 120 --out tunnel.csv
      abr traces slice train.log --start 300 --out rest.txt --to cooked
    """
    from abr.traceedit import cut
    from bench.traces.files import one_trace

    write_one(
        cut(one_trace(file, columns=columns), start_s, end_s),
        out,
        form,
        force=force,
        as_json=as_json,
    )


@click.command(no_args_is_help=True, short_help="Make a trace faster or slower.")
@click.argument("file", metavar="FILE")
@columns_option
@click.option("--factor", type=float, metavar="X", help="Multiply capacities by this.")
@click.option("--mean-mbps", type=float, metavar="X", help="Mean capacity of the result, Mbit/s.")
@click.option(
    "-o", "--out", required=True, metavar="FILE", type=click.Path(path_type=Path), help=OUT_HELP
)
@click.option("--to", "form", metavar="FORMAT", help=TO_HELP)
@click.option("--force", is_flag=True, help=FORCE_HELP)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def scale(
    file: str,
    columns: str | None,
    factor: float | None,
    mean_mbps: float | None,
    out: Path,
    form: str | None,
    force: bool,
    as_json: bool,
) -> None:
    """Write a trace with all capacities larger or smaller; times, delays and losses are kept.

    \b
    Examples:
      abr traces scale train.csv --factor 0.5 --out slow.csv
      abr traces scale train.csv --mean-mbps 3 --out three.json
    """
    from abr.traceedit import scale, scale_to_mean
    from bench.traces.files import one_trace

    if (factor is None) == (mean_mbps is None):
        raise click.UsageError("give either --factor or --mean-mbps")
    trace = one_trace(file, columns=columns)
    done = (
        scale(trace, factor) if factor is not None else scale_to_mean(trace, 1e6 * (mean_mbps or 0))
    )
    write_one(done, out, form, force=force, as_json=as_json)


@click.command(no_args_is_help=True, short_help="Join traces end to end.")
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
@columns_option
@click.option(
    "-o", "--out", required=True, metavar="FILE", type=click.Path(path_type=Path), help=OUT_HELP
)
@click.option("--to", "form", metavar="FORMAT", help=TO_HELP)
@click.option(
    "--rtt-ms",
    type=click.FloatRange(min=0),
    metavar="X",
    help="Round-trip time of traces without one, if another trace has one.",
)
@click.option("--force", is_flag=True, help=FORCE_HELP)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def concat(
    files: tuple[str, ...],
    columns: str | None,
    out: Path,
    form: str | None,
    rtt_ms: float | None,
    force: bool,
    as_json: bool,
) -> None:
    """Write one trace that plays each FILE once, one after the other.

    FILE is a file, a folder, a quoted pattern or a named trace; one may be given twice.

    \b
    Examples:
      abr traces concat home.csv train.csv office.csv --out day.csv
      abr traces concat train.csv train.csv --out twice.json
      abr traces concat profile:3g home.csv --rtt-ms 20 --out both.csv
    """
    from abr.traceedit import concatenate
    from bench.traces.files import Doubts, check_format, note_left_out, read_source, sources

    # Word by word, because the same file may be meant twice.
    check_format(files, None, columns)
    reads = [read_source(each, columns=columns) for word in files for each in sources([word])]
    bad = [each for each in reads if each.error]
    if bad:
        note_left_out(bad[1:])
        raise InputError(bad[0].error)
    doubts = Doubts()
    doubts.add(reading for each in reads for reading in each.readings)
    doubts.tell()
    rtt_s = None if rtt_ms is None else rtt_ms / 1e3
    traces = [trace for each in reads for trace in each.traces]
    result = concatenate(traces, name=out.stem, rtt_s=rtt_s)
    write_one(result, out, form, force=force, as_json=as_json)
