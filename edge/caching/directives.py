"""Cache directives: what ``Cache-Control``, ``CDN-Cache-Control`` and ``Pragma`` ask for.

Pure functions from field text to values. What cannot be understood is read as asking for less
caching; only a targeted field that is not a valid structured field is ignored as a whole, because
RFC 9213 says so.

Sources: RFC 9111 §5.2 (Cache-Control) and §5.4 (Pragma), RFC 5861 (stale-while-revalidate,
stale-if-error), RFC 9213 (targeted fields), RFC 9651 (structured fields).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import http_sf

from origin.tierfields import CONTROL

MAX_DELTA_S = 2**31
"""RFC 9111 §1.2.2: larger delta-seconds are read as this."""

TARGETED = ("cdn-cache-control",)
"""Targeted fields that apply to any shared cache, the most specific first (RFC 9213 §2.2)."""

TARGETED_WITH_TOKENS = (CONTROL.lower(), *TARGETED)
"""Those that apply to a cache that checks the token of each request."""

_WORD = r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
# RFC 9111 §5.2 and RFC 9110 §5.6.6: no white space on either side of "=".
_DIRECTIVE = re.compile(rf'\s*({_WORD})(?:=("(?:[^"\\]|\\.)*"|{_WORD}))?\s*(?=,|$)')
_NAME = re.compile(rf"\s*({_WORD})")
_NEXT = re.compile(r'(?:[^,"]|"(?:[^"\\]|\\.)*"|")*')


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheControl:
    """The directives of a response that a shared cache acts on; times in seconds."""

    max_age_s: float | None = None
    s_maxage_s: float | None = None
    stale_while_revalidate_s: float = 0.0
    stale_if_error_s: float | None = None
    no_store: bool = False
    no_cache: bool = False
    """The whole response is to be validated before each use."""
    no_cache_fields: frozenset[str] = frozenset()
    """Only these fields are; they are not stored."""
    private: bool = False
    """The whole response is for one client."""
    private_fields: frozenset[str] = frozenset()
    """Only these fields are; they are not stored."""
    public: bool = False
    must_understand: bool = False
    must_revalidate: bool = False
    """Any of must-revalidate, proxy-revalidate and s-maxage: never served stale."""
    is_targeted: bool = False
    """It comes from a targeted field, so ``Cache-Control`` and ``Expires`` do not count."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestControl:
    """The directives of a request; times in seconds (RFC 9111 §5.2.1)."""

    max_age_s: float | None = None
    min_fresh_s: float = 0.0
    max_stale_s: float = 0.0
    """How long past its freshness a response is still wanted; ``inf`` for any time."""
    stale_if_error_s: float = 0.0
    no_cache: bool = False
    no_store: bool = False
    only_if_cached: bool = False


def parse_cache_control(lines: Iterable[str]) -> CacheControl:
    """The directives in all ``Cache-Control`` lines of a response.

    Of repeated times the smallest counts, the most restrictive one. A time that is not a
    number counts as 0, as RFC 9111 §4.2.1 encourages.
    """
    seen: dict[str, str | None] = {}
    times: dict[str, float] = {}
    for line in lines:
        for name, value in _directives(line):
            seconds = _delta_s(value or "")
            times[name] = min(times.get(name, seconds), seconds)
            seen[name] = value if name not in seen or seen[name] else seen[name]
    return _control(seen, times)


def control_of(headers: Mapping[str, str], targeted: Iterable[str] = TARGETED) -> CacheControl:
    """The directives of a response that apply to a shared cache.

    Args:
        headers: Its fields by lower-case name, repeated ones joined by a comma.
        targeted: Lower-case names of the targeted fields that apply, the most specific first.
    """
    for name in targeted:
        found = parse_targeted(headers.get(name, ""))
        if found is not None:
            return found
    return parse_cache_control([headers.get("cache-control", "")])


