"""What commands that take a trace share: the option that names its columns, and reading it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
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
    return read_traces([text], columns)[0]


def read_traces(texts: Iterable[str], columns: str | None = None) -> list[Trace]:
    """The traces that texts name; what looks odd about some or all is said once on stderr.

    Raises:
        InputError: one cannot be read, or is several.
    """
    from abr.files.traces import check_columns, resolve
    from abr.traceformats import find_set_doubts

    texts = list(texts)
    check_columns(columns, texts)
    readings = [resolve(text, columns=columns) for text in texts]
    alone = {doubt for reading in readings for doubt in find_set_doubts([reading])}
    remarks = dict.fromkeys(remark for reading in readings for remark in reading.remarks)
    for line in (*(each for each in remarks if each not in alone), *find_set_doubts(readings)):
        note(line)
    return [reading.trace for reading in readings]
