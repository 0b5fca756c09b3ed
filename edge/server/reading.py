"""What the head of a parent's response means: how fresh it is, and who may have it."""

from __future__ import annotations

from dataclasses import dataclass

from edge.caching.decide import Rules, Uses, judge
from edge.caching.directives import CacheControl, control_of
from edge.caching.freshness import Freshness, assess
from edge.caching.parts import Part, Window, read_part
from edge.caching.stored import VaryValue, storable_headers
from edge.caching.variants import vary_values
from edge.server.upstream import UpstreamResponse
from edge.server.wanted import Wanted
from origin.httpdate import http_date
from origin.httprules import join_fields

Headers = tuple[tuple[str, str], ...]


@dataclass(slots=True)
class Answer:
    """The parent's answer and what was made of it."""

    response: UpstreamResponse
    wanted: Wanted
    control: CacheControl
    fresh: Freshness
    uses: Uses
    headers: Headers
    """Fields that only the request that caused the fill may have are among them."""
    kept: Headers
    vary: tuple[VaryValue, ...] = ()
    part: Part | None = None
    is_new: bool = False
    """It comes from the origin just now, which ``Age`` would deny (RFC 9111 §5.1)."""


def read_answer(
    response: UpstreamResponse, wanted: Wanted, window: Window | None, rules: Rules
) -> Answer:
    """What the head of a response means."""
    headers = join_fields(response.headers)
    control = control_of(headers, rules.targeted)
    part, status = None, response.status
    if window is not None:
        part = read_part(status, headers, response.length_bytes, window)
    if part is not None:
        status = 200  # it is kept as what it is a part of
    fresh = assess(
        headers,
        control,
        asked_s=response.asked_s,
        arrived_s=response.arrived_s,
        status=status,
        defaults=rules.defaults,
    )
    uses = judge(
        wanted.facts,
        status,
        headers,
        control,
        fresh,
        length_bytes=response.length_bytes,
        rules=rules,
    )
    dropped = uses.dropped if rules.is_open else uses.dropped | {"set-cookie"}
    fields = list(response.headers)
    if "date" not in headers:  # RFC 9110 §6.6.1
        fields.append(("Date", http_date(int(response.arrived_s))))
    return Answer(
        response,
        wanted,
        control,
        fresh,
        uses,
        storable_headers(fields),
        storable_headers(fields, dropped=dropped | ({"content-range"} if part else set())),
        vary_values(uses.vary, wanted.facts.fields),
        part,
        rules.is_open and fresh.age_s < 1 and "age" not in headers,
    )
