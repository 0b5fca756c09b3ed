"""The lane for keys, licences and renewals: from a client's connection to the parent's and back.

No cache keeps them, so each goes to the parent, and how dear one is decides how many viewers a
tier can start. A plain request whose token permits it is put on a kept connection to the parent,
and its small answer is sent on, with no task, no parser and no object of aiohttp or h11. Token,
breaker, limits and counters are those of the ordinary path. Whatever is unusual is left to that
path, before the parent is asked, or, for these may be asked for twice, after it.

Nothing is stored, and nothing of a key is ever in a log or an error.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable
from contextlib import suppress
from typing import NamedTuple

from multidict import CIMultiDict

from edge.caching.forwarding import forwarded_headers, has_looped
from edge.caching.smallanswers import (
    MAX_BODY_BYTES,
    MAX_HEAD_BYTES,
    SmallAnswer,
    passed_fields,
    read_answer,
)
from edge.config import EdgeConfig
from edge.counters import Counters
from edge.parents.parents import FAILED_STATUSES
from edge.server.parents import Begun, ParentsClient
from edge.server.tokencheck import TokenCheck
from edge.server.upward import Upward
from edge.server.wire import Wire
from origin.keyhead import KeyHead
from origin.paths import METHODS, PathError, Target, object_path, parse_target
from origin.server.httpserver import add_fields
from origin.server.lanes import Client, Coming, Whole
from origin.tierfields import asked_by_tier
from origin.tokens.permission import Asked, Permission

LOG = logging.getLogger("abr.edge")

SWEEP_S = 0.25
"""How often it is looked whether an answer is overdue."""

UNFIT_S = 60.0
"""A parent whose answer was of another form is not asked by the lane for so long: each of its
answers would be asked for twice."""

_KINDS = frozenset({"key", "licence", "renew"})
_REMEMBERED = 512
_LATE = {"error": "parent-failed", "message": "no answer in time; see the edge's log"}

Done = Callable[[Whole | None], None]


class KeyLane:
    """The lane of one edge; a ``Lane`` for its connections."""

    def __init__(
        self,
        config: EdgeConfig,
        *,
        upstream: ParentsClient,
        tokens: TokenCheck,
        upward: Upward,
        counters: Counters,
        via: str,
        loop_id: str,
        dropped: frozenset[str],
    ) -> None:
        """Without anything under way.

        Args:
            config: Limits.
            upstream: The parents.
            tokens: Checks permission.
            upward: Chooses the token that the parent is asked with.
            counters: What is answered is counted there.
            via: Our entry in ``Via``.
            loop_id: What tells this edge from others in ``CDN-Loop``.
            dropped: Fields of requests that are not passed on.
        """
        self._config, self.upstream, self._tokens = config, upstream, tokens
        self._upward = upward
        self._counters, self._via, self._loop_id, self._dropped = counters, via, loop_id, dropped
        self._blocks: dict[bytes, _Block | None] = {}
        self._answers: dict[tuple[bytes, bool], tuple[SmallAnswer, bytes] | None] = {}
        self._under_way: dict[Crossing, None] = {}
        self._unfit_until_s: dict[str, float] = {}
        self._sweeping: asyncio.TimerHandle | None = None

    def __repr__(self) -> str:
        return f"<KeyLane to {self.upstream!r}: {len(self._under_way)} under way>"

    def reconfigure(self, config: EdgeConfig) -> None:
        """Use other limits from now on."""
        self._config = config

    def begin(self, head: KeyHead, client: Client, done: Done) -> Coming | None:
        """Ask the parent for what is permitted; None when that is for the ordinary path."""
        try:
            target = parse_target(head.target)
        except PathError:
            return None
        if target.kind not in _KINDS or head.method not in METHODS[target.kind]:
            return None
        block = self._block(head.fields)
        if block is None:
            return None
        key = target.cache_key
        begun = self.upstream.begin_now(key)
        line = self.upstream.line_up(key) if begun is None else None
        if begun is None and line is None:
            return None
        # After all else, because a permission may be for one use.
        permission = self._permission(head, target, client)
        if permission is None or self._is_unfit(begun):
            if begun is not None:
                begun.attempt.give_up()
            if line is not None:
                line.cancel()
            self.upstream.note_room()
            return None
        path = object_path(self._upward.token_for(target, permission), target.title, target.path)
        crossing = Crossing(self, _Ask(key, head.method, path, head.body, block), done)
        self._note(crossing)
        if begun is not None:
            crossing.start(begun)
        elif line is not None:
            crossing.wait(line)
        return crossing

    def _permission(self, head: KeyHead, target: Target, client: Client) -> Permission | None:
        asked = Asked(
            title=target.title,
            path=target.path,
            method=head.method,
            scheme=client.scheme,
            authority=head.host,
            query=target.query,
            address=client.address,
        )
        permission = self._tokens.permission(
            target.token or "", asked, renewing=target.kind == "renew"
        )
        return permission if permission is not None and permission.is_plain else None

    def answer(self, head: bytes, *, to_tier: bool) -> tuple[SmallAnswer, bytes] | None:
        """What a head of the parent says, and the head that is sent on; None: it is unusual."""
        name = (head, to_tier)
        if name not in self._answers:
            if len(self._answers) >= _REMEMBERED:
                self._answers.clear()
            found = read_answer(head)
            self._answers[name] = None if found is None else (found, self._head(found, to_tier))
        return self._answers[name]

    def finished(self, crossing: Crossing, whole: Whole | None) -> None:
        """Note that one is over; with None the ordinary path answers it."""
        self._under_way.pop(crossing, None)
        self.upstream.note_room()
        if whole is not None:
            self._counters.passed += 1

    def note_unfit(self, name: str) -> None:
        """Note that a parent's answers are not for this lane."""
        self._unfit_until_s[name] = asyncio.get_running_loop().time() + UNFIT_S

    def _is_unfit(self, begun: Begun | None) -> bool:
        if not self._unfit_until_s or begun is None:
            return False
        until_s = self._unfit_until_s.get(begun.attempt.name)
        if until_s is None or asyncio.get_running_loop().time() < until_s:
            return until_s is not None
        del self._unfit_until_s[begun.attempt.name]
        return False

    def late(self) -> Whole:
        """What a client is told when the parent does not answer in time."""
        LOG.warning("a parent has not answered a request for a key within the limit")
        data = json.dumps(_LATE).encode() + b"\n"
        headers = CIMultiDict({"Cache-Control": "no-store", "Content-Type": "application/json"})
        headers["Content-Length"] = str(len(data))
        return Whole(504, _head(504, "Gateway Timeout", headers), data)

    def _head(self, answer: SmallAnswer, to_tier: bool) -> bytes:
        fields = passed_fields(answer.fields, cache=self._config.name, to_tier=to_tier)
        return _head(answer.status, answer.reason, CIMultiDict(fields))

    def _block(self, fields: bytes) -> _Block | None:
        """A block of fields as it is passed on; None when the request has been here before."""
        if fields not in self._blocks:
            if len(self._blocks) >= _REMEMBERED:
                self._blocks.clear()
            self._blocks[fields] = self._make_block(fields)
        return self._blocks[fields]

    def _make_block(self, fields: bytes) -> _Block | None:
        lines = fields[2:-4].decode("ascii").split("\r\n")
        pairs = [(name, value.strip(" \t")) for name, _, value in (x.partition(":") for x in lines)]
        if has_looped(pairs, self._loop_id):
            return None
        passed = forwarded_headers(
            pairs, dropped=self._dropped, via=self._via, loop_id=self._loop_id
        )
        text = "".join(f"{name}: {value}\r\n" for name, value in passed)
        return _Block(f"{text}\r\n".encode("ascii"), is_tier=asked_by_tier(pairs))

    def _note(self, crossing: Crossing) -> None:
        self._under_way[crossing] = None
        if self._sweeping is None:
            self._sweeping = asyncio.get_running_loop().call_later(SWEEP_S, self._sweep)

    def _sweep(self) -> None:
        """Give up what is overdue; the oldest come first."""
        loop, self._sweeping = asyncio.get_running_loop(), None
        limit_s = self._config.first_byte_limit_s
        while self._under_way:
            oldest = next(iter(self._under_way))
            if loop.time() - oldest.began_s < limit_s:
                break
            oldest.expire()
        if self._under_way:
            self._sweeping = loop.call_later(SWEEP_S, self._sweep)


