"""The key sets of several parents as one.

Parents hear of a new key one after the other, and one that is cut off from the origin does not
hear of it. So a key counts that any of them has; a key that must not count any more is revoked,
which every tier hears of from any parent.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from origin.tokens.trustfeed import digest_of

SILENT_S = 60.0
"""The key set of a parent that was not heard for so long does not count."""

KeySet = Mapping[str, Any]


@dataclass(slots=True)
class _Told:
    digest: str
    keys: KeySet = field(repr=False)
    heard_s: float


class KeySets:
    """What each parent told last, and what was fetched last from any of them."""

    def __init__(self) -> None:
        self._fetched: KeySet = {"keys": []}
        self._fetched_from = ""
        self._told: dict[str, _Told] = {}

    def __repr__(self) -> str:
        return f"<KeySets of {sorted(self._told)}>"

    def fetch(self, parent: str, keys: KeySet) -> None:
        """Take what was fetched because it was due, from a parent that answered."""
        self._fetched, self._fetched_from = keys, parent
        told = self._told.get(parent)
        if told is not None:
            told.digest, told.keys = digest_of(keys), keys

    def hear(self, parent: str, digest: str, *, now_s: float) -> bool:
        """Note that a parent's key set has this digest; False when that set has to be fetched."""
        told = self._told.get(parent)
        if told is not None and told.digest == digest:
            told.heard_s = now_s
            return True
        if digest_of(self._fetched) != digest:
            return False
        self._told[parent] = _Told(digest, self._fetched, now_s)
        return True

    def tell(self, parent: str, digest: str, keys: KeySet, *, now_s: float) -> None:
        """Take the key set of one parent, as it told of it."""
        self._told[parent] = _Told(digest, keys, now_s)

    def keep(self, parents: Iterable[str]) -> None:
        """Forget what all others told."""
        kept = set(parents)
        self._told = {name: told for name, told in self._told.items() if name in kept}

    def merged(self, *, now_s: float) -> dict[str, Any]:
        """The keys that count now."""
        heard = {n: told for n, told in self._told.items() if now_s - told.heard_s < SILENT_S}
        sets = [told.keys for told in heard.values()]
        if self._fetched_from not in heard:
            sets.append(self._fetched)
        by_kid: dict[str, Any] = {}
        for keys in sets:
            for key in keys.get("keys", ()):
                kid = key.get("kid") if isinstance(key, Mapping) else None
                if isinstance(kid, str):
                    by_kid[kid] = key
        return {"keys": list(by_kid.values())}
