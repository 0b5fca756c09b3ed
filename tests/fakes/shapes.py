"""Playlists of any shape, and networks that answer by a script: what ends may be tested on.

``Shape`` describes a title by its URLs: several rungs and tracks may share one, lengths
and numbers of segments may differ. ``ScriptedLink`` is a ``Link`` on which each request
is answered as its ``Reply`` says, or never.
"""

from __future__ import annotations

import asyncio
import heapq
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from abr.link import LinkEvent
from player.drivers.transport import TransferError
from player.drivers.virtual import VirtualResponse
from player.playback.actions import Want
from player.playback.retry import Failure
from tests.unit.transcode.test_fragments import AAC, init_section
from transcode.encryption import encrypt

INIT = init_section(AAC)
MEDIA = INIT + b"\0\0\0\x08moof"

SILENCE_S = 1e6
KEY = bytes(range(16))

BASE = "http://edge.test/t/head.body.signature/film/"


@dataclass(frozen=True)
class Shape:
    """A title; all URLs are relative to ``BASE``."""

    variants: tuple[str, ...] = ("v0.m3u8", "v1.m3u8")
    """Media playlist of each rung, lowest first; may repeat."""
    audio: tuple[str, ...] = ()
    """Audio playlist of each rung's own group, as many as ``variants``; empty: no audio."""
    video_s: tuple[float, ...] = (1.0, 1.0)
    """Lengths of the segments of every playlist that is not in ``other_s``."""
    other_s: tuple[tuple[str, tuple[float, ...]], ...] = ()
    """Playlists with segments of other lengths."""
    key: str = ""
    """Where the content key is; empty: in the clear."""
    init: str = ""
    """Where the initialisation section of every playlist is; empty: none."""
    late_in_audio: str = ""
    """The last segment of ``a.m3u8`` is ``late.m4s``, or needs an ``init`` or ``key`` of its
    own, named like that."""

    @property
    def url(self) -> str:
        """The multivariant playlist."""
        return BASE + "multivariant.m3u8"

    def multivariant(self) -> str:
        """A rung of 1, 2, ... Mbit/s for each variant, each with an audio group of its own."""
        lines = ["#EXTM3U"]
        for rung, uri in enumerate(self.audio):
            lines.append(f'#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="a{rung}",NAME="x",URI="{uri}"')
        for rung, uri in enumerate(self.variants):
            group = f',AUDIO="a{rung}"' if self.audio else ""
            lines += [f"#EXT-X-STREAM-INF:BANDWIDTH={(rung + 1) * 1_000_000}{group}", uri]
        return "\n".join(lines) + "\n"

    def media(self, name: str) -> str:
        """The media playlist of that name."""
        lengths = dict(self.other_s).get(name, self.video_s)
        lines = ["#EXTM3U", "#EXT-X-TARGETDURATION:10", "#EXT-X-PLAYLIST-TYPE:VOD"]
        if self.key:
            lines.append(f'#EXT-X-KEY:METHOD=AES-128,URI="{self.key}"')
        if self.init:
            lines.append(f'#EXT-X-MAP:URI="{self.init}"')
        for index, length_s in enumerate(lengths):
            is_late = name == "a.m3u8" and index == len(lengths) - 1
            if is_late and self.late_in_audio == "key":
                lines.append('#EXT-X-KEY:METHOD=AES-128,URI="late.key"')
            if is_late and self.late_in_audio == "init":
                lines.append('#EXT-X-MAP:URI="late.init"')
            uri = "late" if is_late and self.late_in_audio == "segment" else f"{name}.{index}"
            lines += [f"#EXTINF:{length_s:.3f},", f"{uri}.m4s"]
        return "\n".join([*lines, "#EXT-X-ENDLIST"]) + "\n"

    def body(self, want: Want) -> bytes | None:
        """What a server answers to ``want`` where the player reads it; else None."""
        name = want.url.removeprefix(BASE)
        if want.kind == "token":
            return b'{"token": "new.body.signature"}'
        if want.kind not in ("multivariant", "media"):
            return None
        return (self.multivariant() if name == "multivariant.m3u8" else self.media(name)).encode()


