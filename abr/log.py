"""The session log: all inputs and outputs of one playback.

A log is JSON Lines. The first line is the provenance (what was run, by what, over what);
each further line is one record ``{"e": kind, "t": seconds since playback was requested,
...}``, in order of time. Inputs to the player (``start sent response finished failed wake
pause resume stop``) are recorded exactly, so that a log can be replayed; metrics are
computed from the outputs (``fetch abort decision state play buffer note live ended``).
``docs/formats.md`` lists the fields of each record. A field has one type in all kinds of record,
so that a log can be read as a table; ``abr.logtable`` makes one.

No token, key or media byte is ever written. This module converts logs to text and back;
callers read and write the files.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from abr.arguments import expect
from abr.errors import ArgumentError, LogFormatError

SCHEMA_MAJOR = 2
SCHEMA = f"abrkit-session-log/{SCHEMA_MAJOR}.0"
_READ_MAJORS = ("1", "2")
"""Of version 1, where two fields had a type by record, records are turned into today's."""

Kind = Literal[
    "start",
    "sent",
    "response",
    "finished",
    "failed",
    "wake",
    "pause",
    "resume",
    "stop",
    "fetch",
    "abort",
    "decision",
    "state",
    "play",
    "buffer",
    "note",
    "live",
    "ended",
]

INPUTS: tuple[Kind, ...] = (
    "start",
    "sent",
    "response",
    "finished",
    "failed",
    "wake",
    "pause",
    "resume",
    "stop",
)
OUTPUTS: tuple[Kind, ...] = (
    "fetch",
    "abort",
    "decision",
    "state",
    "play",
    "buffer",
    "note",
    "live",
    "ended",
)

KINDS: tuple[Kind, ...] = (*INPUTS, *OUTPUTS)

Record = dict[str, Any]


_MAX_TIME_S = 1e9
"""No playback lasts thirty years; the limit rejects nan and absurd numbers."""


@dataclass(slots=True, repr=False)
class SessionLog:
    """The record of one playback."""

    provenance: dict[str, Any]
    """Schema, tool version, driver, algorithm and parameters, configuration and its hash,
    trace name and digest, presentation, seed."""
    records: list[Record] = field(default_factory=list)
    """In order of time."""

    def __repr__(self) -> str:
        algorithm = self.provenance.get("algorithm")
        last_s = self.records[-1]["t"] if self.records else None
        return f"<SessionLog algorithm={algorithm!r} records={len(self.records)} last_s={last_s}>"

    def add(self, kind: Kind, t_s: float, /, **fields: Any) -> None:
        """Append a record.

        Raises:
            ValueError: ``t_s`` is earlier than the newest record.
        """
        if self.records and t_s < self.records[-1]["t"]:
            raise ValueError(f"record {kind!r} at {t_s} s comes after {self.records[-1]['t']} s")
        self.records.append({"e": kind, "t": float(t_s), **fields})

    def of(self, *kinds: Kind) -> Iterator[Record]:
        """The records of the given kinds, in order.

        Raises:
            ArgumentError: no record has a kind.
        """
        for kind in kinds:
            if kind not in KINDS:
                raise ArgumentError(
                    f"SessionLog.of({kind!r}): no such kind; expected some of {', '.join(KINDS)}"
                )
        return (record for record in self.records if record["e"] in kinds)

    def dumps(self) -> str:
        """The log as JSON Lines, provenance first; equal logs give equal text."""
        lines = [_format_record({"e": "provenance", "schema": SCHEMA, **self.provenance})]
        lines.extend(_format_record(record) for record in self.records)
        return "\n".join(lines) + "\n"

    @classmethod
    def loads(cls, text: str, *, name: str = "log") -> SessionLog:
        """Parse the output of ``dumps``.

        Args:
            text: JSON Lines.
            name: Name of the text in error messages.

        Raises:
            ArgumentError: no text.
            LogFormatError: the text is not a session log, has another major version, or is
                broken.
        """
        expect(
            text,
            str,
            "SessionLog.loads(text=...)",
            "text; player.files.read_log(path) reads a file",
        )
        lines = text.splitlines()
        if not lines:
            raise LogFormatError(f"{name}: empty; expected a session log in JSON Lines")
        head = _parse_line(lines[0], name, 1)
        schema = head.pop("schema", None)
        if head.pop("e", None) != "provenance" or not isinstance(schema, str):
            raise LogFormatError(
                f"{name}:1: no provenance record; expected a session log "
                f"whose first line names its schema, {SCHEMA!r}"
            )
        major = schema.partition("/")[2].partition(".")[0]
        if major not in _READ_MAJORS:
            raise LogFormatError(
                f"{name}:1: schema {schema!r}; this version reads {SCHEMA!r}; "
                "use the abrkit that wrote it"
            )
        log = cls(head)
        for number, line in enumerate(lines[1:], start=2):
            record = _check_record(_parse_line(line, name, number), log, name, number)
            log.records.append(_from_first(record, head) if major == "1" else record)
        return log


def _format_record(record: Record) -> str:
    return json.dumps(record, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def _parse_line(line: str, name: str, number: int) -> Record:
    try:
        record = json.loads(line)
    except (ValueError, RecursionError) as exc:
        raise LogFormatError(f"{name}:{number}: not JSON ({exc}); expected one record") from exc
    if not isinstance(record, dict):
        raise LogFormatError(f"{name}:{number}: {type(record).__name__}; expected a JSON object")
    return record


def _check_record(record: Record, log: SessionLog, name: str, number: int) -> Record:
    kind, t_s = record.get("e"), record.get("t")
    if kind not in KINDS:
        raise LogFormatError(f"{name}:{number}: unknown record kind {kind!r}")
    if not isinstance(t_s, int | float) or isinstance(t_s, bool) or not 0 <= t_s <= _MAX_TIME_S:
        raise LogFormatError(f"{name}:{number}: time {t_s!r}; expected seconds")
    if log.records and t_s < log.records[-1]["t"]:
        raise LogFormatError(
            f"{name}:{number}: time {t_s} s comes after {log.records[-1]['t']} s; "
            "times must not decrease"
        )
    return record


def _from_first(record: Record, head: Record) -> Record:
    """A record of version 1 as one of today's."""
    code, got = record.get("why"), record.get("received_bytes")
    if record["e"] == "decision" and isinstance(code, int):
        record["why"] = reason_name(head.get("whys") or (), code)
    if record["e"] == "wake" and isinstance(got, dict):
        del record["received_bytes"]
        record["received"] = [
            {"id": int(i), "received_bytes": size} for i, size in got.items() if i.isdecimal()
        ]
    return record


def reason_name(reasons: Sequence[str], code: int) -> str:
    """The name of an algorithm's reason; of a code that has none, the number."""
    return str(reasons[code]) if 0 <= code < len(reasons) else str(code)
