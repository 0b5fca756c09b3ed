"""Ranges of objects that are not stored whole: answered from slices, each fetched once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Literal

from aiohttp import web

from abr.errors import UpstreamError
from edge.caching.answers import answer_fields, representation
from edge.caching.cachestatus import CacheStatus
from edge.caching.decide import Rules
from edge.caching.parts import (
    Window,
    covering,
    slice_at,
    strong_tag,
    usable_parts,
    window_of,
)
from edge.caching.stored import StoredObject
from edge.caching.variants import Catalogue, select
from edge.config import EdgeConfig
from edge.counters import Counters
from edge.server.body import BodyStore
from edge.server.fill import Filled
from edge.server.filling import Fills
from edge.server.keeping import Keeper
from edge.server.passthrough import Passthrough
from edge.server.slices import Slice, SlicedBody
from edge.server.wanted import Wanted, fields_of_request, shown_to
from origin.httprules import ResponsePlan, Span, join_fields, plan_response
from origin.server.sending import send_plan
from origin.server.verbatim import respond


@dataclass(slots=True)
class _Known:
    """What is known of a representation of which parts are held."""

    headers: tuple[tuple[str, str], ...]
    total: int
    age_s: float | None
    tag: str
    """Its strong entity tag; without one, parts cannot be put together."""


class _ChangedError(UpstreamError):
    """The representation is another one than that of the parts that are held."""


class Ranging:
    """Answers to requests for one range."""

    def __init__(
        self,
        config: EdgeConfig,
        *,
        rules: Rules,
        catalogue: Catalogue,
        store: BodyStore,
        fills: Fills,
        keeper: Keeper,
        passthrough: Passthrough,
        counters: Counters,
        now: Callable[[], float],
    ) -> None:
        self._config = config
        self._rules = rules
        self._catalogue = catalogue
        self._store = store
        self._fills = fills
        self._keeper = keeper
        self._passthrough = passthrough
        self._counters = counters
        self._now = now

    def reconfigure(self, config: EdgeConfig, rules: Rules) -> None:
        """Use other settings from now on."""
        self._config, self._rules = config, rules

    def __repr__(self) -> str:
        return f"<Ranging in slices of {self._config.slice_bytes} bytes>"

    async def answer(
        self, request: web.Request, wanted: Wanted
    ) -> web.StreamResponse | Literal["whole", "again"]:
        """Answer a GET with a range, of an object that is not stored whole.

        Returns:
            Or ``whole`` when the whole is to be fetched, and ``again`` when that is happening.
        """
        text = wanted.range_text
        if not text or request.method != "GET":
            return "whole"
        parts = self._parts(wanted)
        if parts:
            return await self._from_parts(request, wanted, parts)
        window = window_of(text, self._config.slice_bytes)
        if window is None or self._fills.will_hold(wanted, window):
            return "whole"
        return await self._first(request, wanted, window)

    def _parts(self, wanted: Wanted) -> list[StoredObject]:
        held = self._catalogue.all_of(wanted.key)
        return usable_parts(select(held, wanted.facts.fields), now_s=self._now())

    async def _from_parts(
        self, request: web.Request, wanted: Wanted, parts: list[StoredObject]
    ) -> web.StreamResponse | Literal["whole", "again"]:
        newest = parts[0]
        assert newest.total_bytes is not None
        known = _Known(
            headers=newest.headers,
            total=newest.total_bytes,
            age_s=newest.age_at(self._now()),
            tag=strong_tag(newest),
        )
        plan = self._plan(request, known)
        missing = [
            offset for span in plan.body if isinstance(span, Span) for offset in _gaps(parts, span)
        ]
        if missing and (known.total <= self._config.slice_bytes or not known.tag):
            return "whole"
        status = (
            CacheStatus(cache=self._config.name, fwd="partial")
            if missing
            else CacheStatus(cache=self._config.name, hit=True, ttl_s=newest.ttl_at(self._now()))
        )
        self._counters.hits += not missing
        first = None
        if missing and isinstance(plan.body[0], Span) and missing[0] == plan.body[0].start:
            # Before the head: what has changed meanwhile can still be answered well.
            try:
                first = await self._open(wanted, known, missing[0])
            except _ChangedError:
                return "again"
        return await self._send(request, wanted, plan, known, first, status)

    async def _first(
        self, request: web.Request, wanted: Wanted, window: Window
    ) -> web.StreamResponse | Literal["again"]:
        """Fetch the first slice of something that nothing is known of."""
        place = self._fills.join(wanted, window=window)
        is_ours = True
        try:
            filled = await place.fill.head()
            part = filled.part
            if filled.direct is not None:
                if window.is_suffix and place.started:
                    return await self._passthrough.relay(request, filled.direct, "uri-miss")
                place.fill.starter_left.set()  # its connection is free for this one
                return await self._passthrough.forward(request, wanted, "uri-miss")
            if part is None:
                return "again"  # the parent sends the whole
            known = _Known(
                headers=filled.kept, total=part.total, age_s=filled.age_s, tag=_tag(filled)
            )
            plan = self._plan(request, known)
            spans = [span for span in plan.body if isinstance(span, Span)]
            inside = all(
                part.start <= span.start and span.start + span.length <= part.stop for span in spans
            )
            if not (inside or known.tag):
                return await self._passthrough.forward(request, wanted, "uri-miss")
            assert place.fill.spool is not None
            first = Slice(
                start=part.start, stop=part.stop, body=place.fill.spool, close=place.fill.leave
            )
            is_ours = False  # whoever sends the slice leaves the fill
            status = CacheStatus(cache=self._config.name, fwd="uri-miss", stored=filled.stores)
            return await self._send(request, wanted, plan, known, first, status)
        finally:
            if is_ours:
                place.fill.leave()
            if place.started:
                place.fill.starter_left.set()

    def _plan(self, request: web.Request, known: _Known) -> ResponsePlan:
        now_s = self._now()
        shown = representation(join_fields(known.headers), known.total, now_s=now_s)
        return plan_response("GET", fields_of_request(request), shown, now_s=now_s)

    async def _send(
        self,
        request: web.Request,
        wanted: Wanted,
        plan: ResponsePlan,
        known: _Known,
        first: Slice | None,
        status: CacheStatus,
    ) -> web.StreamResponse:
        fields = answer_fields(known.headers, plan, age_s=known.age_s, status=status)
        fields = shown_to(request, fields, is_open=self._rules.is_open)
        body = SlicedBody(known.total, first, partial(self._open, wanted, known))
        try:
            return await send_plan(
                request,
                plan,
                body,
                fields=fields,
                limit_s=self._config.send_limit_s,
                on_sent=self._count_sent,
                make=partial(respond, plan.status, None, is_plain=self._rules.is_open),
            )
        finally:
            body.close()

    async def _open(self, wanted: Wanted, known: _Known, offset: int) -> Slice:
        """The slice that holds a byte: stored, or fetched now."""
        held = covering(self._parts(wanted), offset)
        if held is not None and (strong_tag(held) == known.tag):
            stored = await self._store.read(held)
            if stored is not None:
                stop = held.start_byte + held.size_bytes
                return Slice(start=held.start_byte, stop=stop, body=stored, close=stored.close)
        window = slice_at(offset, self._config.slice_bytes, known.total)
        place = self._fills.join(wanted, window=window, tag=known.tag)
        try:
            filled = await place.fill.head()
            part = filled.part
            if part is None or _tag(filled) != known.tag or part.total != known.total:
                self._keeper.forget_parts(wanted.key)
                raise _ChangedError(f"{wanted.target}: changed while parts of it were sent")
        except BaseException:
            place.fill.leave()
            raise
        finally:
            if place.started:
                place.fill.starter_left.set()
        assert place.fill.spool is not None
        return Slice(
            start=part.start, stop=part.stop, body=place.fill.spool, close=place.fill.leave
        )

    def _count_sent(self, count: int) -> None:
        self._counters.sent_bytes += count


def _gaps(parts: list[StoredObject], span: Span) -> list[int]:
    """The first byte of each run of ``span`` that no part holds, but at most one."""
    offset, stop = span.start, span.start + span.length
    while offset < stop:
        part = covering(parts, offset)
        if part is None:
            return [offset]
        offset = part.start_byte + part.size_bytes
    return []


def _tag(filled: Filled) -> str:
    tag = join_fields(filled.kept).get("etag", "").strip()
    return tag if tag.startswith('"') else ""
