"""What a cache does: with a request, and with the parent's answer. Pure decisions.

``decide`` takes the facts of a request, the stored responses under its key and a time, and says
whether one of them is used, validated or left alone. ``judge`` takes an answer of the parent and
says whether it is stored and who else may have it. ``after_validation`` says what a validation
means for the stored response, ``invalidated`` what an unsafe request makes untrue.

Sources: RFC 9111 §3 (storing), §4 (using), §4.2.4 (stale), §4.3 (validating), §4.4 (invalidating),
§5.2 (directives); RFC 5861; RFC 9110 §15 (statuses), §9.2.1 (safe methods).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from urllib.parse import urljoin, urlsplit

from edge.caching.cachestatus import Forward
from edge.caching.directives import (
    TARGETED,
    TARGETED_WITH_TOKENS,
    CacheControl,
    RequestControl,
)
from edge.caching.freshness import HEURISTIC_STATUSES, Defaults, Freshness, states_lifetime
from edge.caching.stored import StoredObject
from edge.caching.variants import select, vary_names

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})
"""RFC 9110 §9.2.1; every other method, known or not, may change what it is sent to."""

_UNDERSTOOD = frozenset(
    {200, 201, 202, 203, 204, 205, 300, 301, 302, 303, 305, 307, 308}
    | set(range(400, 418))
    | {421, 422, 426, 428, 429, 431, 451}
    | set(range(500, 506))
    | {511}
)
"""Statuses whose caching requirements are known here (RFC 9111 §5.2.2.3)."""

_OF_ONE_CLIENT = frozenset({401, 403, 407, 429})
"""Refusals of one client: they say nothing about the stored response."""


class Act(Enum):
    """What to do with a request."""

    USE = "use"
    """Answer with the stored response."""
    USE_AND_VALIDATE = "use, and validate meanwhile"
    """Answer with the stored response, which is stale, and validate it in the background."""
    VALIDATE = "validate"
    """Ask the parent whether the stored response is still good."""
    FETCH = "fetch"
    """Ask the parent; nothing that is stored helps."""
    FAIL = "fail"
    """Answer 504: the request wants no other answer than a stored one, and there is none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """The facts of a request that caching depends on."""

    method: str = "GET"
    fields: Mapping[str, str]
    """Its fields by lower-case name, repeated ones joined by a comma."""
    control: RequestControl = field(default_factory=RequestControl)
    """Its directives; those of a request that are not to be obeyed are left empty."""
    has_credentials: bool = False
    """It has an ``Authorization`` field, which this cache does not check."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What to do with a request, and why."""

    act: Act
    stored: StoredObject | None = None
    """What is used or validated."""
    why: Forward = "uri-miss"
    """Why the parent is asked, if it is."""
    age_s: float = 0.0
    ttl_s: float = 0.0
    """Seconds of freshness left; 0 or below when stale."""
    may_serve_if_error: bool = False
    """The stored response may be served if the parent fails (RFC 5861 §4)."""


def decide(request: Request, held: Iterable[StoredObject], *, now_s: float) -> Decision:
    """What to do with a GET or HEAD.

    Args:
        request: The request.
        held: Stored responses under its key, the newest first.
        now_s: Seconds since the epoch.
    """
    whole = [stored for stored in held if not stored.is_part]
    chosen = next(iter(select(whole, request.fields)), None)
    control = request.control
    if chosen is None:
        why: Forward = "vary-miss" if whole else "uri-miss"
        return Decision(act=Act.FAIL if control.only_if_cached else Act.FETCH, why=why)
    age_s, ttl_s = chosen.age_at(now_s), chosen.ttl_at(now_s)
    refused = (
        control.no_cache
        or (control.max_age_s is not None and (age_s > control.max_age_s or not control.max_age_s))
        or (control.min_fresh_s > 0 and ttl_s < control.min_fresh_s)
    )
    act = Act.VALIDATE
    if not refused:
        if ttl_s > 0:
            act = Act.USE
        elif -ttl_s < chosen.fresh.stale_while_revalidate_s:
            act = Act.USE_AND_VALIDATE
        elif control.max_stale_s and chosen.fresh.may_be_stale and -ttl_s <= control.max_stale_s:
            act = Act.USE
    if act is Act.VALIDATE and control.only_if_cached:
        act = Act.FAIL
    longest_s = max(chosen.fresh.stale_if_error_s, control.stale_if_error_s)
    return Decision(
        act=act,
        stored=chosen,
        why="request" if refused and ttl_s > 0 else "stale",
        age_s=age_s,
        ttl_s=ttl_s,
        may_serve_if_error=chosen.fresh.may_be_stale and -ttl_s < longest_s,
    )


