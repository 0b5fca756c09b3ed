"""Fetching from the parent: one task per fill, any number of readers.

A fill belongs to the edge and not to the client that caused it: clients come and go without
affecting it. The parent is asked once, without retries. The body is spooled to disk and can
be read at once; it counts as stored only when it is complete. Only a response that is of use to
nobody else goes straight to the one client that caused it, at that client's pace.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from abr.errors import AbrError, UpstreamError, UpstreamTimeoutError
from edge.caching.decide import (
    Outcome,
    Rules,
    after_validation,
    conditions,
    confirms,
    head_confirms,
)
from edge.caching.hitformiss import HitForMiss
from edge.caching.parts import Window
from edge.caching.purging import Purge, tags_of
from edge.caching.stored import StoredObject
from edge.caching.variants import Catalogue, variant_key
from edge.collapse import Collapse, Joined
from edge.config import EdgeConfig
from edge.counters import Counters
from edge.server.fill import Fill, Filled
from edge.server.keeping import Keeper
from edge.server.parents import ParentsClient
from edge.server.reading import Answer, read_answer
from edge.server.spool import Spool
from edge.server.upstream import UpstreamResponse
from edge.server.wanted import Wanted
from origin.httprules import join_fields


class Fills:
    """All fills of one edge: ``join`` starts or joins one, ``close`` ends them."""

    def __init__(
        self,
        config: EdgeConfig,
        *,
        rules: Rules,
        keeper: Keeper,
        catalogue: Catalogue,
        upstream: ParentsClient,
        counters: Counters,
        now: Callable[[], float],
    ) -> None:
        self.uncacheable = HitForMiss(ttl_s=config.hit_for_miss_s)
        """Keys whose responses were of use to one client only."""
        self._config = config
        self._rules = rules
        self._keeper = keeper
        self._catalogue = catalogue
        self._upstream = upstream
        self._counters = counters
        self._now = now
        self._collapse: Collapse[Fill] = Collapse()
        # Fills outlive the requests that start them and end independently of each other, so
        # they are kept here and not in a task group, which the first failure would cancel.
        self._tasks: set[asyncio.Task[None]] = set()
        self._fills: set[Fill] = set()

    def __repr__(self) -> str:
        return f"<Fills {self._collapse!r}>"

    def reconfigure(self, config: EdgeConfig, rules: Rules) -> None:
        """Use other settings from now on; fills under way keep their time limit."""
        self._config, self._rules = config, rules
        self._keeper.rules = rules
        self.uncacheable.ttl_s = config.hit_for_miss_s

    @property
    def under_way(self) -> int:
        """Number of fills under way."""
        return len(self._collapse)

    def join(
        self,
        wanted: Wanted,
        *,
        held: StoredObject | None = None,
        window: Window | None = None,
        tag: str = "",
    ) -> Joined[Fill]:
        """The fill of ``wanted``: the one under way, or a new one; ``leave`` it when done.

        Args:
            wanted: What the parent is asked for, if this starts a fill.
            held: A stale object to validate, if there is one.
            window: The part that is asked for; None for the whole.
            tag: Strong entity tag of the representation that the part must be of.
        """
        key = self._fill_key(wanted, window)
        found = self._collapse.join(key)
        if found is not None:
            found.fill.enter()
            return found
        fill = Fill(key, wanted.key)
        self._fills.add(fill)
        self._counters.fills += 1
        asking = [*wanted.asking, *conditions(held)]
        if window is not None:
            asking += [("Range", str(window)), *([("If-Range", tag)] if tag else [])]
        task = asyncio.create_task(self._run(fill, wanted, held, window, asking))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return self._collapse.start(key, fill)

    def _fill_key(self, wanted: Wanted, window: Window | None) -> str:
        known = self._catalogue.secondary(wanted.key, wanted.facts.fields)
        return variant_key(wanted.key, known, None if window is None else window.start)

    def will_hold(self, wanted: Wanted, window: Window) -> bool:
        """Whether the whole is being fetched, and will hold the part about as soon as a slice."""
        found = self._collapse.join(self._fill_key(wanted, None))
        spool = None if found is None else found.fill.spool
        if found is None or spool is None or found.fill.ignores_ranges:
            return found is not None
        return spool.written_bytes + 2 * self._config.slice_bytes > window.start

    async def close(self) -> None:
        """Cancel every fill and wait until all have cleaned up."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _run(
        self,
        fill: Fill,
        wanted: Wanted,
        held: StoredObject | None,
        window: Window | None,
        asking: list[tuple[str, str]],
    ) -> None:
        try:
            async with (
                asyncio.timeout(self._config.fill_limit_s) as limit,
                self._upstream.ask(
                    "GET",
                    wanted.target,
                    headers=asking,
                    on_interim=fill.add_interim,
                    key=wanted.key,
                    urgency=wanted.urgency,
                ) as response,
            ):
                await self._take(
                    fill, read_answer(response, wanted, window, self._rules), held, limit
                )
        except AbrError as exc:
            self._counters.fills_failed += 1
            fill.fail(exc)
        except TimeoutError:
            self._counters.fills_failed += 1
            limit_s = self._config.fill_limit_s
            fill.fail(UpstreamTimeoutError(f"{fill.key}: not fetched within {limit_s:g} s"))
        finally:
            fill.fail(UpstreamError(f"{fill.key}: the edge stopped fetching it"))
            self._collapse.finish(fill.key, fill)
            self._fills.discard(fill)
            fill.is_over = True
            fill.leave()

    async def _take(
        self, fill: Fill, answer: Answer, held: StoredObject | None, limit: asyncio.Timeout
    ) -> None:
        """Do with an answer what it may be used for."""
        response, wanted = answer.response, answer.wanted
        if response.status == 304 and held is not None:
            fill.set_head(self._confirm(held, answer))
            return
        if held is not None:
            outcome = after_validation(response.status, stores=answer.uses.store)
            if outcome is Outcome.REPLACED:
                self._keeper.forget(held.key)
        fill.tags = tags_of(answer.kept)
        if answer.uses.is_for_one:
            if response.status != 416:  # which is about the range, not about the object
                self.uncacheable.note(wanted.key, now_s=self._now())
        else:
            self.uncacheable.forget(wanted.key)
        if not answer.uses.share:
            # Requests that come from now on could not be answered with it.
            self._collapse.finish(fill.key, fill)
        elif answer.part is None:
            self._offer_to_all(fill, wanted)
        if answer.uses.store or (answer.uses.share and self._fits(response.length_bytes)):
            await self._spool(fill, answer, limit)
        else:
            await self._hand_over(fill, answer, limit)

    def _offer_to_all(self, fill: Fill, wanted: Wanted) -> None:
        """Let requests for the whole join a fill that was to fetch a part, and got the whole."""
        key = self._fill_key(wanted, None)
        fill.ignores_ranges = key != fill.key
        if fill.ignores_ranges and self._collapse.join(key) is None:
            self._collapse.finish(fill.key, fill)
            fill.key = key
            self._collapse.start(key, fill)

    def _filled(self, answer: Answer, **more: object) -> Filled:
        response = answer.response
        return Filled(
            status=response.status,
            reason=response.reason,
            headers=answer.headers,
            kept=answer.kept,
            length_bytes=response.length_bytes,
            shares=answer.uses.share,
            vary=answer.vary,
            part=answer.part,
            age_s=None if answer.is_new else answer.fresh.age_s,
            **more,  # type: ignore[arg-type]  # as given
        )

    async def _hand_over(self, fill: Fill, answer: Answer, limit: asyncio.Timeout) -> None:
        """Let the request that caused the fill read the response itself."""
        limit.reschedule(None)  # from here on the client sets the pace, within its own limits
        fill.set_head(self._filled(answer, direct=answer.response))
        await fill.starter_left.wait()

    async def _spool(self, fill: Fill, answer: Answer, limit: asyncio.Timeout) -> None:
        length = answer.response.length_bytes
        stores = answer.uses.store
        reserved = stores and length is not None and self._keeper.reserve(fill.key, length)
        spool = fill.spool = self._keeper.spool()
        try:
            if reserved and length and not spool.allocate(length):
                reserved = stores = False
                self._keeper.give_up(length)
            # Only with a length is it known now that there is room for all of it.
            fill.set_head(self._filled(answer, stores=reserved))
            await self._copy(fill, answer.response, spool, limit)
            if stores and length is None:
                length = spool.written_bytes
                wanted = self._fits(length) and not fill.is_outdated
                reserved = wanted and self._keeper.reserve(fill.key, length)
            if reserved and not fill.is_outdated:
                reserved = False  # keep ends the reservation in any case
                await self._keeper.keep(spool, answer)
            spool.finish()
        except AbrError as exc:
            spool.fail(exc)
            raise
        except BaseException:
            spool.fail(UpstreamError(f"{fill.key}: the edge stopped fetching it"))
            raise
        finally:
            if reserved and length is not None:
                self._keeper.release(length)

    async def _copy(
        self, fill: Fill, response: UpstreamResponse, spool: Spool, limit: asyncio.Timeout
    ) -> None:
        # Without a length nobody knew that it is too large to be stored: it is sent all the same.
        most_bytes = self._config.cache_bytes
        response.set_pace(fast=True)  # the disk is
        async for piece in response.pieces():
            spool.write(piece)
            self._counters.fetched_bytes += len(piece)
            if spool.is_on_disk:
                if spool.written_bytes > most_bytes:
                    raise UpstreamError(f"{fill.key}: over {most_bytes} bytes; raise cache_bytes")
                continue
            limit.reschedule(None)  # the slowest client sets the pace, within its own limits
            await spool.wait_for_room(lambda: fill.readers)
            if spool.has_gap:
                self._collapse.finish(fill.key, fill)
        length = response.length_bytes
        if length is not None and spool.written_bytes != length:
            raise UpstreamError(f"{fill.key}: ended after {spool.written_bytes} of {length} bytes")

    def outdate(self, base: str) -> None:
        """Let no fill of a lookup key be stored or joined: what it fetches has changed."""
        for fill in self._fills:
            if fill.base == base:
                fill.is_outdated = True
                self._collapse.finish(fill.key, fill)

    def outdate_purged(self, purge: Purge) -> None:
        """Let nothing be stored that was asked for before a purge that selects it."""
        for fill in self._fills:
            if purge.selects(fill.base, fill.tags):
                fill.is_outdated = True
                self._collapse.finish(fill.key, fill)

    def learn_from_head(self, held: StoredObject, response: UpstreamResponse) -> None:
        """Renew or forget a held object after the answer to a HEAD (RFC 9111 §4.3.5)."""
        headers = join_fields(response.headers)
        if response.status == held.status:
            if head_confirms(held, headers):
                self._keeper.renew(held, response)
            else:
                self._keeper.forget(held.key)
        elif response.status == 304 and confirms(held, headers):
            self._keeper.renew(held, response)

    def _confirm(self, held: StoredObject, answer: Answer) -> Filled:
        """Renew a held object after a 304."""
        response = answer.response
        updated = held
        if confirms(held, join_fields(response.headers)):
            updated = self._keeper.renew(held, response)
        return Filled(
            status=304,
            headers=updated.headers,
            confirmed=updated,
            age_s=updated.age_at(self._now()),
            vary=updated.vary,
        )

    def _fits(self, length_bytes: int | None) -> bool:
        return length_bytes is not None and length_bytes <= self._config.max_object_bytes
