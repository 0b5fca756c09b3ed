"""A request as the pipeline sees it: what the parent is asked for, and what caching depends on."""

from __future__ import annotations

from dataclasses import dataclass

from aiohttp import web

from edge.caching.decide import Request
from edge.parents.limit import Urgency
from origin.paths import Target
from origin.tierfields import asked_by_tier, next_tier_fields, viewer_fields
from origin.tokens.permission import Permission
from transcode.packaging.layout import chosen_variant

Fields = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What a request wants."""

    key: str
    """Key that stored responses are looked up by."""
    target: str
    """What the parent is asked for: path and query."""
    facts: Request
    """What caching depends on."""
    asking: Fields = ()
    """Fields of a request that fills the cache: without conditions and ranges."""
    range_text: str = ""
    """The ``Range`` that the client wants; empty for none."""
    urgency: Urgency = "playback"
    """Whether a viewer waits for it."""
    passing: Fields = ()
    """Fields of a request that is passed through."""


def chosen_key(target: Target, said: Permission) -> str:
    """The key of what a viewer gets: with a watermark, of one variant of each segment of video.

    The path that the parent is asked for stays as it is, because it chooses alike.
    """
    if not said.watermark or target.kind != "object":
        return target.cache_key
    return f"/{target.title}/{chosen_variant(target.path, said.watermark)}"


def shown_to(
    request: web.BaseRequest | None, fields: list[tuple[str, str]], *, is_open: bool
) -> list[tuple[str, str]]:
    """The fields of a response as whoever sent ``request`` gets them; None is any viewer.

    A reverse proxy of any site changes nothing. A cache of titles gives nobody what
    a foreign cache could keep, and tells another tier in fields of our own how long it may.
    """
    if is_open:
        return fields
    if request is not None and asked_by_tier(request.headers.items()):
        return next_tier_fields(fields)
    return viewer_fields(fields)


def fields_of_request(request: web.BaseRequest) -> list[tuple[str, str]]:
    """Fields of a request, one character per byte."""
    return [
        (name.decode("latin-1"), value.decode("latin-1")) for name, value in request.raw_headers
    ]
