"""What commands that take a trace share: the option that names its columns, and reading it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

from abr.shell import note

if TYPE_CHECKING:
    from abr.trace import Trace

F = TypeVar("F", bound=Callable[..., Any])

COLUMNS_HELP = (
    "Columns and units of a table in no known format, or in other units than assumed: "
    "time=1:ms,rate=2:kbit (headings or numbers; docs/formats.md)."
)


def columns_option(function: F) -> F:
    """Add ``--columns`` to a command that reads traces."""
    return click.option("--columns", "columns", metavar="NAME=COLUMN,...", help=COLUMNS_HELP)(
        function
    )


def read_trace(text: str, columns: str | None = None) -> Trace:
    """The trace that ``text`` names; what looks odd about it is said on stderr.

    Raises:
        InputError: it cannot be read, or there are several.
    """
    from abr.files.traces import resolve

    reading = resolve(text, columns=columns)
    for remark in reading.remarks:
        note(remark)
    return reading.trace
