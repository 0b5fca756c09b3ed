"""Content steering manifests: which pathways a player uses, best first.

Every server is a pathway. One is the base, under whose host the playlist was made; the others
are clones of it with another host, so playlists need not list them and servers may come and go
while a session runs. A clone replaces the host alone: servers that listen on another port than the
base cannot be its clones, and are left out (hls.js 1.7 takes a HOST with a port for none).

Sources: Apple, "HLS Content Steering Specification" 1.2 (VERSION, TTL, RELOAD-URI,
PATHWAY-PRIORITY, PATHWAY-CLONES, URI-REPLACEMENT); RFC 8216bis, EXT-X-CONTENT-STEERING.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import urlencode, urlsplit

from edge.tiers.ranking import Candidate

BASE_PATHWAY = "."
"""Pathway of variants that name none (RFC 8216bis, PATHWAY-ID)."""

MAX_PATHWAYS = 8
"""Most pathways in one manifest; a player tries them in turn."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What a player says when it asks for a manifest."""

    session: str = ""
    title: str = ""
    region: str = ""
    zone: str = ""
    base: str = ""
    """Host and port under which its playlist was made; that server is the base pathway."""
    pathway: str = ""
    """``_HLS_pathway``: the pathway in use, without its quotes."""
    throughput_bps: int | None = None
    """``_HLS_throughput``."""

    def query(self) -> str:
        """The query that repeats the facts of the session; what the player adds is left out."""
        facts = {
            "session": self.session,
            "title": self.title,
            "region": self.region,
            "zone": self.zone,
            "base": self.base,
        }
        return urlencode({name: value for name, value in facts.items() if value})


def parse_request(query: Iterable[tuple[str, str]]) -> Request:
    """A request from the decoded pairs of its query; unknown ones are ignored.

    Of a repeated name the first counts. Values that are too long or not printable ASCII count as
    absent, since they come from anywhere.
    """
    seen: dict[str, str] = {}
    for name, value in query:
        seen.setdefault(name, value)
    clean = {
        name: value
        for name, value in seen.items()
        if 0 < len(value) <= 256 and value.isascii() and value.isprintable()
    }
    throughput = clean.get("_HLS_throughput", "")
    return Request(
        session=clean.get("session", ""),
        title=clean.get("title", ""),
        region=clean.get("region", ""),
        zone=clean.get("zone", ""),
        base=clean.get("base", "").lower(),
        pathway=clean.get("_HLS_pathway", "").strip('"'),
        throughput_bps=int(throughput) if throughput.isdigit() and len(throughput) < 16 else None,
    )


def manifest(ranked: Iterable[Candidate], request: Request, *, ttl_s: int, path: str) -> str:
    """The JSON of a steering manifest.

    Args:
        ranked: Servers, best first; at least one.
        request: What the player said.
        ttl_s: Seconds until the player asks again.
        path: Where this endpoint is, for ``RELOAD-URI``.

    Raises:
        ValueError: there is no server.
    """
    servers = [each.server for each in ranked]
    if not servers:
        raise ValueError("expected at least one server")
    hosts = {server.name: urlsplit(server.address).netloc for server in servers}
    ids = {name: BASE_PATHWAY if host == request.base else name for name, host in hosts.items()}
    if request.base:
        port = _port(request.base)
        servers = [server for server in servers if _port(hosts[server.name]) == port]
    servers = servers[:MAX_PATHWAYS]
    query = request.query()
    found: dict[str, object] = {
        "VERSION": 1,
        "TTL": ttl_s,
        "RELOAD-URI": f"{path}?{query}" if query else path,
        "PATHWAY-PRIORITY": [ids[server.name] for server in servers] or [BASE_PATHWAY],
    }
    clones = [
        {
            "BASE-ID": BASE_PATHWAY,
            "ID": server.name,
            "URI-REPLACEMENT": {"HOST": _hostname(hosts[server.name])},
        }
        for server in servers
        if ids[server.name] != BASE_PATHWAY
    ]
    if clones:
        found["PATHWAY-CLONES"] = clones
    return json.dumps(found)


def _port(host: str) -> str:
    """The port that is stated; empty for the scheme's own."""
    name, colon, port = host.rpartition(":")
    return port if colon and name and "]" not in port else ""


def _hostname(host: str) -> str:
    port = _port(host)
    return host.removesuffix(f":{port}") if port else host
