"""Where a request carries its token, and what is left of the request without it.

The first place counts that holds something, in this order: the path prefix ``/t/<token>/``, a
path parameter (``;URISigningPackage=<token>``), a query argument, ``Authorization: Bearer``, the
field of CTA-5007, a cookie. Any form of token may stand in any of them, under any of the names.
What is left has no token, so two viewers ask for the same thing.

In a path a token that has other characters than those of a JWT stands as ``~`` and base64url.

Sources: RFC 9246 §2 (attribute, first match), RFC 6570 §3.2.7 to §3.2.9 (parameters of path and
query), RFC 6750 §2.1, RFC 6265 §4.2 (cookies), CTA-5007 (field, cookie, query argument).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Literal
from urllib.parse import unquote

from origin.tokens.keysets import b64url, unb64url

Carrier = Literal["", "prefix", "parameter", "query", "header", "cookie"]
"""Where a token was found; empty: nowhere."""

COMMON_FIELD = "CTA-Common-Access-Token"
"""Header field of CTA-5007."""

NAMES = frozenset({"URISigningPackage", COMMON_FIELD, "cat", "hdnts", "hdntl"})
"""Names of path parameters, query arguments and cookies that hold a token: those of RFC 9246 and
CTA-5007, and the usual ones for short tokens."""

_IN_PATH = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]*", re.ASCII)
_BEARER = re.compile(r"Bearer +(.+)", re.IGNORECASE | re.DOTALL)
_TOKEN68 = re.compile(r"[A-Za-z0-9._~+/=-]+")  # RFC 9110 §11.2
_PARAMETER = re.compile(rf";({'|'.join(sorted(NAMES))})=([^;/]*)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Fields:
    """Header fields that may hold a token, as received; empty: not there."""

    authorization: str = field(default="", repr=False)
    common: str = field(default="", repr=False)
    """``CTA-Common-Access-Token``."""
    cookie: str = field(default="", repr=False)


NO_FIELDS = Fields()


def take_parameters(path: str) -> tuple[str, str | None]:
    """A path without parameters that hold tokens, and the first of these; None: there is none."""
    if ";" not in path:
        return path, None
    found = _PARAMETER.search(path)
    if found is None:
        return path, None
    return _PARAMETER.sub("", path), from_segment(found[2])


def take_arguments(query: str) -> tuple[str, str | None]:
    """A query without arguments that hold tokens, and the first of these; None: there is none."""
    if not query:
        return "", None
    kept, found = [], None
    for argument in query.split("&"):
        name, equals, value = argument.partition("=")
        if not equals or name not in NAMES:
            kept.append(argument)
        elif found is None:
            found = _unescaped(value)
    return "&".join(kept), found


def find_in_fields(fields: Fields) -> tuple[str | None, Carrier]:
    """The token that header fields hold, and in which of them."""
    bearer = bearer_token(fields.authorization)
    if bearer is not None:
        return bearer, "header"
    if fields.common:
        return fields.common.strip(), "header"
    cookie = _cookie(fields.cookie)
    return (None, "") if cookie is None else (cookie, "cookie")


def bearer_secret(authorization: str | None) -> str | None:
    """What follows ``Bearer`` in an ``Authorization`` field; None under another scheme."""
    match = _BEARER.fullmatch((authorization or "").strip())
    return match[1] if match else None


def bearer_token(authorization: str | None) -> str | None:
    """The token of an ``Authorization`` field; None when it holds none."""
    secret = bearer_secret(authorization)
    if secret is None:
        return None
    return secret if _TOKEN68.fullmatch(secret) or _is_short(secret) else None


def to_segment(token: str) -> str:
    """A token as it stands in a path."""
    return token if _IN_PATH.fullmatch(token) else f"~{b64url(token.encode())}"


def from_segment(text: str) -> str:
    """The token that stands in a path; ``text`` itself when it is in no other spelling."""
    return _despelt(text) if text.startswith("~") else text


@lru_cache(maxsize=1024)  # it stands in every request of a viewer
def _despelt(text: str) -> str:
    try:
        token = unb64url(text[1:]).decode("ascii")
    except ValueError:
        return text
    return token if token and to_segment(token) == text else text


def _cookie(text: str) -> str | None:
    """The first cookie that holds a token."""
    for pair in text.split(";"):
        name, equals, value = pair.strip().partition("=")
        if equals and name in NAMES:
            return _unescaped(value.removeprefix('"').removesuffix('"'))
    return None


def _unescaped(value: str) -> str:
    """A value as it was before somebody escaped it for a URL.

    A short token may sign escapes, so those in one are left alone.
    """
    if "%" not in value or _is_short(value):
        return value
    return unquote(value, errors="replace")


def _is_short(value: str) -> bool:
    return "~hmac=" in value
