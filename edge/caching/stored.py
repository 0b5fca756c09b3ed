"""A stored response: what was said with a stored body, as a value and as a sidecar on disk.

A sidecar names one body file, and a body counts as stored while its sidecar exists. Format
version 2; other versions are not read.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

from edge.caching.forwarding import passable_headers
from edge.caching.freshness import Freshness
from edge.index import Entry

VERSION = 2

CLOCK_STEP_S = 5.0
"""Two processes one after the other on a machine may differ by so much in their time."""

VaryValue = tuple[str, str | None]
"""A request field that selects a response: lower-case name, and its normalised value."""

_OF_ONE_ANSWER = frozenset({"age", "content-length"})
"""Fields that are made for each client anew."""

_OF_BODY = frozenset({"content-encoding", "content-range", "cache-status"})
"""Fields that say what the held bytes are; a 304 does not change them (RFC 9111 §3.2)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredObject:
    """A stored response, without the bytes of its body."""

    key: str
    """What tells it from all others; the base, and what tells variants and parts apart."""
    body: str
    """File name of the body."""
    size_bytes: int
    sha256: str
    """Digest of the body, lower-case hex."""
    headers: tuple[tuple[str, str], ...]
    """Fields to answer with, names as received."""
    stored_s: float
    """When it (or its latest validation) arrived, seconds since the epoch."""
    fresh: Freshness
    """How it may be reused, as assessed then."""
    base: str = ""
    """The key that a request is looked up by; empty: ``key`` itself."""
    status: int = 200
    reason: str = ""
    """Phrase of the status, as received; empty for the usual one."""
    vary: tuple[VaryValue, ...] = ()
    """Request fields that selected it (RFC 9111 §4.1)."""
    start_byte: int = 0
    """Where its bytes begin in the representation."""
    total_bytes: int | None = None
    """Bytes of the whole representation, when it is a part of one; None when it is whole."""
    tags: tuple[str, ...] = ()
    """Surrogate keys, by which many objects are purged at once."""

    @property
    def lookup_key(self) -> str:
        """The key that a request is looked up by; several stored responses may share it."""
        return self.base or self.key

    @property
    def is_part(self) -> bool:
        """Whether it is a run of bytes of a larger representation."""
        return self.total_bytes is not None

    def entry(self) -> Entry:
        """Its line in the index."""
        return Entry(
            key=self.key,
            size_bytes=self.size_bytes,
            stored_s=self.stored_s,
            age_s=self.fresh.age_s,
            lifetime_s=self.fresh.lifetime_s,
            stale_while_revalidate_s=self.fresh.stale_while_revalidate_s,
            stale_if_error_s=self.fresh.stale_if_error_s,
        )

    def header(self, name: str) -> str | None:
        """The first field of this name, in any case."""
        wanted = name.lower()
        return next((value for field, value in self.headers if field.lower() == wanted), None)

    def age_at(self, now_s: float) -> float:
        """Its age in seconds; a clock that is set back makes nothing younger.

        What was stored in the future was stored by a clock that has been set back since, so
        nobody knows how old it is: it is taken to be no longer fresh.
        """
        if now_s < self.stored_s - CLOCK_STEP_S:
            return max(self.fresh.age_s, self.fresh.lifetime_s)
        return self.fresh.age_s + max(0.0, now_s - self.stored_s)

    def ttl_at(self, now_s: float) -> float:
        """Seconds of freshness left; 0 or below when it is stale."""
        return self.fresh.lifetime_s - self.age_at(now_s)

    def refresh(
        self,
        headers: Iterable[tuple[str, str]],
        *,
        stored_s: float,
        fresh: Freshness,
        dropped: frozenset[str] = frozenset(),
    ) -> StoredObject:
        """This object after a 304: fields of the 304 replace those held (RFC 9111 §3.2)."""
        newer = storable_headers(headers, dropped=dropped | _OF_BODY)
        named = {name.lower() for name, _ in newer}
        kept = [pair for pair in self.headers if pair[0].lower() not in named]
        return replace(self, headers=(*kept, *newer), stored_s=stored_s, fresh=fresh)


def storable_headers(
    pairs: Iterable[tuple[str, str]], *, dropped: frozenset[str] = frozenset()
) -> tuple[tuple[str, str], ...]:
    """Fields of a response that may be kept and sent to anyone.

    Args:
        pairs: Fields as received.
        dropped: Lower-case names that may not be kept, such as those that ``no-cache`` lists.
    """
    gone = _OF_ONE_ANSWER | dropped
    return tuple(pair for pair in passable_headers(pairs) if pair[0].lower() not in gone)


def file_stem(key: str) -> str:
    """Start of file names under a lookup key: part of its SHA-256, so that any key will do."""
    return hashlib.sha256(key.encode("utf-8", "surrogateescape")).hexdigest()[:32]


def dumps(stored: StoredObject) -> bytes:
    """The sidecar's bytes."""
    return json.dumps({"version": VERSION, **asdict(stored)}).encode("ascii")


def loads(data: bytes) -> StoredObject | None:
    """The object a sidecar describes; None when it is damaged or of another version."""
    try:
        return _from(json.loads(data))
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return None


def _from(raw: dict[str, Any]) -> StoredObject | None:
    if raw["version"] != VERSION:
        return None
    total = raw["total_bytes"]
    found = StoredObject(
        key=str(raw["key"]),
        body=str(raw["body"]),
        size_bytes=int(raw["size_bytes"]),
        sha256=str(raw["sha256"]),
        headers=tuple((str(name), str(value)) for name, value in raw["headers"]),
        stored_s=float(raw["stored_s"]),
        fresh=Freshness(
            may_be_stale=bool(raw["fresh"]["may_be_stale"]),
            **{name: float(raw["fresh"][name]) for name in _TIMES},
        ),
        base=str(raw["base"]),
        status=int(raw["status"]),
        reason=str(raw["reason"]),
        vary=tuple((str(name), None if v is None else str(v)) for name, v in raw["vary"]),
        start_byte=int(raw["start_byte"]),
        total_bytes=None if total is None else int(total),
        tags=tuple(str(tag) for tag in raw["tags"]),
    )
    # A body's name is derived from its key, so a planted sidecar cannot point elsewhere.
    belongs = found.body.startswith(file_stem(found.lookup_key) + "-") and "/" not in found.body
    fits = found.size_bytes >= 0 and found.start_byte >= 0 and 200 <= found.status <= 999
    if found.total_bytes is not None:
        fits = fits and found.start_byte + found.size_bytes <= found.total_bytes
    return found if belongs and fits else None


_TIMES = tuple(each.name for each in fields(Freshness) if each.name != "may_be_stale")
