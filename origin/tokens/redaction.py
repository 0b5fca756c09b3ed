"""Text that is about to be logged, without the tokens in it."""

from __future__ import annotations

import re

# After "/t/" a token of the right form is taken out alone. Of anything else nobody knows where it
# ends, so all that follows is.
_PATH_TOKEN = re.compile(
    r"(^|/|%2f)(t|%74)(/|%2f)"
    r"(?:[\w-]+(?:\.|%2e)[\w-]+(?:\.|%2e)[\w-]{86}(?![\w.~%+=-])|-(?=/)|\S+)",
    re.IGNORECASE | re.ASCII,
)
# A JWT, or what begins as a Common Access Token does.
_LOOSE_TOKEN = re.compile(
    r"(?<![\w-])(?:[\w-]{8,}(?:\.|%2e)[\w-]{8,}(?:\.|%2e)[\w-]{8,}"
    r"|(?:(?:2D3[RS])?h[EF]|0[Yo]R)[\w-]{40,})",
    re.IGNORECASE,
)
# Of a query only the names and values that hold no secret by themselves would be of use.
_QUERY = re.compile(r"\?[^\s\"']+")

_USER = re.compile(r"(?<=://)[^\s/?#@\"']*@")
_DATA = re.compile(r"\b(data:[^\s,\"']{0,200},)[^\s\"'<>]+", re.IGNORECASE)


def redact(text: str) -> str:
    """``text`` (a URL, a path, a log line) with every token replaced by ``-``.

    Queries, user and password and what ``data:`` URLs hold are taken out whole, and so is what
    follows ``/t/`` if it is not exactly a token.
    Servers do not rely on it for what strangers send: of a request without permission they log
    no part of its path.
    """
    text = _DATA.sub(r"\1-", _USER.sub("-@", _PATH_TOKEN.sub(r"\1\2\3-", text)))
    return _QUERY.sub("?-", _LOOSE_TOKEN.sub("-", text))


def conceal(text: str) -> str:
    """``redact``, and without anything of 8 characters and more that is not a plain word.

    For paths that nobody has allowed: an altered token is still most of a token.
    """
    return _NO_WORD.sub("-", redact(text))


_NO_WORD = re.compile(r"(?=[^\s/]{8,})(?![a-z_-]{8,}(?:/|\s|$))[^\s/]+", re.ASCII)
