"""Faults that make a request unsafe to answer, no matter what it asks for.

Two servers that read the same bytes as different requests can be played off against
each other ("request smuggling"), so ambiguity is refused even where a standard resolves it.

Source: RFC 9112 §3.2 (Host), §6.1 and §6.3 (length of a message), RFC 6585 §5 (431).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

RawField = tuple[bytes, bytes]


# RFC 3986 §3.2.2: a name or an address, and a port; RFC 9112 §3.2: anything else gets 400.
_HOST = re.compile(
    rb"(?:\[[0-9A-Fa-fvV:.]+\]|(?:[A-Za-z0-9._~!$&'()*+,;=-]|%[0-9A-Fa-f]{2})*)(?::[0-9]{0,5})?"
)


class Fault(NamedTuple):
    """Why a request is refused, and with which status."""

    status: int
    message: str


def find_fault(
    fields: Sequence[RawField], *, http_1_1: bool, head_bytes: int = 32 << 10
) -> Fault | None:
    """The first fault in the head of a request; None when there is none.

    Args:
        fields: Header fields as received, repeated ones included.
        http_1_1: Whether it is an HTTP/1.1 request, which must name its host (RFC 9112 §3.2).
        head_bytes: Most bytes of all fields together.
    """
    names = [name.lower() for name, _ in fields]
    if sum(len(name) + len(value) + 4 for name, value in fields) > head_bytes:
        return Fault(431, f"header fields of over {head_bytes} bytes in all")
    hosts = names.count(b"host")
    if hosts > 1 or (http_1_1 and hosts == 0):
        return Fault(400, f"{hosts} Host fields; expected one")
    if hosts and not _HOST.fullmatch(next(v for n, v in fields if n.lower() == b"host").strip()):
        return Fault(400, "Host is not a name or an address with a port")
    lengths, codings = names.count(b"content-length"), names.count(b"transfer-encoding")
    if lengths > 1 or codings > 1:
        return Fault(400, "the length of the body is given twice")
    if lengths and codings:
        return Fault(400, "both Content-Length and Transfer-Encoding")
    if codings and not http_1_1:
        return Fault(400, "Transfer-Encoding in an HTTP/1.0 request")
    return None
