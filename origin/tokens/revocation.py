"""The deny list: what was permitted and is refused from now on, before it expires.

An entry names a token, a session, an account, a title or a signing key. It may spare tokens that
were issued later, and it ends at a time of its own, when all that it means has ended too.

Lists are merged, never replaced: of two entries about the same thing the one changed last counts,
whatever way and in whatever order they come. So a tier may listen to several parents, one of which
is behind or has begun anew, and forgets nothing; and an entry is undone by another, not by
its absence. Each list numbers its changes, so that the next tier can ask for what is new.

No clock is read: ``now_s`` is Unix time in seconds.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol, get_args

from abr.errors import InputError, ResourceError
from origin.tokens.permission import Permission

Kind = Literal["token", "session", "account", "title", "key"]
"""What an entry can name. A token is named by its id, or by its digest when it has none."""

KINDS: tuple[Kind, ...] = get_args(Kind)

MOST_ENTRIES = 400_000
"""Most entries of a list, some 500 bytes each. One that is full takes no more of tokens and
sessions and says so; one of an account, a title or a key takes the place of the first of these to
end."""

_MANY: tuple[Kind, ...] = ("token", "session")

MAX_VALUE_CHARS = 512
"""Longest name of what is revoked."""

MOST_S = 1e12
"""No time lies further from the epoch."""

PRUNE_S = 60.0
"""How often entries that have ended are looked for."""

SPREAD_S = 5.0
"""Every tier that can reach its parent refuses within this time of a revocation."""


class RevocationError(InputError, ValueError):
    """An entry of a deny list that is none."""


class FullListError(ResourceError):
    """A deny list that has no room."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Revocation:
    """One entry. Times are Unix seconds."""

    kind: Kind
    value: str
    """Id of what is meant."""
    until_s: float
    """When the entry ends; not before the last token that it means, renewals included."""
    changed_ms: int
    """When it was made, lifted or changed, Unix milliseconds: the latest counts."""
    issued_before_s: float | None = None
    """Tokens issued at this time or later are spared; None: none are. To let people in again who
    ask anew, name a time ``SPREAD_S`` ahead: a token may still be renewed meanwhile."""
    is_lifted: bool = False
    """It means nothing any more, and is kept to tell all tiers so."""

    def __post_init__(self) -> None:
        """Refuse what cannot be an entry.

        Raises:
            RevocationError: it names nothing, or a time is no time.
        """
        if self.kind not in KINDS:
            raise RevocationError(f"revocation: kind {self.kind!r}; expected {', '.join(KINDS)}")
        if not 0 < len(self.value) <= MAX_VALUE_CHARS:
            raise RevocationError(
                f"revocation of a {self.kind}: an id of {len(self.value)} characters; "
                f"expected 1 to {MAX_VALUE_CHARS}"
            )
        times = (self.until_s, self.issued_before_s or 0.0)
        is_timely = abs(self.changed_ms) <= 1000 * MOST_S
        if not (is_timely and all(-MOST_S <= each <= MOST_S for each in times)):
            raise RevocationError(f"revocation of a {self.kind}: a time that is none")

    @property
    def subject(self) -> tuple[Kind, str]:
        """What it is about; a list holds one entry for each subject."""
        return self.kind, self.value

    def meets(self, issued_s: float, *, now_s: float) -> bool:
        """Whether it refuses, at ``now_s``, a token of its subject that was issued then."""
        if self.is_lifted or now_s >= self.until_s:
            return False
        return self.issued_before_s is None or issued_s < self.issued_before_s

    def supersedes(self, held: Revocation) -> bool:
        """Whether it counts rather than another about the same subject.

        Of those changed at the same time the one that refuses more does, so that all lists agree.
        """
        return self._strength() > held._strength()

    def _strength(self) -> tuple[int, bool, float, float]:
        before_s = math.inf if self.issued_before_s is None else self.issued_before_s
        return self.changed_ms, not self.is_lifted, self.until_s, before_s


@dataclass(frozen=True, slots=True, kw_only=True)
class Revoked:
    """What a source has to tell."""

    entries: tuple[Revocation, ...]
    version: int
    """Of the last change; what to ask after next."""


class RevocationSource(Protocol):
    """Where an origin has its revocations from; several processes may write there."""

    def revocations(self, after: int) -> Revoked:
        """Entries changed after version ``after``, 0 for all that have not ended.

        Versions grow with each change. One that is lower than before tells that the source began
        anew; then all entries are asked for again. May wait for a disk or a network.
        """
        ...


