"""Which content keys of a title a permission opens, and which are given ahead of their time.

A key opens the tracks that are encrypted with it. A permission may be limited to pictures of so
many lines; then it opens the keys of nothing taller. Where one key opens a whole ladder, its
height is that of the tallest rung, so such a permission does not open it: nobody gets the tall
rungs with the key of the low ones.

Keys change along a title when they rotate. With the key of one period that of the next is given,
so that a player that prepares in time never waits for one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from transcode.packaging.index import PresentationIndex

WHOLE = "all"
"""The group of keys that open every track of a period."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyUse:
    """What one key of a title is for."""

    kid: str
    """Key id: 32 hexadecimal digits in lower case."""
    period: int
    """Which run of segments, from 0."""
    group: str = WHOLE
    """Which tracks: those of a group have the same key."""
    height: int = 0
    """Lines of the tallest picture that it opens; 0: none, as of sound."""


class TitleKeys:
    """The keys of a title by id, and which follows which."""

    __slots__ = ("_next", "_uses")

    def __init__(self, uses: Iterable[KeyUse] = ()) -> None:
        """A kid that is used more than once opens the tallest of what it is used for."""
        found: dict[str, KeyUse] = {}
        by_place: dict[tuple[str, int], str] = {}
        for use in uses:
            by_place[use.group, use.period] = use.kid
            known = found.get(use.kid)
            if known is None or known.height < use.height:
                found[use.kid] = use
        self._uses: Mapping[str, KeyUse] = found
        # By each place of a kid and not by its latest: the same key may open two groups.
        self._next: Mapping[str, tuple[str, ...]] = _followers(by_place)

    def __repr__(self) -> str:
        return f"<TitleKeys: {len(self._uses)} keys>"

    def __contains__(self, kid: object) -> bool:
        return kid in self._uses

    def use(self, kid: str) -> KeyUse | None:
        """What a key is for; None when the title names no such key."""
        return self._uses.get(kid)

    def after(self, kid: str) -> tuple[str, ...]:
        """The keys that open in the next period what this one opens now."""
        return self._next.get(kid, ())


def _followers(by_place: Mapping[tuple[str, int], str]) -> dict[str, tuple[str, ...]]:
    found: dict[str, dict[str, None]] = {}
    for (group, period), kid in by_place.items():
        later = by_place.get((group, period + 1))
        if later is not None and later != kid:
            found.setdefault(kid, {})[later] = None
    return {kid: tuple(later) for kid, later in found.items()}


def keys_of(index: PresentationIndex) -> TitleKeys:
    """The keys that the index of a package names."""
    return TitleKeys(
        KeyUse(kid=kid, period=period, group=group.name, height=group.height)
        for group in index.key_groups
        for period, kid in enumerate(group.kids)
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """What becomes of the keys that were asked for; each in one place only."""

    kids: tuple[str, ...] = ()
    """Those that are opened, in the order asked."""
    ahead: tuple[str, ...] = ()
    """Further keys that are given with them."""
    withheld: tuple[str, ...] = ()
    """Those of taller pictures than permitted."""
    unlisted: tuple[str, ...] = ()
    """Those that the package does not name: unknown, or of a version that was replaced."""
    least_height: int = field(default=0)
    """Lines of the lowest picture among those withheld."""


def open_keys(
    asked: Sequence[str], keys: TitleKeys, *, max_height: int | None, ahead: int
) -> Opened:
    """Which of the keys that were asked for are given.

    Args:
        asked: Key ids; repeated ones count once.
        keys: Those of the title.
        max_height: Most lines of a picture that the permission opens; None: any.
        ahead: For how many further periods keys are given.
    """
    given: dict[str, None] = {}
    withheld: dict[str, int] = {}
    unlisted: dict[str, None] = {}
    for kid in asked:
        use = keys.use(kid)
        if use is None:
            unlisted[kid] = None
        elif max_height is not None and use.height > max_height:
            withheld[kid] = use.height
        else:
            given[kid] = None
    return Opened(
        kids=tuple(given),
        ahead=_following(given, keys, max_height=max_height, periods=ahead),
        withheld=tuple(withheld),
        unlisted=tuple(unlisted),
        least_height=min(withheld.values(), default=0),
    )


def _following(
    given: Iterable[str], keys: TitleKeys, *, max_height: int | None, periods: int
) -> tuple[str, ...]:
    before = dict.fromkeys(given)
    found: dict[str, None] = {}
    latest = list(before)
    for _ in range(periods):
        latest = [later for kid in latest for later in keys.after(kid)]
        for kid in latest:
            use = keys.use(kid)
            assert use is not None
            # A period may have taller tracks than the one before.
            if kid not in before and (max_height is None or use.height <= max_height):
                found[kid] = None
    return tuple(found)
