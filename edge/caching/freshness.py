"""How long a response may be reused, read from its header fields.

Pure functions from header text to numbers. There is no heuristic freshness: a response
without a stated lifetime is stale at once. What cannot be understood is read as asking for
less caching.

Sources: RFC 9111 (§4.2 freshness, §4.2.3 age, §5.2 Cache-Control), RFC 5861
(stale-while-revalidate, stale-if-error), RFC 9110 §5.6.7 (dates).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from origin.httpdate import parse_http_date

MAX_DELTA_S = 2**31
"""RFC 9111 §1.2.2: larger delta-seconds are read as this."""

_DIRECTIVE = re.compile(r'\s*([^\s=,;"]+)\s*(?:=\s*("(?:[^"\\]|\\.)*"|[^\s,"]*))?\s*(?:,|$)')


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheControl:
    """The directives of ``Cache-Control`` that a shared cache acts on; times in seconds."""

    max_age_s: float | None = None
    s_maxage_s: float | None = None
    stale_while_revalidate_s: float = 0.0
    stale_if_error_s: float | None = None
    no_store: bool = False
    no_cache: bool = False
    private: bool = False
    public: bool = False
    must_revalidate: bool = False
    """Any of must-revalidate, proxy-revalidate and s-maxage: never served stale."""


def parse_cache_control(lines: Iterable[str]) -> CacheControl:
    """The directives in all ``Cache-Control`` lines of one message.

    Of repeated times the smallest counts, the most restrictive one. A time that is not a
    number counts as 0, as RFC 9111 §4.2.1 encourages.
    """
    seen: dict[str, float | None] = {}
    for line in lines:
        for name, value in _directives(line):
            seconds = _delta_s(value)
            before = seen.get(name)
            seen[name] = seconds if before is None else min(before, seconds)
    s_maxage_s = seen.get("s-maxage")
    return CacheControl(
        max_age_s=seen.get("max-age"),
        s_maxage_s=s_maxage_s,
        stale_while_revalidate_s=seen.get("stale-while-revalidate") or 0.0,
        stale_if_error_s=seen.get("stale-if-error"),
        no_store="no-store" in seen,
        no_cache="no-cache" in seen,
        private="private" in seen,
        public="public" in seen,
        must_revalidate=bool(seen.keys() & {"must-revalidate", "proxy-revalidate", "s-maxage"}),
    )


def _directives(line: str) -> list[tuple[str, str]]:
    found, at = [], 0
    while at < len(line):
        match = _DIRECTIVE.match(line, at)
        if match is None:  # an empty element or garbage: continue after the next comma
            at = (line.find(",", at) + 1) or len(line)
            continue
        found.append((match[1].lower(), match[2] or ""))
        at = match.end()
    return found


def _delta_s(text: str) -> float:
    text = text.strip('"')
    if not (text.isascii() and text.isdigit()):
        return 0.0
    return float(min(int(text[:12]), MAX_DELTA_S))


def parse_age_s(text: str | None) -> float:
    """The value of ``Age``; 0 when absent or unreadable, of several the largest."""
    return max((_delta_s(part.strip()) for part in (text or "").split(",")), default=0.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Freshness:
    """How a response may be reused; all in seconds."""

    age_s: float
    """Age on arrival."""
    lifetime_s: float
    """How long it is fresh, counted from age 0."""
    stale_while_revalidate_s: float
    """How long past that it may be served while it is validated (RFC 5861 §3)."""
    stale_if_error_s: float
    """How long past that it may be served when the parent fails (RFC 5861 §4)."""


def assess(
    headers: Mapping[str, str],
    control: CacheControl,
    *,
    asked_s: float,
    arrived_s: float,
    default_stale_if_error_s: float,
) -> Freshness:
    """Freshness of a response on arrival.

    Args:
        headers: Header fields by lower-case name, repeated ones joined by a comma.
        control: Its parsed ``Cache-Control``.
        asked_s: When it was asked for, seconds since the epoch.
        arrived_s: When its head arrived.
        default_stale_if_error_s: ``stale_if_error_s`` of a response that does not state it.
    """
    date_s = parse_http_date(headers.get("date"), now_s=arrived_s)
    # RFC 9111 §4.2.3: corrected_age_value, the whole wait counted as response_delay.
    corrected_s = parse_age_s(headers.get("age")) + max(0.0, arrived_s - asked_s)
    apparent_s = 0.0 if date_s is None else max(0.0, arrived_s - date_s)
    age_s = max(corrected_s, apparent_s) if apparent_s >= 1.0 else corrected_s
    stale_if_error_s = control.stale_if_error_s
    if stale_if_error_s is None:
        stale_if_error_s = default_stale_if_error_s
    never_stale = control.must_revalidate or control.no_cache
    return Freshness(
        age_s=age_s,
        lifetime_s=_lifetime_s(headers, control, date_s, arrived_s),
        stale_while_revalidate_s=0.0 if never_stale else control.stale_while_revalidate_s,
        stale_if_error_s=0.0 if never_stale else stale_if_error_s,
    )


def _lifetime_s(
    headers: Mapping[str, str], control: CacheControl, date_s: int | None, arrived_s: float
) -> float:
    if control.no_cache:
        return 0.0
    if control.s_maxage_s is not None:
        return control.s_maxage_s
    if control.max_age_s is not None:
        return control.max_age_s
    expires_s = parse_http_date(headers.get("expires"), now_s=arrived_s)
    if expires_s is None:
        return 0.0
    return max(0.0, expires_s - (arrived_s if date_s is None else date_s))


@dataclass(frozen=True, slots=True, kw_only=True)
class Uses:
    """Permitted uses of a response beyond answering the request that caused it."""

    store: bool
    share: bool
    """Other requests waiting for the same object may be answered with it."""


def uses(
    status: int,
    headers: Mapping[str, str],
    control: CacheControl,
    *,
    length_bytes: int | None,
    max_object_bytes: int,
    authorized: bool = False,
) -> Uses:
    """Whether a response to GET may be stored, and shared with waiting requests.

    Only complete 200 responses of known length are stored. A response that is private to one
    client is not shared either: other requests are passed through.

    Args:
        status: Of the response.
        headers: Of the response, by lower-case name.
        control: Its parsed ``Cache-Control``.
        length_bytes: Its ``Content-Length``; None when it has none.
        max_object_bytes: Largest body to store.
        authorized: The request carried credentials that the cache has not checked itself.
    """
    varies = headers.get("vary", "").strip().lower() not in ("", "origin", "accept-encoding")
    # RFC 9111 §3.5: the answer to a request with Authorization must permit shared storage.
    open_to_all = not (authorized and not (control.public or control.must_revalidate))
    private = control.no_store or control.private or "set-cookie" in headers or varies
    share = open_to_all and not private
    fits = length_bytes is not None and length_bytes <= max_object_bytes
    # Without a validator or a lifetime it could never answer another request.
    reusable = bool(
        control.max_age_s
        or control.s_maxage_s
        or headers.get("expires")
        or headers.get("etag")
        or headers.get("last-modified")
    )
    return Uses(store=share and status == 200 and fits and reusable, share=share)
