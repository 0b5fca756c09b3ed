"""Steering requests of players: passed to the director, with what the edge knows of the session.

A playlist names ``steering`` beside itself, so a player asks the edge it plays from, under its
token. The director is told the session, the title, where the edge stands and under which host the
playlist was made, and its manifest is passed on.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Callable
from urllib.parse import parse_qsl, urlencode

from aiohttp import hdrs, web

from abr.errors import PeerError
from edge.config import EdgeConfig
from edge.server.upstream import Upstream
from edge.tiers.steering import Request, parse_request
from origin.paths import Target
from origin.server.answers import error_response

MAX_BYTES = 64 << 10
"""A longer manifest is refused."""

LIMIT_S = 3.0
"""Most seconds for the director's answer."""


class Steering:
    """The director, as players of one edge reach it; ``open`` before use, ``close`` after."""

    def __init__(self, config: EdgeConfig, *, now: Callable[[], float]) -> None:
        self._region, self._zone = config.region, config.zone
        self._director = Upstream(config, config.director, now=now) if config.director else None

    def __repr__(self) -> str:
        return f"<Steering by {self._director!r}>"

    def reconfigure(self, config: EdgeConfig) -> None:
        """Use other settings from now on."""
        if self._director is not None:
            self._director.reconfigure(config)

    async def open(self) -> None:
        """Prepare to connect."""
        if self._director is not None:
            await self._director.open()

    async def close(self) -> None:
        """Close the connections."""
        if self._director is not None:
            await self._director.close()

    async def answer(self, request: web.Request, target: Target) -> web.StreamResponse:
        """A steering manifest for the session of ``target``, whose token has been checked."""
        if self._director is None:
            # RFC 8216bis, content steering: 410 ends it for this session.
            return error_response(410, "no-director", "nobody steers here")
        query = request.raw_path.partition("?")[2]
        try:
            async with asyncio.timeout(LIMIT_S):
                text = await self._ask(self._director, self._about(request, target, query))
        except (PeerError, TimeoutError, ValueError):
            fields = {"Retry-After": "10"}
            return error_response(503, "no-director", "the director does not answer", fields)
        return web.Response(
            text=text, content_type="application/json", headers={"Cache-Control": "no-store"}
        )

    async def _ask(self, director: Upstream, about: Request) -> str:
        said = {"_HLS_pathway": f'"{about.pathway}"'} if about.pathway else {}
        if about.throughput_bps is not None:
            said["_HLS_throughput"] = str(about.throughput_bps)
        query = "&".join(part for part in (about.query(), urlencode(said)) if part)
        data = b""
        async with director.ask("GET", f"/steering?{query}", headers=[]) as answer:
            async for piece in answer.pieces():
                data += piece
                if len(data) > MAX_BYTES:
                    raise ValueError("the manifest is too long")
            if answer.status != 200:
                raise ValueError(f"status {answer.status}")
        found = json.loads(data)
        if str(found["RELOAD-URI"]).startswith("/"):
            # Relative to the director, whom players cannot reach: they ask here again.
            found["RELOAD-URI"] = "steering"
        return json.dumps(found)

    def _about(self, request: web.Request, target: Target, query: str) -> Request:
        """What the director is told: the player's words on its network, and ours on the rest."""
        said = parse_request(parse_qsl(query, max_num_fields=64))
        session = hashlib.blake2b((target.token or "").encode(), digest_size=12).hexdigest()
        return Request(
            session=session,
            title=target.title,
            region=self._region,
            zone=self._zone,
            base=request.headers.get(hdrs.HOST, "").lower(),
            pathway=said.pathway,
            throughput_bps=said.throughput_bps,
        )
