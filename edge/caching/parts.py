"""Parts of large representations: which bytes are asked for, and which ones came.

A range far into an object that is not stored would wait for all that comes before it, so such an
object is fetched and stored in slices of a grid, each once. Parts are put together only when a
strong validator says that they are of the same representation.

Sources: RFC 9110 §14.2 (Range), §14.4 (Content-Range), §15.3.7.3 (combining), RFC 9111 §3.3, §3.4.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from edge.caching.stored import StoredObject


@dataclass(frozen=True, slots=True)
class Window:
    """The bytes that the parent is asked for: a slice of the grid, or the last ones."""

    start: int
    """First byte; for a suffix, minus the number of bytes."""
    stop: int | None = None
    """Byte after the last one; None for a suffix."""

    @property
    def is_suffix(self) -> bool:
        """Whether it is the last bytes of something of unknown length."""
        return self.stop is None

    def __str__(self) -> str:
        """As a ``Range`` field says it."""
        return f"bytes={self.start}" if self.stop is None else f"bytes={self.start}-{self.stop - 1}"


@dataclass(frozen=True, slots=True)
class Part:
    """Bytes ``start`` up to ``stop`` of a representation of ``total`` bytes."""

    start: int
    stop: int
    total: int


_RANGE = re.compile(r"\s*bytes\s*=\s*([0-9]{1,18})?-([0-9]{1,18})?\s*", re.IGNORECASE)
_CONTENT_RANGE = re.compile(r"bytes ([0-9]{1,18})-([0-9]{1,18})/([0-9]{1,18})", re.IGNORECASE)


def window_of(text: str | None, slice_bytes: int) -> Window | None:
    """What to ask for first, when nothing is stored and a ``Range`` field is this.

    Returns:
        None when the whole is asked for: there is no single range, or it begins in the first
        slice, so that it would not wait long.
    """
    match = _RANGE.fullmatch(text or "")
    if match is None or not any(match.groups()):
        return None
    if match[1] is None:
        return Window(-int(match[2])) if int(match[2]) else None
    return slice_at(int(match[1]), slice_bytes) if int(match[1]) >= slice_bytes else None


def slice_at(offset: int, slice_bytes: int, total: int | None = None) -> Window:
    """The slice of the grid that holds the byte at ``offset``."""
    start = offset - offset % slice_bytes
    stop = start + slice_bytes
    return Window(start, stop if total is None else min(stop, total))


def read_part(
    status: int, headers: Mapping[str, str], length_bytes: int | None, asked: Window
) -> Part | None:
    """Which bytes a response holds; None when it is not the part that was asked for.

    Args:
        status: Of the response.
        headers: Its fields by lower-case name, repeated ones joined by a comma.
        length_bytes: Its ``Content-Length``.
        asked: What it was asked for.
    """
    match = _CONTENT_RANGE.fullmatch(headers.get("content-range", "").strip())
    if status != 206 or match is None:
        return None
    start, stop, total = int(match[1]), int(match[2]) + 1, int(match[3])
    if not start < stop <= total or length_bytes != stop - start:
        return None
    fits = stop == total if asked.is_suffix else start == asked.start
    # A slice may end early only where the representation does.
    whole = asked.stop is None or stop == min(asked.stop, total)
    return Part(start, stop, total) if fits and whole else None


def usable_parts(held: Iterable[StoredObject], *, now_s: float) -> list[StoredObject]:
    """Of stored responses, the fresh parts of the newest representation."""
    found: list[StoredObject] = []
    for stored in held:
        if stored.total_bytes is None or stored.ttl_at(now_s) <= 0:
            continue
        if not found or belongs(stored, found[0]):
            found.append(stored)
    return found


def belongs(one: StoredObject, other: StoredObject) -> bool:
    """Whether two parts are of the same representation, as far as anybody can say."""
    tag = strong_tag(one)
    return bool(tag) and tag == strong_tag(other) and one.total_bytes == other.total_bytes


def strong_tag(stored: StoredObject) -> str:
    """Its strong entity tag; empty when it has none."""
    tag = (stored.header("ETag") or "").strip()
    return tag if tag.startswith('"') else ""


def covering(parts: Iterable[StoredObject], offset: int) -> StoredObject | None:
    """The part that holds the byte at ``offset``."""
    for part in parts:
        if part.start_byte <= offset < part.start_byte + part.size_bytes:
            return part
    return None
