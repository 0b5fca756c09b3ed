"""What an edge answers with: header fields and small bodies, as pure functions.

Bodies are described by ``origin.httprules.Plan``; this module turns a plan and the
fields of a stored or arriving response into the fields of our answer.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping

from abr.errors import AbrError, TokenError
from edge.cachestatus import FIELD, CacheStatus, appended
from edge.freshness import parse_date_s
from origin.cors import CORS
from origin.httprules import Plan, Representation

Field = tuple[str, str]

_FAR_FUTURE_S = 4102444800
"""2100-01-01: an object that does not say when it changed is never "not modified since"."""

_REPLACED = frozenset({"age", "cache-status", "content-length", "content-range"})
_FROM_PLAN = frozenset({"content-length", "content-range"})


def representation(headers: Mapping[str, str], size_bytes: int) -> Representation:
    """A 200 response by its fields (lower-case names), as ``plan_response`` wants it."""
    modified_s = parse_date_s(headers.get("last-modified"))
    return Representation(
        size_bytes=size_bytes,
        media_type=headers.get("content-type", "application/octet-stream"),
        etag=headers.get("etag", ""),
        last_modified_s=_FAR_FUTURE_S if modified_s is None else int(modified_s),
        cache_control=headers.get("cache-control", ""),
    )


def answer_fields(
    headers: Iterable[Field],
    plan: Plan | None,
    *,
    age_s: float,
    status: CacheStatus,
    cors: bool,
) -> list[Field]:
    """Fields of an answer.

    Args:
        headers: Fields of the stored or arriving response.
        plan: Which part of it is sent; None sends it as it is, of unknown length.
        age_s: Its age now.
        status: What this cache did.
        cors: Add the fields that let web players use it, where they are missing.
    """
    headers = list(headers)
    multipart = plan is not None and any(isinstance(part, bytes) for part in plan.body)
    gone = _REPLACED | ({"content-type"} if multipart or _is_bare(plan) else set())
    fields = [pair for pair in headers if pair[0].lower() not in gone]
    if plan is not None:
        wanted = _FROM_PLAN | ({"content-type"} if multipart else set())
        fields += [pair for pair in plan.headers if pair[0].lower() in wanted]
    fields.append(("Age", str(int(age_s))))
    upstream = ", ".join(value for name, value in headers if name.lower() == FIELD.lower())
    fields.append((FIELD, appended(upstream or None, status)))
    return with_cors(fields) if cors else fields


def with_cors(fields: list[Field]) -> list[Field]:
    """``fields`` and those that let web players read the answer, where they are missing."""
    there = {name.lower() for name, _ in fields}
    return fields + [pair for pair in CORS if pair[0].lower() not in there]


def error_fields(error: AbrError | None = None) -> list[Field]:
    """Fields of an error answer; a refused token's reason among them."""
    fields = [("Content-Type", "application/json"), ("Cache-Control", "no-store"), *CORS]
    if isinstance(error, TokenError):
        fields.append(("Abr-Refusal", error.reason))
    return fields


def error_body(word: str, message: str) -> bytes:
    """Body of an error answer: a stable word and a sentence."""
    return json.dumps({"error": word, "message": message}).encode() + b"\n"


def _is_bare(plan: Plan | None) -> bool:
    return plan is not None and plan.status in (304, 412, 416)
