"""The order of preference of parents for a key: rendezvous hashing.

Every parent gets a score from the hash of its name and the key, and the highest scores come
first. So each key has its own order, a lost parent's keys spread over the others, and no other
key moves. A heavier parent wins in proportion to its weight.

Sources: Thaler and Ravishankar, "A name-based mapping scheme for rendezvous" (1996); the
weighted score -weight / ln(hash) is that of Schindelhauer and Schomaker, "Weighted distributed
hash tables" (SPAA 2005).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from hashlib import blake2b

_SPAN = float(1 << 64)


def preference(key: str, parents: Iterable[str], weights: Mapping[str, float]) -> tuple[str, ...]:
    """``parents`` in the order in which they are asked for ``key``, the first one first.

    Args:
        key: Cache key.
        parents: Names, each once, in any order.
        weights: Share of keys relative to others, above 0; 1 for a name that is not listed.
    """
    data = key.encode("utf-8", "surrogateescape")
    scored = [(_score(data, name, weights.get(name, 1.0)), name) for name in parents]
    return tuple(name for _, name in sorted(scored, reverse=True))


def _score(data: bytes, name: str, weight: float) -> float:
    salt = blake2b(name.encode("utf-8", "surrogateescape"), digest_size=16).digest()
    digest = blake2b(data, digest_size=8, key=salt).digest()
    # Half a step is added, so that the fraction is neither 0 nor 1.
    fraction = (int.from_bytes(digest, "big") + 0.5) / _SPAN
    return -weight / math.log(fraction)
