"""URIs in one normal form, and what they are compared with: patterns, wildcards and hashes.

A pattern comes out of a token, so nobody here knows it: it is run by RE2, whose time grows with
the length of pattern and text only, and whose memory is bounded. It must fit the whole URI,
unless the form of the token says otherwise.

Sources: RFC 3986 §5.2.4 and §6.2.2 (dot segments, normal form), RFC 6920 §5 (hashes in the form
of a URL segment), RFC 9246 §2.1 (what they are compared with), POSIX.1 (extended expressions).
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import re2

from origin.tokens.keysets import b64url

MAX_PATTERN_CHARS = 1024
"""A longer pattern is refused."""

MAX_PATTERN_BYTES = 1 << 20
"""Most memory of a compiled pattern; more is refused."""

MAX_PATTERN_STEPS = 500
"""Longest program of a compiled pattern; time grows with it. The slowest of 13,000 made up at
random took 17 ms of processor time for the longest request target; with 2,500 steps, 135 ms."""

HASHES: Mapping[str, tuple[str, int]] = {
    "sha-256": ("sha256", 32),
    "sha-256-128": ("sha256", 16),
    "sha-384": ("sha384", 48),
    "sha-512": ("sha512", 64),
}
"""Names of hashes (RFC 6920 §9.4), their function and length in bytes; shorter are weak."""

DEFAULT_PORTS: Mapping[str, str] = {"http": ":80", "https": ":443"}

_ABSOLUTE = re.compile(
    r"(?P<scheme>https?)://(?P<authority>[^/?#@\s]+)(?P<path>/[^?#\s]*)?(?P<query>\?[^#\s]*)?",
    re.IGNORECASE | re.ASCII,
)
_ESCAPE = re.compile(r"%([0-9A-Fa-f]{2})|%")
_UNRESERVED = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")


class MatchError(ValueError):
    """A pattern, hash or URI that cannot be used; the message says why."""


def normal_uri(uri: str) -> str:
    """An absolute URI in its normal form (RFC 3986 §6.2.2), without a fragment.

    Raises:
        MatchError: it is no absolute URI with ``http`` or ``https``.
    """
    match = _ABSOLUTE.fullmatch(uri.partition("#")[0])
    if match is None:
        raise MatchError("no absolute URI; expected http:// or https://, a host and a path")
    scheme = match["scheme"].lower()
    path = _without_dots(normal_escapes(match["path"] or "/"))
    query = normal_escapes(match["query"] or "")
    return f"{scheme}://{normal_authority(scheme, match['authority'])}{path}{query}"


def normal_authority(scheme: str, authority: str) -> str:
    """Host and port in lower case, without the scheme's own port."""
    authority = authority.lower()
    return authority.removesuffix(DEFAULT_PORTS.get(scheme, "\n")).removesuffix(":")


def normal_escapes(text: str) -> str:
    """Part of a URI with escapes in capitals, and none where none is needed.

    Raises:
        MatchError: a percent sign stands without two hexadecimal digits.
    """
    return _ESCAPE.sub(_normal_escape, text) if "%" in text else text


def _normal_escape(match: re.Match[str]) -> str:
    if match[1] is None:
        raise MatchError("a percent sign without two hexadecimal digits")
    sign = chr(int(match[1], 16))
    return sign if sign in _UNRESERVED else f"%{match[1].upper()}"


def _without_dots(path: str) -> str:
    """A path without dot segments (RFC 3986 §5.2.4)."""
    kept: list[str] = []
    names = path.split("/")[1:]
    for name in names:
        if name == "..":
            del kept[-1:]
        elif name != ".":
            kept.append(name)
    if names[-1] in (".", ".."):
        kept.append("")
    return "/" + "/".join(kept)


