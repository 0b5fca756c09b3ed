"""Eviction and admission policies: one published policy per file.

A policy knows keys and sizes, but nothing of HTTP, files or time. The index counts the
bytes; a policy only keeps the order. ``make`` builds one by name.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from abr.errors import ConfigError
from edge.policies.gdsf import Gdsf
from edge.policies.lru import Lru
from edge.policies.s3fifo import S3Fifo
from edge.policies.sieve import Sieve
from edge.policies.wtinylfu import WTinyLfu


class EvictionPolicy(Protocol):
    """Order in which objects leave a full cache, and which enter it.

    Sizes are what the index charges. A use or an eviction takes constant or logarithmic
    time, and what is kept for keys that are not held is bounded.
    """

    def admits(self, key: str, size_bytes: int) -> bool:
        """Whether an object that is not held should be stored at all; counts as a request."""
        ...

    def add(self, key: str, size_bytes: int) -> None:
        """Add an object that is now held and was not before."""
        ...

    def use(self, key: str, times: int = 1) -> None:
        """Note one or more requests for a held object."""
        ...

    def resize(self, key: str, size_bytes: int) -> None:
        """A held object was replaced by a new version of another size."""
        ...

    def remove(self, key: str) -> None:
        """Forget an object that is gone for another reason than ``evict``."""
        ...

    def evict(self) -> str:
        """Choose a held object, forget it and return its key; never called when empty."""
        ...


DEFAULT = "s3-fifo"

_POLICIES: dict[str, Callable[[int], EvictionPolicy]] = {
    "gdsf": Gdsf,
    "lru": Lru,
    "s3-fifo": S3Fifo,
    "sieve": Sieve,
    "w-tinylfu": WTinyLfu,
}


def names() -> tuple[str, ...]:
    """Names that ``make`` accepts."""
    return tuple(sorted(_POLICIES))


def make(name: str, *, capacity_bytes: int) -> EvictionPolicy:
    """A fresh policy for a cache of ``capacity_bytes``.

    Raises:
        ConfigError: no policy has this name.
    """
    try:
        return _POLICIES[name](capacity_bytes)
    except KeyError:
        raise ConfigError(
            f"edge.policy: found {name!r}; expected one of {', '.join(names())}"
        ) from None
