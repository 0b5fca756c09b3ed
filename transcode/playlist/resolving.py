"""URIs of a playlist made absolute, and otherwise left as they are written.

Servers sign what they print: empty segments of a path (``//``), escapes and empty queries stay.

Source: RFC 3986, sections 5.2 (resolution) and Appendix B (parts of a URI).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NamedTuple
from urllib.parse import urlsplit

from abr.errors import PlaylistError

_PARTS = re.compile(
    r"(?:([A-Za-z][A-Za-z0-9+.-]*):)?(?://([^/?#]*))?([^?#]*)(\?[^#]*)?(#.*)?", re.DOTALL
)


class _Parts(NamedTuple):
    """Parts of a URI; None where there is none, with the mark that each begins with."""

    scheme: str | None
    authority: str | None
    path: str
    query: str | None
    fragment: str | None


def resolve(base_uri: str, uri: str) -> str:
    """``uri`` as seen from ``base_uri``: the playlist's own (final, redirected) address.

    Either may be a URL or a relative path with forward slashes.

    Raises:
        PlaylistError: one of them is not a URI.
    """
    return resolver(base_uri)(uri)


def resolver(base_uri: str) -> Callable[[str], str]:
    """``resolve`` for many URIs of one playlist.

    Raises:
        PlaylistError: ``base_uri`` is not a URI; or, when called, what is resolved is not.
    """
    base = _split(base_uri)
    start = "" if base.scheme is None else f"{base.scheme}:"
    server = start if base.authority is None else f"{start}//{base.authority}"
    folder = base.path[: base.path.rfind("/") + 1]
    if base.authority and not folder:
        folder = "/"
    near = server + _without_dots(folder)

    def absolute(uri: str) -> str:
        # Nearly all are plain names: no scheme, no root, no dots, no query alone.
        if uri[:1] not in "/?#." and ":" not in uri and "/." not in uri:
            return near + uri
        parts = _split(uri)
        rest = (parts.query or "") + (parts.fragment or "")
        if parts.scheme is not None:
            return uri
        if parts.authority is not None:
            return f"{start}//{parts.authority}{_without_dots(parts.path)}{rest}"
        if not parts.path:
            query = base.query if parts.query is None else parts.query
            return server + base.path + (query or "") + (parts.fragment or "")
        is_from_root = parts.path.startswith("/")
        path = _without_dots(parts.path if is_from_root else folder + parts.path)
        return server + path + rest

    return absolute


def _split(uri: str) -> _Parts:
    parts = _Parts(*_PARTS.fullmatch(uri).groups())  # type: ignore[union-attr]  # matches any text
    if parts.authority is not None and ("[" in parts.authority or "]" in parts.authority):
        try:
            urlsplit(f"//{parts.authority}")
        except ValueError as exc:
            raise PlaylistError(
                "playlist: a URI that cannot be resolved; expected RFC 3986"
            ) from exc
    return parts


def _without_dots(path: str) -> str:
    """RFC 3986, 5.2.4; empty segments stay."""
    if "." not in path:
        return path
    first, *segments = path.split("/")
    kept: list[str] = []
    is_rooted = not first and bool(segments)
    for segment in segments if is_rooted else [first, *segments]:
        if segment == "..":
            del kept[-1:]
        elif segment != ".":
            kept.append(segment)
    if path.endswith(("/.", "/..")) or path in (".", ".."):
        kept.append("")
    return ("/" if is_rooted else "") + "/".join(kept)
