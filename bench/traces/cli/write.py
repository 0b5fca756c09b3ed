"""Results of ``abr traces``: each file whole or not at all, none over another without leave."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from abr.errors import InputError
from abr.shell import note

if TYPE_CHECKING:
    from abr.trace import Trace

FORCE_HELP = "Replace existing files."


def check_free(paths: Iterable[Path], *, force: bool) -> None:
    """Fail before anything is written.

    Raises:
        InputError: a path is there already without ``force``, or is a folder.
    """
    there = [path for path in paths if path.exists()]
    folder = next((path for path in there if path.is_dir()), None)
    if folder is not None:
        raise InputError(f"{folder}: a folder; expected the name of a file to write")
    if there and not force:
        more = f" (and {len(there) - 1} more)" if len(there) > 1 else ""
        raise InputError(f"{there[0]}: exists{more}; --force replaces it")


def check_folder(folder: Path) -> None:
    """Fail early when results cannot go below ``folder``.

    Raises:
        InputError: it, or what should hold it, is a file.
    """
    for place in (folder, *folder.parents):
        if place.exists() and not place.is_dir():
            raise InputError(f"{place}: not a folder; expected one to write results to")


def write_result(path: Path, data: bytes, *, force: bool) -> None:
    """Write one file, whole or not at all; folders on the way are made.

    Raises:
        InputError: it is there already without ``force``, or is a folder.
        OSError: it cannot be written; ``path`` is as it was.
    """
    from abr.files.whole import write_whole

    check_free([path], force=force)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, data)


def check_writable_format(form: str) -> None:
    """Fail early when nobody can write a format.

    Raises:
        InputError: it is none of ``abr.traceformats.WRITABLE``.
    """
    from abr.traceformats import FORMATS, WRITABLE

    if form not in WRITABLE:
        why = "is read only" if form in FORMATS else "is no trace format"
        raise InputError(f"{form!r} {why}; expected one of {', '.join(WRITABLE)}")


def losses_of(trace: Trace, data: bytes, form: str) -> Iterator[str]:
    """What of a trace is not in the file that was made of it, found by reading that file."""
    if trace.rtt_s is None and trace.loss_ratio is None and trace.end == "loop":
        return
    from abr.traceformats import read_trace

    again = read_trace(data, name=trace.name, format=form)
    if trace.rtt_s is not None and again.rtt_s is None:
        yield "round-trip times"
    if trace.loss_ratio is not None and again.loss_ratio is None:
        yield "losses"
    if trace.end != again.end:
        yield f"end rule {trace.end!r}"


def note_losses(losses: dict[str, int], form: str) -> None:
    """Say on stderr what a format could not hold, and of how many traces."""
    for what, number in losses.items():
        note(f"{form} cannot hold {what}: left out of {number}; json holds everything")


def write_one(trace: Trace, out: Path, form: str | None, *, force: bool, as_json: bool) -> None:
    """Write the one result of a command, and say so.

    Args:
        trace: The result.
        out: The file.
        form: Its format; None for the one that the end of its name tells.
        force: Whether a file that is there may be replaced.
        as_json: Whether to say it as one JSON object.

    Raises:
        InputError: the format is unknown or not to be told, or the file is there already.
        OSError: it cannot be written.
    """
    from abr.traceformats import write_trace
    from bench.traces.cli.look import outline

    form = form or form_of(out)
    check_writable_format(form)
    data = write_trace(trace, form)
    write_result(out, data, force=force)
    losses = dict.fromkeys(losses_of(trace, data, form), 1)
    if as_json:
        shown = {"out": str(out), "duration_s": trace.duration_s, "mean_bps": trace.mean_bps}
        click.echo(json.dumps({**shown, "losses": losses}))
    else:
        click.echo(f"{out}: {outline(trace)}")
        note_losses(losses, form)


def form_of(path: Path) -> str:
    """The format that the end of a file's name tells.

    Raises:
        InputError: it tells none.
    """
    from bench.traces.names import SUFFIXES

    for form, suffix in SUFFIXES.items():
        if path.name.lower().endswith(suffix):
            return form
    raise InputError(
        f"{path}: its name does not tell a format; expected --to FORMAT, or a name that ends in "
        + ", ".join(SUFFIXES.values())
    )
