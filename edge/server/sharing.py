"""What the workers of one edge share: one cache folder, and one fetch per object.

Every lookup key has an owner among the workers, by rendezvous hashing. The owner holds its line
in the index, decides, and fetches. Another worker that is asked for it

* borrows what is stored under the key: it learns the fields and opens the body itself, and needs
  not ask again until the loan ends or the owner recalls it;
* or, when nothing stored answers the request, hands the request to the owner over a socket and
  passes the answer on as it comes.

What is answered from loans is reported, so that the owner's policy sees every use. When an owner
is gone, the next worker in the order of the key stands in for it, and lets go when it is back.
"""

from __future__ import annotations

import asyncio
import json
from collections import OrderedDict
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from aiohttp import web

from abr.errors import UpstreamError
from edge.caching import stored as sidecar
from edge.caching.decide import Act, decide
from edge.caching.forwarding import passable_headers
from edge.caching.purging import Purge
from edge.caching.stored import StoredObject, file_stem
from edge.caching.variants import Catalogue, base_of
from edge.config import EdgeConfig
from edge.index import CacheIndex
from edge.parents.ring import preference
from edge.server.body import BodyStore
from edge.server.clock import monotonic_s
from edge.server.delivery import Delivery
from edge.server.peers import ANSWER_S, Counter, Facts, Peer
from edge.server.stocktaking import Stocktaking
from edge.server.upstream import Upstream, UpstreamResponse
from edge.server.wanted import Wanted, fields_of_request
from origin.server.asking import CLIENT, client_of, is_from_worker
from origin.server.sending import closing_on_failure, send_within
from origin.server.verbatim import respond, send_interim

LOAN_S = 5.0
"""Longest time for which a stored object is lent: what an owner that died cannot recall."""

MOST_LOANS = 8192
MOST_VARIANTS = 16
"""More stored responses under one key are not lent: the owner answers."""

REPORT_S = 1.0
"""How often uses of what was borrowed are reported."""

GONE_S = 0.2
"""A worker that could not be reached is not asked again for so long."""

STUCK_S = 5.0
"""The same for one that did not answer."""

PURGE_S = 120.0
"""Longest wait for the others to purge: they look at all they hold."""

