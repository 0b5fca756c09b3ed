"""What the commands print of a session, and when it counts as failed."""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from abr.errors import PlaybackError
from abr.shell import note
from player.cli.options import command_line

if TYPE_CHECKING:
    from abr.log import SessionLog
    from abr.qoe import Model


def show(log: SessionLog, *, as_json: bool, qoe: Sequence[Model] = ()) -> None:
    """Print the session's figures and scores; nothing when there was only an error.

    Raises:
        QoEError: the session lacks what a QoE needs, or it fails.
    """
    from abr.qoe import as_dict, shortfall, summary

    if as_json:
        with contextlib.redirect_stdout(sys.stderr):  # what a function prints is no result
            found = as_dict(log, qoe)
        click.echo(json.dumps(found))
    elif not shortfall(log) or summary(log).startup_s is not None:
        from player.table import console, session_table

        with contextlib.redirect_stdout(sys.stderr):
            table = session_table(log, qoe)
        console().print(table)


def keep(log: SessionLog, log_path: Path | None) -> None:
    """Write the log of a session, however it ended, with the command that made it."""
    from player.files import write_log

    log.provenance["command"] = command_line()
    if log_path is not None:
        write_log(log, log_path)


def leave_behind(
    log: SessionLog, log_path: Path | None, *, as_json: bool, qoe: Sequence[Model] = ()
) -> None:
    """Write and print what there is of a session that was interrupted."""
    keep(log, log_path)
    if log.records:
        show(log, as_json=as_json, qoe=qoe)


def finish(
    log: SessionLog, log_path: Path | None, *, as_json: bool, qoe: Sequence[Model] = ()
) -> None:
    """Write the log of a session, print its QoE, and fail when it fell short.

    Raises:
        PlaybackError: it did not play what was asked.
    """
    from abr.qoe import shortfall

    keep(log, log_path)
    for text in dict.fromkeys(record["text"] for record in log.of("note")):
        note(text)
    if why := log.provenance.get("no_upper_bound"):
        note(f"{log.provenance.get('algorithm')} is no upper bound here: {why}")
    show(log, as_json=as_json, qoe=qoe)
    if what := shortfall(log):
        raise PlaybackError(what)
