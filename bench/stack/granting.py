"""Playback for whoever can reach the watch page of a stack on loopback: titles and URLs.

The shape is that of the playback service: ``GET /v1/titles`` and ``POST /v1/playback``.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from aiohttp import web

from origin.server.answers import error_response, json_response, method_response


def granting(
    titles: Sequence[str], grant: Callable[[str], dict[str, Any]]
) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    """Answers to requests below ``/v1/``.

    Args:
        titles: What can be played.
        grant: A playback of a title: ``url``, ``token``, ``expires_s``, ``ttl_s``.
    """

    async def answer(request: web.Request) -> web.StreamResponse:
        path = request.raw_path.partition("?")[0]
        if path == "/v1/titles":
            if request.method not in ("GET", "HEAD"):
                return method_response(("GET", "HEAD"))
            return json_response({"titles": [{"title": title} for title in titles]})
        if path == "/v1/playback":
            if request.method != "POST":
                return method_response(("POST",))
            title = _title_of(await request.text())
            if title not in titles:
                return error_response(404, "no-title", "no such title; ask /v1/titles for them")
            granted = grant(title)
            return json_response({**granted, "manifest_url": granted["url"]})
        return error_response(404, "not-found", "expected /v1/titles or /v1/playback")

    return answer


def _title_of(body: str) -> str:
    """The title that a request for playback names; empty: none."""
    try:
        asked = json.loads(body)
    except ValueError:
        return ""
    title = asked.get("title") if isinstance(asked, dict) else None
    return title if isinstance(title, str) else ""
