"""What a cache of titles answers: parse the path, check the token, deliver.

A request that is refused does not reach the parent. Paths, errors and limits are those of
the origin, so a client cannot tell which tier it talks to.
"""

from __future__ import annotations

from aiohttp import web

from abr.errors import UpstreamError
from edge.caching.decide import Request
from edge.caching.directives import parse_request_control
from edge.caching.forwarding import forwarded_headers, has_looped
from edge.counters import Counters
from edge.operations.shedding import urgency_of
from edge.server.about import About
from edge.server.admission import Admission
from edge.server.delivery import Delivery
from edge.server.passthrough import Passthrough
from edge.server.prefetch import shed_response
from edge.server.site import Shared, Sheds
from edge.server.steer import Steering
from edge.server.wanted import Wanted, chosen_key, fields_of_request
from origin.httprules import Field, join_fields
from origin.paths import METHODS, PathError, Target, object_path, parse_target
from origin.server.answers import error_response, method_response, preflight_response
from origin.server.asking import CLIENT, asked_of, hand_over, moved_to
from origin.server.connection import show
from origin.server.httpserver import target_of
from origin.tokens.carriage import COMMON_FIELD
from origin.tokens.permission import Asked, Permission

_IN_TITLES = frozenset({"object", "key", "licence", "renew", "steering"})

NOT_FORWARDED = frozenset(
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
"""Fields that do not reach the parent: the path carries the permission, and a bearer would be a
second copy of it."""


class TitleSite:
    """Answers for titles, to those who hold a token."""

    def __init__(
        self,
        admission: Admission,
        *,
        about: About,
        delivery: Delivery,
        passthrough: Passthrough,
        steering: Steering,
        counters: Counters,
        via: str,
        loop_id: str,
        shared: Shared,
        sheds: Sheds,
    ) -> None:
        self._admission, self._about, self._steering = admission, about, steering
        self._delivery, self._passthrough = delivery, passthrough
        self._counters, self._via, self._loop_id = counters, via, loop_id
        self._shared, self._sheds = shared, sheds

    def __repr__(self) -> str:
        return f"<TitleSite by {self._admission!r}>"

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """Answer any request; all but those about this edge and its keys needs a token.

        Raises:
            PathError, TokenError: it is refused.
            AbrError: the parent was needed and failed; nothing was sent yet.
        """
        if request.method == "OPTIONS":
            return preflight_response()
        target = target_of(request)
        if target.is_fixed:
            show(request, target.shown)
        if target.kind == "trust" and request.method in METHODS["trust"]:
            return await self._admission.trust.answer(request)
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
        permission = await self._admission.tokens.authorize(target, asked)
        show(request, target.shown)
        now_s = self._admission.tokens.now_s()
        moved = moved_to(request, target, permission, asked=asked, now_s=now_s)
        if moved is None or moved.is_fresh:
            self._counters.tokens_reused += self._admission.tokens.use(permission, asked)
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

    def _wanted(self, request: web.Request, target: Target, said: Permission) -> Wanted:
        """What a request with a token wants: its fields choose nothing at the parent.

        Nor does its query, but viewers' tokens of some issuers are compared with it.
        """
        fields = fields_of_request(request)
        if has_looped(fields, self._loop_id):
            raise UpstreamError("a loop: this request has been here before; check all --parent")
        passing = forwarded_headers(
            fields, dropped=NOT_FORWARDED, via=self._via, loop_id=self._loop_id
        )
        own = [pair for pair in passing if pair[0] in ("Via", "CDN-Loop")]
        token = self._admission.upward.token_for(target, said)
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

    def wanted_next(self, target: str, own: list[Field]) -> Wanted | None:
        """What a player will want next, asked for with ``own`` fields."""
        try:
            found = parse_target(target)
        except PathError:
            return None
        if found.kind != "object" or found.token is None:
            return None
        said = self._admission.tokens.permission(
            found.token, Asked(title=found.title, path=found.path)
        )
        if said is None:
            return None
        return Wanted(
            key=chosen_key(found, said),
            target=object_path(
                self._admission.upward.token_for(found, said), found.title, found.path
            ),
            facts=Request(method="GET", fields={}),
            asking=(("Accept-Encoding", "identity"), *own),
            urgency="prefetch",
        )
