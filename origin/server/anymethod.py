"""Methods that nobody has heard of: aiohttp's parser refuses them, a proxy passes them on.

The parser has a list of methods. At the start of a request, where it waits for a method, one that
is not in the list is replaced by one that is, and put back when the request is made.

Source: RFC 9110 §9.1, a method is any token, and case counts.
"""

from __future__ import annotations

import re
from typing import Any

_STAND_IN = b"M-SEARCH"
_METHOD = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]{1,64}) ")
# Those of llhttp, which aiohttp's parser is made of.
_KNOWN = frozenset(
    (
        b"ACL BIND CHECKOUT CONNECT COPY DELETE GET HEAD LINK LOCK M-SEARCH MERGE MKACTIVITY "
        b"MKCALENDAR MKCOL MOVE NOTIFY OPTIONS PATCH POST PRI PROPFIND PROPPATCH PURGE PUT QUERY "
        b"REBIND REPORT SEARCH SOURCE SUBSCRIBE TRACE UNBIND UNLINK UNLOCK UNSUBSCRIBE"
    ).split()
)


class AnyMethod:
    """What hides unknown methods of one connection from the parser."""

    def __init__(self) -> None:
        self._hidden = ""

    def __repr__(self) -> str:
        return f"<AnyMethod, hides {self._hidden!r}>"

    def hide(self, data: bytes) -> bytes:
        """The first bytes of a request with a method that the parser takes."""
        match = _METHOD.match(data)
        if match is None or match[1] in _KNOWN:
            return data
        self._hidden = match[1].decode("ascii")
        return _STAND_IN + data[match.end(1) :]

    def restore(self, message: Any) -> Any:
        """A parsed request with the method that it came with."""
        if not self._hidden or message.method != _STAND_IN.decode():
            return message
        method, self._hidden = self._hidden, ""
        return message._replace(method=method)
