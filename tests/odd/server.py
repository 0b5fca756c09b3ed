"""An HTTP server that misbehaves as it is told to, byte by byte.

Heads are written by hand: what is to be tried (bodies that are cut, lengths that lie, old
versions of HTTP) is what a library would put right.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import ssl
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

TYPES = {
    "m3u8": "application/vnd.apple.mpegurl",
    "m4s": "video/iso.segment",
    "mp4": "video/mp4",
    "ts": "video/mp2t",
    "aac": "audio/aac",
    "mp3": "audio/mpeg",
    "vtt": "text/vtt",
    "key": "application/octet-stream",
    "json": "application/json",
    "html": "text/html",
    "js": "text/javascript",
}
IDLE_S = 90.0
_RANGE = re.compile(r"bytes=([0-9]+)-([0-9]*)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One request."""

    stream: str
    path: str
    """Below the stream's folder, without the query."""
    query: str
    host: str
    """Which of the listeners it came to: ``main``, ``other``, ``ipv6`` or ``tls``."""
    headers: Mapping[str, str] = field(repr=False)
    """By name in lower case."""
    method: str = "GET"
    body: bytes = b""

    @property
    def target(self) -> str:
        """Path with its query."""
        return self.path + (f"?{self.query}" if self.query else "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a request gets."""

    body: bytes | str = field(default=b"", repr=False)
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    framing: Literal["length", "chunked", "close"] = "length"
    """close: the end of the connection ends the body, as in HTTP/1.0."""
    wait_s: float = 0.0
    """Before the head."""
    body_s: float = 0.0
    """Over which the body is spread."""
    cut_after: int | None = None
    """Bytes of the body after which the connection is closed, though more was promised."""
    stalls_after: int | None = None
    """Bytes of the body after which nothing more comes, on an open connection."""
    ranges: bool = True
    """Whether byte ranges are served."""
    drops: bool = False
    """Close the connection instead of an answer."""
    raw: bytes | None = field(default=None, repr=False)
    """Sent as it is, instead of all that."""


Reply = Answer | bytes | str
Script = Reply | Sequence[Reply] | Callable[[Asked, int], Reply]
"""An answer; or one for each request in turn, the last of them from then on; or what makes it
from the request and the number of such requests before."""


class OddServer:
    """Streams by name, below ``/s/NAME/``, on several listeners."""

    def __init__(self) -> None:
        self.streams: dict[str, Mapping[str, Script]] = {}
        self.asked: dict[str, list[Asked]] = {}
        self.hosts: dict[str, str] = {}
        """Base URLs by listener; ``{main}`` in a playlist is put in place of the stream there."""
        self._counts: dict[tuple[str, str], int] = {}

    def __repr__(self) -> str:
        return f"<OddServer {len(self.streams)} streams at {', '.join(self.hosts)}>"

    def url(self, stream: str, path: str, host: str = "main") -> str:
        """Where something is."""
        return f"{self.hosts[host]}/s/{stream}/{path}"

    @contextlib.asynccontextmanager
    async def listening(self, *, tls: ssl.SSLContext | None = None) -> AsyncIterator[OddServer]:
        """Serve while the block runs."""
        places: dict[str, tuple[str, ssl.SSLContext | None]]
        places = {"main": ("127.0.0.1", None), "other": ("127.0.0.1", None), "ipv6": ("::1", None)}
        if tls is not None:
            places["tls"] = ("127.0.0.1", tls)
        servers = []
        try:
            for name, (host, context) in places.items():
                server = await self._listen(name, host, context)
                if server is not None:
                    servers.append(server)
            yield self
        finally:
            for server in servers:
                server.close()

    async def _listen(
        self, name: str, host: str, context: ssl.SSLContext | None
    ) -> asyncio.Server | None:
        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            # asyncio complains of handlers that are cancelled when the loop ends.
            ends = (OSError, asyncio.IncompleteReadError, TimeoutError, asyncio.CancelledError)
            with contextlib.suppress(*ends):
                while await self._answer(name, reader, writer):
                    pass
            with contextlib.suppress(OSError):
                writer.close()

        try:
            server = await asyncio.start_server(serve, host, 0, ssl=context)
        except OSError:
            if host == "::1":  # no IPv6 here
                return None
            raise
        port = server.sockets[0].getsockname()[1]
        shown = f"[{host}]" if ":" in host else host
        self.hosts[name] = f"{'https' if context else 'http'}://{shown}:{port}"
        return server

    async def _answer(
        self, host: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> bool:
        """Answer one request; whether the connection goes on."""
        async with asyncio.timeout(IDLE_S):
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        method, target, _version = head[0].split(" ", 2)
        fields = dict(line.split(":", 1) for line in head[1:] if ":" in line)
        headers = {name.lower(): value.strip() for name, value in fields.items()}
        sent = await reader.readexactly(int(headers.get("content-length", "0")))
        _, _, rest = target.partition("/s/")
        stream, _, below = rest.partition("/")
        path, _, query = below.partition("?")
        asked = Asked(
            stream=stream,
            path=path,
            query=query,
            host=host,
            headers=headers,
            method=method,
            body=sent,
        )
        if method == "OPTIONS":
            writer.write(_head(204, {"Content-Length": "0"}))
            await writer.drain()
            return True
        self.asked.setdefault(stream, []).append(asked)
        return await _send(writer, asked, self._reply(asked))

    def _reply(self, asked: Asked) -> Answer:
        count = self._counts.get((asked.stream, asked.path), 0)
        self._counts[asked.stream, asked.path] = count + 1
        files = self.streams.get(asked.stream, {})
        script = files.get(asked.path, files.get("*", Answer(status=404, body="none")))
        if callable(script):
            reply = script(asked, count)
        elif isinstance(script, list | tuple):
            reply = script[min(count, len(script) - 1)]
        else:
            assert isinstance(script, Answer | bytes | str)
            reply = script
        answer = reply if isinstance(reply, Answer) else Answer(body=reply)
        return self._in_place(answer, asked)

    def _in_place(self, answer: Answer, asked: Asked) -> Answer:
        """Names of hosts in text and headers replaced by URLs of this stream there."""

        def put(text: str) -> str:
            for name in ("main", "other", "ipv6", "tls"):
                base = f"{self.hosts.get(name, 'http://127.0.0.1:1')}/s/{asked.stream}"
                text = text.replace("{" + name + "}", base)
            return text.replace("{stream}", f"/s/{asked.stream}")

        body = put(answer.body).encode() if isinstance(answer.body, str) else answer.body
        headers = {name: put(value) for name, value in answer.headers.items()}
        return replace(answer, body=body, headers=headers)


async def _send(writer: asyncio.StreamWriter, asked: Asked, answer: Answer) -> bool:
    """Send an answer; whether the connection goes on."""
    if answer.wait_s:
        await asyncio.sleep(answer.wait_s)
    if answer.drops:
        return False
    if answer.raw is not None:
        writer.write(answer.raw)
        await writer.drain()
        return False
    assert isinstance(answer.body, bytes)
    status, body, headers = answer.status, answer.body, dict(_plain(asked, answer))
    match = _RANGE.fullmatch(asked.headers.get("range", ""))
    if match and answer.ranges and status == 200:
        start = int(match[1])
        end = min(int(match[2]) if match[2] else len(body) - 1, len(body) - 1)
        if start > end:
            status, headers["Content-Range"], body = 416, f"bytes */{len(body)}", b""
        else:
            headers["Content-Range"] = f"bytes {start}-{end}/{len(body)}"
            status, body = 206, body[start : end + 1]
    if answer.framing == "length":
        headers.setdefault("Content-Length", str(len(body)))
    elif answer.framing == "chunked":
        headers["Transfer-Encoding"] = "chunked"
    headers |= answer.headers
    writer.write(_head(status, headers, old=answer.framing == "close"))
    await writer.drain()
    if asked.method == "HEAD":
        return True
    await _send_body(writer, answer, body)
    ends = (answer.framing == "close", answer.cut_after is not None, status == 101)
    return not any(ends)


async def _send_body(writer: asyncio.StreamWriter, answer: Answer, body: bytes) -> None:
    limits = [n for n in (answer.cut_after, answer.stalls_after) if n is not None]
    sent = body[: min(limits)] if limits else body
    pieces = 10 if answer.body_s else 1
    size = max(1, -(-len(sent) // pieces))
    for at in range(0, len(sent), size):
        piece = sent[at : at + size]
        if answer.framing == "chunked":
            piece = f"{len(piece):x}\r\n".encode() + piece + b"\r\n"
        writer.write(piece)
        await writer.drain()
        if answer.body_s:
            await asyncio.sleep(answer.body_s / pieces)
    if answer.stalls_after is not None:
        await asyncio.sleep(IDLE_S)
    elif answer.framing == "chunked" and answer.cut_after is None:
        writer.write(b"0\r\n\r\n")
        await writer.drain()


def _plain(asked: Asked, answer: Answer) -> Mapping[str, str]:
    ending = asked.path.rpartition(".")[2]
    kind = TYPES.get(ending, "application/octet-stream")
    return {"Content-Type": kind if answer.status == 200 else "text/plain"}


def _head(status: int, headers: Mapping[str, str], *, old: bool = False) -> bytes:
    shared = {
        "Access-Control-Allow-Origin": "*",
        "Access-Control-Allow-Headers": "*",
        "Access-Control-Expose-Headers": "*",
    }
    lines = [f"HTTP/1.{0 if old else 1} {status} Odd"]
    lines += [f"{name}: {value}" for name, value in (shared | dict(headers)).items()]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")
