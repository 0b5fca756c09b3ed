"""Asking the parents of an edge: failover, hedging, health checks.

``edge.parents`` decides; this module connects. One request goes to the key's own parent. When
that one fails, or takes longer than it usually does, another is asked as well, within the retry
budget, and the first usable answer wins. Nothing is asked twice that is not safe to repeat.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from typing import Any

from abr.errors import AbrError, InputError, PeerError, UpstreamError
from edge.config import EdgeConfig
from edge.metrics import UpstreamFigures
from edge.parents.limit import Urgency
from edge.parents.parents import FAILED_STATUSES, Attempt, Choice, Parent, Parents, Why
from edge.server.tokencheck import KeySetAnswer
from edge.server.upstream import BrokenAnswerError, Upstream, UpstreamResponse, tls_context
from edge.server.wire import Body, OnInterim
from origin.breaker import State

REPEATABLE = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})
"""Safe methods (RFC 9110 §9.2.1): only these are ever sent twice."""


MAX_WAITING = 1000
"""Most requests that wait because every parent has as many as it may."""

MAX_IN_LINE = 4096
"""The same where waiting costs next to nothing."""


@dataclass(slots=True, eq=False)
class _Running:
    """One attempt and the task that waits for its head."""

    place: int
    """0 for the first that was asked."""
    attempt: Attempt
    task: asyncio.Task[UpstreamResponse]
    stack: AsyncExitStack


@dataclass(frozen=True, slots=True)
class Begun:
    """One attempt that has begun."""

    upstream: Upstream
    attempt: Attempt
    late_s: float | None
    """Seconds after which another parent is asked as well; None: there is none."""


@dataclass(slots=True)
class ParentCounters:
    """What was asked of the parents since the start."""

    asked: dict[Why, int] = field(default_factory=lambda: {"content": 0, "health": 0, "other": 0})
    """First requests by why they went where they did."""
    retries: int = 0
    """Second requests after a failure."""
    hedges: int = 0
    """Second requests while the first was late."""
    refused: int = 0
    """Requests for which no parent could be asked."""


class ParentsClient:
    """All parents of one edge as one upstream; ``open`` before use, ``close`` after.

    Args:
        config: Limits, and how often parents are checked.
        parents: Decides whom to ask.
        make: Makes the client of one parent from its base URL.
        now: A monotonic clock, seconds.
    """

    def __init__(
        self,
        config: EdgeConfig,
        parents: Parents,
        *,
        make: Callable[[str], Upstream],
        now: Callable[[], float],
    ) -> None:
        self.parents = parents
        self.counters = ParentCounters()
        self._config = config
        self._make = make
        self._now = now
        self._upstreams: dict[str, Upstream] = {}
        self._checking: asyncio.Task[None] | None = None
        self._waiting: deque[asyncio.Future[None]] = deque()
        self.on_parents: list[Callable[[tuple[str, ...]], object]] = []
        """Told the names of those that are asked from now on."""

    def __repr__(self) -> str:
        return f"<ParentsClient of {self.parents!r}>"

    async def open(self) -> None:
        """Prepare to connect, and begin to check the parents' health."""
        await self._connect_to_all()
        self._checking = asyncio.create_task(self._check_for_ever())

    async def close(self) -> None:
        """Close all connections."""
        if self._checking is not None:
            self._checking.cancel()
            with suppress(asyncio.CancelledError):
                await self._checking
        for upstream in self._upstreams.values():
            await upstream.close()
        self._upstreams = {}

    async def reconfigure(self, config: EdgeConfig) -> None:
        """Use other settings from now on; without a director, other parents as well.

        Raises:
            ConfigError: the certificates cannot be used; then nothing has changed.
        """
        tls_context(config)
        self._config = config
        for upstream in self._upstreams.values():
            upstream.reconfigure(config)
        if not config.director and config.parent_urls != self.parents.names:
            await self.set_parents(tuple(Parent(name=url) for url in config.parent_urls))

    async def set_parents(self, parents: tuple[Parent, ...]) -> None:
        """Ask others from now on; requests under way are not disturbed by new parents."""
        self.parents.set_parents(parents)
        await self._connect_to_all()

    @asynccontextmanager
    async def ask(
        self,
        method: str,
        target: str,
        *,
        headers: list[tuple[str, str]],
        body: Body = None,
        on_interim: OnInterim | None = None,
        key: str = "",
        urgency: Urgency = "playback",
    ) -> AsyncIterator[UpstreamResponse]:
        """One request to the parent of ``key``, or to another that stands in for it.

        Args:
            method: Request method.
            target: Path and query, starting with ``/``.
            headers: Header fields to send.
            body: Request body; with one the request is sent once only.
            on_interim: Told about each informational response.
            key: Cache key; it chooses the parent.
            urgency: Whether a viewer waits.

        Raises:
            UpstreamError: no parent answered, or none may be asked now.
            UpstreamTimeoutError: not within the limits.
        """
        choice = await self._choose(key or target, urgency)
        may_repeat = body is None and method in REPEATABLE

        async def connect(upstream: Upstream, stack: AsyncExitStack) -> UpstreamResponse:
            asked = upstream.ask(method, target, headers=headers, body=body, on_interim=on_interim)
            return await stack.enter_async_context(asked)

        race = _Race(self, choice.names if may_repeat else choice.names[:1], connect)
        try:
            yield await race.run()
        finally:
            await race.close()

    async def key_set(self, past_caches: bool) -> KeySetAnswer:
        """The public keys of the first parent that has them.

        Args:
            past_caches: Have every tier above ask its parent as well.

        Raises:
            UpstreamError: none could be had.
        """
        trouble: PeerError | None = None
        for name in (await self._choose("/.well-known/jwks.json", "playback")).names:
            try:
                return replace(await self._upstreams[name].key_set(past_caches), parent=name)
            except PeerError as exc:
                trouble = trouble or exc
        assert trouble is not None
        raise trouble

    async def is_reachable(self) -> bool:
        """Whether any parent accepts a connection."""
        for upstream in self._upstreams.values():
            if await upstream.is_reachable():
                return True
        return False

    def states(self) -> list[dict[str, object]]:
        """Every parent with what is known of it, for ``/healthz``."""
        now_s, parents = self._now(), self.parents
        return [
            {
                "url": name,
                "breaker": state,
                "well": parents.health.is_well(name, now_s),
                "in_flight": parents.one(name).limit.in_flight,
                "limit": parents.one(name).limit.limit,
            }
            for name, state in parents.states(now_s).items()
        ]

    def figures(self) -> UpstreamFigures:
        """Counts for metrics."""
        counters = self.counters
        return UpstreamFigures(
            asked=dict(counters.asked),
            retries=counters.retries,
            hedges=counters.hedges,
            refused=counters.refused,
            closed={name: state == "closed" for name, state in self._breakers()},
        )

    def _breakers(self) -> list[tuple[str, State]]:
        return list(self.parents.states(self._now()).items())

    def upstream(self, name: str) -> Upstream:
        """The client of one parent."""
        return self._upstreams[name]

    def now_s(self) -> float:
        """The clock of attempts."""
        return self._now()

    async def _wait_for_room(self) -> None:
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(waiter)
        try:
            await waiter
        except asyncio.CancelledError:
            if waiter.done() and not waiter.cancelled():
                self.note_room()  # the room was for this request, and is for the next one now
            raise

    def note_room(self) -> None:
        """An attempt ended: the request that waits longest may have room now."""
        while self._waiting:
            waiter = self._waiting.popleft()
            if not waiter.done():
                waiter.set_result(None)
                return

    def begin_now(self, key: str, *, from_line: bool = False) -> Begun | None:
        """One attempt for a viewer at the parent of ``key``, if none has to be waited for.

        The caller ends the attempt, and calls ``note_room`` then.

        Args:
            key: Cache key; it chooses the parent.
            from_line: It has waited in line, and its turn has come.
        """
        if self._waiting and not from_line:
            return None
        now_s = self._now()
        choice = self.parents.choose(key, now_s=now_s)
        upstream = self._upstreams.get(choice.names[0]) if choice.names else None
        if upstream is None or not upstream.has_place:
            return None
        attempt = self.parents.begin(choice.names[0], now_s)
        if attempt is None:
            return None
        self.counters.asked[choice.why] += 1
        self.parents.budget.deposit()
        late_s = self.parents.hedge_after_s(choice.names[0]) if len(choice.names) > 1 else None
        return Begun(upstream, attempt, late_s)

    def line_up(self, key: str) -> asyncio.Future[None] | None:
        """A place in the line for room at the parents; None when room is not what is missing.

        The future is done when it is its turn, or cancelled by who gives up.
        """
        if len(self._waiting) >= MAX_IN_LINE:
            return None
        choice = self.parents.choose(key, now_s=self._now())
        upstream = self._upstreams.get(choice.names[0]) if choice.names else None
        has_no_place = upstream is not None and not upstream.has_place
        if not (self._waiting or choice.is_full or has_no_place):
            return None
        if not (choice.names or choice.is_full):
            return None
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(waiter)
        return waiter

    async def _choose(self, key: str, urgency: Urgency) -> Choice:
        """Whom to ask; waits while all have as many requests as they may, unless it is prefetch."""
        choice = self.parents.choose(key, now_s=self._now(), urgency=urgency)
        may_wait = urgency == "playback" and len(self._waiting) < MAX_WAITING
        if choice.is_full and may_wait:
            with suppress(TimeoutError):
                async with asyncio.timeout(self._config.first_byte_limit_s):
                    while choice.is_full:
                        await self._wait_for_room()
                        choice = self.parents.choose(key, now_s=self._now(), urgency=urgency)
        if not choice.names:
            self.counters.refused += 1
            names = ", ".join(self.parents.names)
            again = f"; asked again in {choice.retry_after_s:.1f} s" if choice.retry_after_s else ""
            again = "; all are busy" if choice.is_full else again
            raise UpstreamError(f"no parent may be asked now ({names}){again}")
        self.counters.asked[choice.why] += 1
        self.parents.budget.deposit()
        return choice

    async def _connect_to_all(self) -> None:
        names = self.parents.names
        for name in names:
            if name not in self._upstreams:
                self._upstreams[name] = upstream = self._make(name)
                await upstream.open()
        for name in set(self._upstreams) - set(names):
            self._upstreams.pop(name).retire()
        for told in self.on_parents:
            told(names)

    async def _check_for_ever(self) -> None:
        while True:
            await asyncio.sleep(self._config.health_interval_s)
            if len(self._upstreams) > 1:  # a single parent is asked whatever a check finds
                await asyncio.gather(*(self._check(name) for name in tuple(self._upstreams)))

    async def _check(self, name: str) -> None:
        upstream = self._upstreams.get(name)
        if upstream is None:
            return
        good = False
        with suppress(AbrError, TimeoutError):
            async with asyncio.timeout(self._config.health_limit_s):
                good = await self._is_well(upstream)
        self.parents.health.note_probe(name, good=good)

    async def _is_well(self, upstream: Upstream) -> bool:
        path = self._config.health_path
        if not path:
            return await upstream.is_reachable()
        async with upstream.ask("GET", path, headers=[]) as answer:
            async for _ in answer.pieces():
                pass
            return answer.status < 500


