"""The short cuts of a connection: simple requests whose response is ready, or is fetched simply.

A connection of this kind offers each simple request that arrives while it is idle to a
``Quick``, which may have the whole response ready, head and body, and each plain request for a key
to a ``Lane``, which has the response ready or fetches it. Then no task runs, nothing is
parsed and no object of aiohttp is made. Everything else, and every doubt, is aiohttp's.

It reads internals of aiohttp; ``quick_trouble`` says whether they are as expected.
"""

from __future__ import annotations

import asyncio
import logging
import re
from typing import Any, Protocol

import aiohttp
from aiohttp import web
from aiohttp.http import RawRequestMessage
from aiohttp.streams import EMPTY_PAYLOAD

from origin.keyhead import KeyHead, KeyHeads, Missing
from origin.server.anymethod import AnyMethod
from origin.server.connection import ACCESS_LOGGER, Connection, log_access
from origin.server.door import Answered, Door
from origin.server.filesender import send_now
from origin.server.lanes import Client, Coming, Lane, Whole
from origin.simplehead import SimpleHead, SimpleHeads
from origin.tokens.redaction import redact

AIOHTTP = ((3, 14), (3, 15))
"""Versions that the short cut was tested with: from the first, before the second."""

MAX_BEHIND_BYTES = 64 << 10
"""Most bytes kept of requests that arrive while a ready response is under way."""


_CACHE_STATUS = re.compile(rb"\r\nCache-Status: ([^\r]*)")
_TOTAL = re.compile(rb"\r\nContent-Range: bytes [0-9-]+/([0-9]+)")


class Ready(Protocol):
    """A whole response that can be sent as it is: head and body."""

    status: int
    head: bytes
    """Status line and fields, with the empty line after them."""
    size_bytes: int
    """Length of the body."""
    data: bytes | None
    """The body, when it is small; otherwise it is in ``file``."""
    file: int
    offset: int
    """Where in the file it begins."""

    @property
    def is_warm(self) -> bool:
        """The body is in the page cache, as far as is known."""
        ...

    @property
    def limit_s(self) -> float:
        """Most seconds in which a client takes 256 KiB."""
        ...

    def enter(self) -> None:
        """Keep ``file`` open until ``leave``."""
        ...

    def leave(self) -> None:
        """Undo ``enter``."""
        ...

    def count_sent(self, count: int) -> None:
        """Count bytes of the body as sent."""
        ...


class Quick(Protocol):
    """Knows responses that are ready."""

    def find(self, head: SimpleHead, client: Client) -> Ready | None:
        """The response to a simple request, counted as answered; None when it is not ready.

        Permission is part of it: None as well for whoever has none.

        Args:
            head: The request.
            client: Who asks.
        """
        ...


def quick_trouble(handler: type[web.RequestHandler] = web.RequestHandler) -> str:
    """Why the short cut must not be taken with this aiohttp; empty when it may."""
    version = tuple(int(part) for part in aiohttp.__version__.split(".")[:2] if part.isdigit())
    if not AIOHTTP[0] <= version < AIOHTTP[1]:
        return f"aiohttp {aiohttp.__version__} was not tested with it"
    missing = [name for name in _INTERNALS if not hasattr(handler, name)]
    return f"aiohttp has no {', '.join(missing)}" if missing else ""


_INTERNALS = (
    "_close", "_force_close", "_keepalive_timeout", "_manager", "_messages",
    "_next_keepalive_close_time", "_paused", "_process_keepalive", "_request_count",
    "_request_in_progress", "_upgraded", "_waiter",
)  # fmt: skip
"""What is used of ``RequestHandler``; its attributes are slots, so the class has them all."""


