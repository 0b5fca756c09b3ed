"""Hot objects: whole answers that are ready, for the short cut of a connection.

An object becomes hot when the ordinary path has answered a whole, plain request from the
cache: its file stays open, or its body in memory when it is small, and the header fields of
that answer are kept as bytes. Only age, time to live and date are written anew, once a second.
Each time, permission, freshness, and that the cache still holds this very object are checked
as on the ordinary path; whatever does not hold is left to that path.
"""

from __future__ import annotations

import os
import re
import resource
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterable

from multidict import CIMultiDict

from edge.caching.answers import representation
from edge.caching.cachestatus import FIELD, CacheStatus, append_member
from edge.caching.stored import StoredObject
from edge.caching.variants import base_of
from edge.counters import Counters
from edge.server.tokencheck import TokenCheck
from origin.httpdate import http_date
from origin.httprules import Field, Span, join_fields, plan_response
from origin.server.filesender import is_resident
from origin.server.httpserver import add_fields
from origin.server.lanes import Client
from origin.simplehead import SimpleHead
from origin.tokens.permission import Asked
from transcode.packaging.layout import (
    chosen_variant,
    is_variant,
    segment_number,
    split_variant,
)

IN_MEMORY_BYTES = 32 << 10
"""Bodies up to this size are kept in memory: one write sends them with the head."""

MEMORY_BYTES = 64 << 20
"""Most bytes of bodies in memory."""

MOST_OBJECTS = 4096
"""Most hot objects in memory, and most in files; of those also at most an eighth of the
descriptors that the process may have."""

PROBE_S = 1.0
"""A file found in the page cache is taken to stay there this long."""

_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_RENEWED = ("Age", FIELD)
_OF_PART = frozenset({"Content-Length", "Content-Range"})


