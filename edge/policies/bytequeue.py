"""A queue of keys that knows the sum of its objects' sizes: what policies are made of."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator


class ByteQueue:
    """Keys in order, the next to leave at the front; every operation takes constant time."""

    __slots__ = ("_sizes", "size_bytes")

    def __init__(self) -> None:
        self._sizes: OrderedDict[str, int] = OrderedDict()
        self.size_bytes = 0
        """Sum of the sizes of all keys in the queue."""

    def __repr__(self) -> str:
        return f"<ByteQueue of {len(self)} keys, {self.size_bytes} bytes>"

    def __len__(self) -> int:
        return len(self._sizes)

    def __contains__(self, key: object) -> bool:
        return key in self._sizes

    def __iter__(self) -> Iterator[tuple[str, int]]:
        """Keys with their sizes, the next to leave first."""
        return iter(self._sizes.items())

    def push(self, key: str, size_bytes: int) -> None:
        """Add a key that is not in the queue at the back."""
        self._sizes[key] = size_bytes
        self.size_bytes += size_bytes

    def pop(self) -> tuple[str, int]:
        """Remove the key at the front; returns it with its size."""
        key, size_bytes = self._sizes.popitem(last=False)
        self.size_bytes -= size_bytes
        return key, size_bytes

    def move_to_back(self, key: str) -> None:
        """Make ``key`` the last to leave."""
        self._sizes.move_to_end(key)

    def remove(self, key: str) -> int:
        """Remove ``key`` wherever it stands; returns its size."""
        size_bytes = self._sizes.pop(key)
        self.size_bytes -= size_bytes
        return size_bytes

    def resize(self, key: str, size_bytes: int) -> None:
        """Change the size of ``key``, which keeps its place."""
        self.size_bytes += size_bytes - self._sizes[key]
        self._sizes[key] = size_bytes
