"""The director: caches register with it, players are steered by it.

Endpoints::

    GET        /steering           a content steering manifest for one session
    POST       /v1/servers         a cache registers, or renews its lease
    DELETE     /v1/servers/<name>  a cache leaves
    GET, HEAD  /v1/servers         who is alive, and how well
    GET, HEAD  /healthz  /metrics

It checks the health of every server. Nothing that is served depends on it: a cache keeps the
parents that it had, and a player its manifest, while the director is away.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from urllib.parse import parse_qsl

import aiohttp
from aiohttp import web
from prometheus_client import CollectorRegistry, Counter, Gauge, generate_latest

from abr.errors import AbrError, ConfigError
from edge.parents.health import Health, HealthRules
from edge.tiers.config import DirectorConfig
from edge.tiers.cost import Ledger, account
from edge.tiers.leases import Leases
from edge.tiers.ranking import Candidate, Viewer, rank
from edge.tiers.registration import MAX_BYTES, Accepted, dump_accepted, load_registration
from edge.tiers.steering import manifest, parse_request
from edge.tiers.topology import Server, Topology, parents_of
from origin.config import ServerLimits
from origin.server.answers import (
    error_response,
    json_response,
    method_response,
    metrics_response,
    preflight_response,
    presents,
)
from origin.server.connection import show
from origin.server.httpserver import make_application

STEERING_PATH = "/steering"
SERVERS_PATH = "/v1/servers"


class Director:
    """Registered servers, their health, and the answers made of both."""

    def __init__(
        self, config: DirectorConfig, topology: Topology, *, now: Callable[[], float]
    ) -> None:
        self.config = config
        self.leases = Leases(config.lease_s, topology.servers)
        self.health = Health([server.name for server in topology.servers], HealthRules())
        self._topology = topology
        self._ranks = {tier.name: at for at, tier in enumerate(topology.tiers)}
        self._now = now
        self._session: aiohttp.ClientSession | None = None
        self._ledger = Ledger()
        self._registry = CollectorRegistry()
        self._steered = Counter(
            "abr_director_steered",
            "Steering manifests given, by the server named first.",
            ["server"],
            registry=self._registry,
        )
        self._sent = Gauge(
            "abr_director_sent_bytes",
            "Body bytes sent by the servers of a tier that register.",
            ["tier"],
            registry=self._registry,
        )
        self._cost = Gauge(
            "abr_director_cost",
            "What these bytes cost, in the currency of the topology.",
            ["tier"],
            registry=self._registry,
        )
        self._alive = Gauge(
            "abr_director_servers", "Servers alive, by tier.", ["tier"], registry=self._registry
        )

    def __repr__(self) -> str:
        return f"<Director of {self.leases!r}, {self.health!r}>"

    async def running(self, _app: web.Application) -> AsyncIterator[None]:
        """Check the health of servers while the application runs; for ``cleanup_ctx``."""
        timeout = aiohttp.ClientTimeout(total=self.config.check_limit_s)
        async with aiohttp.ClientSession(timeout=timeout, trust_env=False) as session:
            self._session = session
            checking = asyncio.create_task(self._check_for_ever())
            try:
                yield
            finally:
                checking.cancel()
                with suppress(asyncio.CancelledError):
                    await checking

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """Answer any request."""
        path, _, query = request.raw_path.partition("?")
        if request.method == "OPTIONS":
            return preflight_response()
        if path == STEERING_PATH:
            show(request, path)
            return self._steer(request, query)
        if path == SERVERS_PATH or path.startswith(SERVERS_PATH + "/"):
            show(request, SERVERS_PATH)
            return await self._servers(request, path)
        if path == "/healthz":
            show(request, path)
            return json_response({"status": "ok", "role": "director"})
        if path == "/metrics":
            return metrics_response(self._metrics())
        return error_response(404, "not-found", "expected /steering or /v1/servers")

    def _steer(self, request: web.Request, query: str) -> web.Response:
        if request.method not in ("GET", "HEAD"):
            return method_response(("GET", "HEAD"))
        asked = parse_request(parse_qsl(query, max_num_fields=64))
        viewer = Viewer(
            session=asked.session or request.remote or "",
            title=asked.title,
            region=asked.region,
            zone=asked.zone,
        )
        now_s = self._now()
        candidates = [
            Candidate(server=server, state=state, is_well=not self.health.is_down(server.name))
            for server, state in self.leases.alive(now_s).values()
            if self._ranks[server.tier] == 0 or len(self._ranks) == 1
        ]
        if not candidates:
            fields = {"Retry-After": str(self.config.steering_ttl_s)}
            return error_response(503, "no-servers", "no server is alive", fields)
        ranked = rank(candidates, viewer, tier_rank=self._ranks)
        path = self.config.public_base.rstrip("/") + STEERING_PATH
        text = manifest(ranked, asked, ttl_s=self.config.steering_ttl_s, path=path)
        self._steered.labels(ranked[0].server.name).inc()
        return web.Response(
            text=text, content_type="application/json", headers={"Cache-Control": "no-store"}
        )

    async def _servers(self, request: web.Request, path: str) -> web.Response:
        if request.method in ("GET", "HEAD") and path == SERVERS_PATH:
            return json_response({"servers": self._listing(), "tiers": self._account()})
        if request.method not in ("POST", "DELETE"):
            return method_response(("GET", "HEAD", "POST", "DELETE"))
        if not self._may_register(request):
            text = "registering needs the bearer secret of this director"
            return error_response(401, "unauthorised", text, {"WWW-Authenticate": "Bearer"})
        if request.method == "DELETE":
            name = path.removeprefix(SERVERS_PATH).strip("/")
            if not self.leases.leave(name):
                return error_response(404, "not-found", "no server of this name is registered")
            return json_response({"left": name})
        return await self._register(request)

    async def _register(self, request: web.Request) -> web.Response:
        now_s = self._now()
        try:
            found = load_registration(await request.read(), self._topology)
            self.leases.register(found.server, found.state, now_s=now_s)
            self._ledger.note(found.server.name, found.server.tier, found.state.sent_bytes)
        except ConfigError as exc:
            return error_response(400, "refused", str(exc))
        self._watch(now_s)
        alive = [
            server
            for server, state in self.leases.alive(now_s).values()
            if not state.draining and not self.health.is_down(server.name)
        ]
        parents = parents_of(found.server, self._topology, alive)
        return json_response(dump_accepted(Accepted(lease_s=self.config.lease_s, parents=parents)))

    def _may_register(self, request: web.Request) -> bool:
        return not self.config.secret or presents(request, self.config.secret)

    def _listing(self) -> list[dict[str, object]]:
        return [
            {
                "name": server.name,
                "tier": server.tier,
                "region": server.region,
                "zone": server.zone,
                "url": server.address,
                "load": state.load,
                "draining": state.draining,
                "titles": len(state.titles),
                "well": not self.health.is_down(server.name),
            }
            for server, state in self.leases.alive(self._now()).values()
        ]

    def _account(self) -> list[dict[str, object]]:
        lines = account(self._ledger.sent_bytes(), self._topology)
        return [
            {"name": line.tier, "sent_bytes": line.sent_bytes, "cost": line.cost} for line in lines
        ]

    def _watch(self, now_s: float) -> dict[str, Server]:
        """Keep health for those that are alive, and return them."""
        alive = {name: server for name, (server, _) in self.leases.alive(now_s).items()}
        self.health.set_parents(alive)
        return alive

    async def _check_for_ever(self) -> None:
        while True:
            self.leases.expire(self._now())
            servers = self._watch(self._now())
            await asyncio.gather(*(self._check(server) for server in servers.values()))
            await asyncio.sleep(self.config.check_interval_s)

    async def _check(self, server: Server) -> None:
        assert self._session is not None
        good = False
        with suppress(aiohttp.ClientError, TimeoutError, OSError, AbrError):
            async with self._session.get(server.address + "/healthz") as response:
                good = response.status == 200
        self.health.note_probe(server.name, good=good)

    def _metrics(self) -> bytes:
        counts = {tier.name: 0 for tier in self._topology.tiers}
        for server, _ in self.leases.alive(self._now()).values():
            counts[server.tier] += not self.health.is_down(server.name)
        for tier, count in counts.items():
            self._alive.labels(tier).set(count)
        for line in account(self._ledger.sent_bytes(), self._topology):
            self._sent.labels(line.tier).set(line.sent_bytes)
            self._cost.labels(line.tier).set(line.cost)
        return generate_latest(self._registry)


DIRECTOR = web.AppKey("director", Director)


def make_app(
    config: DirectorConfig,
    topology: Topology,
    *,
    now: Callable[[], float],
    limits: ServerLimits | None = None,
) -> web.Application:
    """The director as an application; serve it with ``origin.server.httpserver.listening``.

    Args:
        config: Settings.
        topology: Tiers, and servers that need no registration.
        now: A monotonic clock, seconds.
        limits: Sizes of request heads.

    Raises:
        ConfigError: a setting cannot be used.
    """
    director = Director(config.check(), topology, now=now)
    app = make_application(director.answer, limits=limits, client_max_bytes=MAX_BYTES)
    app[DIRECTOR] = director
    app.cleanup_ctx.append(director.running)
    return app