class HotObject:
    """One answer that is ready."""

    __slots__ = (
        "_counters", "_gone", "_has_date", "_name", "_of_news", "_of_part", "_renewed", "_shown",
        "_start", "_upstream", "_users", "_written_ns", "data", "file",
        "head", "head_from_s", "head_until_s", "is_variant", "is_warm", "key",
        "limit_s", "offset", "probed_s",
        "segment", "size_bytes", "status", "stored", "title",
    )  # fmt: skip

    def __init__(
        self,
        key: bytes,
        stored: StoredObject,
        fields: Iterable[Field],
        file: int,
        *,
        name: str,
        adds_fields: bool,
        counters: Counters,
        limit_s: float,
        now_s: float,
    ) -> None:
        """Prepare the answer.

        Args:
            key: What it is found by.
            stored: What is answered with.
            fields: Fields of the ordinary answer.
            file: Descriptor of the body; belongs to this object from now on.
            name: Of this cache.
            adds_fields: Add the fields that all our own answers have.
            counters: What is sent is counted there.
            limit_s: Most seconds in which a client takes 256 KiB.
            now_s: Seconds since the epoch.

        Raises:
            ValueError: a field cannot be sent.
        """
        self.key, self.stored, self.file = key, stored, file
        self.title = stored.lookup_key.split("/", 2)[1]
        self.is_variant = is_variant(stored.lookup_key)
        self.segment = segment_number(stored.lookup_key.partition(f"/{self.title}/")[2])
        self.size_bytes, self.status, self.limit_s = stored.size_bytes, 200, limit_s
        self.offset = 0
        self.data = (
            os.pread(file, self.size_bytes, 0) if self.size_bytes <= IN_MEMORY_BYTES else None
        )
        self._written_ns = os.fstat(file).st_mtime_ns
        self.is_warm, self.probed_s = False, float("-inf")
        self.head = b""
        self._name, self._counters = name, counters
        headers = CIMultiDict(fields)
        upstream = [value for field, value in stored.headers if field.lower() == FIELD.lower()]
        self._upstream = ", ".join(upstream) or None
        for renewed in _RENEWED:
            headers.popall(renewed, None)
        if adds_fields:
            add_fields(headers)
        self._has_date = "Date" in headers
        phrase = stored.reason or "OK"
        self._start = f"HTTP/1.1 200 {phrase}\r\n".encode("latin-1") + _lines(headers.items())
        headers.popall("Content-Length", None)
        self._of_part = b"HTTP/1.1 206 Partial Content\r\n" + _lines(headers.items())
        headers.popall("Content-Type", None)
        self._of_news = b"HTTP/1.1 304 Not Modified\r\n" + _lines(headers.items())
        self._renewed = b""
        self._shown = representation(join_fields(stored.headers), self.size_bytes, now_s=now_s)
        self.head_from_s = self.head_until_s = float("-inf")
        self._users, self._gone = 0, False

    def __repr__(self) -> str:
        place = "in memory" if self.data is not None else f"descriptor {self.file}"
        return f"<HotObject {self.stored.key}: {self.size_bytes} bytes, {place}>"

    def renew(self, now_s: float) -> bool:
        """Make ``head`` tell the present age, time to live and date; False when stale."""
        age_s, ttl_s = self.stored.age_at(now_s), self.stored.ttl_at(now_s)
        if ttl_s <= 0:
            return False
        status = CacheStatus(cache=self._name, hit=True, ttl_s=ttl_s)
        fields = [("Age", str(int(age_s))), (FIELD, append_member(self._upstream, status))]
        if not self._has_date:
            fields.append(("Date", http_date(int(now_s))))
        self._renewed = _lines(fields) + b"\r\n"
        self.head = self._start + self._renewed
        # Until the first of the three whole seconds changes. Time to live is rounded down, so
        # what becomes stale meanwhile ends it as well.
        left_s = min(1.0 - now_s % 1.0, 1.0 - age_s % 1.0, ttl_s % 1.0 or 1.0)
        self.head_from_s, self.head_until_s = now_s, now_s + left_s
        return True

    @property
    def is_altered(self) -> bool:
        """Somebody has written to the file since the body was compared with its digest."""
        if self.data is not None:
            return False
        state = os.fstat(self.file)
        return state.st_mtime_ns != self._written_ns or state.st_size != self.size_bytes

    def asked(self, asking: Iterable[Field], now_s: float) -> HotObject | HotPart | None:
        """What a request for a part or with conditions gets; None when that is not ready."""
        plan = plan_response("GET", asking, self._shown, now_s=now_s)
        if plan.status == 200:
            return self
        if plan.status == 304:
            return HotPart(self, 304, Span(0, 0), self._of_news + self._renewed)
        if plan.status == 206 and len(plan.body) == 1 and isinstance(plan.body[0], Span):
            described = [pair for pair in plan.headers if pair[0] in _OF_PART]
            head = self._of_part + _lines(described) + self._renewed
            return HotPart(self, 206, plan.body[0], head)
        return None

    def enter(self) -> None:
        """Keep ``file`` open until ``leave``."""
        self._users += 1

    def leave(self) -> None:
        """Undo ``enter``."""
        self._users -= 1
        if self._gone and self._users == 0:
            os.close(self.file)

    def close(self) -> None:
        """Close the file as soon as nobody is being sent it."""
        self.enter()
        self._gone = True
        self.leave()

    def count_sent(self, count: int) -> None:
        """Count bytes of the body as sent."""
        self._counters.sent_bytes += count
        self._counters.hit_bytes += count


class HotPart:
    """A part of an answer that is ready, or the news that nothing has changed."""

    __slots__ = ("_whole", "data", "file", "head", "offset", "size_bytes", "status")

    def __init__(self, whole: HotObject, status: int, span: Span, head: bytes) -> None:
        self._whole, self.status, self.head, self.file = whole, status, head, whole.file
        self.offset, self.size_bytes = span.start, span.length
        self.data: bytes | None = b"" if not span.length else None
        if whole.data is not None:
            self.data = whole.data[span.start : span.start + span.length]

    def __repr__(self) -> str:
        return f"<HotPart {self.offset} + {self.size_bytes} of {self._whole!r}>"

    @property
    def is_warm(self) -> bool:
        """The body is in the page cache, as far as is known."""
        return self._whole.is_warm

    @property
    def limit_s(self) -> float:
        """Most seconds in which a client takes 256 KiB."""
        return self._whole.limit_s

    def enter(self) -> None:
        """Keep ``file`` open until ``leave``."""
        self._whole.enter()

    def leave(self) -> None:
        """Undo ``enter``."""
        self._whole.leave()

    def count_sent(self, count: int) -> None:
        """Count bytes of the body as sent."""
        self._whole.count_sent(count)