class QuickConnection(Connection):
    """A connection with the short cut."""

    __slots__ = (
        "_behind", "_client", "_coming", "_heads", "_held", "_key_heads", "_lane", "_quick",
        "_quick_end", "_starts_clean", "any_method",
    )  # fmt: skip

    def __init__(
        self,
        manager: Any,
        loop: asyncio.AbstractEventLoop,
        door: Door,
        quick: Quick | None,
        heads: SimpleHeads,
        *,
        lane: Lane | None = None,
        key_heads: KeyHeads | None = None,
        takes_any_method: bool = False,
    ) -> None:
        super().__init__(manager, loop, door)
        self._quick, self._heads = quick, heads
        self._lane, self._key_heads = lane, key_heads
        self._client: Client | None = None
        self._coming: Coming | None = None
        self.any_method = AnyMethod() if takes_any_method else None
        self._starts_clean = True  # aiohttp's parser is between two requests
        self._quick_end: asyncio.Future[None] | None = None  # while a ready response is sent
        self._behind = b""
        self._held = b""  # a plain request for a key whose body has not all come

    def __repr__(self) -> str:
        state = "closed" if self.transport is None else "idle" if self._is_idle() else "busy"
        return f"<QuickConnection of {self.peername}: {state}, {self._request_count} requests>"

    def data_received(self, data: bytes) -> None:
        """Take what the client sent."""
        if self._quick_end is not None:
            self._keep_behind(data)
            return
        if self._held:
            data, self._held = self._held + data, b""
        if self._is_idle():
            is_ready = not self._is_of_page(data)
            if is_ready and (self._answer_quickly(data) or self._take_lane(data)):
                return
            if self.any_method is not None:
                data = self.any_method.hide(data)
        self._take_ordinarily(data)

    def _is_of_page(self, data: bytes) -> bool:
        """Whether it may come from a page that is answered by name: ready answers name nobody."""
        return any(page.encode("latin-1", "replace") in data for page in self.cookie_pages())

    def _take_ordinarily(self, data: bytes) -> None:
        """Give what the client sent to aiohttp."""
        before, was_clean = self._request_count, self._starts_clean
        super().data_received(data)
        if self._request_count != before:
            # After one whole request at the very end of what was read, the parser holds nothing
            # back.
            self._starts_clean = bool(self._messages) and (
                (data.endswith(b"\r\n\r\n") and self._messages[-1][1] is EMPTY_PAYLOAD)
                or (was_clean and self._request_count == before + 1 and self._is_whole(data))
            )
        elif data:
            self._starts_clean = False

    def _is_whole(self, data: bytes) -> bool:
        """Whether ``data`` is the latest message, with a body of known length, and no more."""
        message, payload = self._messages[-1]
        if not isinstance(message, RawRequestMessage):
            return False
        length = message.headers.get("Content-Length", "")
        end = data.find(b"\r\n\r\n") + 4
        return (
            payload is not EMPTY_PAYLOAD
            and payload.is_eof()
            and not message.chunked
            and length.isdecimal()
            and len(data) == end + int(length)
        )

    def connection_lost(self, exc: BaseException | None) -> None:
        """End: nobody waits for what is being fetched."""
        if self._coming is not None:
            self._coming.give_up()
            self._coming = None
            self._end_quick()
        super().connection_lost(exc)

    async def shutdown(self, timeout: float | None = 15.0) -> None:  # noqa: ASYNC109 -- aiohttp's
        """Let a response under way end, then close; called by aiohttp."""
        if self._quick_end is not None:
            self._force_close = True
            await asyncio.wait((self._quick_end,), timeout=timeout)
        await super().shutdown(timeout)

    def _is_idle(self) -> bool:
        """Whether aiohttp waits for the first byte of a request and has nothing to send."""
        waiter = self._waiter
        return (
            waiter is not None
            and self._starts_clean
            and not (
                waiter.done()
                or self._messages
                or self._paused
                or self._upgraded
                or self._request_in_progress
                or self._close
                or self._force_close
                or self._door.is_draining
            )
        )

    def idle_s(self) -> float:
        """Seconds since it was last made use of; 0 while a request or an answer is under way."""
        return super().idle_s() if self._quick_end is None else 0.0

    def _answer_quickly(self, data: bytes) -> bool:
        """Send the ready response to a simple request; False when there is none."""
        assert self._manager is not None
        assert self.transport is not None
        if self._quick is None:
            return False
        head = self._heads.read(data)
        ready = None if head is None else self._quick.find(head, self._who())
        if head is None or ready is None:
            return False
        began_s = self._begin_quick()
        if ready.data is not None:
            self.transport.write(ready.head + ready.data)
            self._count(ready, head, began_s, len(ready.data))
        else:
            self._send_ready(ready, head, began_s)
        return True

    def _who(self) -> Client:
        """Who is at the other end."""
        if self._client is None:
            assert self.transport is not None
            is_secure = self.transport.get_extra_info("sslcontext") is not None
            self._client = Client(self._address, "https" if is_secure else "http")
        return self._client

    def _begin_quick(self) -> float:
        """Note a request that aiohttp does not see; the loop's time."""
        assert self._manager is not None
        if self._alarm is not None:
            self._stop_alarm()
        self._unfinished_bytes = 0
        self._request_count += 1
        self._manager.requests_count += 1
        began_s = self._loop.time()
        self._next_keepalive_close_time = began_s + self._keepalive_timeout
        return began_s

    def _end_quick(self) -> None:
        if self._quick_end is not None:
            self._quick_end.set_result(None)
            self._quick_end = None

    def _take_lane(self, data: bytes) -> bool:
        """Answer a plain request for a key, now or later; False when it is not one.

        One whose body has not all come is kept until it has, as long as a head may take.
        """
        if self._lane is None or self._key_heads is None or self.transport is None:
            return False
        head = self._key_heads.read(data)
        if isinstance(head, Missing):
            self._held, self._unfinished_bytes = data, len(data)
            if self._alarm is None:
                self._set_alarm()
            return True
        if head is None:
            return False
        client = self._who()
        began_s = self._loop.time()

        def done(whole: Whole | None) -> None:
            self._coming = None
            self._end_quick()
            if whole is not None:
                self._send_whole(whole, head, began_s)
                self._take_up_behind()
            elif self.transport is not None and not self.transport.is_closing():
                behind, self._behind = self._behind, b""
                if len(behind) > MAX_BEHIND_BYTES:
                    self.transport.resume_reading()
                self._request_count -= 1
                self._take_ordinarily(data + behind)

        found = self._lane.begin(head, client, done)
        if found is None:
            return False
        self._begin_quick()
        if isinstance(found, Coming):
            self._coming = found
            self._quick_end = self._loop.create_future()
        else:
            self._send_whole(found, head, began_s)
        return True

    def _send_whole(self, whole: Whole, head: KeyHead, began_s: float) -> None:
        assert self.transport is not None
        now_s = self._loop.time()
        self._next_keepalive_close_time = now_s + self._keepalive_timeout
        self.transport.write(whole.head + whole.data)
        self._door.waits.add(now_s - began_s)
        if self._logging_enabled:
            self._log_quick(
                head.method, head.target, head.fields, whole.status, whole.head, len(whole.data),
                len(whole.data), began_s, now_s - began_s,
            )  # fmt: skip

    def _count(self, ready: Ready, head: SimpleHead, began_s: float, count: int) -> None:
        """Count and log a body that was sent at once."""
        ready.count_sent(count)
        self._door.waits.counts[0] += 1
        if self._logging_enabled:
            self._log_ready(ready, head, began_s, count)

    def _send_ready(self, ready: Ready, head: SimpleHead, began_s: float) -> None:
        lead, sent_bytes, length = ready.head, 0, ready.size_bytes
        if ready.is_warm and self._socket is not None:
            lead, sent_bytes = send_now(self._socket, lead, ready.file, ready.offset, length)
            if not lead and sent_bytes == length:
                self._count(ready, head, began_s, length)
                if not self._is_fast:
                    self._note_pace(length, self._loop.time() - began_s)
                return
            ready.count_sent(sent_bytes)
        ready.enter()

        def count(count: int) -> None:
            nonlocal sent_bytes
            sent_bytes += count
            ready.count_sent(count)

        def end(error: BaseException | None) -> None:
            self._sender = None
            ready.leave()
            if self._logging_enabled:
                self._log_ready(ready, head, began_s, sent_bytes)
            if error is None:
                self._next_keepalive_close_time = self._loop.time() + self._keepalive_timeout
            elif self._wire is not None:
                self._wire.abort()  # the client must not take a part for the whole
            if self._quick_end is not None:
                self._end_quick()
                self._take_up_behind()

        self._sender = self._make_sender(
            lead,
            ready.file,
            ready.offset + sent_bytes,
            length - sent_bytes,
            ready.limit_s,
            count,
            end,
            ready.is_warm,
        )
        self._sender.start()
        if self._sender is not None:  # the client takes its time
            self._quick_end = self._loop.create_future()

    def _log_ready(self, ready: Ready, head: SimpleHead, began_s: float, count: int) -> None:
        target = head.target.decode("ascii")
        total = _TOTAL.search(ready.head) if ready.status == 206 else None
        size_bytes = int(total[1]) if total else ready.size_bytes
        self._log_quick(
            "GET", target, head.fields, ready.status, ready.head, size_bytes, count, began_s
        )

    def _log_quick(
        self,
        method: str,
        target: str,
        fields: bytes,
        status: int,
        answered: bytes,
        size_bytes: int,
        count: int,
        began_s: float,
        first_byte_s: float = 0.0,
    ) -> None:
        """Log an answer with this head, ``count`` bytes of which were sent, and tell about it."""
        took_s = self._loop.time() - began_s
        if ACCESS_LOGGER.isEnabledFor(logging.INFO):
            peer = self.peername
            remote = str(peer[0]) if isinstance(peer, tuple) else None
            line = f"{method} {redact(target)}"
            log_access(ACCESS_LOGGER, remote, line, status, count, took_s)
        if self._door.on_answered is not None:
            said = _CACHE_STATUS.search(answered)
            shown = said[1].decode("latin-1") if said else ""
            self._door.on_answered(
                Answered(
                    method, target, fields, status, shown, size_bytes, count, first_byte_s, took_s
                )
            )

    def _keep_behind(self, data: bytes) -> None:
        """Keep what a client sends before it has got its answer."""
        self._behind += data
        if len(self._behind) > MAX_BEHIND_BYTES and self.transport is not None:
            self.transport.pause_reading()

    def _take_up_behind(self) -> None:
        """Close if that was asked for meanwhile, or go on with what the client sent."""
        behind, self._behind = self._behind, b""
        if self.transport is None or self.transport.is_closing():
            return
        if self._close or self._force_close:
            self.transport.close()
            return
        if len(behind) > MAX_BEHIND_BYTES:
            self.transport.resume_reading()
        if behind:
            self.data_received(behind)

    def _process_keepalive(self) -> None:
        if self._quick_end is not None:  # not idle, though aiohttp thinks so
            self._next_keepalive_close_time = self._loop.time() + self._keepalive_timeout
        super()._process_keepalive()
