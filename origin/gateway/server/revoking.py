"""Revocations over HTTP, for whoever holds the admin secret."""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from aiohttp import hdrs, web

from origin.gateway.accounts import Account
from origin.gateway.refusals import GatewayRefusal
from origin.gateway.routes import Route, parse_object
from origin.gateway.server.guard import DependencyError
from origin.server.answers import json_response
from origin.tokens.carriage import bearer_secret
from origin.tokens.revocation import KINDS, Revocation, dump_revocation

if TYPE_CHECKING:
    from origin.gateway.server.service import Service


class Revoking:
    """Answers ``/v1/revocations``."""

    def __init__(self, service: Service) -> None:
        self._service = service

    def __repr__(self) -> str:
        return f"<Revoking of {self._service!r}>"

    async def answer(self, request: web.Request, _route: Route) -> web.StreamResponse:
        """List what is revoked, or revoke.

        Raises:
            GatewayRefusal: no admin, nothing that can be revoked, or the state failed.
        """
        self._require_admin(request)
        state = self._service.state
        try:
            if request.method == "GET":
                after = _whole(request.query.get("after", "0"))
                found = await self._service.guarded(
                    "state", lambda: state.call(lambda each: each.revocations(after)), 5.0
                )
                entries = [dump_revocation(each) for each in found.entries]
                return json_response({"version": found.version, "revocations": entries})
            entry = self._entry(parse_object(await request.read()))
            now_s = self._service.now_s()
            await self._service.guarded(
                "state", lambda: state.call(lambda each: each.revoke([entry], now_s=now_s)), 5.0
            )
        except DependencyError as exc:
            raise GatewayRefusal("state-unavailable", retry_after_s=2) from exc
        return json_response(dump_revocation(entry), status=201)

    def _entry(self, given: Mapping[str, Any]) -> Revocation:
        kind, value = given.get("kind"), given.get("value")
        if kind not in KINDS or not isinstance(value, str) or not value:
            raise GatewayRefusal(
                "bad-request",
                f"expected kind ({', '.join(KINDS)}) and value, the id of what is"
                " meant; of an account its name",
            )
        if kind == "account":
            value = self._service.tag(Account(name=value))
        now_s = self._service.now_s()
        return Revocation(
            kind=kind,
            value=value,
            until_s=_time(given, "until", now_s + self._service.config.session_ttl_s),
            changed_ms=int(now_s * 1000),
            issued_before_s=_time(given, "before", 0.0) if "before" in given else None,
            is_lifted=given.get("lifted") is True,
        )

    def _require_admin(self, request: web.Request) -> None:
        secret = self._service.config.admin_secret
        if not secret:
            raise GatewayRefusal("admin-off")
        given = bearer_secret(request.headers.get(hdrs.AUTHORIZATION)) or ""
        if not hmac.compare_digest(given.encode("utf-8", "surrogateescape"), secret.encode()):
            raise GatewayRefusal("not-admin")


def _whole(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 19):
        raise GatewayRefusal("bad-request", "after: expected a whole number")
    return int(text)


def _time(given: Mapping[str, Any], name: str, default: float) -> float:
    value = given.get(name, default)
    if not isinstance(value, int | float) or isinstance(value, bool) or not 0 <= value < 1e12:
        raise GatewayRefusal("bad-request", f"{name}: expected Unix seconds")
    return float(value)
