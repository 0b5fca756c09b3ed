"""The header fields that an edge answers with, as pure functions.

Bodies are described by ``origin.httprules.ResponsePlan``; this module turns a plan and the
fields of a stored or arriving response into the fields of our answer.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from edge.caching.cachestatus import FIELD, CacheStatus, append_member
from origin.httpdate import parse_http_date
from origin.httprules import Field, Representation, ResponsePlan

_FAR_FUTURE_S = 4102444800
"""2100-01-01: an object without a modification time is never "not modified since"."""

_REPLACED = frozenset({"age", "cache-status", "content-length"})
_FROM_PLAN = frozenset({"content-length", "content-range"})


def representation(headers: Mapping[str, str], size_bytes: int, *, now_s: float) -> Representation:
    """A 200 response by its fields (lower-case names), as ``plan_response`` takes it."""
    modified_s = parse_http_date(headers.get("last-modified"), now_s=now_s, any_case=True)
    if modified_s is None:  # RFC 9111 §4.3.2
        modified_s = parse_http_date(headers.get("date"), now_s=now_s, any_case=True)
    return Representation(
        size_bytes=size_bytes,
        media_type=headers.get("content-type", "application/octet-stream"),
        etag=headers.get("etag", ""),
        last_modified_s=_FAR_FUTURE_S if modified_s is None else modified_s,
        cache_control=headers.get("cache-control", ""),
    )


def answer_fields(
    headers: Iterable[Field],
    plan: ResponsePlan | None,
    *,
    age_s: float | None,
    status: CacheStatus,
) -> list[Field]:
    """Fields of an answer.

    Args:
        headers: Fields of the stored or arriving response.
        plan: Which part of it is sent; None sends it as it is, of unknown length.
        age_s: Its age now (RFC 9111 §4.2.3); None for one that comes from the origin itself.
        status: What this cache did.
    """
    headers = list(headers)
    multipart = plan is not None and any(isinstance(part, bytes) for part in plan.body)
    gone = set(_REPLACED)
    if plan is not None and plan.status in (206, 416):
        gone.add("content-range")
    if multipart or _is_bare(plan):
        gone.add("content-type")
    fields = [pair for pair in headers if pair[0].lower() not in gone]
    if plan is not None:
        wanted = _FROM_PLAN | ({"content-type"} if multipart else set())
        fields += [pair for pair in plan.headers if pair[0].lower() in wanted]
    if age_s is not None:
        fields.append(("Age", str(int(age_s))))
    upstream = ", ".join(value for name, value in headers if name.lower() == FIELD.lower())
    fields.append((FIELD, append_member(upstream or None, status)))
    return fields


def _is_bare(plan: ResponsePlan | None) -> bool:
    return plan is not None and plan.status in (304, 412, 416)
