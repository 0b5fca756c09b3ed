"""What the commands print of a session, and when it counts as failed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from abr.errors import PlaybackError
from player.cli.options import command_line

if TYPE_CHECKING:
    from abr.log import SessionLog


def shortfall(log: SessionLog) -> str:
    """Why a session did not play what was asked of it; empty when it did.

    A session that was stopped did so where ``--duration`` said when; otherwise it was
    stopped because nothing more could come.
    """
    from abr.qoe import summary

    qoe = summary(log)
    if qoe.ended == "complete" or (qoe.ended == "stopped" and "stop_at_s" in log.provenance):
        return ""
    if qoe.ended.startswith("error: "):
        return qoe.ended.removeprefix("error: ")
    return (
        f"the session is {qoe.ended} after {qoe.elapsed_s:.1f} s, {qoe.played_s:.1f} s of them "
        "played, and nothing more could come; expected it to play to its end"
    )


def show(log: SessionLog, *, as_json: bool) -> None:
    """Print the session's QoE; nothing when there was only an error."""
    from abr.qoe import as_dict, summary

    if as_json:
        click.echo(json.dumps(as_dict(log)))
    elif not shortfall(log) or summary(log).startup_s is not None:
        from player.table import console, session_table

        console().print(session_table(log))


def finish(log: SessionLog, log_path: Path | None, *, as_json: bool) -> None:
    """Write the log of a session, print its QoE, and fail when it fell short.

    Raises:
        PlaybackError: it did not play what was asked.
    """
    from player.files import write_log

    log.provenance["command"] = command_line()
    if log_path is not None:
        write_log(log, log_path)
    show(log, as_json=as_json)
    if what := shortfall(log):
        raise PlaybackError(what)
