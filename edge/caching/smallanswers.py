"""Heads of small answers of a parent, and the same as they are sent on.

The answers of our own servers to requests for keys are alike but for dates and lengths. What is not
exactly of their form is left to the ordinary path, which asks again with a whole parser.

Sources: RFC 9112 §4 (status line), §5 and §6.3 (fields and lengths), §9.3 (persistence).
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from edge.caching.cachestatus import FIELD, CacheStatus, append_member
from edge.caching.forwarding import passable_headers
from origin.tierfields import next_tier_fields, viewer_fields

MAX_HEAD_BYTES = 8 << 10
"""Longer heads are left to the ordinary path."""

MAX_BODY_BYTES = 64 << 10
"""So are longer bodies."""

Fields = list[tuple[str, str]]

_STATUS = re.compile(rb"HTTP/1\.1 ([2-5][0-9]{2}) ([ -~]*)")
_FIELD = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*((?:[!-~]+(?:[ \t]+[!-~]+)*)?)[ \t]*")
_LENGTH = re.compile(r"0|[1-9][0-9]{0,5}")
_KEPT = re.compile(r"timeout=([0-9]{1,6})")
_WITHOUT_BODY = frozenset({204, 205, 304})


@dataclass(frozen=True, slots=True, kw_only=True)
class SmallAnswer:
    """The head of a small answer."""

    status: int
    reason: str
    fields: Fields
    """Names and values as received."""
    length: int
    """Bytes of the body."""
    keeps_s: float | None
    """How long the parent keeps the connection, 0: not at all; None: it does not say."""


def read_answer(head: bytes) -> SmallAnswer | None:
    """The head of a small answer with a length; None for any other.

    Args:
        head: From the status line to the empty line, both included.
    """
    if len(head) > MAX_HEAD_BYTES or not head.endswith(b"\r\n\r\n"):
        return None
    first, *lines = head[:-4].split(b"\r\n")
    status = _STATUS.fullmatch(first)
    if status is None or int(status[1]) in _WITHOUT_BODY:
        return None
    fields: Fields = []
    for line in lines:
        match = _FIELD.fullmatch(line)
        if match is None:
            return None
        fields.append((match[1].decode(), match[2].decode()))
    length, keeps_s, is_last = -1, None, False
    for name, value in fields:
        match name.lower():
            case "content-length":
                if length >= 0 or not _LENGTH.fullmatch(value):
                    return None
                length = int(value)
            case "transfer-encoding" | "upgrade" | "trailer":
                return None
            case "connection":
                if value.lower() not in ("close", "keep-alive"):
                    return None
                is_last = value.lower() == "close"
            case "keep-alive":
                kept = _KEPT.search(value)
                keeps_s = max(0.0, float(kept[1]) - 1.0) if kept else None
    if not 0 <= length <= MAX_BODY_BYTES:
        return None
    return SmallAnswer(
        status=int(status[1]),
        reason=status[2].decode(),
        fields=fields,
        length=length,
        keeps_s=0.0 if is_last else keeps_s,
    )


def passed_fields(fields: Fields, *, cache: str, to_tier: bool) -> Fields:
    """The fields of an answer that no cache keeps, as whoever asked gets them.

    Args:
        fields: As received.
        cache: Our name in ``Cache-Status``.
        to_tier: Whether another cache of ours asked.
    """
    passed = passable_headers(fields)
    above = ", ".join(value for name, value in passed if name.lower() == FIELD.lower())
    kept = [pair for pair in passed if pair[0].lower() != FIELD.lower()]
    status = CacheStatus(cache=cache, fwd="bypass")
    shown = [*kept, (FIELD, append_member(above, status))]
    return next_tier_fields(shown) if to_tier else viewer_fields(shown)