Connect = Callable[[Upstream, AsyncExitStack], Coroutine[Any, Any, UpstreamResponse]]


class _Race:
    """One request, sent to one parent or, when that is late or fails, to more."""

    def __init__(self, client: ParentsClient, names: tuple[str, ...], connect: Connect) -> None:
        self._client = client
        self._names = list(names)
        self._connect = connect
        self._running: list[_Running] = []
        self._started = 0
        self._winner: _Running | None = None
        self._fallback: _Running | None = None
        self._trouble: AbrError | None = None

    def __repr__(self) -> str:
        return f"<_Race of {len(self._running)} attempts, {len(self._names)} names left>"

    async def run(self) -> UpstreamResponse:
        """The first usable answer.

        Raises:
            AbrError: there is none.
        """
        late_s = self._start()
        while self._running:
            tasks = [running.task for running in self._running]
            done, _ = await asyncio.wait(tasks, timeout=late_s, return_when=asyncio.FIRST_COMPLETED)
            if not done:
                late_s = self._start_another("hedges")
            for running in [each for each in self._running if each.task in done]:
                if self._wins(running):
                    return running.task.result()
                late_s = self._start_another("retries") if not self._running else None
        if self._fallback is not None:
            return self._fallback.task.result()
        raise self._trouble or UpstreamError("no parent may be asked now")

    async def close(self) -> None:
        """End the answer, and give up whatever is still under way."""
        now_s = self._client.now_s()
        for running in self._running:
            if self._winner is not None and running.place < self._winner.place:
                running.attempt.overtaken(now_s)
            else:
                running.attempt.give_up()
            running.task.cancel()
            self._client.note_room()
        await asyncio.gather(*(each.task for each in self._running), return_exceptions=True)
        ended = [*self._running, self._winner, self._fallback]
        for each in ended:
            if each is not None:
                with suppress(AbrError, OSError):
                    await each.stack.aclose()

    def _start(self) -> float | None:
        """Ask the next parent; returns the seconds after which it is late, None: never."""
        client = self._client
        while self._names:
            name = self._names.pop(0)
            attempt = client.parents.begin(name, client.now_s())
            if attempt is None:
                continue
            stack = AsyncExitStack()
            task = asyncio.create_task(self._connect(client.upstream(name), stack))
            self._running.append(_Running(self._started, attempt, task, stack))
            self._started += 1
            return client.parents.hedge_after_s(name) if self._names else None
        return None

    def _start_another(self, counter: str) -> float | None:
        client = self._client
        if not self._names or not client.parents.budget.withdraw(client.now_s()):
            return None
        setattr(client.counters, counter, getattr(client.counters, counter) + 1)
        return self._start()

    def _wins(self, running: _Running) -> bool:
        """Note the outcome of an attempt that ended; whether its answer is used."""
        self._running.remove(running)
        self._client.note_room()
        now_s = self._client.now_s()
        error = running.task.exception()
        if isinstance(error, InputError):  # the request is at fault, and no parent
            running.attempt.give_up()
            raise error
        if error is not None:
            if isinstance(error, BrokenAnswerError):
                running.attempt.answered(502, now_s)  # a single parent that breaks off is alive
            else:
                running.attempt.failed(now_s)
            if not isinstance(error, AbrError):
                raise error
            self._trouble = self._trouble or error
            return False
        status = running.task.result().status
        running.attempt.answered(status, now_s)
        if status in FAILED_STATUSES and (self._names or self._running) and self._fallback is None:
            self._fallback = running
            return False
        self._winner = running
        return True
