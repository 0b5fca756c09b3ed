"""A request as the pipeline sees it: what the parent is asked for, and what caching depends on."""

from __future__ import annotations

from dataclasses import dataclass

from aiohttp import web

from edge.caching.decide import Request

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
    passing: Fields = ()
    """Fields of a request that is passed through."""


def fields_of_request(request: web.BaseRequest) -> list[tuple[str, str]]:
    """Fields of a request, one character per byte."""
    return [
        (name.decode("latin-1"), value.decode("latin-1")) for name, value in request.raw_headers
    ]