_OF_THIS_HOP = frozenset({"connection", "keep-alive", "transfer-encoding", "upgrade"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Worker:
    """One of the workers of an edge."""

    number: int
    """Its place, from 0; the one that replaces it has the same."""
    count: int
    folder: Path
    """Where the workers' sockets are; nobody else can enter it."""
    loop_id: str
    """What tells this edge from others in ``CDN-Loop``."""

    def questions(self, number: int) -> str:
        """Path of the socket where a worker answers the others' questions."""
        return str(self.folder / f"{number}.ask")

    def requests(self, number: int) -> str:
        """Path of the socket where a worker takes requests from the others."""
        return str(self.folder / f"{number}.http")

    def order(self, stem: str) -> tuple[int, ...]:
        """Workers for the file names that begin with ``stem``, the owner first."""
        names = map(str, range(self.count))
        return tuple(int(name) for name in preference(stem, names, {}))

    def owns(self, stem: str) -> bool:
        """Whether this worker is the owner."""
        return self.order(stem)[0] == self.number


@dataclass(slots=True)
class _Loan:
    owner: int
    until_s: float
    stored: tuple[StoredObject, ...]


class Sharing:
    """This worker's part in what all share; ``open`` before use, ``close`` after."""

    def __init__(
        self,
        worker: Worker,
        config: EdgeConfig,
        *,
        store: BodyStore,
        index: CacheIndex,
        catalogue: Catalogue,
        stock: Stocktaking,
        delivery: Delivery,
        now: Callable[[], float],
    ) -> None:
        self.worker = worker
        self.figures: Callable[[], Facts] = dict
        """What this worker tells the others about itself."""
        self.purge_here: Callable[[Purge], Awaitable[int]] = _purge_nothing
        """Removes what this worker holds."""
        self.pin_here: Callable[[str, Facts], Awaitable[Facts]] = _pin_nothing
        """Answers a question about pins for this worker."""
        self._config, self._now = config, now
        self._store, self._index, self._catalogue = store, index, catalogue
        self._stock, self._delivery = stock, delivery
        others = [number for number in range(worker.count) if number != worker.number]
        self._peers = {
            number: Peer(worker.questions(number), on_lost=partial(self._end_loans_of, number))
            for number in others
        }
        waiting = _patient(config)
        self._upstreams = {
            number: Upstream(waiting, "http://worker", now=now, unix=worker.requests(number))
            for number in others
        }
        self._counter = Counter(worker.questions(worker.number), self._answer_peer)
        self._loans: OrderedDict[str, _Loan] = OrderedDict()
        self._borrowing: dict[str, asyncio.Task[_Loan | None]] = {}
        self._recalled: set[str] = set()  # while they were being borrowed
        self._lent: dict[str, float] = {}  # lookup key -> when the last loan ends
        self._away: dict[int, float] = {}  # until when a worker that did not answer is not asked
        self._uses: dict[int, dict[str, int]] = {number: {} for number in others}
        self._tasks: set[asyncio.Task[Any]] = set()

    def __repr__(self) -> str:
        worker = self.worker
        return f"<Sharing of worker {worker.number} of {worker.count}: {len(self._loans)} loans>"

    async def open(self) -> None:
        """Answer the others, and tell them that this worker is there."""
        await self._counter.open()
        for upstream in self._upstreams.values():
            await upstream.open()
        await self._tell_all("hello", number=self.worker.number)
        self._keep(asyncio.create_task(self._report_for_ever()))

    async def close(self) -> None:
        """End all connections to the others."""
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._counter.close()
        for peer in self._peers.values():
            await peer.close()
        for upstream in self._upstreams.values():
            await upstream.close()

    def reconfigure(self, config: EdgeConfig) -> None:
        """Use other settings from now on."""
        self._config = config
        for upstream in self._upstreams.values():
            upstream.reconfigure(_patient(config))

    async def answer(
        self, request: web.Request, wanted: Wanted, *, may_borrow: bool = True
    ) -> web.StreamResponse | None:
        """Answer a request whose key another worker owns.

        Args:
            request: The request.
            wanted: What it wants.
            may_borrow: False: the owner is to see it, whatever is on loan.

        Returns:
            None when this worker owns it or stands in for its owner.

        Raises:
            UpstreamError: the owner went away with the body of the request.
            ConnectionError: the client is gone, or got a part and was cut off.
        """
        if is_from_worker(request):
            return None
        order = self.worker.order(file_stem(wanted.key))
        if order[0] == self.worker.number:
            return None
        is_plain = request.method in ("GET", "HEAD") and not request.body_exists
        if is_plain and may_borrow:
            loan = await self._borrow(wanted.key, order)
            if loan is not None:
                answer = await self._answer_from(request, wanted, loan)
                if answer is not None:
                    return answer
        elif not is_plain:
            self._end_loan(wanted.key)
        for number in self._before(order):
            relayed = await self._relay(request, number)
            if relayed is not None:
                return relayed
        return None

    def holds(self, stored: StoredObject) -> bool:
        """Whether this very response is on loan; for hot objects."""
        loan = self._loans.get(stored.lookup_key)
        if loan is None or len(loan.stored) != 1 or loan.stored[0] is not stored:
            return False
        return monotonic_s() < loan.until_s

    def use(self, key: str) -> None:
        """Count a use by hot objects, of what is held or of what is on loan."""
        if key in self._store:
            self._index.use(key)
        else:
            self._use(key)

    def note_change(self, key: str) -> None:
        """Recall what was lent under a key that was stored, renewed or removed."""
        base = base_of(key)
        if self._lent.pop(base, None) is not None:
            self._keep(asyncio.create_task(self._tell_all("recall", base=base)))

    def forget(self, base: str) -> None:
        """Let no worker answer any more with what is stored under a lookup key."""
        self._keep(asyncio.create_task(self.forget_everywhere(base)))

    async def forget_everywhere(self, base: str) -> int:
        """As ``forget``; returns how many stored responses the others removed."""
        self._end_loan(base)
        answers = await self._tell_all("forget", base=base)
        return sum(answer.get("removed", 0) for answer in answers)

    async def purge(self, wanted: Purge) -> int:
        """Have the others purge; returns how many stored responses they removed."""
        self._end_loans()
        answers = await self._tell_all("purge", within_s=PURGE_S, **asdict(wanted))
        return sum(answer["purged"] for answer in answers)

    async def pin(self, what: str, facts: Facts) -> list[Facts]:
        """What the others answer to a question about pins."""
        return await self._tell_all(what, within_s=PURGE_S, **facts)

    async def all_figures(self) -> list[Facts]:
        """What all workers that answer tell about themselves, in their order."""
        found = [self.figures(), *await self._tell_all("figures")]
        return sorted(found, key=lambda each: int(each["worker"]))

    async def _answer_from(
        self, request: web.Request, wanted: Wanted, loan: _Loan
    ) -> web.StreamResponse | None:
        """Answer with something on loan; None when the owner has to be asked."""
        decision = decide(wanted.facts, list(loan.stored), now_s=self._now())
        if decision.act is not Act.USE or decision.stored is None:
            return None
        self._use(decision.stored.key)
        answer = await self._delivery.answer_from(request, decision.stored, decision)
        if answer is None:
            self._end_loan(wanted.key)
            with suppress(ConnectionError):  # the owner may believe that the body is well
                stored = decision.stored
                await self._peers[loan.owner].ask("doubt", key=stored.key, body=stored.body)
        return answer

    def _use(self, key: str) -> None:
        loan = self._loans.get(base_of(key))
        if loan is not None:
            uses = self._uses[loan.owner]
            uses[key] = uses.get(key, 0) + 1

    async def _borrow(self, base: str, order: tuple[int, ...]) -> _Loan | None:
        """What is stored under a key that another worker owns; None: ask it for everything."""
        loan = self._loans.get(base)
        if loan is not None and monotonic_s() < loan.until_s:
            return loan
        borrowing = self._borrowing.get(base)
        if borrowing is None:
            borrowing = self._borrowing[base] = asyncio.create_task(self._ask_loan(base, order))
            borrowing.add_done_callback(lambda _: self._borrowing.pop(base, None))
        return await asyncio.shield(borrowing)

    async def _ask_loan(self, base: str, order: tuple[int, ...]) -> _Loan | None:
        before = self._loans.pop(base, None)
        for number in self._before(order):
            self._recalled.discard(base)
            asked_s = monotonic_s()
            with self._noting_absence(number):
                answer = await self._peers[number].ask("lend", base=base)
                found = [sidecar.loads(json.dumps(raw).encode()) for raw in answer["stored"]]
                stored = tuple(each for each in found if each is not None)
                if not stored or base in self._recalled:
                    return None
                if before is not None and before.stored == stored:
                    stored = before.stored  # hot objects know it by identity
                loan = self._loans[base] = _Loan(number, asked_s + LOAN_S, stored)
                while len(self._loans) > MOST_LOANS:
                    self._end_loan(next(iter(self._loans)))
                return loan
        return None

    def _before(self, order: tuple[int, ...]) -> list[int]:
        """Those whose matter it is rather than this worker's, without those that are away."""
        now_s = monotonic_s()
        before = order[: order.index(self.worker.number)]
        return [number for number in before if self._away.get(number, 0.0) <= now_s]

    @contextmanager
    def _noting_absence(self, number: int) -> Iterator[None]:
        try:
            yield
        except ConnectionError as exc:
            # One that is gone is replaced at once, one that is stuck is not.
            away_s = STUCK_S if isinstance(exc, ConnectionAbortedError) else GONE_S
            self._away[number] = monotonic_s() + away_s

    async def _relay(self, request: web.Request, number: int) -> web.StreamResponse | None:
        """Have another worker answer; None when it cannot be reached."""
        body: AsyncIterator[bytes] | None = None
        if request.body_exists:
            body = _pieces(request)
        target = request.raw_path
        if request.secure and target.startswith("/"):
            target = f"https://{request.host}{target}"  # RFC 9112 §3.2.2: it keeps the scheme
        fields = [
            pair for pair in fields_of_request(request) if pair[0].lower() not in _OF_THIS_HOP
        ]
        if self._config.require_token:
            fields = [pair for pair in fields if pair[0].lower() != CLIENT.lower()]
            fields.append((CLIENT, " ".join(client_of(request))))
        response = None
        try:
            async with self._upstreams[number].ask(
                request.method,
                target,
                headers=fields,
                body=body,
                on_interim=partial(send_interim, request),
            ) as answer:
                response = await self._pass_on(request, answer)
        except UpstreamError:
            if response is not None or request.writer.output_size > 0 or body is not None:
                raise
        return response

    async def _pass_on(self, request: web.Request, answer: UpstreamResponse) -> web.StreamResponse:
        fields = passable_headers(answer.headers)
        response = respond(answer.status, answer.reason, fields, None, is_plain=True)
        await response.prepare(request)
        limit_s = self._config.send_limit_s
        with closing_on_failure(request):
            if request.method != "HEAD":
                async for piece in answer.pieces():
                    await send_within(limit_s, response.write(piece))
            await send_within(limit_s, response.write_eof())
        return response

    async def _answer_peer(self, what: str, facts: Facts) -> Facts:
        """Answer a question of another worker."""
        if what == "lend":
            return {"stored": await self._lend(facts["base"])}
        if what == "uses":
            for key, times in facts["uses"].items():
                self._index.use(key, times)
        elif what == "recall":
            self._end_loan(facts["base"])
        elif what == "forget":
            self._end_loan(facts["base"])
            return {"removed": self._delivery.forget_all(facts["base"])}
        elif what == "purge":
            self._end_loans()
            return {"purged": await self.purge_here(Purge(**facts))}
        elif what in ("pin", "pins"):
            return await self.pin_here(what, facts)
        elif what == "doubt":
            self._store.doubt(facts["key"], facts["body"])
        elif what == "figures":
            return self.figures()
        elif what == "hello":
            self._welcome(int(facts["number"]))
        return {}

    async def _lend(self, base: str) -> list[Facts]:
        if self._stock.lacks(base):
            await self._stock.prepare(base)
        held, now_s = self._catalogue.all_of(base), self._now()
        if len(held) > MOST_VARIANTS or not all(each.ttl_at(now_s) > 0 for each in held):
            return []  # this worker validates, or answers stale
        if held:
            now_s = monotonic_s()
            if len(self._lent) > 2 * MOST_LOANS:
                self._lent = {key: end_s for key, end_s in self._lent.items() if end_s > now_s}
            self._lent[base] = now_s + LOAN_S
        return [json.loads(sidecar.dumps(each)) for each in held]

    def _welcome(self, number: int) -> None:
        """Let go of what this worker held while it stood in for ``number``."""
        self._away.pop(number, None)
        self._end_loans_of(number)
        for key in self._store.all_keys():
            if self.worker.order(file_stem(base_of(key)))[0] == number:
                self._index.remove(key)
                self._store.release(key)
        self._stock.forget_lookups()

    def _end_loan(self, base: str) -> None:
        self._recalled.update({base} & self._borrowing.keys())
        self._loans.pop(base, None)

    def _end_loans(self) -> None:
        self._recalled.update(self._borrowing)
        self._loans.clear()

    def _end_loans_of(self, number: int) -> None:
        for base in [base for base, loan in self._loans.items() if loan.owner == number]:
            self._end_loan(base)

    async def _tell_all(self, what: str, within_s: float = ANSWER_S, **facts: Any) -> list[Facts]:
        asked = (peer.ask(what, within_s, **facts) for peer in self._peers.values())
        answers = await asyncio.gather(*asked, return_exceptions=True)
        return [answer for answer in answers if not isinstance(answer, BaseException)]

    async def _report_for_ever(self) -> None:
        while True:
            await asyncio.sleep(REPORT_S)
            for number, uses in self._uses.items():
                if uses:
                    self._uses[number] = {}
                    with suppress(ConnectionError):
                        await self._peers[number].ask("uses", uses=uses)

    def _keep(self, task: asyncio.Task[Any]) -> None:
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


async def _pin_nothing(_what: str, _facts: Facts) -> Facts:
    """Nothing is held before the edge is put together."""
    return {}


async def _purge_nothing(_wanted: Purge) -> int:
    """Nothing is held before the edge is put together."""
    return 0


def _patient(config: EdgeConfig) -> EdgeConfig:
    """Limits for asking another worker, which has its own for asking the parents."""
    return replace(
        config,
        first_byte_limit_s=2 * config.first_byte_limit_s + config.connect_limit_s,
        idle_limit_s=2 * config.idle_limit_s,
        upstream_connections=4096,
    )


async def _pieces(request: web.Request) -> AsyncIterator[bytes]:
    while piece := await request.content.readany():
        yield piece