class DenyList:
    """The entries that count, by subject, and their changes by number."""

    def __init__(self, *, most: int = MOST_ENTRIES) -> None:
        """Without entries; it never holds more than ``most``."""
        self._most = most
        self._by_kind: dict[Kind, dict[str, Revocation]] = {kind: {} for kind in KINDS}
        self._numbers: dict[tuple[Kind, str], int] = {}
        # Numbers in order, and what changed then; superseded pairs stay until they are many.
        self._order: list[int] = []
        self._changed: list[tuple[Kind, str]] = []
        self._number = 0
        self._prune_at_s = -math.inf

    def __repr__(self) -> str:
        return f"<DenyList of {len(self)} entries, {self._number} changes>"

    def __len__(self) -> int:
        return len(self._numbers)

    @property
    def number(self) -> int:
        """Of the latest change."""
        return self._number

    def refuses(self, permission: Permission, title: str, *, now_s: float) -> bool:
        """Whether a token that says this, and would open ``title``, is refused."""
        if not self._numbers:
            return False
        by_kind, issued_s = self._by_kind, permission.issued_s
        for held in (
            by_kind["token"].get(permission.token_id),
            by_kind["session"].get(permission.session),
            by_kind["account"].get(permission.account),
            by_kind["title"].get(title),
            by_kind["key"].get(permission.kid),
        ):
            if held is not None and held.meets(issued_s, now_s=now_s):
                return True
        return False

    def merge(self, entries: Iterable[Revocation], *, now_s: float) -> bool:
        """Take entries that are new or supersede those held; whether there were any.

        Raises:
            FullListError: there was no room for some; all others are taken.
        """
        if now_s >= self._prune_at_s:
            self.prune(now_s)
            self._prune_at_s = now_s + PRUNE_S
        before, left_out = self._number, 0
        for entry in entries:
            named = self._by_kind[entry.kind]
            held = named.get(entry.value)
            if now_s >= entry.until_s or (held is not None and not entry.supersedes(held)):
                continue
            if held is None and not self._has_room(entry.kind, now_s):
                left_out += 1
                continue
            named[entry.value] = entry
            self._number += 1
            self._numbers[entry.subject] = self._number
            self._order.append(self._number)
            self._changed.append(entry.subject)
        if len(self._order) > 2 * len(self) + 64:
            self._tidy()
        if left_out:
            raise FullListError(
                f"deny list: full with {len(self)} entries, {left_out} left out; let tokens live "
                "shorter, revoke accounts instead of sessions, or replace the signing key"
            )
        return self._number > before

    def prune(self, now_s: float) -> None:
        """Forget entries that have ended."""
        for kind, value in [each for each in self._numbers if now_s >= self._entry(each).until_s]:
            del self._by_kind[kind][value]
            del self._numbers[kind, value]

    def since(self, number: int, *, most: int) -> tuple[tuple[Revocation, ...], int]:
        """Entries changed after change ``number``, oldest first, and the number of the last.

        Args:
            number: 0 for all.
            most: Of entries; whoever gets as many asks again after that last number.
        """
        found: list[Revocation] = []
        last = number
        for at in range(bisect_right(self._order, number), len(self._order)):
            subject = self._changed[at]
            if self._numbers.get(subject) != self._order[at]:
                continue
            if len(found) >= most:
                return tuple(found), last
            found.append(self._entry(subject))
            last = self._order[at]
        return tuple(found), self._number

    def _has_room(self, kind: Kind, now_s: float) -> bool:
        """Whether an entry can be taken; make room when it must be."""
        if len(self) < self._most:
            return True
        self.prune(now_s)
        if len(self) < self._most or kind in _MANY:
            return len(self) < self._most
        many = [entry for each in _MANY for entry in self._by_kind[each].values()]
        if not many:
            return False
        first = min(many, key=lambda entry: entry.until_s)
        del self._by_kind[first.kind][first.value]
        del self._numbers[first.subject]
        return True

    def _entry(self, subject: tuple[Kind, str]) -> Revocation:
        return self._by_kind[subject[0]][subject[1]]

    def _tidy(self) -> None:
        """Drop superseded pairs of number and subject."""
        pairs = sorted((number, subject) for subject, number in self._numbers.items())
        self._order = [number for number, _ in pairs]
        self._changed = [subject for _, subject in pairs]


class MemoryRevocations:
    """A source that lasts as long as its process, for stacks that keep no state."""

    def __init__(self) -> None:
        self._list = DenyList()

    def __repr__(self) -> str:
        return f"<MemoryRevocations {self._list!r}>"

    def add(self, entry: Revocation, *, now_s: float) -> None:
        """Revoke, or lift what was revoked.

        Raises:
            FullListError: there is no room.
        """
        self._list.merge((entry,), now_s=now_s)

    def revocations(self, after: int) -> Revoked:
        """Entries changed after version ``after``."""
        entries, version = self._list.since(after, most=MOST_ENTRIES)
        return Revoked(entries=entries, version=version)


def dump_revocation(entry: Revocation) -> dict[str, Any]:
    """An entry as a JSON object."""
    value: dict[str, Any] = {
        "kind": entry.kind,
        "value": entry.value,
        "until": entry.until_s,
        "changed": entry.changed_ms,
    }
    if entry.issued_before_s is not None:
        value["before"] = entry.issued_before_s
    if entry.is_lifted:
        value["lifted"] = True
    return value


def load_revocation(value: Any) -> Revocation:
    """An entry from a JSON object; members that are not known are ignored.

    Raises:
        RevocationError: it is none.
    """
    if not isinstance(value, Mapping):
        raise RevocationError("revocation: not an object")
    kind, named, changed = value.get("kind"), value.get("value"), value.get("changed")
    if not isinstance(kind, str) or not isinstance(named, str) or type(changed) is not int:
        raise RevocationError("revocation: expected kind and value as texts, changed as a number")
    lifted = value.get("lifted", False)
    if not isinstance(lifted, bool):
        raise RevocationError("revocation: lifted is neither true nor false")
    return Revocation(
        kind=kind,  # type: ignore[arg-type]  # checked when it is made
        value=named,
        until_s=_time(value, "until"),
        changed_ms=changed,
        issued_before_s=_time(value, "before") if "before" in value else None,
        is_lifted=lifted,
    )


def _time(value: Mapping[str, Any], name: str) -> float:
    found: Any = value.get(name)
    is_number = isinstance(found, (int, float)) and not isinstance(found, bool)
    if not is_number or not -MOST_S <= found <= MOST_S:
        raise RevocationError(f"revocation: {name} is not a time")
    return float(found)
