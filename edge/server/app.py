"""The edge as a web application: parse the path, check the token, deliver.

A request that is refused does not reach the parent. Paths, errors and limits are those of
the origin, so a client cannot tell which tier it talks to.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from aiohttp import web

from abr.errors import AbrError, TokenError, UpstreamError
from edge import policies
from edge.caching.decide import Request
from edge.caching.directives import parse_request_control
from edge.caching.forwarding import forwarded_headers, has_looped, via_of
from edge.caching.variants import Catalogue
from edge.config import EdgeConfig
from edge.counters import Counters
from edge.index import CacheIndex
from edge.metrics import EdgeCollector
from edge.operations.figures import ProcessFigures
from edge.operations.shedding import Load, sheds, urgency_of
from edge.parents.parents import Parent, Parents
from edge.server.about import About
from edge.server.auditing import Audit
from edge.server.body import DISK_OVERHEAD_BYTES, BodyStore
from edge.server.clock import monotonic_s
from edge.server.delivery import Delivery
from edge.server.filling import Fills
from edge.server.following import Following
from edge.server.hotpath import HotObjects
from edge.server.keeping import Keeper
from edge.server.keylane import KeyLane
from edge.server.parents import ParentsClient
from edge.server.passthrough import MAX_REQUEST_BODY_BYTES, Passthrough
from edge.server.pinning import Pinner
from edge.server.prefetch import Prefetcher, shed_response
from edge.server.purge import PATH as PURGE_PATH
from edge.server.purge import Purger
from edge.server.ranging import Ranging
from edge.server.registration import Registrar
from edge.server.reports import PATH as CMCD_PATH
from edge.server.reports import Reports
from edge.server.settings import rules_of, share_of
from edge.server.sharing import Sharing, Worker
from edge.server.site import Site
from edge.server.steer import Steering
from edge.server.stocktaking import Stocktaking
from edge.server.tokencheck import TokenCheck
from edge.server.upstream import Upstream
from edge.server.upward import Upward
from edge.server.wanted import Wanted, chosen_key, fields_of_request
from edge.tiers.pins import PATH as PIN_PATH
from edge.tiers.place import place_of
from origin.config import ServerLimits
from origin.files.trustfile import read_trust
from origin.httprules import join_fields
from origin.paths import METHODS, Kind, PathError, Target, object_path, parse_target
from origin.server.answers import (
    error_response,
    method_response,
    preflight_response,
    token_response,
)
from origin.server.asking import CLIENT, asked_of, hand_over, moved_to
from origin.server.clock import Clock
from origin.server.connection import show
from origin.server.door import Answered, Door
from origin.server.httpserver import COOKIE_PAGES, LANE, QUICK, make_application, target_of
from origin.server.trustanswers import TrustAnswers
from origin.tokens.carriage import COMMON_FIELD
from origin.tokens.permission import Asked, Permission
from origin.tokens.redaction import redact

LOG = logging.getLogger("abr.edge")

_DIRECTOR_S = 2.0
"""How long a start waits for the director, which says whom to ask; then settings do."""


class Edge:
    """One edge: its cache, its keys and its counters."""

    def __init__(
        self,
        config: EdgeConfig,
        folder: Path,
        *,
        now: Callable[[], float],
        worker: Worker | None = None,
    ) -> None:
        self.config = config
        self.counters = Counters()
        self._workers = 1 if worker is None else worker.count
        capacity_bytes = share_of(config, self._workers)
        self.index = CacheIndex(
            capacity_bytes,
            policies.make(config.policy, capacity_bytes=capacity_bytes),
            overhead_bytes=DISK_OVERHEAD_BYTES,
        )
        self.upstream = ParentsClient(
            config,
            Parents(Parent(name=url) for url in config.parent_urls),
            make=lambda url: Upstream(self.config, url, now=now),
            now=monotonic_s,
        )
        self._place = place_of(
            config, sent_bytes=lambda: self.counters.sent_bytes, keys=self.index.keys
        )
        self.is_draining = False
        """It takes no new sessions; the director is told."""
        self.lag_s = 0.0
        """How late the event loop was lately."""
        self.door = Door(config.server_limits)
        """The door that its clients come through, once it is known."""
        self.loop_id = secrets.token_hex(8) if worker is None else worker.loop_id
        """What tells this edge from others in ``CDN-Loop``."""
        self._store = BodyStore(folder, fsync=config.fsync, is_shared=worker is not None)
        refused_s = config.keys_refresh_s
        self._token_check = tokens = TokenCheck(
            self.upstream.key_set, now=now, refused_s=refused_s, waits=True
        )
        self._upward = upward = Upward(config, judged_s=tokens.now_s)
        self._trust = TrustAnswers(
            tokens.denied,
            keys=lambda: tokens.digest,
            epoch=secrets.token_hex(8),
            knows=upward.knows,
        )
        tokens.on_keys = self._trust.wake
        tokens.set_others((*read_trust(config.trust).forms(), *upward.forms))
        self._following = Following(
            config, tokens=tokens, now=now, on_change=self._trust.wake, upward=upward
        )
        upward.takes_tiers = self._following.takes_tiers
        self.reports = Reports(config, now=now)
        """What is written down about requests and players."""
        self._catalogue = Catalogue(self._store.get)
        self.stock = Stocktaking(
            store=self._store,
            index=self.index,
            catalogue=self._catalogue,
            counters=self.counters,
            **({} if worker is None else {"owns": worker.owns}),
        )
        """What was stored before the start, and whether all of it is known."""
        rules = rules_of(config)
        self._keeper = Keeper(
            rules=rules,
            store=self._store,
            index=self.index,
            catalogue=self._catalogue,
            counters=self.counters,
        )
        self._fills = Fills(
            config,
            rules=rules,
            keeper=self._keeper,
            catalogue=self._catalogue,
            upstream=self.upstream,
            counters=self.counters,
            now=now,
        )
        self._steering = Steering(config, now=now)
        self._passthrough = Passthrough(config, upstream=self.upstream, counters=self.counters)
        self.hot = HotObjects(
            name=config.name,
            tokens=self._token_check if config.require_token else None,
            url_scheme=_scheme(config) if config.forward_host else "",
            holds=self._catalogue.holds_alone,
            use=self.index.use,
            counters=self.counters,
            now=now,
            limit_s=config.send_limit_s,
        )
        self._store.on_change.append(self.hot.forget_stored)
        self._ranging = Ranging(
            config,
            rules=rules,
            catalogue=self._catalogue,
            store=self._store,
            fills=self._fills,
            keeper=self._keeper,
            passthrough=self._passthrough,
            counters=self.counters,
            now=now,
        )
        self._delivery = Delivery(
            config,
            rules=rules,
            hot=self.hot,
            index=self.index,
            catalogue=self._catalogue,
            store=self._store,
            stock=self.stock,
            fills=self._fills,
            ranging=self._ranging,
            passthrough=self._passthrough,
            counters=self.counters,
            now=now,
        )
        self._audit = Audit(self._store, on_damage=self._delivery.drop)
        self._purger = Purger(
            config,
            store=self._store,
            stock=self.stock,
            fills=self._fills,
            forget=self._delivery.forget,
        )
        self._pinner = Pinner(config, index=self.index, catalogue=self._catalogue, stock=self.stock)
        self._sharing: Sharing | None = None
        if worker is not None:
            self._share(worker, now)
        self._via = via_of(config.name)
        self.lane = KeyLane(
            config,
            upstream=self.upstream,
            tokens=tokens,
            upward=upward,
            counters=self.counters,
            via=self._via,
            loop_id=self.loop_id,
            dropped=_NOT_FORWARDED,
        )
        self.prefetcher = Prefetcher(
            self._fills,
            holds=self.index.__contains__,
            wanted=self._wanted_next,
            has_tokens=config.require_token,
        )
        self._site = Site(
            config,
            delivery=self._delivery,
            passthrough=self._passthrough,
            loop_id=self.loop_id,
            shared=self._shared,
            sheds=self._sheds,
        )
        self._metrics = EdgeCollector(
            tier=config.tier,
            name=config.name,
            counters=self.counters,
            index=self.index,
            fills_under_way=lambda: self._fills.under_way,
            upstream=self.upstream.figures,
            disk_troubles=lambda: self._store.disk.troubles,
        )
        self._about = About(
            lambda: self.config,
            index=self.index,
            stock=self.stock,
            upstream=self.upstream,
            token_check=self._token_check,
            metrics=self._metrics,
            sharing=self._sharing,
        )

    def _share(self, worker: Worker, now: Callable[[], float]) -> None:
        """Share the cache with other workers."""
        sharing = self._sharing = Sharing(
            worker,
            self.config,
            store=self._store,
            index=self.index,
            catalogue=self._catalogue,
            stock=self.stock,
            delivery=self._delivery,
            now=now,
        )
        self._delivery.on_forget = sharing.forget
        self._pinner.elsewhere, sharing.pin_here = sharing.pin, self._pinner.answer_worker
        self._purger.elsewhere, sharing.purge_here = sharing.purge, self._purger.purge
        self._store.on_change.append(sharing.note_change)
        self.hot.share(holds=sharing.holds, use=sharing.use)

    def __repr__(self) -> str:
        return f"<Edge {self.config.name!r}: {self.index!r}, {self.upstream!r}>"

    async def reconfigure(self, config: EdgeConfig) -> None:
        """Use other settings from now on; ``edge.operations.reloading`` says which may differ.

        Raises:
            ConfigError: a file that they name cannot be used; then nothing has changed.
        """
        trust = await asyncio.to_thread(read_trust, config.trust)
        await self.upstream.reconfigure(config)
        self._upward.reconfigure(config)
        self._token_check.set_others((*trust.forms(), *self._upward.forms))
        self.reports.reconfigure(config)
        before, self.config = self.config, config
        rules = rules_of(config)
        self._fills.reconfigure(config, rules)
        self._delivery.reconfigure(config, rules)
        self._ranging.reconfigure(config, rules)
        self._purger.reconfigure(config)
        self._pinner.reconfigure(config)
        self._passthrough.reconfigure(config)
        self.lane.reconfigure(config)
        self._site.reconfigure(config)
        self._steering.reconfigure(config)
        self._following.reconfigure(config)
        self.hot.reconfigure(limit_s=config.send_limit_s)
        self._token_check.reconfigure(refused_s=config.keys_refresh_s)
        if (config.policy, config.cache_bytes) != (before.policy, before.cache_bytes):
            capacity_bytes = share_of(config, self._workers)
            policy = policies.make(config.policy, capacity_bytes=capacity_bytes)
            self._keeper.make_room(policy, capacity_bytes=capacity_bytes)
        if self._sharing is not None:
            self._sharing.reconfigure(config)

    def let_go(self) -> None:
        """Leave the cache folder to another process; what is served from it still is."""
        self._store.let_go()

    def _sheds(self, wanted: Wanted) -> bool:
        """Whether a request is refused because viewers wait for others; it is counted."""
        if wanted.urgency == "playback":
            return False
        load = Load(
            fills=self._fills.under_way,
            inside=self.door.inside,
            most_inside=self.door.most_connections,
            lag_s=self.lag_s,
        )
        shed = sheds(wanted.urgency, load, is_held=wanted.key in self.index)
        self.counters.shed += shed
        return shed

    def watch(self, figures: Callable[[], ProcessFigures]) -> None:
        """Show these figures of the process among the metrics."""
        self._metrics.process = figures

    def note(self, answered: Answered) -> None:
        """Write a request down, and fetch what it says comes next."""
        if self.reports.is_wanted:
            self.reports.note(answered)
        if self.config.prefetch:
            self.prefetcher.consider(answered, self.reports.key_of(answered.target))

    def _wanted_next(self, target: str) -> Wanted | None:
        """What a player will want next."""
        own = forwarded_headers([], dropped=_NOT_FORWARDED, via=self._via, loop_id=self.loop_id)
        if not self.config.require_token:
            return self._site.wanted_next(target, own)
        try:
            found = parse_target(target)
        except PathError:
            return None
        if found.kind != "object" or found.token is None:
            return None
        said = self._token_check.permission(found.token, Asked(title=found.title, path=found.path))
        if said is None:
            return None
        return Wanted(
            key=chosen_key(found, said),
            target=object_path(self._upward.token_for(found, said), found.title, found.path),
            facts=Request(method="GET", fields={}),
            asking=(("Accept-Encoding", "identity"), *own),
            urgency="prefetch",
        )

    async def refresh_keys(self) -> None:
        """Fetch the parent's public keys again; those in use stay when that fails."""
        if self.config.require_token and not await self._token_check.refresh():
            LOG.warning("keys not fetched: %s", redact(self._token_check.trouble))

    @property
    def trouble(self) -> str:
        """Why tokens cannot be checked yet; empty when they can be, or need not be."""
        return "" if self._token_check.has_keys else self._token_check.trouble

    @property
    def clock_off_s(self) -> float:
        """Seconds that this clock is ahead of the parent's, as far as is certain."""
        return -self._token_check.correction_s

    async def running(self, _app: web.Application) -> AsyncIterator[None]:
        """Open everything, and close it at the end; for ``cleanup_ctx``."""
        await asyncio.to_thread(self._store.open)
        try:
            self.stock.start()
            self._audit.start()
            if self._sharing is not None:
                await self._sharing.open()
            await self.upstream.open()
            await self._steering.open()
            async with self._registered():
                if self.config.require_token:
                    await self._start_checking()
                yield
        finally:
            await self._following.close()
            if self._sharing is not None:
                await self._sharing.close()
            await self._audit.close()
            await self.stock.close()
            await self._fills.close()
            await self._steering.close()
            await self._token_check.close()
            await self.upstream.close()
            self.hot.close()
            self._store.close()

    async def _start_checking(self) -> None:
        """Listen to the parents, and wait a little for their keys."""
        self._following.open(self.upstream.parents.names)
        self.upstream.on_parents.append(self._following.set_parents)
        if not await self._token_check.start():
            trouble = self._token_check.trouble or self._following.trouble
            LOG.info("no keys from the parent yet: %s", redact(trouble))

    def drain(self) -> None:
        """Take no new sessions, and let no tier wait for news any more."""
        self.is_draining = True
        self._trust.close()

    async def shut(self, _app: web.Application) -> None:
        """As ``drain``; for ``on_shutdown``."""
        self.drain()

    @asynccontextmanager
    async def _registered(self) -> AsyncIterator[None]:
        """Hold a place in the tree meanwhile, if there is a director; it says whom to ask."""
        config = self.config
        if not config.director:
            yield
            return
        registrar = Registrar(
            config.director,
            secret=config.director_secret,
            server=self._place.server,
            state=lambda: self._place.state(now_s=monotonic_s(), draining=self.is_draining),
            set_parents=self.upstream.set_parents,
        )
        task = asyncio.create_task(registrar.run())
        try:
            with suppress(TimeoutError):
                await asyncio.wait_for(registrar.has_tried.wait(), _DIRECTOR_S)
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """Answer any request."""
        try:
            path = request.raw_path.partition("?")[0]
            if path == CMCD_PATH and self.config.cmcd_log and request.method != "OPTIONS":
                return await self.reports.take(request)
            if path == PURGE_PATH:
                return await self._purger.answer(request)
            if path == PIN_PATH:
                return await self._pinner.answer(request)
            if self.config.require_token:
                return await self._answer_with_token(request)
            return await self._answer_any(request)
        except PathError as exc:
            return error_response(400, "bad-path", str(exc))
        except TokenError as exc:
            self.counters.refusals[exc.reason] += 1
            return token_response(exc)
        except AbrError as exc:
            LOG.warning("%s", redact(str(exc)))
            # Strangers are not told where the parent is, nor what they asked for.
            if isinstance(exc, TimeoutError):
                return error_response(504, "parent-failed", "no answer in time; see the edge's log")
            return error_response(exc.http_status, "parent-failed", "failed; see the edge's log")

    async def _answer_with_token(self, request: web.Request) -> web.StreamResponse:
        """Answer a request to a cache of titles, where all but health and keys needs a token."""
        if request.method == "OPTIONS":
            return preflight_response()
        target = target_of(request)
        if target.is_fixed:
            show(request, target.shown)
        if target.kind == "trust" and request.method in METHODS["trust"]:
            return await self._trust.answer(request)
        past_caches = parse_request_control(join_fields(fields_of_request(request))).no_cache
        own = await self._about.answer(target, past_caches=past_caches)
        if own is not None:
            return own
        if target.kind not in _IN_TITLES:
            return error_response(404, "not-found", "no such object; playback is at the origin")
        if request.method not in METHODS[target.kind]:
            return method_response(METHODS[target.kind])
        return await self._answer_permitted(request, target)

    async def _answer_permitted(self, request: web.Request, target: Target) -> web.StreamResponse:
        """Answer a request for something in a title, if its token permits it."""
        asked = asked_of(request, target)
        permission = await self._token_check.authorize(target, asked)
        show(request, target.shown)
        now_s = self._token_check.now_s()
        moved = moved_to(request, target, permission, asked=asked, now_s=now_s)
        if moved is None or moved.is_fresh:
            self.counters.tokens_reused += self._token_check.use(permission, asked)
        if moved is not None:
            return moved.response
        hand_over(request, target, permission, asked=asked, now_s=now_s)
        wanted = self._wanted(request, target, permission)
        if target.kind == "steering":
            return await self._steering.answer(request, target)
        if self._sheds(wanted):
            return shed_response()
        if target.kind == "object":
            # One worker notes all uses of a token for an object: its owner.
            may_borrow = not permission.nonce
            elsewhere = await self._shared(request, wanted, may_borrow=may_borrow)
            if elsewhere is not None:
                return elsewhere
            return await self._delivery.answer(request, wanted)
        return await self._passthrough.forward(request, wanted, "bypass")

    async def _shared(
        self, request: web.Request, wanted: Wanted, *, may_borrow: bool = True
    ) -> web.StreamResponse | None:
        """The answer of the worker whose matter it is; None when it is this one's."""
        if self._sharing is None:
            return None
        return await self._sharing.answer(request, wanted, may_borrow=may_borrow)

    def _wanted(self, request: web.Request, target: Target, said: Permission) -> Wanted:
        """What a request with a token wants: its fields choose nothing at the parent.

        Nor does its query, but viewers' tokens of some issuers are compared with it.
        """
        fields = fields_of_request(request)
        if has_looped(fields, self.loop_id):
            raise UpstreamError("a loop: this request has been here before; check all --parent")
        passing = forwarded_headers(
            fields, dropped=_NOT_FORWARDED, via=self._via, loop_id=self.loop_id
        )
        own = [pair for pair in passing if pair[0] in ("Via", "CDN-Loop")]
        token = self._upward.token_for(target, said)
        keeps_query = bool(said.issuer and target.query) and token == target.token
        query = f"?{target.query}" if keeps_query else ""
        return Wanted(
            key=chosen_key(target, said),
            target=object_path(token, target.title, target.path) + query,
            facts=Request(method=request.method, fields={}),
            asking=(("Accept-Encoding", "identity"), *own),
            range_text=join_fields(fields).get("range", ""),
            urgency=urgency_of(join_fields(fields), request.raw_path),
            passing=tuple(passing),
        )

    async def _answer_any(self, request: web.Request) -> web.StreamResponse:
        """Answer a request to a plain reverse proxy: no tokens, and the whole URL is the key."""
        path = request.raw_path.partition("?")[0]
        own = _OWN.get(path.removeprefix(self.config.own_prefix))
        if own is not None and path.startswith(self.config.own_prefix):
            answer = await self._about.answer(Target(kind=own))
            if answer is not None:
                return answer
        return await self._site.answer(request)


