"""Which stored response a request selects: ``Vary``, normalised, and parts of representations.

One key may hold several stored responses: variants that request fields select, and parts of one
representation. ``Catalogue`` remembers which there are; ``select`` finds those that a request can
be answered with.

Sources: RFC 9111 §4.1 (secondary keys and normalisation), RFC 9110 §12.5 (what order and case
mean in the fields of content negotiation).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping

from edge.caching.stored import StoredObject, VaryValue

MAX_VARIANTS = 64
"""Most stored responses under one key, parts not counted; the oldest are forgotten."""

_WEIGHTED = frozenset({"accept", "accept-charset", "accept-encoding", "accept-language"})


def vary_names(headers: Mapping[str, str]) -> tuple[str, ...] | None:
    """Lower-case names in ``Vary``, sorted; None for ``*``, which matches no request.

    Args:
        headers: Fields of a response by lower-case name, repeated ones joined by a comma.
    """
    names = {word.strip().lower() for word in headers.get("vary", "").split(",")} - {""}
    return None if "*" in names else tuple(sorted(names))


def vary_values(names: Iterable[str], request: Mapping[str, str]) -> tuple[VaryValue, ...]:
    """The normalised values that a request has for these fields; None for one it lacks."""
    return tuple((name, normalise(name, request.get(name))) for name in names)


def normalise(name: str, value: str | None) -> str | None:
    """A value such that equal meanings are equal text, as far as HTTP defines the meaning.

    White space round commas does not count in any field. In the fields of content negotiation
    case and order do not count either, because each element has its weight.
    """
    if value is None or '"' in value:
        return value
    parts = [part.strip() for part in value.split(",")]
    parts = [part for part in parts if part]
    if name not in _WEIGHTED:
        return ",".join(parts)
    return ",".join(sorted(_weighted(part.lower()) for part in parts))


def _weighted(part: str) -> str:
    name, *parameters = (piece.strip() for piece in part.split(";"))
    kept = [each for each in parameters if _quality(each) != 1.0]
    return ";".join([name, *sorted(kept)])


def _quality(parameter: str) -> float | None:
    """The number in ``q=0.5``; None for another parameter."""
    name, equals, number = parameter.partition("=")
    if not equals or name.strip().lower() != "q":
        return None
    try:
        return float(number)
    except ValueError:
        return None


def matches(stored: StoredObject, request: Mapping[str, str]) -> bool:
    """Whether the fields of a request select ``stored`` (RFC 9111 §4.1).

    Args:
        stored: A stored response.
        request: Fields of the request by lower-case name, repeated ones joined by a comma.
    """
    return all(
        normalise(name, request.get(name)) == value
        or (name == "accept-language" and _speaks(stored, request.get(name)))
        for name, value in stored.vary
    )


def _speaks(stored: StoredObject, accepted: str | None) -> bool:
    """Whether the language most wanted is the stored one, which any negotiation would choose."""
    language = (stored.header("Content-Language") or "").strip().lower()
    if not language or not accepted:
        return False
    best, best_quality = "", 0.0
    for part in accepted.lower().split(","):
        name, *parameters = (piece.strip() for piece in part.split(";"))
        given = next((q for q in map(_quality, parameters) if q is not None), 1.0)
        if name and given > best_quality:
            best, best_quality = name, given
    return best == language


def variant_key(base: str, values: tuple[VaryValue, ...], start_byte: int | None = None) -> str:
    """The key of one stored response: ``base`` itself for a whole one that does not vary."""
    words = [f"{name}={'' if value is None else '=' + value}" for name, value in values]
    if start_byte is not None:
        words.append(f"bytes={start_byte}-")
    return "\n".join([base, *words])


_PART = re.compile(r"\nbytes=\d+-\Z")


def is_of_part(key: str) -> bool:
    """Whether ``variant_key`` made a key for a part of a representation."""
    return _PART.search(key) is not None


def base_of(key: str) -> str:
    """The lookup key in the key of one stored response; the other way round: ``variant_key``."""
    return key.partition("\n")[0]


class Catalogue:
    """Which keys of stored responses belong to one lookup key.

    Args:
        find: The stored response of a key; None when it is not held any more. The catalogue is
            corrected when it finds that one is gone, so whoever evicts need not tell it.
    """

    def __init__(self, find: Callable[[str], StoredObject | None]) -> None:
        self._find = find
        # Without those that have one stored response only, under the lookup key itself: there may
        # be very many of them.
        self._keys: dict[str, tuple[str, ...]] = {}
        self._names: dict[str, tuple[str, ...]] = {}

    def __repr__(self) -> str:
        return f"<Catalogue: {len(self._keys)} keys with variants or parts>"

    def add(self, stored: StoredObject) -> tuple[str, ...]:
        """Enter a stored response, the newest of its key.

        Returns:
            Keys of stored responses to forget, because there are too many under one key.
        """
        base = stored.lookup_key
        self.restore(stored.key, base, tuple(name for name, _ in stored.vary))
        keys = self.keys(base)
        whole = [key for key in keys if (held := self._find(key)) is not None and not held.is_part]
        return tuple(whole[:-MAX_VARIANTS])

    def restore(self, key: str, base: str, names: tuple[str, ...]) -> None:
        """Enter a stored response, the newest of its key, without looking at the others.

        Args:
            key: Its own key.
            base: Its lookup key.
            names: Request fields that select it.
        """
        if key != base or base in self._keys:
            self._keys[base] = (*(each for each in self.keys(base) if each != key), key)
        if names:
            self._names[base] = names
        else:
            self._names.pop(base, None)

    def keys(self, base: str) -> tuple[str, ...]:
        """Keys under which there may be stored responses to a lookup key, the oldest first."""
        return self._keys.get(base) or (base,)

    def all_of(self, base: str) -> list[StoredObject]:
        """Stored responses under a lookup key, the newest first."""
        keys = self.keys(base)
        found = []
        for key in reversed(keys):
            held = self._find(key)
            if held is not None and held.lookup_key == base:
                found.append(held)
        if not found:
            self._keys.pop(base, None)
            self._names.pop(base, None)
        elif len(found) < len(keys):
            self._keys[base] = tuple(held.key for held in reversed(found))
        return found

    def holds_alone(self, stored: StoredObject) -> bool:
        """Whether this very response is held, and no other one under its lookup key."""
        keys = self._keys.get(stored.lookup_key)
        return (keys is None or len(keys) == 1) and self._find(stored.key) is stored

    def secondary(self, base: str, request: Mapping[str, str]) -> tuple[VaryValue, ...]:
        """The values that tell requests for one lookup key apart, as far as is known."""
        return vary_values(self._names.get(base, ()), request)


def select(held: Iterable[StoredObject], request: Mapping[str, str]) -> list[StoredObject]:
    """Of stored responses, those that the request's fields select, in the given order."""
    return [stored for stored in held if matches(stored, request)]