def parse_targeted(text: str) -> CacheControl | None:
    """The directives of a targeted field; None when it is empty or invalid, so without effect.

    RFC 9213 §2.1: a dictionary of structured fields, with times as integers.
    """
    if not text.strip():
        return None
    try:
        members = http_sf.parse(text.encode("latin-1"), tltype="dictionary")
    except (http_sf.StructuredFieldError, UnicodeEncodeError):
        return None
    if not isinstance(members, dict):
        return None
    seen: dict[str, str | None] = {}
    times: dict[str, float] = {}
    for name, member in members.items():
        value = member[0] if isinstance(member, tuple) else member
        if name in _TIMES:
            if isinstance(value, bool) or not isinstance(value, int):
                return None
            times[name] = float(min(max(value, 0), MAX_DELTA_S))
        if value is not False:
            seen[name] = value if isinstance(value, str) else None
    found = _control(seen, times)
    return CacheControl(**{name: getattr(found, name) for name in _PLAIN}, is_targeted=True)


def parse_request_control(headers: Mapping[str, str]) -> RequestControl:
    """The directives of a request; what cannot be understood is ignored.

    Args:
        headers: Its fields by lower-case name, repeated ones joined by a comma.
    """
    text = headers.get("cache-control")
    if text is None:
        # RFC 9111 §5.4: without Cache-Control, Pragma means the same.
        words = {word.strip().lower() for word in headers.get("pragma", "").split(",")}
        return RequestControl(no_cache="no-cache" in words)
    seen: dict[str, float | None] = {}
    for name, value in _directives(text):
        digits = (value or "").strip('"')
        is_number = digits.isascii() and digits.isdigit()
        if name in _REQUEST_TIMES and not is_number and not (name == "max-stale" and not digits):
            continue
        seen[name] = _delta_s(digits) if is_number else None
    stale_s = seen.get("max-stale", 0.0)
    return RequestControl(
        max_age_s=seen.get("max-age"),
        min_fresh_s=seen.get("min-fresh") or 0.0,
        max_stale_s=float("inf") if stale_s is None else stale_s,
        stale_if_error_s=seen.get("stale-if-error") or 0.0,
        no_cache="no-cache" in seen,
        no_store="no-store" in seen,
        only_if_cached="only-if-cached" in seen,
    )


_REQUEST_TIMES = frozenset({"max-age", "min-fresh", "max-stale", "stale-if-error"})
_TIMES = frozenset({"max-age", "s-maxage", "stale-while-revalidate", "stale-if-error"})
_PLAIN = tuple(name for name in CacheControl.__dataclass_fields__ if name != "is_targeted")


def _control(seen: Mapping[str, str | None], times: Mapping[str, float]) -> CacheControl:
    no_cache_fields = _field_names(seen.get("no-cache"))
    private_fields = _field_names(seen.get("private"))
    return CacheControl(
        max_age_s=times.get("max-age"),
        s_maxage_s=times.get("s-maxage"),
        stale_while_revalidate_s=times.get("stale-while-revalidate", 0.0),
        stale_if_error_s=times.get("stale-if-error"),
        no_store="no-store" in seen,
        no_cache="no-cache" in seen and not no_cache_fields,
        no_cache_fields=no_cache_fields,
        private="private" in seen and not private_fields,
        private_fields=private_fields,
        public="public" in seen,
        must_understand="must-understand" in seen,
        must_revalidate=bool(seen.keys() & {"must-revalidate", "proxy-revalidate", "s-maxage"}),
    )


def _field_names(text: str | None) -> frozenset[str]:
    """The names in ``no-cache="a, b"``; an unqualified directive has none."""
    words = ((text or "").strip('"')).split(",")
    return frozenset(word.strip().lower() for word in words if word.strip())


def _directives(line: str) -> list[tuple[str, str | None]]:
    found: list[tuple[str, str | None]] = []
    at = 0
    while at < len(line):
        match = _DIRECTIVE.match(line, at)
        if match is not None:
            found.append((match[1].lower(), match[2]))
            at = match.end() + 1
            continue
        # Malformed, such as "max-age =5": its name counts, without a value that can be used.
        name = _NAME.match(line, at)
        if name is not None:
            found.append((name[1].lower(), ""))
        rest = _NEXT.match(line, at)
        at = (len(line) if rest is None else rest.end()) + 1
    return found


def _delta_s(text: str) -> float:
    digits = text.strip('"')
    if not (digits.isascii() and digits.isdigit()):
        return 0.0
    digits = digits.lstrip("0") or "0"
    return float(MAX_DELTA_S if len(digits) > 10 else min(int(digits), MAX_DELTA_S))
