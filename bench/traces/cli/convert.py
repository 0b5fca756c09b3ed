"""``abr traces convert``: the same traces, in another format."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from abr.cli.traces import columns_option
from abr.errors import AbrError, InputError
from abr.shell import one_line
from bench.traces.cli.write import FORCE_HELP

if TYPE_CHECKING:
    from bench.traces.files import Read


@click.command(no_args_is_help=True, short_help="Write traces in another format.")
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
@click.option("--to", "form", required=True, metavar="FORMAT", help="Format of the results.")
@click.option(
    "-o",
    "--out",
    required=True,
    metavar="DIR",
    type=click.Path(path_type=Path),
    help="Folder for the results; created if missing.",
)
@click.option("--from", "source_form", metavar="FORMAT", help="Format of the files. [detected]")
@columns_option
@click.option("--force", is_flag=True, help=FORCE_HELP)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def convert(
    files: tuple[str, ...],
    form: str,
    out: Path,
    source_form: str | None,
    columns: str | None,
    force: bool,
    as_json: bool,
) -> None:
    """Write traces in another format, each to its own file below a folder.

    FILE is a file, a folder, a quoted pattern or a named trace. Names and sub-folders are
    kept; a file of several traces becomes several files; of two results with the same name
    the later one gets -2. Each file is written whole or not at all. Files that cannot be
    read, or not be written in the format, are named and skipped; the exit code is then 1.

    \b
    Examples:
      abr traces convert logs/ --to csv --out csv/
      abr traces convert "logs/*.log" --to mahimahi --out mahimahi/ --force
      abr traces convert odd.txt --from cooked --to json --out json/
    """
    from bench.traces.cli.write import (
        check_folder,
        check_free,
        check_writable_format,
        note_losses,
    )
    from bench.traces.files import check_format, need_some, note_left_out, sources
    from bench.traces.names import Names, suffix_of

    check_writable_format(form)
    check_format(files, source_form, columns)
    check_folder(out)
    # Before any reading: files of one trace each, as nearly all are.
    likely = Names(suffix_of(form))
    meant = sources(files)
    check_free((out / likely.give(each.below, [""])[0] for each in meant), force=force)
    written, bad, losses = _convert_each(
        files, out, form, source_form, columns=columns, force=force
    )
    need_some(len(written), bad)
    if as_json:
        errors = [{"file": each.source.text, "error": each.error} for each in bad]
        click.echo(json.dumps({"written": written, "losses": losses, "errors": errors}))
    else:
        click.echo(f"{out}: {len(written)} written as {form}")
        note_losses(losses, form)
        note_left_out(bad)
    if bad:
        raise InputError(f"{len(bad)} of {len(meant)} could not be converted; left out")


def _convert_each(
    files: tuple[str, ...],
    out: Path,
    form: str,
    source_form: str | None,
    *,
    columns: str | None,
    force: bool,
) -> tuple[list[str], list[Read], dict[str, int]]:
    """Convert what can be read.

    Returns:
        The files written, what could not be read or held, and what the format lost of how
        many traces.
    """
    from abr.traceformats import write_trace
    from bench.traces.cli.write import losses_of, write_result
    from bench.traces.files import Doubts, Read, read_each
    from bench.traces.names import Names, suffix_of

    names = Names(suffix_of(form))
    written: list[str] = []
    bad: list[Read] = []
    losses: dict[str, int] = {}
    doubts = Doubts()
    for read in read_each(files, source_form, "converting", columns):
        doubts.add(read.readings)
        bad += [read] if read.error else []
        given = names.give(read.source.below, [trace.name for trace in read.traces])
        for trace, name in zip(read.traces, given, strict=True):
            try:
                data = write_trace(trace, form)
            except AbrError as exc:  # what the format cannot hold at all
                bad.append(Read(read.source, error=one_line(exc)))
                continue
            write_result(out / name, data, force=force)
            written.append(str(out / name))
            for loss in losses_of(trace, data, form):
                losses[loss] = losses.get(loss, 0) + 1
    doubts.tell()
    return written, bad, losses
