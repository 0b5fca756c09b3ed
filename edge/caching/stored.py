"""The sidecar of a stored body: its response's fields and freshness, as JSON.

A sidecar names one body file, and a body counts as stored while its sidecar exists. Format
version 1; other versions are not read.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

from edge.caching.freshness import Freshness
from edge.index import Entry

VERSION = 1

_ON_DISK = {"stale_while_revalidate_s": "usable_s", "stale_if_error_s": "salvage_s"}
"""Fields of ``Freshness`` that version 1 calls by other names."""

OF_ONE_HOP = frozenset(
    {
        "connection",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authentication-info",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
"""Fields between two neighbours (RFC 9110 §7.6.1, RFC 9111 §3.1): never passed on."""

_OF_ONE_ANSWER = frozenset({"age", "content-length", "set-cookie"})
"""Fields that are made for each client anew, or that were for one client only."""

_OF_BODY = frozenset({"content-encoding", "content-type", "content-range", "etag", "cache-status"})
"""Fields that describe the held body; a 304 does not change them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredObject:
    """A stored response, without the bytes of its body."""

    key: str
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

    def entry(self) -> Entry:
        """Its line in the index."""
        return Entry(
            key=self.key,
            size_bytes=self.size_bytes,
            stored_s=self.stored_s,
            **asdict(self.fresh),
        )

    def header(self, name: str) -> str | None:
        """The first field of this name, in any case."""
        wanted = name.lower()
        return next((value for field, value in self.headers if field.lower() == wanted), None)

    def refresh(
        self, headers: list[tuple[str, str]], *, stored_s: float, fresh: Freshness
    ) -> StoredObject:
        """This object after a 304: fields of the 304 replace those held (RFC 9111 §3.2)."""
        newer = [pair for pair in storable_headers(headers) if pair[0].lower() not in _OF_BODY]
        named = {name.lower() for name, _ in newer}
        kept = [pair for pair in self.headers if pair[0].lower() not in named]
        return replace(self, headers=(*kept, *newer), stored_s=stored_s, fresh=fresh)


def passable_headers(pairs: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """Fields of a message that are forwarded to the next hop, names as received.

    Only the fields of one hop and those that ``Connection`` names are left out (RFC 9110
    §7.6.1).
    """
    named = {
        word.strip().lower()
        for name, value in pairs
        if name.lower() == "connection"
        for word in value.split(",")
    }
    gone = OF_ONE_HOP | named
    return [(name, value) for name, value in pairs if name.lower() not in gone]


def storable_headers(pairs: list[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
    """Fields of a response that may be kept and sent to anyone."""
    passed = passable_headers(pairs)
    return tuple(pair for pair in passed if pair[0].lower() not in _OF_ONE_ANSWER)


def file_stem(key: str) -> str:
    """Start of the file names of ``key``: part of its SHA-256, so that any key will do."""
    return hashlib.sha256(key.encode("utf-8", "surrogateescape")).hexdigest()[:32]


def dumps(stored: StoredObject) -> bytes:
    """The sidecar's bytes."""
    fresh = {_ON_DISK.get(name, name): value for name, value in asdict(stored.fresh).items()}
    return json.dumps({"version": VERSION, **asdict(stored), "fresh": fresh}).encode("ascii")


def loads(data: bytes) -> StoredObject | None:
    """The object a sidecar describes; None when it is damaged or of another version."""
    try:
        return _from(json.loads(data))
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return None


def _from(raw: dict[str, Any]) -> StoredObject | None:
    if raw["version"] != VERSION:
        return None
    found = StoredObject(
        key=str(raw["key"]),
        body=str(raw["body"]),
        size_bytes=int(raw["size_bytes"]),
        sha256=str(raw["sha256"]),
        headers=tuple((str(name), str(value)) for name, value in raw["headers"]),
        stored_s=float(raw["stored_s"]),
        fresh=Freshness(
            **{
                field.name: float(raw["fresh"][_ON_DISK.get(field.name, field.name)])
                for field in fields(Freshness)
            }
        ),
    )
    # A body's name is derived from its key, so a planted sidecar cannot point elsewhere.
    belongs = found.body.startswith(file_stem(found.key) + "-") and "/" not in found.body
    return found if belongs and found.size_bytes >= 0 else None
