"""Requests for keys, licences and renewals, read without a parser where they are plain.

Players and tiers ask for them with few and always the same header fields, and nothing that they
say changes the answer: it is made for one token, and no cache keeps it. ``KeyHeads.read`` takes the
bytes of one piece from a connection and returns the request that they are, with its body; for
everything else, and for every doubt, it returns None, and the ordinary parser decides. Blocks of
fields are remembered by their bytes.

Sources: as ``simplehead``; RFC 9112 §6 (the length of a body).
"""

from __future__ import annotations

import re
from typing import NamedTuple

from origin.simplehead import HARMLESS, MAX_TARGET_BYTES, is_host, plain_fields

MAX_BODY_BYTES = 16 << 10
"""Requests with longer bodies are left to the ordinary parser."""

PASSED = HARMLESS | frozenset(b"cache-control cdn-loop content-type forwarded pragma via".split())
"""Fields that are passed on and have no effect here; of ``Sec-`` fields all but ``Sec-Purpose``."""

_REMEMBERED = 512
# The token has characters of a token only, so that nothing else in a path can hold one, and no
# query but that of CMCD, which no token is carried in.
_START = re.compile(
    rb"(GET|POST) (/t/[A-Za-z0-9._~=-]+/[a-z0-9_-]+/(?:[a-z0-9]+/)?"
    rb"(?:key/[0-9a-f]{32}|licence(?:/[a-z0-9-]+)?|renew)(?:\?CMCD=[!-%'-~]*)?) HTTP/1\.1(?=\r\n)"
)


class KeyHead(NamedTuple):
    """One plain request for a key, a licence or a renewal."""

    method: str
    target: str
    """Path and query as received."""
    host: str
    """Value of its one ``Host`` field."""
    fields: bytes
    """All header fields as received, from the end of the request line to the empty line."""
    body: bytes


class Missing(NamedTuple):
    """A plain request whose body has not all come yet."""

    missing_bytes: int


class KeyHeads:
    """Recognises plain requests for keys, and remembers the blocks of fields it has seen."""

    def __init__(self) -> None:
        self._known: dict[bytes, tuple[str, int]] = {}  # host and length of the body, by block

    def __repr__(self) -> str:
        return f"<KeyHeads: {len(self._known)} blocks of fields remembered>"

    def read(self, data: bytes) -> KeyHead | Missing | None:
        """The request that ``data`` is; None when it is not exactly one whole plain request.

        Of one whose body has not all come yet it says so: many clients send head and body apart.
        """
        start = _START.match(data, 0, MAX_TARGET_BYTES)
        if start is None:
            return None
        end = data.find(b"\r\n\r\n", start.end()) + 4
        fields, body = data[start.end() : end], data[end:]
        known = self._known.get(fields)
        if known is None:
            known = key_fields(fields)
            if known is None:
                return None
            if len(self._known) >= _REMEMBERED:
                self._known.clear()
            self._known[fields] = known
        host, length = known
        if len(body) > length or (length and start[1] == b"GET"):
            return None
        if len(body) < length:
            return Missing(length - len(body))
        return KeyHead(start[1].decode(), start[2].decode(), host, fields, body)


def key_fields(fields: bytes) -> tuple[str, int] | None:
    """The host that a block of fields names, and the length of the body that follows.

    Args:
        fields: From the end of the request line to the end of the head, both line ends included.

    Returns:
        None when a field could have an effect.
    """
    pairs = plain_fields(fields)
    if pairs is None:
        return None
    host, length = None, None
    for name, value in pairs:
        if name == b"host":
            if host is not None or not is_host(value):
                return None
            host = value.decode()
        elif name == b"content-length":
            if length is not None or not re.fullmatch(rb"0|[1-9][0-9]{0,4}", value):
                return None
            length = int(value)
        elif name == b"connection":
            if value.lower() != b"keep-alive":
                return None
        elif name == b"sec-purpose" or not (name in PASSED or name.startswith(b"sec-")):
            return None
    if host is None or (length or 0) > MAX_BODY_BYTES:
        return None
    return host, length or 0
