"""Which object a player will ask for next, and what came of fetching it before.

Players name it with ``nor`` (CMCD, CTA-5004: a path relative to the request, percent-encoded). The
name is not to be trusted: it must stay below the same token and title, or on the same site.
"""

from __future__ import annotations

from collections import OrderedDict
from urllib.parse import unquote

from edge.operations.cmcd import Cmcd

MOST_NAMED = 3
"""Most objects that one request may name."""
MOST_REMEMBERED = 4096
"""Prefetched keys that are remembered until somebody asks for them."""
MAX_NAME = 512
"""A longer name is not followed."""


def next_objects(cmcd: Cmcd, target: str, *, has_tokens: bool) -> tuple[str, ...]:
    """Targets of the objects that a player names as its next; what leads elsewhere is left out.

    Args:
        cmcd: What it said.
        target: Path and query of the request that said it.
        has_tokens: Paths begin with a token and a title, which must stay the same.
    """
    said = cmcd.values.get("nor")
    named = said if isinstance(said, tuple) else (said,)
    found = []
    for each in named[:MOST_NAMED]:
        name = each[0] if isinstance(each, tuple) else each
        if isinstance(name, str) and (path := _resolve(name, target, has_tokens)) is not None:
            found.append(path)
    return tuple(found)


def _resolve(name: str, target: str, has_tokens: bool) -> str | None:
    """The path that a relative name leads to (RFC 3986 §5.2); None when it may not be followed."""
    decoded = unquote(name, errors="replace") if len(name) <= MAX_NAME and name.isascii() else ""
    odd = any(char in decoded for char in "\\?#%\x7f") or "://" in decoded
    if not decoded or odd or not decoded.isascii() or not decoded.isprintable():
        return None
    if decoded.startswith("//") or " " in decoded:
        return None
    base = target.partition("?")[0].split("/")
    parts = [] if decoded.startswith("/") else base[1:-1]
    for part in decoded.lstrip("/").split("/"):
        if part == "..":
            if not parts:
                return None
            parts.pop()
        elif part not in ("", "."):
            parts.append(part)
    if not parts or decoded.endswith("/"):
        return None
    if has_tokens and (parts[:3] != base[1:4] or parts[0] != "t" or len(parts) < 4):
        return None
    path = "/" + "/".join(parts)
    return path if path != target.partition("?")[0] else None


class Prefetches:
    """Prefetched keys until they are asked for, and counts; bounded."""

    def __init__(self) -> None:
        self.started = 0
        """Objects that were fetched before anybody asked."""
        self.useful = 0
        """Of those, asked for later."""
        self.shed = 0
        """Objects that were named but not fetched, because there was too much to do."""
        self._waiting: OrderedDict[str, None] = OrderedDict()

    def __repr__(self) -> str:
        return f"<Prefetches: {self.useful} of {self.started} useful, {self.shed} shed>"

    def began(self, key: str) -> None:
        """Note that an object is fetched."""
        self.started += 1
        self._waiting[key] = None
        if len(self._waiting) > MOST_REMEMBERED:
            self._waiting.popitem(last=False)

    def asked(self, key: str) -> None:
        """Note that somebody asked for an object."""
        if key in self._waiting:
            del self._waiting[key]
            self.useful += 1
