"""A large body in slices: each is opened, or fetched once, when the sending comes to it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from origin.server.sending import Piece, Readable


@dataclass(frozen=True, slots=True, kw_only=True)
class Slice:
    """A run of a body that can be read, perhaps while it arrives."""

    start: int
    stop: int
    body: Readable
    close: Callable[[], None]

    def holds(self, offset: int) -> bool:
        """Whether the byte at ``offset`` of the whole is in it."""
        return self.start <= offset < self.stop


class SlicedBody:
    """A whole body, of which one slice is open at a time; ``close`` when done.

    Args:
        size_bytes: Of the whole.
        first: A slice that is open already.
        more: Opens the slice that holds a byte.
    """

    is_done = False
    """Not every byte is there, so it is sent piece by piece."""

    def __init__(
        self, size_bytes: int, first: Slice | None, more: Callable[[int], Awaitable[Slice]]
    ) -> None:
        self.size_bytes = size_bytes
        self._open = first
        self._more = more

    def __repr__(self) -> str:
        at = "closed" if self._open is None else f"at {self._open.start}"
        return f"<SlicedBody {self.size_bytes} bytes, {at}>"

    def pieces(self, start: int, stop: int) -> list[Piece]:
        """Where the bytes from ``start`` up to ``stop`` are; within the open slice."""
        assert self._open is not None
        return self._open.body.pieces(start - self._open.start, stop - self._open.start)

    async def wait_beyond(self, offset: int) -> int:
        """Bytes that can be read, once they are more than ``offset``.

        Raises:
            AbrError: a slice could not be fetched.
        """
        if self._open is None or not self._open.holds(offset):
            self.close()
            self._open = await self._more(offset)
        found = await self._open.body.wait_beyond(offset - self._open.start)
        return min(self._open.stop, self._open.start + found)

    def close(self) -> None:
        """Close the open slice."""
        if self._open is not None:
            self._open.close()
            self._open = None