class HotObjects:
    """The hot objects of one edge; a ``Quick`` for its connections."""

    def __init__(
        self,
        *,
        name: str,
        tokens: TokenCheck | None,
        url_scheme: str,
        holds: Callable[[StoredObject], bool],
        use: Callable[[str], object],
        counters: Counters,
        now: Callable[[], float],
        limit_s: float,
    ) -> None:
        """Without hot objects at first.

        Args:
            name: Of this cache, for ``Cache-Status``.
            tokens: Checks permission; None when none is needed.
            url_scheme: Without tokens: of the URLs that are keys; empty when paths are.
            holds: Whether the cache would still answer each plain request with this very object.
            use: Told the key of each object that is answered with.
            counters: Requests and bytes are counted there.
            now: Seconds since the epoch.
            limit_s: Most seconds in which a client takes 256 KiB.
        """
        self._name, self._tokens, self._counters, self._now = name, tokens, counters, now
        self._before_host = f"{url_scheme}://".encode() if url_scheme else b""
        self._holds, self._use, self._limit_s = holds, use, limit_s
        self._objects: dict[bytes, HotObject] = {}
        # Keys of those in memory and of those in files, the least recently asked for first.
        self._in_memory: OrderedDict[bytes, None] = OrderedDict()
        self._in_files: OrderedDict[bytes, None] = OrderedDict()
        self._memory_bytes = 0
        self._marked: Counter[bytes] = Counter()
        """Paths of segments as they are asked for, of which a variant is hot."""
        soft = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
        self._most_files = MOST_OBJECTS if soft < 0 else min(MOST_OBJECTS, max(16, soft // 8))

    def __repr__(self) -> str:
        return f"<HotObjects: {len(self._objects)}, {self._memory_bytes} bytes in memory>"

    def __len__(self) -> int:
        return len(self._objects)

    def find(self, head: SimpleHead, client: Client) -> HotObject | HotPart | None:
        """The answer to a simple request, if it is ready and permitted."""
        if self._tokens is None:
            before = self._before_host
            key = before + head.host + head.target if before else head.target
            found = self._objects.get(key)
            if found is None:
                return None
        else:
            found = self._permitted(head, client, self._tokens)
            if found is None:
                return None
        stored, now_s = found.stored, self._now()
        if not self._holds(stored) or found.is_altered:
            self.forget(found.key)
            return None
        if not found.head_from_s <= now_s < found.head_until_s and not found.renew(now_s):
            return None
        ready = found.asked(head.asking, now_s) if head.asking else found
        if ready is None:
            return None
        if found.data is None and not 0 <= now_s - found.probed_s < PROBE_S:
            found.is_warm = is_resident(found.file, 0, found.size_bytes)
            if found.is_warm:
                found.probed_s = now_s
        (self._in_files if found.data is None else self._in_memory).move_to_end(found.key)
        self._use(stored.key)
        self._counters.requests += 1
        self._counters.hits += 1
        return ready

    def _permitted(self, head: SimpleHead, client: Client, tokens: TokenCheck) -> HotObject | None:
        """What is ready for a request with a token in its path.

        Refusals are the ordinary path's: it says why, and counts them.
        """
        before, _, query = head.target.partition(b"?")
        parts = before.split(b"/", 3)
        # A player's own view of a playlist has another path, which ``paths`` finds out.
        if len(parts) != 4 or parts[1] != b"t" or b"player=" in query:
            return None
        found = self._objects.get(parts[3])
        # Nobody chooses between variants by name.
        if found.is_variant if found is not None else parts[3] not in self._marked:
            return None
        title, _, inside = parts[3].decode("ascii").partition("/")

        def asked() -> Asked:
            return Asked(
                title=title,
                path=inside,
                scheme=client.scheme,
                authority=head.host.decode("ascii"),
                query=query.decode("ascii"),
                address=client.address,
                carriage="prefix",
            )

        said = tokens.of_prefix(parts[2].decode("ascii"), title, asked)
        if said is None:
            return None
        if found is None:
            if not said.watermark:
                return None
            return self._objects.get(f"{title}/{chosen_variant(inside, said.watermark)}".encode())
        # To a session with a watermark the plain segment of that name is another object.
        return None if said.watermark and found.segment is not None else found

    def share(self, *, holds: Callable[[StoredObject], bool], use: Callable[[str], object]) -> None:
        """Take also what another worker holds, and tell ``use`` the keys instead."""
        own = self._holds
        self._holds = lambda stored: own(stored) or holds(stored)
        self._use = use

    def reconfigure(self, *, limit_s: float) -> None:
        """Give clients another limit from now on."""
        self._limit_s = limit_s
        for hot in self._objects.values():
            hot.limit_s = limit_s

    def offer(self, stored: StoredObject, fields: Iterable[Field], file: int) -> None:
        """Take an object whose whole body is about to be sent with these fields.

        Only one that answers every plain request alike becomes hot.

        Args:
            stored: What is answered with.
            fields: Fields of the answer.
            file: Descriptor of the body; it is duplicated.
        """
        key = self._found_by(stored.lookup_key)
        known = self._objects.get(key)
        if known is not None and known.stored is stored:
            return
        self.forget(key)
        if stored.status != 200 or stored.vary or not self._holds(stored):
            return
        copy = os.dup(file)
        try:
            hot = HotObject(
                key,
                stored,
                fields,
                copy,
                name=self._name,
                adds_fields=self._tokens is not None,
                counters=self._counters,
                limit_s=self._limit_s,
                now_s=self._now(),
            )
        except (ValueError, OSError):
            os.close(copy)
            return
        self._objects[key] = hot
        if hot.is_variant:
            self._marked[_plain(key)] += 1
        if hot.data is None:
            self._in_files[key] = None
        else:
            hot.close()
            self._in_memory[key] = None
            self._memory_bytes += len(hot.data)
        while self._memory_bytes > MEMORY_BYTES or len(self._in_memory) > MOST_OBJECTS:
            self.forget(next(iter(self._in_memory)))
        while len(self._in_files) > self._most_files:
            self.forget(next(iter(self._in_files)))

    def forget(self, key: bytes) -> None:
        """Let go of an object; clients who are being sent it are not disturbed."""
        gone = self._objects.pop(key, None)
        if gone is None:
            return
        if gone.is_variant:
            plain = _plain(key)
            self._marked[plain] -= 1
            if not self._marked[plain]:
                del self._marked[plain]
        if gone.data is None:
            del self._in_files[key]
            gone.close()
        else:
            del self._in_memory[key]
            self._memory_bytes -= len(gone.data)

    def forget_stored(self, key: str) -> None:
        """Let go of what answers with the object stored under ``key``, which has changed."""
        self.forget(self._found_by(base_of(key)))

    def close(self) -> None:
        """Let go of everything."""
        for key in tuple(self._objects):
            self.forget(key)

    def _found_by(self, base: str) -> bytes:
        """What requests for a lookup key are found by: the path below the token, or the key."""
        key = base.encode("latin-1", "replace")
        return key if self._tokens is None else key.removeprefix(b"/")


def _plain(key: bytes) -> bytes:
    """How a variant is asked for."""
    return split_variant(key.decode("latin-1"))[0].encode("latin-1")


def _lines(fields: Iterable[Field]) -> bytes:
    """Fields as they are sent.

    Raises:
        ValueError: a field holds a control character, or a character that is no byte.
    """
    text = "".join(f"{name}: {value}\r\n" for name, value in fields)
    if _CONTROL.search(text.replace("\r\n", "")):
        raise ValueError("a field holds a control character")
    return text.encode("latin-1")  # one character per byte, as they are kept
