"""How long a response may be reused, read from its header fields.

Pure functions from header text to numbers. Heuristic freshness is used only where it is asked
for: otherwise a response without a stated lifetime is stale at once.

Sources: RFC 9111 §4.2 (freshness), §4.2.2 (heuristics), §4.2.3 (age), RFC 5861
(stale-while-revalidate, stale-if-error).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from edge.caching.directives import MAX_DELTA_S, CacheControl
from origin.httpdate import parse_http_date

MAX_HEURISTIC_S = 86400.0
"""Longest freshness that is guessed."""

HEURISTIC_STATUSES = frozenset({200, 203, 204, 206, 300, 301, 308, 404, 405, 410, 414, 501})
"""RFC 9110 §15.1: statuses whose freshness may be guessed."""


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
    may_be_stale: bool = True
    """Whether a request may ask for it when it is stale (RFC 9111 §4.2.4)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Defaults:
    """What is assumed of a response that does not say; times in seconds."""

    stale_if_error_s: float = 0.0
    """``stale-if-error`` of a response that does not state it."""
    heuristic_ratio: float = 0.0
    """Freshness as a share of the time since ``Last-Modified``; 0 guesses nothing."""
    negative_ttl_s: float = 0.0
    """Freshness of 404 and 410 that state none."""


def parse_age_s(text: str | None) -> float:
    """The value of ``Age``; 0 when absent or unreadable, of several the first.

    RFC 9111 §5.1: a list is read by its first member, an invalid value is ignored.
    """
    first = (text or "").partition(",")[0].strip()
    if not (first.isascii() and first.isdigit()):
        return 0.0
    digits = first.lstrip("0") or "0"
    return float(MAX_DELTA_S if len(digits) > 10 else min(int(digits), MAX_DELTA_S))


def assess(
    headers: Mapping[str, str],
    control: CacheControl,
    *,
    asked_s: float,
    arrived_s: float,
    status: int = 200,
    defaults: Defaults | None = None,
) -> Freshness:
    """Freshness of a response on arrival.

    Args:
        headers: Header fields by lower-case name, repeated ones joined by a comma.
        control: The directives that apply.
        asked_s: When it was asked for, seconds since the epoch.
        arrived_s: When its head arrived.
        status: Its status, which decides whether freshness may be guessed.
        defaults: What is assumed where it says nothing.
    """
    defaults = defaults or Defaults()
    date_s = parse_http_date(headers.get("date"), now_s=arrived_s, any_case=True)
    stale_if_error_s = control.stale_if_error_s
    if stale_if_error_s is None:
        stale_if_error_s = defaults.stale_if_error_s
    never_stale = control.must_revalidate or control.no_cache
    stated_s = _stated_s(headers, control, date_s, arrived_s)
    if stated_s is None:
        stated_s = _assumed_s(status, headers, control, date_s, arrived_s, defaults)
    return Freshness(
        # RFC 9111 §4.2.3 lets corrected_age_value stand for the age; the whole wait counts as
        # response_delay. The apparent age would only add the difference between two clocks.
        age_s=parse_age_s(headers.get("age")) + max(0.0, arrived_s - asked_s),
        lifetime_s=0.0 if control.no_cache else stated_s,
        stale_while_revalidate_s=0.0 if never_stale else control.stale_while_revalidate_s,
        stale_if_error_s=0.0 if never_stale else stale_if_error_s,
        may_be_stale=not never_stale,
    )


def states_lifetime(headers: Mapping[str, str], control: CacheControl) -> bool:
    """Whether a response says itself how long it is fresh."""
    stated = control.s_maxage_s is not None or control.max_age_s is not None
    return stated or ("expires" in headers and not control.is_targeted)


def _stated_s(
    headers: Mapping[str, str], control: CacheControl, date_s: int | None, arrived_s: float
) -> float | None:
    """RFC 9111 §4.2.1: the first that applies; None when nothing is said."""
    if control.s_maxage_s is not None:
        return control.s_maxage_s
    if control.max_age_s is not None:
        return control.max_age_s
    if control.is_targeted or "expires" not in headers:
        return None
    expires_s = parse_http_date(headers["expires"], now_s=arrived_s, any_case=True)
    if expires_s is None:
        return 0.0  # RFC 9111 §5.3: an invalid date is in the past
    return max(0.0, expires_s - (arrived_s if date_s is None else date_s))


def _assumed_s(
    status: int,
    headers: Mapping[str, str],
    control: CacheControl,
    date_s: int | None,
    arrived_s: float,
    defaults: Defaults,
) -> float:
    if status in (404, 410) and defaults.negative_ttl_s:
        return defaults.negative_ttl_s
    if not defaults.heuristic_ratio or not (status in HEURISTIC_STATUSES or control.public):
        return 0.0
    modified_s = parse_http_date(headers.get("last-modified"), now_s=arrived_s, any_case=True)
    if modified_s is None:
        return 0.0
    since_s = max(0.0, (arrived_s if date_s is None else date_s) - modified_s)
    return min(MAX_HEURISTIC_S, defaults.heuristic_ratio * since_s)
