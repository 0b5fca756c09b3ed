"""What an edge writes down about requests and players: the access log and the edge view.

Lines are made and written by a thread. Reports of players (``POST /cmcd``) are bounded in size and
rate. When the disk or the thread cannot keep up, lines are dropped and counted, and no request
waits.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path

from aiohttp import web

from edge.config import EdgeConfig
from edge.operations.accesslog import LineFormat, Served, dumps, samples
from edge.operations.cmcd import Cmcd, parse_events, parse_headers, parse_query
from edge.server.linewriter import LineWriter
from origin.server.answers import error_response
from origin.server.door import Answered

PATH = "/cmcd"
"""Where players send their reports."""

MAX_REPORT_BYTES = 32 << 10
"""Largest report."""

REPORTS_PER_S = 200.0
"""Reports taken per second, on average; a second's worth may come at once."""

READ_S = 5.0
"""Most seconds for the body of a report."""


class Reports:
    """The logs of one edge; ``reconfigure`` opens them, and opens them anew."""

    def __init__(self, config: EdgeConfig, *, now: Callable[[], float]) -> None:
        self.refused = 0
        """Reports that were too large, too many, or not reports."""
        self._now = now
        self._share = 1.0
        self._format = LineFormat(edge="", tier="", has_tokens=True)
        self._writers: dict[str, LineWriter] = {}
        self._allowance = REPORTS_PER_S
        self._counted_s = 0.0
        self._config = config

    def __repr__(self) -> str:
        return f"<Reports to {list(self._writers.values())!r}>"

    @property
    def is_wanted(self) -> bool:
        """Whether anything is to be written down."""
        return bool(self._writers)

    @property
    def dropped(self) -> int:
        """Lines that were lost."""
        return sum(writer.dropped for writer in self._writers.values())

    def reconfigure(self, config: EdgeConfig) -> None:
        """Write to the files that are named now, which are opened anew."""
        self._config = config
        self._share = config.access_log_sample
        self._format = LineFormat(
            edge=config.name, tier=config.tier, has_tokens=config.require_token
        )
        for kind, path in (("access", config.access_log), ("view", config.cmcd_log)):
            writer = self._writers.get(kind)
            if writer is not None and str(writer.path) == path:
                writer.reopen()
                continue
            if writer is not None:
                del self._writers[kind]
                writer.close()
            if path:
                self._writers[kind] = LineWriter(Path(path))

    def close(self) -> None:
        """Write what waits, and close the files."""
        for writer in self._writers.values():
            writer.close()
        self._writers = {}

    def key_of(self, target: str) -> str:
        """The key that a target has in the cache."""
        return self._format.key_of(target)

    def note(self, answered: Answered) -> None:
        """Write a request down; called when its answer is over."""
        t_s = self._now() - answered.took_s
        access, view = self._writers.get("access"), self._writers.get("view")
        if access is not None and samples(self._format.key_of(answered.target), self._share):
            access.write(lambda: dumps(self._format.access(_served(answered, t_s))))
        if view is not None and _says_something(answered):
            view.write(lambda: self._view_line(answered, t_s))

    async def take(self, request: web.Request) -> web.Response:
        """Take a report of a player."""
        view = self._writers.get("view")
        if view is None:
            return error_response(404, "not-found", "no reports are taken here; see cmcd_log")
        if request.method != "POST":
            return error_response(405, "method", "expected POST", {"Allow": "POST, OPTIONS"})
        t_s = self._now()
        if not self._may_take(t_s):
            self.refused += 1
            return error_response(429, "busy", "too many reports", {"Retry-After": "1"})
        try:
            async with asyncio.timeout(READ_S):
                body = await request.content.read(MAX_REPORT_BYTES + 1)
                while len(body) <= MAX_REPORT_BYTES and not request.content.at_eof():
                    body += await request.content.read(MAX_REPORT_BYTES + 1 - len(body))
        except TimeoutError:
            body = b"\n" * (MAX_REPORT_BYTES + 1)
        if len(body) > MAX_REPORT_BYTES:
            self.refused += 1
            answer = error_response(413, "too-large", f"more than {MAX_REPORT_BYTES} bytes")
            answer.force_close()
            return answer
        view.write(lambda: self._report_lines(body, t_s))
        return web.Response(status=204, headers={"Cache-Control": "no-store"})

    def _may_take(self, now_s: float) -> bool:
        passed_s = min(1.0, max(0.0, now_s - self._counted_s))
        self._counted_s = now_s
        self._allowance = min(REPORTS_PER_S, self._allowance + passed_s * REPORTS_PER_S)
        if self._allowance < 1.0:
            return False
        self._allowance -= 1.0
        return True

    def _view_line(self, answered: Answered, t_s: float) -> str:
        served = _served(answered, t_s)
        if not served.cmcd:
            return ""
        return dumps(self._format.view(served.cmcd, t_s=t_s, served=served))

    def _report_lines(self, body: bytes, t_s: float) -> str:
        events = parse_events(body)
        return "".join(dumps(self._format.view(each, t_s=t_s)) for each in events if each)


def _says_something(answered: Answered) -> bool:
    if "CMCD" in answered.target:
        return True
    if isinstance(answered.fields, bytes):
        return b"cmcd-" in answered.fields.lower()
    return any(name[:5].lower() == b"cmcd-" for name, _ in answered.fields)


def cmcd_of(target: str, fields: Sequence[tuple[bytes, bytes]] | bytes) -> Cmcd:
    """What a request says, in its query or, without that, in its fields."""
    if "CMCD" in target:
        found = parse_query(target.partition("?")[2])
        if found:
            return found
    if isinstance(fields, bytes):
        lines = [line.partition(b":") for line in fields.split(b"\r\n")]
        fields = [(name, value.strip()) for name, _, value in lines]
    return parse_headers(
        (name.decode("latin-1"), value.decode("utf-8", "replace")) for name, value in fields
    )


def _served(answered: Answered, t_s: float) -> Served:
    return Served(
        t_s,
        answered.method,
        answered.target,
        answered.status,
        answered.cache_status,
        answered.size_bytes,
        answered.sent_bytes,
        answered.first_byte_s,
        answered.took_s,
        cmcd_of(answered.target, answered.fields),
    )
