"""The endpoints of keys and licences, as aiohttp's handlers and as a lane of connections."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import TypeVar

from aiohttp import web
from multidict import CIMultiDict

from abr.errors import TokenError
from origin.config import OriginConfig
from origin.httpdate import http_date
from origin.keyhead import KeyHead
from origin.licences.keys import KeyToGive
from origin.licences.systems import DEFAULT, KeySystem, load_systems
from origin.metrics import OriginMetrics
from origin.paths import PathError, Target, parse_target
from origin.server.answers import error_response
from origin.server.httpserver import add_fields
from origin.server.lanes import Client, Coming, Whole
from origin.server.licensing import PLAIN, Licences, NoSuchKeyError, Wish
from origin.tokens.permission import Asked, Permission
from origin.tokens.verifier import TokenVerifier

KEY_TYPE = "application/octet-stream"

_T = TypeVar("_T")


class KeyEndpoints:
    """Answers requests for keys and licences.

    Args:
        licences: Gives the keys.
        verify: What the token of a request permits; raises ``TokenError``.
        verifier: Verifies tokens, for the lane.
        config: Leeway of tokens, and the life of licences.
        metrics: Requests are counted there that the lane answers.
        now: Unix time, seconds.

    Raises:
        ConfigError: a key system that is installed cannot be used.
    """

    def __init__(
        self,
        licences: Licences,
        verify: Callable[[web.Request, Target], Permission],
        verifier: TokenVerifier,
        config: OriginConfig,
        *,
        metrics: OriginMetrics,
        now: Callable[[], float],
        systems: Mapping[str, KeySystem] | None = None,
    ) -> None:
        self.licences = licences
        self._verify, self._verifier, self._config = verify, verifier, config
        self._metrics, self._now = metrics, now
        self._systems = load_systems() if systems is None else systems
        self._heads = {name: _head_of(each.media_type) for name, each in self._systems.items()}
        self._heads[PLAIN] = _head_of(KEY_TYPE)
        self._date, self._date_s = b"", -1

    def __repr__(self) -> str:
        return f"<KeyEndpoints {self.licences!r}, systems {', '.join(self._systems)}>"

    async def key(self, request: web.Request, target: Target) -> web.StreamResponse:
        """16 bytes, or a refusal."""
        permission = self._permission(request, target, PLAIN)
        if target.kid is None:
            return error_response(404, "not-found", "no such object")
        wish = _wish(target, PLAIN, (target.kid,), permission)
        try:
            (given,) = await self.licences.open(wish)
        except NoSuchKeyError:
            return error_response(404, "not-found", "no such object")
        return _response(given.key, KEY_TYPE)

    async def licence(self, request: web.Request, target: Target) -> web.StreamResponse:
        """A licence of a key system, or a refusal."""
        name = target.system or DEFAULT
        system = self._systems.get(name)
        permission = self._permission(request, target, DEFAULT if system is None else name)
        if system is None:
            known = ", ".join(sorted(self._systems))
            text = f"no such key system is installed here; expected one of: {known}"
            return error_response(404, "not-found", text)
        body = await request.read()
        kids = await _called(system, system.kids_of, body)
        try:
            keys = await self.licences.open(_wish(target, name, tuple(kids), permission))
        except NoSuchKeyError as exc:
            return error_response(404, "unknown-kid", str(exc))
        licence = await _called(system, self._licence, system, body, keys, permission)
        return _response(licence, system.media_type)

    def begin(
        self, head: KeyHead, client: Client, done: Callable[[Whole | None], None]
    ) -> Whole | Coming | None:
        """What is in memory, at once; for connections."""
        found = self._find(head, client)
        if found is None:
            return None
        kind, name, data = found
        self._metrics.count_response(kind, 200, body_bytes=len(data), seconds=0.0)
        now_s = int(self._now())
        if now_s != self._date_s:
            self._date, self._date_s = f"Date: {http_date(now_s)}\r\n".encode(), now_s
        length = b"Content-Length: %d\r\n\r\n" % len(data)
        return Whole(200, self._heads[name] + self._date + length, data)

    def _find(self, head: KeyHead, client: Client) -> tuple[str, str, bytes] | None:
        """Kind, system and body of the answer; None when aiohttp's handlers have to look."""
        try:
            target = parse_target(head.target)
        except PathError:
            return None
        kind, kid = target.kind, target.kid
        name = PLAIN if kind == "key" else target.system or DEFAULT
        system = self._systems.get(name)
        is_key = kind == "key" and kid is not None and head.method == "GET"
        is_licence = kind == "licence" and system is not None and head.method == "POST"
        if not (is_key or is_licence) or (system is not None and system.may_wait):
            return None
        asked = Asked(
            title=target.title,
            path=target.path,
            method=head.method,
            scheme=client.scheme,
            authority=head.host,
            query=target.query,
            address=client.address,
        )
        leeway_s = self._config.token_leeway_s
        try:
            permission = self._verifier.verify(
                target.token, asked=asked, now_s=self._now(), leeway_s=leeway_s
            )
            kids = _kids_of(system, head.body) if system is not None else (kid or "",)
        except (TokenError, ValueError):  # which is then said
            return None
        if not permission.is_plain:
            return None
        keys = self.licences.open_now(_wish(target, name, kids, permission))
        if keys is None:
            return None
        if system is None:
            return kind, name, keys[0].key
        return kind, name, self._licence(system, head.body, keys, permission)

    def _licence(
        self,
        system: KeySystem,
        body: bytes,
        keys: tuple[KeyToGive, ...],
        permission: Permission,
    ) -> bytes:
        until_s = self._now() + self._config.licence_ttl_s
        return system.licence(body, keys, expires_s=min(until_s, permission.expires_s))

    def _permission(self, request: web.Request, target: Target, name: str) -> Permission:
        try:
            return self._verify(request, target)
        except TokenError as exc:
            self.licences.note_refusal(exc, name)
            raise


def _wish(target: Target, system: str, kids: tuple[str, ...], permission: Permission) -> Wish:
    return Wish(
        system=system,
        title=target.title,
        version=target.version,
        kids=kids,
        permission=permission,
    )


def _kids_of(system: KeySystem, request: bytes) -> tuple[str, ...]:
    return tuple(system.kids_of(request))


async def _called(system: KeySystem, call: Callable[..., _T], *args: object) -> _T:
    """What a method of a system gives; in a thread when it may wait for somebody."""
    if system.may_wait:
        return await asyncio.to_thread(call, *args)
    return call(*args)


def _response(body: bytes, media_type: str) -> web.Response:
    return web.Response(
        body=body, headers={"Content-Type": media_type, "Cache-Control": "no-store"}
    )


def _head_of(media_type: str) -> bytes:
    """The head of an answer up to its date, with the fields that the handlers' answers have."""
    headers = CIMultiDict({"Content-Type": media_type, "Cache-Control": "no-store"})
    add_fields(headers)
    fields = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"HTTP/1.1 200 OK\r\n{fields}".encode("latin-1")
