"""The origin server: tokens, and objects and keys for those who hold one.

Endpoints (the shape of URLs is in ``paths``)::

    GET, POST  /playback/<title>            a playback URL with a fresh token
    GET, POST  /t/<token>/<title>/renew     a fresh token for an old one
    GET, HEAD  /t/<token>/<title>/key/<kid> 16 bytes of content key
    POST       /t/<token>/<title>/licence   a licence, ClearKey or of licence/<system>
    GET, HEAD  /t/<token>/<title>/<path>    an object of the package
    GET, HEAD  /.well-known/jwks.json       public keys that verify tokens
    GET, HEAD  /.well-known/abr-trust       what was revoked, as it is revoked
    GET, HEAD  /healthz  /metrics
"""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Protocol

from aiohttp import hdrs, web

from abr.errors import PlaylistError, TokenError
from origin.config import OriginConfig, ServerLimits
from origin.encoding import GZIPPED_TYPES, accepts_gzip, gzip_tag
from origin.files.trustfile import read_trust
from origin.httprules import Representation, plan_response
from origin.metrics import OriginMetrics
from origin.paths import METHODS, Kind, PathError, Target, object_path
from origin.server.answers import (
    error_response,
    json_response,
    key_set_response,
    method_response,
    metrics_response,
    preflight_response,
    presents,
    token_response,
)
from origin.server.asking import asked_of, hand_over, moved_to
from origin.server.auditlog import AuditLog
from origin.server.clock import Clock
from origin.server.connection import show
from origin.server.gzipped import Gzipped
from origin.server.httpserver import COOKIE_PAGES, LANE, make_application, target_of
from origin.server.keyendpoints import KeyEndpoints
from origin.server.licensing import ContentKeys, Licences
from origin.server.marking import VARIANTS, Marking
from origin.server.rewriting import rewrite, view_of
from origin.server.sending import send_plan
from origin.server.store import OpenObject, TitleStore
from origin.server.trust import Trust
from origin.signing import Secrets
from origin.steering import with_steering
from origin.tierfields import asked_by_tier, tier_fields
from origin.tokens.pathtoken import TokenIssuer
from origin.tokens.permission import Asked, Permission
from origin.tokens.refusals import refuse
from origin.tokens.revocation import RevocationSource
from origin.tokens.tiertoken import tier_tokens
from transcode.packaging.layout import MULTIVARIANT
from transcode.packaging.views import split_view

LOGGER = logging.getLogger("abr.http")

CLOCK_SET_S = 30.0
"""A wall clock that was set by more than this is worth a line in the log."""

_MEDIA = ("video/", "image/", "text/vtt")
_MEDIA_STALE_S = 86400


class Keys(Secrets, ContentKeys, Protocol):
    """What the origin needs of a key store."""


class Sessions(Protocol):
    """Whoever keeps sessions."""

    async def is_closed(self, permission: Permission) -> bool:
        """Whether the session of a token was closed before its end, so is not to be renewed."""
        ...


def make_app(
    store: TitleStore,
    keys: Keys,
    config: OriginConfig | None = None,
    *,
    limits: ServerLimits | None = None,
    now: Callable[[], float] | None = None,
    revocations: RevocationSource | None = None,
    sessions: Sessions | None = None,
) -> web.Application:
    """The origin as an application; serve it with ``httpserver.listening``.

    Args:
        store: The packages.
        keys: Content keys, and the secret key that signs tokens.
        config: Settings; the defaults when None.
        limits: Sizes and times.
        now: Unix time, seconds; by default a clock that does not jump.
        revocations: Where revocations are kept; None: nowhere, so they end with this process.
        sessions: Who knows which sessions were closed; None: nobody.

    Raises:
        ConfigError: a setting is out of range, or settings contradict each other.
        KeyStoreError: the signing key cannot be read or made.
    """
    config, limits, now = (
        (config or OriginConfig()).check(),
        limits or ServerLimits(),
        now or Clock(),
    )
    tiers = tier_tokens(config.tier_secret, where="origin.tier_secret")
    others = read_trust(config.trust).forms()
    trust = Trust(
        keys, revocations, now=now, session_s=config.session_ttl_s, others=others, tiers=tiers
    )
    origin = Origin(store, keys, config, limits, now, trust, sessions)
    app = make_application(origin.answer, limits=limits)
    app[ORIGIN] = origin
    app[COOKIE_PAGES] = lambda: config.cookie_pages
    app.cleanup_ctx.append(trust.running)
    app.on_shutdown.append(trust.shut)
    app[LANE] = origin.keys
    app.on_cleanup.append(origin.close)
    return app


