"""Lists of sessions as text: who may have made a capture."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from abr.errors import InputError
from transcode.watermark.pattern import pattern_of

MAX_CHARS = 256
"""Longest id of a session."""


class SessionsError(InputError, ValueError):
    """A list of sessions that cannot be read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """A session that got a title."""

    id: str
    pattern: bytes = field(repr=False)


def parse_sessions(text: str, *, title: str, secret: bytes, where: str) -> list[Session]:
    """The sessions of a title in a list; each once.

    A line is the id of a session, or an object of JSON with ``session``, and ``title`` and
    ``pattern`` (base64url) where they are known: other titles are left out, and a pattern that is
    not given follows from ``secret``. Empty lines, and those that begin with #, are skipped.

    Args:
        text: The list.
        title: The title that was captured.
        secret: What patterns are made under.
        where: What messages call the list.

    Raises:
        SessionsError: a line is neither, or there is no session in the list.
    """
    found: dict[str, Session] = {}
    for number, line in enumerate(text.splitlines(), 1):
        words = line.strip()
        if not words or words.startswith("#"):
            continue
        is_object = words.startswith("{")
        values = _object(words, f"{where}:{number}") if is_object else {"session": words}
        session = values.get("session")
        if not isinstance(session, str) or not 0 < len(session) <= MAX_CHARS or " " in session:
            raise SessionsError(
                f"{where}:{number}: no id of a session; expected one a line, or objects of JSON "
                "with session"
            )
        if values.get("title", title) != title:
            continue
        given = values.get("pattern")
        pattern = pattern_of(secret, session)
        if given is not None:
            pattern = _pattern(given, f"{where}:{number}")
        found[session] = Session(id=session, pattern=pattern)
    if not found:
        raise SessionsError(f"{where}: no session of {title} in it; expected one a line")
    if len({len(each.pattern) for each in found.values()}) > 1:
        raise SessionsError(f"{where}: patterns of different lengths; expected one length")
    return list(found.values())


def _object(text: str, where: str) -> Mapping[str, Any]:
    try:
        values = json.loads(text)
    except (ValueError, RecursionError) as exc:
        raise SessionsError(f"{where}: not JSON; expected an object with session") from exc
    if not isinstance(values, dict):
        raise SessionsError(f"{where}: not an object of JSON; expected one with session")
    return values


def _pattern(given: object, where: str) -> bytes:
    try:
        pattern = base64.b64decode(
            str(given).replace("-", "+").replace("_", "/") + "==", validate=False
        )
    except (binascii.Error, ValueError):
        pattern = b""
    if not pattern:
        raise SessionsError(f"{where}: pattern is not base64url; expected the bits of a session")
    return pattern