@dataclass(frozen=True)
class Reply:
    """How one request is answered."""

    first_byte_s: float = 0.01
    """From request to first byte; inf: silence."""
    rest_s: float = 0.01
    """From first to last byte; inf: the rest never comes."""
    failure: Failure | None = None
    """In place of the last byte."""
    cut_bytes: int = 0
    """So much is missing at the end, and nobody says so; live only."""


@dataclass
class ScriptedOrigin:
    """A ``VirtualOrigin`` that serves a ``Shape`` and refuses as the replies say."""

    shape: Shape
    reply: Callable[[Want], Reply]
    asked: list[Want] = field(default_factory=list)
    replies: list[Reply] = field(default_factory=list)

    @property
    def url(self) -> str:
        """The multivariant playlist."""
        return self.shape.url

    def answer(self, want: Want) -> VirtualResponse:
        """The next reply of the script decides; the link will do what it says."""
        reply = self.reply(want)
        self.asked.append(want)
        self.replies.append(reply)
        if reply.failure is not None:
            status = reply.failure.status or 503  # the virtual driver knows no other failures
            return VirtualResponse(0.0, status=status, reason=reply.failure.reason)
        return VirtualResponse(1000.0, self.shape.body(want))


class ScriptedTransport:
    """A ``Transport`` of the live driver, on a loop whose clock jumps."""

    def __init__(self, shape: Shape, reply: Callable[[Want], Reply]) -> None:
        self._shape = shape
        self._reply = reply

    async def fetch(
        self,
        want: Want,
        url: str,
        *,
        on_response: Callable[[str | None], None],
        on_piece: Callable[[int], None],
    ) -> bytes:
        """What the next reply of the script says."""
        reply = self._reply(want)
        await asyncio.sleep(min(reply.first_byte_s, SILENCE_S))
        on_response(None)
        on_piece(500)
        await asyncio.sleep(min(reply.rest_s, SILENCE_S))
        if reply.failure is not None:
            raise TransferError(reply.failure)
        on_piece(500)
        if want.kind == "key":
            return KEY
        clear = self._shape.body(want) or (INIT if want.kind == "init" else MEDIA)
        body = clear if want.key is None else encrypt(clear, KEY, want.key.iv)
        return body[: len(body) - reply.cut_bytes]


class ScriptedLink:
    """A ``Link`` that answers the requests of ``origin`` by its replies, without end when many.

    Raises:
        AssertionError: it was advanced so often that time must be standing still.
    """

    MOST_STEPS = 20_000

    def __init__(self, replies: Sequence[Reply]) -> None:
        self.other_times_s: list[float] = []
        """When to advance besides, in order: a viewer presses something, say."""
        self._replies = replies
        self._events: list[tuple[float, int, LinkEvent]] = []
        self._count = self._steps = 0
        self._gone: set[int] = set()

    def request(self, flow: int, size_bytes: float, now_s: float) -> None:
        """Plan the events of the newest reply."""
        reply = self._replies[-1]
        first_s = now_s + reply.first_byte_s
        for time_s, kind in ((first_s, "first_byte"), (first_s + reply.rest_s, "finished")):
            if math.isfinite(time_s):
                self._count += 1
                event = LinkEvent(time_s, flow, kind)  # type: ignore[arg-type]  # literals
                heapq.heappush(self._events, (time_s, self._count, event))

    def cancel(self, flow: int, now_s: float) -> None:
        """Forget a transfer."""
        self._gone.add(flow)

    def next_event_s(self) -> float:
        """Time of the next event; inf when all is silence."""
        times = [self._events[0][0]] if self._events else []
        return min([*times, *self.other_times_s[:1]], default=math.inf)

    def advance(self, now_s: float) -> tuple[LinkEvent, ...]:
        """What is due by ``now_s``."""
        self._steps += 1
        assert self._steps < self.MOST_STEPS, f"time stands still at {now_s} s"
        due = []
        while self._events and self._events[0][0] <= now_s:
            event = heapq.heappop(self._events)[2]
            if event.flow not in self._gone:
                due.append(event)
        return tuple(due)

    def received_bytes(self, flow: int, now_s: float) -> float:
        """All at once."""
        return 1000.0