class _Block:
    """Header fields as they are passed on."""

    __slots__ = ("is_tier", "passed")

    def __init__(self, passed: bytes, *, is_tier: bool) -> None:
        self.passed, self.is_tier = passed, is_tier

    def __repr__(self) -> str:
        return f"<_Block of {len(self.passed)} bytes>"


class _Ask(NamedTuple):
    """What is asked of a parent."""

    key: str
    method: str
    path: str
    body: bytes
    block: _Block

    def request(self, begun: Begun) -> bytes:
        """As it is sent to a parent."""
        base, authority = begun.upstream.start
        length = f"Content-Length: {len(self.body)}\r\n" if self.method == "POST" else ""
        start = f"{self.method} {base}{self.path} HTTP/1.1\r\nHost: {authority}\r\n{length}"
        return start.encode() + self.block.passed + self.body


class Crossing(Coming):
    """One request on its way to the parent and back."""

    __slots__ = (
        "_ask", "_begun", "_connecting", "_data", "_done", "_hedge", "_is_new", "_is_over", "_lane",
        "_line", "_wire", "began_s",
    )  # fmt: skip

    def __init__(self, lane: KeyLane, ask: _Ask, done: Done) -> None:
        self._lane, self._ask, self._done = lane, ask, done
        self._begun: Begun | None = None
        self._line: asyncio.Future[None] | None = None
        self._wire: Wire | None = None
        self._is_new = self._is_over = False
        self._data = b""
        self._connecting: asyncio.Task[None] | None = None
        self._hedge: asyncio.TimerHandle | None = None
        self.began_s = asyncio.get_running_loop().time()
        """Loop time at which it began."""

    def __repr__(self) -> str:
        where = "in line" if self._begun is None else f"to {self._begun.attempt.name}"
        return f"<Crossing {where}, {len(self._data)} bytes came>"

    def wait(self, line: asyncio.Future[None]) -> None:
        """Wait in line for room at the parents."""
        self._line = line
        line.add_done_callback(self._step_out)

    def start(self, begun: Begun) -> None:
        """Send the request, on a kept connection if there is one."""
        self._begun = begun
        if begun.late_s is not None:
            # The ordinary path asks the others then.
            self._hedge = asyncio.get_running_loop().call_later(begun.late_s, self._leave)
        wire = begun.upstream.lend()
        if wire is None:
            self._connect()
        else:
            self._send(wire)

    def _step_out(self, line: asyncio.Future[None]) -> None:
        """Its turn has come."""
        self._line = None
        if line.cancelled():
            return
        if self._is_over:
            self._lane.upstream.note_room()  # for the next one
            return
        begun = self._lane.upstream.begin_now(self._ask.key, from_line=True)
        if begun is not None:
            self.start(begun)
            return
        again = self._lane.upstream.line_up(self._ask.key)
        if again is None:
            self._leave()
        else:
            self.wait(again)

    def give_up(self) -> None:
        """End it: the client is gone."""
        if not self._is_over:
            self._end(None)

    def expire(self) -> None:
        """End it: the parent has taken too long."""
        if self._begun is not None:
            self._begun.attempt.failed(self._lane.upstream.now_s())
        whole = self._lane.late()
        self._end(whole)
        self._done(whole)

    def _connect(self) -> None:
        self._is_new = True
        self._connecting = asyncio.create_task(self._send_on_new())

    async def _send_on_new(self) -> None:
        assert self._begun is not None
        try:
            wire = await self._begun.upstream.lend_new()
        except (OSError, TimeoutError):
            self._leave()  # the ordinary path finds the same, and says what
            return
        if self._is_over:
            self._begun.upstream.drop(wire)
        else:
            self._send(wire)

    def _send(self, wire: Wire) -> None:
        assert self._begun is not None
        self._wire = wire
        wire.on_news = self._take
        try:
            wire.send(self._ask.request(self._begun))
        except OSError:
            self._broke_off()

    def _take(self) -> None:
        """Take what came of the answer."""
        wire, begun = self._wire, self._begun
        if wire is None or begun is None or self._is_over:
            return
        self._data += wire.take()
        end = self._data.find(b"\r\n\r\n") + 4
        if end < 4:
            if len(self._data) > MAX_HEAD_BYTES:
                self._leave()
            elif wire.has_ended:
                self._broke_off()
            return
        found = self._lane.answer(self._data[:end], to_tier=self._ask.block.is_tier)
        if found is None or len(self._data) > end + MAX_BODY_BYTES:
            self._lane.note_unfit(begun.attempt.name)
            self._leave()
            return
        answer, head = found
        body = self._data[end:]
        if len(body) < answer.length:
            if wire.has_ended:
                self._leave()
            return
        several = begun.late_s is not None
        if len(body) > answer.length or (several and answer.status in FAILED_STATUSES):
            self._leave()
            return
        begun.attempt.answered(answer.status, self._lane.upstream.now_s())
        self._wire, wire.on_news = None, None
        if answer.keeps_s == 0:
            begun.upstream.drop(wire)
        else:
            begun.upstream.give_back(wire, keeps_s=answer.keeps_s)
        whole = Whole(answer.status, head, body)
        self._end(whole)
        self._done(whole)

    def _broke_off(self) -> None:
        """Once more on a new connection when a kept one was dead; these may be sent twice."""
        self._let_go()
        if self._data or self._is_new:
            self._leave()
        else:
            self._connect()

    def _leave(self) -> None:
        """Leave it to the ordinary path."""
        if not self._is_over:
            self._end(None)
            self._done(None)

    def _end(self, whole: Whole | None) -> None:
        self._is_over = True
        self._let_go()
        if self._hedge is not None:
            self._hedge.cancel()
        if self._connecting is not None and not self._connecting.done():
            with suppress(RuntimeError):
                if self._connecting is not asyncio.current_task():
                    self._connecting.cancel()
        if self._line is not None:
            self._line.cancel()
        if self._begun is not None:
            self._begun.attempt.give_up()  # does nothing once it was answered
        self._lane.finished(self, whole)

    def _let_go(self) -> None:
        """Close the connection of an exchange that is not whole."""
        wire, self._wire = self._wire, None
        if wire is not None and self._begun is not None:
            wire.on_news = None
            self._begun.upstream.drop(wire)


def _head(status: int, reason: str, headers: CIMultiDict[str]) -> bytes:
    add_fields(headers)
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"HTTP/1.1 {status} {reason}\r\n{lines}\r\n".encode("latin-1")
