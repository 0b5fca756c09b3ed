"""Questions between the workers of one edge: lines of JSON over sockets in a private folder.

Every line is an object with a number; the answer has the same number. A worker that does not
answer in time counts as gone, and its lines are not waited for.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

LOG = logging.getLogger("abr.edge")

LINE_BYTES = 4 << 20
"""Longest line: the metrics of a worker."""

ANSWER_S = 2.0
"""A worker that takes longer counts as gone."""

Facts = dict[str, Any]
Answer = Callable[[str, Facts], Awaitable[Facts]]
"""Answers a question: what is asked, and about what."""


class Peer:
    """Another worker, as this one asks it; it connects when it is needed."""

    def __init__(self, path: str, *, on_lost: Callable[[], None]) -> None:
        """Nothing is connected yet.

        Args:
            path: Of its socket.
            on_lost: Called when the connection to it ends.
        """
        self._path, self._on_lost = path, on_lost
        self._writer: asyncio.StreamWriter | None = None
        self._reading: asyncio.Task[None] | None = None
        self._waiting: dict[int, asyncio.Future[Facts]] = {}
        self._lock = asyncio.Lock()
        self._number = 0

    def __repr__(self) -> str:
        state = "apart" if self._writer is None else f"{len(self._waiting)} questions open"
        return f"<Peer at {self._path}, {state}>"

    async def ask(self, what: str, within_s: float = ANSWER_S, **facts: Any) -> Facts:
        """Its answer, which takes at most ``within_s``.

        Raises:
            ConnectionAbortedError: it does not answer in time.
            ConnectionError: it is gone.
        """
        try:
            async with asyncio.timeout(within_s):
                writer = await self._connect()
                self._number += 1
                number = self._number
                answer: asyncio.Future[Facts] = asyncio.get_running_loop().create_future()
                self._waiting[number] = answer
                try:
                    writer.write(json.dumps([number, what, facts]).encode() + b"\n")
                    return await answer
                finally:
                    self._waiting.pop(number, None)
        except TimeoutError as exc:
            self._part()
            raise ConnectionAbortedError("the other worker does not answer") from exc
        except OSError as exc:
            raise ConnectionResetError(f"the other worker is gone: {exc}") from exc

    async def close(self) -> None:
        """End the connection."""
        if self._reading is not None:
            self._reading.cancel()
            await asyncio.gather(self._reading, return_exceptions=True)
        self._part()

    async def _connect(self) -> asyncio.StreamWriter:
        async with self._lock:
            if self._writer is None:
                reader, self._writer = await asyncio.open_unix_connection(
                    self._path, limit=LINE_BYTES
                )
                self._reading = asyncio.create_task(self._read(reader, self._writer))
            return self._writer

    async def _read(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while line := await reader.readline():
                number, facts = json.loads(line)
                answer = self._waiting.get(number)
                if answer is not None and not answer.done():
                    answer.set_result(facts)
        except (OSError, ValueError):
            pass
        finally:
            writer.close()
            if self._writer is writer:
                self._part()

    def _part(self) -> None:
        writer, self._writer = self._writer, None
        if writer is None:
            return
        writer.close()
        for answer in self._waiting.values():
            if not answer.done():
                answer.set_exception(ConnectionResetError("the other worker is gone"))
        self._on_lost()


class Counter:
    """Where a worker answers the questions of the others; ``open`` first, ``close`` at the end."""

    def __init__(self, path: str, answer: Answer) -> None:
        self._path, self._answer = path, answer
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._writers: set[asyncio.StreamWriter] = set()

    def __repr__(self) -> str:
        return f"<Counter at {self._path}, {len(self._tasks)} tasks>"

    async def open(self) -> None:
        """Answer from now on."""
        self._server = await asyncio.start_unix_server(self._serve, self._path, limit=LINE_BYTES)

    async def close(self) -> None:
        """Answer no more."""
        if self._server is not None:
            self._server.close()
        for writer in self._writers:
            writer.close()
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        with suppress(OSError, ValueError):
            while line := await reader.readline():
                number, what, facts = json.loads(line)
                # Not one after the other: some wait for the disk.
                self._keep(asyncio.create_task(self._reply(writer, number, what, facts)))
        writer.close()
        self._writers.discard(writer)

    async def _reply(
        self, writer: asyncio.StreamWriter, number: int, what: str, facts: Facts
    ) -> None:
        answer = await self._answer(what, facts)
        if not writer.is_closing():
            writer.write(json.dumps([number, answer]).encode() + b"\n")

    def _keep(self, task: asyncio.Task[None]) -> None:
        self._tasks.add(task)
        task.add_done_callback(self._end)

    def _end(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            LOG.error("between workers", exc_info=task.exception())
