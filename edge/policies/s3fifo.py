"""S3-FIFO: three queues, of which a small one lets most objects go after one request.

New objects wait in a small queue, a tenth of the cache. Those asked for again at least twice
meanwhile move to the main queue; the others leave, and a ghost queue remembers their keys. A
remembered key that is asked for again goes straight to the main queue. The main queue gives
an object another round for each use since the last, up to three.

Source: J. Yang, Y. Zhang, Z. Qiu, Y. Yue, R. Vinayak, "FIFO Queues are All You Need for Cache
Eviction", SOSP 2023, and the authors' description and later version of it in libCacheSim.

Deviations, all for objects of different sizes: the queues and the ghosts are bounded by bytes;
until the first eviction, what the small queue has no room for goes to the main queue, as in
libCacheSim; an object as large as the small queue, which libCacheSim never admits, enters it
like any other. One larger than a quarter of the cache is treated as if it had passed through
the small queue at once: it evicts nothing on its first request, and enters the main queue on
the next while its ghost is remembered.
"""

from __future__ import annotations

from edge.policies.bytequeue import ByteQueue

SMALL_RATIO = 0.1
"""Size of the small queue as a share of the cache (paper, section 4.1)."""
LARGE_RATIO = 0.25
"""Objects larger than this share of the cache must be asked for twice to evict others."""
PROMOTING_USES = 2
"""Uses in the small queue that earn a place in the main queue."""
MOST_USES = 3
"""Uses are counted in two bits."""


class S3Fifo:
    """The small, main and ghost queues of one cache."""

    def __init__(self, capacity_bytes: int) -> None:
        self._capacity_bytes = capacity_bytes
        self._small_bytes = int(capacity_bytes * SMALL_RATIO)
        self._main_bytes = capacity_bytes - self._small_bytes
        self._large_bytes = int(capacity_bytes * LARGE_RATIO)
        self._small, self._main, self._ghost = ByteQueue(), ByteQueue(), ByteQueue()
        self._uses: dict[str, int] = {}  # of each held key since it entered or was passed over
        self._has_evicted = False

    def __repr__(self) -> str:
        queues = f"{self._small!r} small, {self._main!r} main, {self._ghost!r} ghosts"
        return f"<S3Fifo: {queues}>"

    def admits(self, key: str, size_bytes: int) -> bool:
        """Whether the object is not large, fits without evicting others, or is remembered."""
        held_bytes = self._small.size_bytes + self._main.size_bytes
        if (
            size_bytes <= self._large_bytes
            or held_bytes + size_bytes <= self._capacity_bytes
            or key in self._ghost
        ):
            return True
        self._remember(key, size_bytes)
        return False

    def add(self, key: str, size_bytes: int) -> None:
        """``key`` enters the small queue, or the main one if it is remembered."""
        self._uses[key] = 0
        if key in self._ghost:
            self._ghost.remove(key)
            self._main.push(key, size_bytes)
        elif self._has_evicted or self._small.size_bytes < self._small_bytes:
            self._small.push(key, size_bytes)
        else:
            self._main.push(key, size_bytes)

    def use(self, key: str, times: int = 1) -> None:
        """Count the use; nothing moves."""
        uses = self._uses[key]
        if uses < MOST_USES:
            self._uses[key] = min(uses + times, MOST_USES)

    def resize(self, key: str, size_bytes: int) -> None:
        """``key`` keeps its place."""
        (self._small if key in self._small else self._main).resize(key, size_bytes)

    def remove(self, key: str) -> None:
        """Forget ``key``, without a ghost: it left for another reason than lack of use."""
        del self._uses[key]
        (self._small if key in self._small else self._main).remove(key)

    def evict(self) -> str:
        """Forget the first key that has not earned another round; returns it."""
        self._has_evicted = True
        small, main, uses = self._small, self._main, self._uses
        while True:
            if main and (not small or small.size_bytes < self._small_bytes):
                key, size_bytes = main.pop()
                if not uses[key]:
                    del uses[key]
                    return key
                main.push(key, size_bytes)
                uses[key] -= 1
            else:
                key, size_bytes = small.pop()
                if uses[key] < PROMOTING_USES:
                    del uses[key]
                    self._remember(key, size_bytes)
                    return key
                main.push(key, size_bytes)
                uses[key] = 0

    def _remember(self, key: str, size_bytes: int) -> None:
        """Keep a ghost; ghosts stand for as many bytes as the main queue holds."""
        if size_bytes > self._main_bytes:
            return
        self._ghost.push(key, size_bytes)
        while self._ghost.size_bytes > self._main_bytes:
            self._ghost.pop()
