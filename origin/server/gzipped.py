"""Compressed forms of texts, made once for each version and kept within a limit."""

from __future__ import annotations

import asyncio
import gzip
from collections import OrderedDict

from origin.httprules import Span
from origin.server.sending import Readable, read_span

KEPT_BYTES = 16 << 20
"""Most bytes of compressed forms that are kept."""

AT_ONCE_BYTES = 16 << 10
"""Longer texts are compressed in a thread: it takes milliseconds."""

Name = tuple[str, ...]


class Gzipped:
    """Compressed forms by name; the least recently asked for is dropped first."""

    def __init__(self, kept_bytes: int = KEPT_BYTES) -> None:
        self._limit = kept_bytes
        self._kept: OrderedDict[Name, bytes] = OrderedDict()
        self._bytes = 0

    def __repr__(self) -> str:
        return f"<Gzipped: {len(self._kept)} texts, {self._bytes} bytes>"

    async def get(self, name: Name, body: Readable, size_bytes: int) -> bytes:
        """The compressed form of ``body``.

        Args:
            name: Tells this version of this text from all others.
            body: The text, whole.
            size_bytes: Its length.

        Raises:
            ConnectionError: it was cut while it was read.
        """
        found = self._kept.get(name)
        if found is not None:
            self._kept.move_to_end(name)
            return found
        data = await read_span(body, Span(0, size_bytes))
        # Without a time of day in it, equal texts have equal forms.
        if size_bytes <= AT_ONCE_BYTES:
            packed = gzip.compress(data, mtime=0)
        else:
            packed = await asyncio.to_thread(gzip.compress, data, mtime=0)
        if name not in self._kept:
            self._kept[name] = packed
            self._bytes += len(packed)
        while self._bytes > self._limit:
            _, dropped = self._kept.popitem(last=False)
            self._bytes -= len(dropped)
        return packed