class Origin:
    """Answers requests, and issues playback URLs to the program that runs it."""

    def __init__(
        self,
        store: TitleStore,
        keys: Keys,
        config: OriginConfig,
        limits: ServerLimits,
        now: Callable[[], float],
        trust: Trust,
        sessions: Sessions | None = None,
    ) -> None:
        self._sessions = sessions
        self.trust, self.verifier = trust, trust.verifier
        self.metrics = OriginMetrics()
        audit = None
        if config.audit_log:
            audit = AuditLog(Path(config.audit_log), max_bytes=config.audit_log_bytes)
        self.licences = Licences(store, keys, keys_ahead=config.keys_ahead, audit=audit, now=now)
        self.metrics.show_lost_lines(lambda: self.licences.lost_lines)
        self.keys = KeyEndpoints(
            self.licences, self._verify, self.verifier, config, metrics=self.metrics, now=now
        )
        self._gzipped = Gzipped()
        self.marking = Marking(store, keys)
        self._store, self._config, self._limits = store, config, limits
        self._now = now
        self._knows_clock_was_set = False

    def __repr__(self) -> str:
        return f"<Origin of {self._store!r}, {self.issuer!r}>"

    @property
    def issuer(self) -> TokenIssuer:
        """What signs tokens now."""
        return self.trust.issuer

    async def close(self, _app: web.Application) -> None:
        """Close the audit log."""
        await self.licences.close()

    def playback(
        self, title: str, *, base: str | None = None, variant: int | None = None
    ) -> dict[str, Any]:
        """The answer of the playback endpoint: ``url``, ``token``, ``expires_s``, ``ttl_s``.

        ``expires_s`` is Unix time, ``ttl_s`` the seconds until then. ``base`` is put before
        the path; None means the configured ``public_base``. With ``variant`` the token is for
        filling caches: it chooses that variant of each segment, and leaves no trace.
        """
        now_s = self._now()
        session = secrets.token_urlsafe(12)
        pattern, said = self.marking.of_session(title, session, variant)
        token = self.issuer.issue(
            title,
            now_s=now_s,
            session_id=session,
            ttl_s=self._config.token_ttl_s,
            session_s=self._config.session_ttl_s,
            watermark=pattern,
        )
        start = self._config.public_base if base is None else base
        url = start.rstrip("/") + object_path(token, title, MULTIVARIANT)
        return {"url": url, **self._token_fields(token, title, now_s), **said}

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """Answer one request and count it."""
        begin = time.perf_counter()
        route, status, body_bytes = "unknown", 499, 0
        try:
            target = target_of(request)
            route = target.kind
            if target.is_fixed:
                show(request, target.shown)
            response = await self._dispatch(request, target)
            status, body_bytes = response.status, _body_bytes(request, response)
        except PathError as exc:
            route, response = "refused", error_response(400, "bad-path", str(exc))
            status = response.status
        except TokenError as exc:
            self.metrics.count_refusal(exc.reason)
            response = token_response(exc)
            status = response.status
        finally:
            # A client that left before the end counts as 499, as in nginx's logs.
            seconds = time.perf_counter() - begin
            self.metrics.count_response(route, status, body_bytes=body_bytes, seconds=seconds)
        return response

    async def _dispatch(self, request: web.Request, target: Target) -> web.StreamResponse:
        if request.method == "OPTIONS":
            return preflight_response()
        handler = self._handlers().get(target.kind)
        if handler is None:
            return _not_found()
        if request.method not in METHODS[target.kind]:
            return method_response(METHODS[target.kind])
        return await handler(request, target)

    def _handlers(self) -> dict[Kind, _Handler]:
        return {
            "object": self._object,
            "key": self.keys.key,
            "licence": self.keys.licence,
            "renew": self._renew,
            "playback": self._playback,
            "jwks": self._jwks,
            "trust": self._trust,
            "healthz": self._healthz,
            "metrics": self._metrics,
        }

    async def _object(self, request: web.Request, target: Target) -> web.StreamResponse:
        permission, moved = self._permit(request, target)
        if moved is not None:
            return moved
        stored, view = split_view(target.path)
        found = await self._opened(replace(target, path=stored), permission)
        if found is None:
            return _not_found(target)
        if self._config.steering and stored == MULTIVARIANT:
            found = rewrite(found, with_steering, "s")
        if view is not None:
            try:
                found = view_of(found, view)
            except PlaylistError as exc:
                return error_response(404, "not-found", str(exc))
        with found:
            described = self._describe(found)
            packed = await self._packed(request, target, found)
            if packed is not None:
                described = replace(described, size_bytes=len(packed), etag=gzip_tag(found.etag))
            plan = plan_response(
                request.method, request.headers.items(), described, now_s=self._now()
            )
            fields = plan.headers
            if found.media_type in GZIPPED_TYPES:
                fields += (("Vary", "Accept-Encoding"),)
            if packed is not None and plan.status == 200:
                fields += (("Content-Encoding", "gzip"),)
                plan = replace(plan, body=(packed,) if plan.body else ())
            if asked_by_tier(request.headers.items()):
                fields += tier_fields(self._tier_freshness(found), found.tags)
            return await send_plan(
                request, plan, found.body, fields=fields, limit_s=self._limits.send_s
            )

    async def _packed(
        self, request: web.Request, target: Target, found: OpenObject
    ) -> bytes | None:
        """The compressed form of a playlist; None when it is not to be sent.

        Ranges are ranges of the text as it is.
        """
        accepted = ", ".join(request.headers.getall(hdrs.ACCEPT_ENCODING, ()))
        if (
            found.media_type not in GZIPPED_TYPES
            or hdrs.RANGE in request.headers
            or not accepts_gzip(accepted)
        ):
            return None
        name = (target.title, target.path, found.etag)
        return await self._gzipped.get(name, found.body, found.size_bytes)

    async def _opened(self, target: Target, permission: Permission) -> OpenObject | None:
        """The object, in the variant that the token chooses where there are two."""

        def opened() -> OpenObject | None:
            return self._store.open(target.title, self.marking.path(target, permission))

        return await asyncio.to_thread(opened) if self._store.may_wait else opened()

    async def _open(self, title: str, path: str) -> OpenObject | None:
        if self._store.may_wait:
            return await asyncio.to_thread(self._store.open, title, path)
        return self._store.open(title, path)

    def _describe(self, found: OpenObject) -> Representation:
        return Representation(
            size_bytes=found.size_bytes,
            media_type=found.media_type,
            etag=found.etag,
            last_modified_s=found.last_modified_s,
            cache_control=f"private, {self._freshness(found)}",
        )

    def _freshness(self, found: OpenObject) -> str:
        """Directives that say how long it may be kept, by whomever may keep it."""
        if found.is_fixed:
            return f"max-age={self._config.media_max_age_s}, immutable"
        return f"max-age={self._config.playlist_max_age_s}"

    def _tier_freshness(self, found: OpenObject) -> str:
        """The same for a tier of ours, which may go on with old media while this server fails."""
        control = self._freshness(found)
        if found.is_fixed or not found.media_type.startswith(_MEDIA):
            return control
        return f"{control}, stale-if-error={_MEDIA_STALE_S}"

    async def _renew(self, request: web.Request, target: Target) -> web.StreamResponse:
        now_s = self._now()
        permission = self.verifier.verify_renewable(
            target.token, asked=asked_of(request, target), now_s=now_s
        )
        show(request, target.shown)
        if self._sessions is not None and await self._sessions.is_closed(permission):
            refuse("session-over")
        token = self.issuer.renew(permission, now_s=now_s, ttl_s=self._config.token_ttl_s)
        return json_response(self._token_fields(token, target.title, now_s))

    async def _playback(self, request: web.Request, target: Target) -> web.StreamResponse:
        secret = self._config.playback_secret
        if secret and not presents(request, secret):
            text = "playback URLs need the bearer secret of this origin"
            return error_response(401, "unauthorised", text, {"WWW-Authenticate": "Bearer"})
        variant = VARIANTS.get(request.query.get("variant", ""))
        if "variant" in request.query and not (secret and variant is not None):
            text = "tokens for one variant are for filling caches: ?variant=a or b, with the secret"
            return error_response(403, "variant", text)
        found = await self._open(target.title, MULTIVARIANT)
        if found is None:
            return _not_found()
        show(request, target.shown)
        with found:
            make = partial(self.playback, target.title, variant=variant)
            # The first look-up of a secret reads and locks files, and of an index may be remote.
            return json_response(await asyncio.to_thread(make))

    async def _jwks(self, _request: web.Request, _target: Target) -> web.StreamResponse:
        self._note_clock()
        return key_set_response(
            self.trust.jwks(), fresh_s=self._config.keys_max_age_s, now_s=self._now()
        )

    async def _trust(self, request: web.Request, _target: Target) -> web.StreamResponse:
        return await self.trust.feed.answer(request)

    def _note_clock(self) -> None:
        """Log once that the machine's clock was set; each tier asks for the keys now and then."""
        ahead_s = self._now.ahead_s if isinstance(self._now, Clock) else 0.0
        if abs(ahead_s) > CLOCK_SET_S and not self._knows_clock_was_set:
            self._knows_clock_was_set = True
            LOGGER.warning(
                "the machine's clock was set by %+.0f s since the start; tokens go on by the time "
                "before, on all tiers; restart this origin to take the new time",
                -ahead_s,
            )

    async def _healthz(self, _request: web.Request, _target: Target) -> web.StreamResponse:
        return json_response(
            {"status": "ok", "role": "origin", "titles": len(self._store.titles())}
        )

    async def _metrics(self, _request: web.Request, _target: Target) -> web.StreamResponse:
        return metrics_response(self.metrics.text())

    def _verify(self, request: web.Request, target: Target) -> Permission:
        return self._permit(request, target)[0]

    def _permit(
        self, request: web.Request, target: Target
    ) -> tuple[Permission, web.Response | None]:
        """What a token permits, and the answer if its viewer is to ask elsewhere.

        Raises:
            TokenError: it does not permit the request.
        """
        asked, now_s = asked_of(request, target), self._now()
        leeway_s = self._config.token_leeway_s
        permission = self.verifier.verify(target.token, asked=asked, now_s=now_s, leeway_s=leeway_s)
        show(request, target.shown)
        moved = moved_to(request, target, permission, asked=asked, now_s=now_s)
        is_use = moved is None or moved.is_fresh
        if is_use and self.verifier.use(permission, asked=asked, now_s=now_s, leeway_s=leeway_s):
            self.metrics.count_reuse()
        if moved is not None:
            return permission, moved.response
        hand_over(request, target, permission, asked=asked, now_s=now_s)
        return permission, None

    def _token_fields(self, token: str, title: str, now_s: float) -> dict[str, Any]:
        permission = self.verifier.verify(token, asked=Asked(title=title), now_s=now_s)
        ttl_s = round(permission.expires_s - now_s, 3)
        return {"token": token, "expires_s": int(permission.expires_s), "ttl_s": ttl_s}


_Handler = Callable[[web.Request, Target], Awaitable[web.StreamResponse]]
ORIGIN = web.AppKey("origin", Origin)


def _not_found(target: Target | None = None) -> web.Response:
    if target is not None and target.names_version:
        text = "no such object in this version; was the title replaced? begin at its playlist again"
    else:
        text = "no such object"
    return error_response(404, "not-found", text)


def _body_bytes(request: web.Request, response: web.StreamResponse) -> int:
    has_body = request.method != "HEAD" and response.status not in (204, 304)
    return (response.content_length or 0) if has_body else 0
