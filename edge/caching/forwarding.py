"""Which fields of a message are passed on, and the guard against forwarding in circles.

Sources: RFC 9110 §7.6 (fields of one hop, Max-Forwards, Via), RFC 9111 §3.1 (fields that are not
stored), RFC 8586 (CDN-Loop).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from urllib.parse import unquote

from origin.tierfields import CDN

Fields = Sequence[tuple[str, str]]

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


def passable_headers(pairs: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """Fields of a message that are forwarded to the next hop, names as received.

    Only the fields of one hop and those that ``Connection`` names are left out (RFC 9110
    §7.6.1).
    """
    pairs = list(pairs)
    named = {
        word.strip().lower()
        for name, value in pairs
        if name.lower() == "connection"
        for word in value.split(",")
    }
    gone = OF_ONE_HOP | named
    return [(name, value) for name, value in pairs if name.lower() not in gone]


def forwarded_headers(
    pairs: Iterable[tuple[str, str]], *, dropped: frozenset[str], via: str, loop_id: str
) -> list[tuple[str, str]]:
    """Fields of a request as it goes to the parent.

    Args:
        pairs: Fields as received.
        dropped: Lower-case names that are left out.
        via: Our entry in ``Via``, such as ``1.1 edge``.
        loop_id: What tells this edge from others in ``CDN-Loop``.
    """
    passed = [pair for pair in passable_headers(pairs) if pair[0].lower() not in dropped]
    return [*passed, ("Via", via), ("CDN-Loop", f'{CDN}; id="{loop_id}"')]


def via_of(name: str) -> str:
    """Our entry in ``Via``: a pseudonym has the characters of a token (RFC 9110 §7.6.3)."""
    return f"1.1 {_NO_TOKEN.sub('_', name)}"


_NO_TOKEN = re.compile(r"[^!#$%&'*+\-.^_`|~0-9A-Za-z]+")


def has_looped(pairs: Iterable[tuple[str, str]], loop_id: str) -> bool:
    """Whether a request has been through the edge of this ``loop_id`` before (RFC 8586 §2)."""
    ours = f'id="{loop_id}"'
    return any(name.lower() == "cdn-loop" and ours in value for name, value in pairs)


def climbs(target: str) -> bool:
    """Whether some server could read ``..`` in the path of a request target, and go up by it.

    Servers differ in how often they decode, in what separates segments, and in whether they cut
    off parameters, so all of them are taken to be possible.
    """
    path = target.partition("?")[0].partition("#")[0]
    for _ in range(_DECODINGS):
        plain = _OVERLONG_SLASH.sub("/", _OVERLONG_DOT.sub(".", path))
        segments = (part.partition(";")[0].strip() for part in _SEPARATORS.split(plain))
        if ".." in segments:
            return True
        decoded = unquote(path, encoding="latin-1")
        if decoded == path:
            return False
        path = decoded
    return True


_DECODINGS = 8
_SEPARATORS = re.compile(r"[/\\]")
# UTF-8 in more bytes than needed, as old servers accept it.
_OVERLONG_DOT = re.compile("\xc0\xae|\xe0\x80\xae")
_OVERLONG_SLASH = re.compile("\xc0\xaf|\xe0\x80\xaf|\xc1\x9c")