@dataclass(frozen=True, slots=True)
class Pattern:
    """A regular expression that a text must fit."""

    text: str
    _compiled: Any = field(repr=False, compare=False)
    anywhere: bool = False
    """A part of the text suffices."""

    def fits(self, text: str) -> bool:
        """Whether ``text`` fits, from its first to its last character if not ``anywhere``."""
        data = text.encode()  # with text the library counts characters, which takes longer
        if self.anywhere:
            return self._compiled.search(data) is not None
        return self._compiled.fullmatch(data) is not None


def compile_pattern(text: str, *, anywhere: bool = False, any_case: bool = False) -> Pattern:
    """A regular expression out of a token: POSIX extended, and what RE2 knows beyond that.

    Args:
        text: The expression.
        anywhere: It may fit a part of a text, and need not fit the whole.
        any_case: Capitals and small letters are alike.

    Raises:
        MatchError: it is too long, takes too much memory, or cannot be run in linear time, as
            with back references and lookarounds.
    """
    if len(text) > MAX_PATTERN_CHARS:
        raise MatchError(
            f"a pattern of {len(text)} characters; expected {MAX_PATTERN_CHARS} at most"
        )
    if not text.isascii() or not text.isprintable():
        raise MatchError("a pattern with characters that no URI has")
    return _compile(text, text, anywhere=anywhere, any_case=any_case)


def compile_wildcards(text: str) -> Pattern:
    """A path with ``*`` for any characters, slashes too, and ``?`` for one.

    Raises:
        MatchError: it is too long.
    """
    if len(text) > MAX_PATTERN_CHARS:
        raise MatchError(f"a path of {len(text)} characters; expected {MAX_PATTERN_CHARS} at most")
    pieces = _PIECES.findall(text)
    return _compile(text, "".join(map(_expression_of, pieces)))


_PIECES = re.compile(r"\*+|\?|[^*?]+")


def _expression_of(piece: str) -> str:
    if piece == "?":
        return "."
    return ".*" if piece[0] == "*" else str(re2.escape(piece))


def literal(text: str) -> str:
    """An expression that only ``text`` fits."""
    return str(re2.escape(text))


def _compile(
    text: str, expression: str, *, anywhere: bool = False, any_case: bool = False
) -> Pattern:
    try:
        compiled = re2.compile(expression, _OPTIONS_ANY_CASE if any_case else _OPTIONS)
    except re2.error as exc:
        why = exc.args[0].decode("latin-1") if exc.args and isinstance(exc.args[0], bytes) else ""
        raise MatchError(f"a pattern that cannot be run in linear time: {why}") from exc
    if compiled.programsize > MAX_PATTERN_STEPS:
        raise MatchError(
            f"a pattern of {compiled.programsize} steps; expected {MAX_PATTERN_STEPS} at most"
        )
    return Pattern(text, compiled, anywhere)


def _options(*, any_case: bool = False) -> Any:
    options = re2.Options()
    options.case_sensitive = not any_case
    options.max_mem = MAX_PATTERN_BYTES
    options.log_errors = False
    options.never_capture = True
    return options


_OPTIONS = _options()
_OPTIONS_ANY_CASE = _options(any_case=True)


def hash_of(uri: str, name: str = "sha-256") -> str:
    """The hash of a URI in the form of a URL segment: ``sha-256;…`` (RFC 6920 §5)."""
    function, length = HASHES[name]
    return f"{name};{b64url(hashlib.new(function, uri.encode()).digest()[:length])}"


def checked_hash(text: str) -> str:
    """``text`` if it is a hash of a kind that is accepted.

    Raises:
        MatchError: it is not.
    """
    name, _, value = text.partition(";")
    if name not in HASHES or not _HASH.fullmatch(value):
        raise MatchError(f"a hash of an unknown kind; expected {', '.join(HASHES)}")
    return text


_HASH = re.compile(r"[A-Za-z0-9_-]{22,86}", re.ASCII)


def hash_fits(text: str, uri: str) -> bool:
    """Whether ``text``, one that ``checked_hash`` returned, is that of ``uri``."""
    return hmac.compare_digest(text, hash_of(uri, text.partition(";")[0]))