def usable_until_s(stored: StoredObject) -> float:
    """Until when a stored response may answer plain requests without a further decision.

    A plain request is a GET that selects it and has none of ``Cache-Control``, ``Pragma``,
    ``Range`` and the conditional fields.
    """
    return stored.stored_s + stored.fresh.lifetime_s - stored.fresh.age_s


UNPLAIN = frozenset(
    {
        "cache-control",
        "pragma",
        "range",
        "if-match",
        "if-none-match",
        "if-modified-since",
        "if-unmodified-since",
        "if-range",
    }
)
"""Fields of a request that ``usable_until_s`` says nothing about."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """How one cache differs from another."""

    max_object_bytes: int
    """Largest body to store."""
    is_open: bool = False
    """A reverse proxy of any site: it forwards request fields, so it stores variants; what it
    has no permission to share is shared with nobody; cookies are kept."""
    defaults: Defaults = field(default_factory=Defaults)
    """What is assumed of responses that do not say."""

    @property
    def targeted(self) -> tuple[str, ...]:
        """Targeted fields that apply to this cache."""
        return TARGETED if self.is_open else TARGETED_WITH_TOKENS


@dataclass(frozen=True, slots=True, kw_only=True)
class Uses:
    """Permitted uses of a response beyond answering the request that caused it."""

    store: bool
    share: bool
    """Other requests waiting for the same object may be answered with it."""
    vary: tuple[str, ...] = ()
    """Request fields that it depends on."""
    dropped: frozenset[str] = frozenset()
    """Fields that may not be stored."""
    is_for_one: bool = False
    """The same would be true of the next request: it is not worth waiting for."""


def judge(
    request: Request,
    status: int,
    headers: Mapping[str, str],
    control: CacheControl,
    fresh: Freshness,
    *,
    length_bytes: int | None,
    rules: Rules,
) -> Uses:
    """What a response to GET may be used for.

    Args:
        request: What was asked.
        status: Of the response, final.
        headers: Of the response, by lower-case name, repeated ones joined by a comma.
        control: The directives that apply to it.
        fresh: Its freshness.
        length_bytes: Its ``Content-Length``; None when it has none.
        rules: Of this cache.
    """
    if status == 206:  # one client's part; parts are stored by whoever asked for them
        return Uses(store=False, share=False)
    names = vary_names(headers)
    if names is None or not _is_open_to_all(status, headers, control, names, rules):
        tells_of_all = status < 500 and status not in _OF_ONE_CLIENT
        return Uses(store=False, share=False, is_for_one=tells_of_all)
    if status in _OF_ONE_CLIENT and not rules.is_open:
        # Whoever waits with another token may well be let in.
        return Uses(store=False, share=False)
    # RFC 9111 §3.5: the answer to a request with Authorization must permit shared storage.
    if request.has_credentials and not (control.public or control.must_revalidate):
        return Uses(store=False, share=False)
    fits = length_bytes is None or length_bytes <= rules.max_object_bytes
    store = (
        fits
        and request.method == "GET"
        and not request.control.no_store
        and status != 304
        and _is_cacheable(status, headers, control, fresh, rules)
        and _is_reusable(headers, control, fresh)
    )
    # RFC 9111 §4: one answer serves several requests only if it could be used for each of them.
    # A cache of titles also shares what says nothing, because nobody's cookies were forwarded.
    share = fresh.lifetime_s > fresh.age_s
    if not rules.is_open:
        share = share or not (control.no_cache or states_lifetime(headers, control))
    return Uses(
        store=store,
        share=share,
        vary=names if rules.is_open else (),
        dropped=control.no_cache_fields | control.private_fields,
        is_for_one=not (store or share or request.control.no_store) and status < 500,
    )


def _is_open_to_all(
    status: int,
    headers: Mapping[str, str],
    control: CacheControl,
    names: tuple[str, ...],
    rules: Rules,
) -> bool:
    """Whether nothing forbids a shared cache to use the response for others."""
    if control.must_understand:
        # RFC 9111 §5.2.2.3: overrides no-store for whoever knows the status.
        if status not in _UNDERSTOOD:
            return False
    elif control.no_store:
        return False
    if control.private:
        return False
    if rules.is_open:
        return True
    return "set-cookie" not in headers and not set(names) - {"origin", "accept-encoding"}


def _is_cacheable(
    status: int,
    headers: Mapping[str, str],
    control: CacheControl,
    fresh: Freshness,
    rules: Rules,
) -> bool:
    """RFC 9111 §3: the freshness is stated, or the status permits to store without."""
    stated = states_lifetime(headers, control) or control.public
    if not rules.is_open and status not in (200, 404, 410):
        return False
    return stated or (
        status in HEURISTIC_STATUSES and (status == 200 or rules.is_open or fresh.lifetime_s > 0)
    )


def _is_reusable(headers: Mapping[str, str], control: CacheControl, fresh: Freshness) -> bool:
    """Whether it could ever answer another request: it is fresh, or can be validated."""
    if "etag" in headers or "last-modified" in headers:
        return True
    stale_s = max(fresh.stale_while_revalidate_s, control.stale_if_error_s or 0.0)
    return fresh.lifetime_s + stale_s > fresh.age_s


class Outcome(Enum):
    """What an answer to a validation means."""

    CONFIRMED = "confirmed"
    """The stored response is good; its fields and freshness are renewed."""
    REPLACED = "replaced"
    """The answer takes the place of the stored response, which is forgotten."""
    KEPT = "kept"
    """The answer is for this request only; the stored response stays as it is."""


def after_validation(status: int, *, stores: bool) -> Outcome:
    """What the parent's answer to a conditional request means (RFC 9111 §4.3.3).

    Args:
        status: Of the answer.
        stores: The answer itself is going to be stored.
    """
    if status == 304:
        return Outcome.CONFIRMED
    if stores:
        return Outcome.REPLACED
    if status >= 500 or status in _OF_ONE_CLIENT:
        return Outcome.KEPT
    return Outcome.REPLACED


def conditions(stored: StoredObject | None) -> list[tuple[str, str]]:
    """Fields that ask whether a stored response is still good (RFC 9111 §4.3.1)."""
    if stored is None:
        return []
    asking = []
    etag, modified = stored.header("ETag"), stored.header("Last-Modified")
    if etag:
        asking.append(("If-None-Match", etag))
    if modified:
        asking.append(("If-Modified-Since", modified))
    return asking


def confirms(stored: StoredObject, headers: Mapping[str, str]) -> bool:
    """Whether a 304 may renew the fields of ``stored`` (RFC 9111 §4.3.4).

    A 304 with another strong validator is about another representation.
    """
    theirs, ours = headers.get("etag", "").strip(), (stored.header("ETag") or "").strip()
    return not (theirs.startswith('"') and ours and theirs != ours.removeprefix("W/"))


def head_confirms(stored: StoredObject, headers: Mapping[str, str]) -> bool:
    """Whether a 200 to HEAD is about ``stored``, so that it renews its fields (RFC 9111 §4.3.5)."""
    for name in ("etag", "last-modified"):
        if name in headers and headers[name] != stored.header(name):
            return False
    length = headers.get("content-length", "")
    return not length or length == str(stored.size_bytes)


def invalidated(method: str, url: str, status: int, headers: Mapping[str, str]) -> list[str]:
    """URLs whose stored responses a request may have made untrue (RFC 9111 §4.4).

    Args:
        method: Of the request.
        url: Its absolute URL.
        status: Of the response.
        headers: Of the response, by lower-case name.
    """
    if method in SAFE_METHODS or not 200 <= status < 400:
        return []
    found = [url]
    for name in ("location", "content-location"):
        if name in headers:
            try:
                other = urljoin(url, headers[name])
                same = urlsplit(other)[:2] == urlsplit(url)[:2]
            except ValueError:
                continue
            if same and other not in found:
                found.append(other)
    return found
