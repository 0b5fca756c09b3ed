"""Request heads so simple that they can be answered without a parser.

``SimpleHeads.read`` takes the bytes of one piece from a connection. It returns the target
when they are exactly one whole ``GET`` whose header fields cannot change what a 200 answer
to it is, but for ranges and conditions, which it names; for everything else, and for every
doubt, it returns None, and the ordinary parser decides. Clients repeat their header fields from
request to request, so blocks of fields that ask for nothing special are remembered by their bytes.

Sources: RFC 9112 §2.2, §3, §5 (form of a head), RFC 9110 §5.5 (field values), §7.2 (Host).
"""

from __future__ import annotations

import re
from typing import NamedTuple

MAX_FIELDS_BYTES = 2048
"""Longer blocks of header fields are left to the ordinary parser."""

MAX_FIELDS = 50
"""So are heads with more fields."""

MAX_TARGET_BYTES = 4096
"""So are longer targets."""

_REMEMBERED = 512

HARMLESS = frozenset(
    b"accept accept-encoding accept-language cmcd-object cmcd-request cmcd-session cmcd-status "
    b"dnt host origin priority referer save-data user-agent x-forwarded-for x-forwarded-proto "
    b"x-playback-session-id x-real-ip x-requested-with".split()
)
"""Fields without effect on an answer that does not vary. ``Sec-`` fields are harmless too, and
``Connection: keep-alive``, which says what HTTP/1.1 does anyway."""

ASKING = frozenset({b"if-modified-since", b"if-none-match", b"if-range", b"range"})
"""Fields that ask for a part, or for nothing when nothing has changed."""

_LINE = re.compile(rb"GET (/[!\"$-~]*) HTTP/1\.1")
_FIELD = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*((?:[!-~]+(?:[ \t]+[!-~]+)*)?)[ \t]*")
_HOST = re.compile(rb"(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::[0-9]{0,5})?")


class SimpleHead(NamedTuple):
    """One simple request."""

    target: bytes
    """Path and query as received: visible ASCII that begins with a slash."""
    host: bytes
    """Value of its one ``Host`` field."""
    fields: bytes
    """All header fields as received, for logs."""
    asking: tuple[tuple[str, str], ...] = ()
    """Those that ask for a part or name a condition, in lower case."""


class SimpleHeads:
    """Recognises simple requests, and remembers the blocks of fields it has seen."""

    def __init__(self) -> None:
        self._hosts: dict[bytes, bytes] = {}  # by block of fields

    def __repr__(self) -> str:
        return f"<SimpleHeads: {len(self._hosts)} blocks of fields remembered>"

    def read(self, data: bytes) -> SimpleHead | None:
        """The request that ``data`` is; None when it is not exactly one simple request."""
        end = data.find(b"\r\n")
        if end < 0 or end > MAX_TARGET_BYTES:
            return None
        line = _LINE.fullmatch(data, 0, end)
        if line is None:
            return None
        fields = data[end:]
        host = self._hosts.get(fields)
        if host is not None:
            return SimpleHead(line[1], host, fields)
        found = simple_fields(fields)
        if found is None:
            return None
        host, asking = found
        if not asking:
            if len(self._hosts) >= _REMEMBERED:
                self._hosts.clear()
            self._hosts[fields] = host
        return SimpleHead(line[1], host, fields, asking)


def simple_fields(fields: bytes) -> tuple[bytes, tuple[tuple[str, str], ...]] | None:
    """The host that a block of fields names, and what it asks for; None when it is not simple.

    Args:
        fields: From the end of the request line to the end of the head, both line ends
            included.
    """
    pairs = plain_fields(fields)
    if pairs is None:
        return None
    host, asking = None, {}
    for name, value in pairs:
        if name == b"host":
            if host is not None or not is_host(value):
                return None
            host = value
        elif name == b"connection":
            if value.lower() != b"keep-alive":
                return None
        elif name in ASKING:
            if name in asking:
                return None
            asking[name] = value
        elif name not in HARMLESS and not name.startswith(b"sec-"):
            return None
    if host is None:
        return None
    return host, tuple((name.decode(), value.decode("ascii")) for name, value in asking.items())


def plain_fields(fields: bytes) -> list[tuple[bytes, bytes]] | None:
    """Fields of a block, names in lower case; None when it is long, malformed or more than one.

    Args:
        fields: As ``simple_fields``.
    """
    if len(fields) > MAX_FIELDS_BYTES or not fields.endswith(b"\r\n\r\n"):
        return None
    lines = fields[2:-4].split(b"\r\n")
    if len(lines) > MAX_FIELDS:
        return None
    found = []
    for line in lines:
        match = _FIELD.fullmatch(line)
        if match is None:  # malformed, or empty: the head ends before the piece does
            return None
        found.append((match[1].lower(), match[2]))
    return found


def is_host(value: bytes) -> bool:
    """Whether ``value`` is a plain ``Host``: a name or an address, and maybe a port."""
    return _HOST.fullmatch(value) is not None