def _scheme(config: EdgeConfig) -> str:
    return "https" if config.tls_cert else "http"


EDGE = web.AppKey("edge", Edge)
"""Where ``make_app`` keeps its edge: ``app[EDGE].counters`` and so on."""

_IN_TITLES = frozenset({"object", "key", "licence", "renew", "steering"})
# With tokens, the path carries the permission; a bearer field would be a second copy.
_NOT_FORWARDED = frozenset(
    {
        CLIENT.lower(),
        COMMON_FIELD.lower(),
        "authorization",
        "content-length",
        "cookie",
        "expect",
        "host",
    }
)
_OWN: dict[str, Kind] = {"/healthz": "healthz", "/metrics": "metrics"}


def make_app(
    config: EdgeConfig,
    *,
    cache_dir: Path,
    limits: ServerLimits | None = None,
    now: Callable[[], float] | None = None,
    worker: Worker | None = None,
) -> web.Application:
    """An edge in front of ``config.parent``; serve it with ``origin.server.httpserver.listening``.

    Args:
        config: Its settings.
        cache_dir: Folder for bodies; made when missing, kept when the edge stops.
        limits: Sizes of request heads.
        now: Seconds since the epoch; by default a clock that does not jump.
        worker: Which of several processes this is; None for the only one.

    Raises:
        ConfigError: a setting cannot be used.
        ResourceError: at start-up, when another edge uses the folder.
    """
    edge = Edge(config.check(), cache_dir, now=now or Clock(), worker=worker)
    app = make_application(
        edge.answer,
        limits=limits,
        client_max_bytes=MAX_REQUEST_BODY_BYTES,
        adds_fields=config.require_token,
    )
    app[EDGE] = edge
    app[COOKIE_PAGES] = lambda: edge.config.cookie_pages
    app[QUICK] = edge.hot
    if config.require_token:
        app[LANE] = edge.lane
    app.cleanup_ctx.append(edge.running)
    app.on_shutdown.append(edge.shut)
    return app
