"""The ``Cache-Status`` field: what each cache on the path did with a request.

One member per cache, the one nearest to the origin first. Source: RFC 9211; the
values are structured fields (RFC 8941).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

FIELD = "Cache-Status"
"""Name of the header field."""

Forward = Literal[
    "bypass", "method", "uri-miss", "vary-miss", "miss", "request", "stale", "partial"
]
"""Why a request went to the parent (RFC 9211 §2.2): not cacheable, its method, not held under its
URL, not for these fields, what the request asked for, no longer fresh, only a part is held."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheStatus:
    """What one cache did with one request."""

    cache: str
    """Name of the cache."""
    hit: bool = False
    """Answered without asking the parent."""
    fwd: Forward | None = None
    """Why the parent was asked; None on a hit."""
    fwd_status: int | None = None
    """Status the parent answered with, where it differs from ours."""
    ttl_s: float | None = None
    """Seconds of freshness left; negative when served stale."""
    stored: bool = False
    """The parent's answer was stored."""
    collapsed: bool = False
    """This request was answered by a fetch that another request caused."""
    detail: str = ""
    """A short reason, such as ``parent-failed``."""

    def __str__(self) -> str:
        """This cache's member of the field."""
        parts = [_quote(self.cache)]
        if self.hit:
            parts.append("hit")
        if self.fwd is not None:
            parts.append(f"fwd={self.fwd}")
        if self.fwd_status is not None:
            parts.append(f"fwd-status={self.fwd_status}")
        if self.ttl_s is not None:
            parts.append(f"ttl={int(self.ttl_s)}")
        if self.stored:
            parts.append("stored")
        if self.collapsed:
            parts.append("collapsed")
        if self.detail:
            parts.append(f"detail={_quote(self.detail)}")
        return "; ".join(parts)


def append_member(upstream: str | None, status: CacheStatus) -> str:
    """The field with this cache's member after those of the caches nearer to the origin."""
    return f"{upstream}, {status}" if upstream else str(status)


def _quote(text: str) -> str:
    # RFC 8941 §3.3.3: strings hold printable ASCII, with \ and " escaped.
    kept = "".join(c for c in text if " " <= c <= "~")
    escaped = kept.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
