"""Keys and licences: what is given to whom, and the audit log of it.

What was read of titles and keys is kept in memory, so whoever plays goes on while the key store or
the store of titles cannot be read. Keys never change under their id.
"""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol

from abr.errors import AbrError, KeyStoreError, ResourceError, TokenError
from origin.licences.audit import GRANTED, record_of, refused
from origin.licences.entitlement import Opened, TitleKeys, keys_of, open_keys
from origin.licences.keys import KeyToGive
from origin.server.auditlog import AuditLog
from origin.tokens.permission import Permission
from transcode.encryption import KEY_BYTES
from transcode.packaging.index import PresentationIndex

LOGGER = logging.getLogger("abr.http")

PLAIN = "key"
"""What the audit log calls a key that was given as its 16 bytes."""

LOOK_S = 2.0
"""Of a store that may have to wait, what a title holds is looked up again after this."""

_KEPT_KEYS = 65_536
_KEPT_TITLES = 4096


class ContentKeys(Protocol):
    """What is needed of a key store."""

    def key(self, title: str, kid: str) -> bytes:
        """The content key; raises ``KeyStoreError`` when there is none."""
        ...


class TitleIndexes(Protocol):
    """What is needed of a store of titles."""

    @property
    def may_wait(self) -> bool:
        """Whether ``index`` may wait for a network."""
        ...

    def index(self, title: str, version: str = "") -> PresentationIndex | None:
        """The index of a title, of the current version by default; None when there is none."""
        ...


class NoSuchKeyError(KeyStoreError):
    """None of the keys that were asked for is a key of the title."""

    http_status = 404


class KeyUnavailableError(ResourceError):
    """A key that the package names, and that this server cannot get."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """A request for keys that is permitted to ask."""

    system: str
    title: str
    version: str
    """Empty: the current one."""
    kids: tuple[str, ...]
    permission: Permission


class Licences:
    """Gives keys.

    Args:
        store: What titles hold.
        keys: Content keys.
        keys_ahead: For how many periods after those asked for a licence gives keys.
        audit: Where every answer is written down; None: nowhere.
        now: Unix time, seconds.
    """

    def __init__(
        self,
        store: TitleIndexes,
        keys: ContentKeys,
        *,
        keys_ahead: int,
        audit: AuditLog | None,
        now: Callable[[], float],
    ) -> None:
        self._store, self._keys, self._ahead = store, keys, keys_ahead
        self._audit, self._now = audit, now
        self._known: OrderedDict[tuple[str, str], bytes] = OrderedDict()
        self._titles: OrderedDict[tuple[str, str], _Title] = OrderedDict()
        self._looking: set[asyncio.Task[None]] = set()

    def __repr__(self) -> str:
        return f"<Licences: {len(self._known)} keys of {len(self._titles)} titles known>"

    async def open(self, wish: Wish) -> tuple[KeyToGive, ...]:
        """The keys that a wish gets; written down.

        Raises:
            TokenError: the permission opens none of them.
            NoSuchKeyError: none is of this title.
            KeyUnavailableError: one cannot be had now.
        """
        title = await self._title(wish)
        opened = self._opened(wish, title)
        held = await self._fetch(wish.title, (*opened.kids, *opened.ahead, *opened.unlisted))
        return self._give(wish, title, opened, held)

    def open_now(self, wish: Wish) -> tuple[KeyToGive, ...] | None:
        """The same, when all is in memory and nothing is refused; None otherwise."""
        title = self._title_now(wish)
        if title is None:
            return None
        opened = self._opened(wish, title)
        if opened.withheld or opened.unlisted:
            return None
        held: dict[str, bytes] = {}
        for kid in (*opened.kids, *opened.ahead):
            key = self._known.get((wish.title, kid))
            if key is None:
                return None
            held[kid] = key
        return self._give(wish, title, opened, held)

    def note_refusal(self, refusal: TokenError, system: str) -> None:
        """Write down that a token was refused."""
        if self._audit is not None:
            now_s = self._now()
            line = refused(refusal.reason, time_s=now_s, system=system).line
            self._audit.write(line, now_s=now_s)

    def reopen(self) -> None:
        """Go on in the file that has the name of the audit log now."""
        if self._audit is not None:
            self._audit.reopen()

    async def close(self) -> None:
        """End what is under way, and close the audit log."""
        for task in self._looking:
            task.cancel()
        await asyncio.gather(*self._looking, return_exceptions=True)
        if self._audit is not None:
            self._audit.close()

    @property
    def lost_lines(self) -> int:
        """Lines of the audit log that could not be written."""
        return 0 if self._audit is None else self._audit.lost

    def _opened(self, wish: Wish, title: _Title) -> Opened:
        ahead = self._ahead if wish.system != PLAIN else 0
        limit = wish.permission.max_height
        return open_keys(wish.kids, title.keys, max_height=limit, ahead=ahead)

    def _give(
        self, wish: Wish, title: _Title, opened: Opened, held: Mapping[str, bytes]
    ) -> tuple[KeyToGive, ...]:
        unlisted = tuple(kid for kid in opened.unlisted if kid in held)
        # What a key opens that the package does not name, nobody knows.
        is_limited = wish.permission.max_height is not None
        kids = opened.kids if is_limited else (*opened.kids, *unlisted)
        withheld = (*opened.withheld, *unlisted) if is_limited else opened.withheld
        unknown = tuple(kid for kid in opened.unlisted if kid not in held)
        missing = [kid for kid in opened.kids if kid not in held]
        if missing:
            self._note(wish, "unavailable", kids=wish.kids)
            raise KeyUnavailableError(
                f"{wish.title}: key {missing[0]} is named by the package, and this origin cannot "
                "get it; give it the key store that the package was made with, see its log"
            )
        if not kids and withheld:
            self._note(wish, "height", kids=wish.kids, withheld=withheld, unknown=unknown)
            raise TokenError("height", _too_tall(wish.permission, opened))
        if not kids:
            self._note(wish, "unknown-kid", kids=wish.kids, unknown=unknown)
            raise NoSuchKeyError(
                "none of these key ids is of this title; take them from its playlist"
            )
        ahead = tuple(kid for kid in opened.ahead if kid in held)
        self._note(wish, GRANTED, kids=kids, ahead=ahead, withheld=withheld, unknown=unknown)
        given = [(kid, False) for kid in kids] + [(kid, True) for kid in ahead]
        return tuple(
            KeyToGive(kid=kid, key=held[kid], height=title.height(kid), is_ahead=is_ahead)
            for kid, is_ahead in given
        )

    def _note(
        self,
        wish: Wish,
        outcome: str,
        *,
        kids: tuple[str, ...] = (),
        ahead: tuple[str, ...] = (),
        withheld: tuple[str, ...] = (),
        unknown: tuple[str, ...] = (),
    ) -> None:
        if self._audit is None:
            return
        now_s = self._now()
        record = record_of(
            wish.permission,
            time_s=now_s,
            system=wish.system,
            outcome=outcome,
            title=wish.title,
            kids=kids,
            ahead=ahead,
            withheld=withheld,
            unknown=unknown,
        )
        self._audit.write(record.line, now_s=now_s)

    async def _fetch(self, title: str, kids: Iterable[str]) -> dict[str, bytes]:
        """Those of the keys that there are."""
        wanted = tuple(dict.fromkeys(kids))
        held = {kid: key for kid in wanted if (key := self._known.get((title, kid))) is not None}
        if len(held) < len(wanted):
            missing = [kid for kid in wanted if kid not in held]
            # Files are read and locked there, and another process may be waited for.
            found, trouble = await asyncio.to_thread(self._read, title, missing)
            held |= found
            if trouble and not held:
                raise KeyUnavailableError("the keys of this origin cannot be read now; try again")
            for kid, key in found.items():
                self._known[title, kid] = key
            while len(self._known) > _KEPT_KEYS:
                self._known.popitem(last=False)
        return held

    def _read(self, title: str, kids: Iterable[str]) -> tuple[dict[str, bytes], bool]:
        """Those of the keys that can be read, and whether the store itself failed."""
        held, trouble = {}, False
        for kid in kids:
            try:
                key = self._keys.key(title, kid)
            except KeyStoreError as exc:
                LOGGER.info("%s", exc)
                continue
            except ResourceError as exc:
                LOGGER.warning("%s", exc)
                trouble = True
                continue
            if len(key) != KEY_BYTES:
                LOGGER.error(
                    "%s: key %s has %d bytes; expected %d", title, kid, len(key), KEY_BYTES
                )
                continue
            held[kid] = key
        return held, trouble

    async def _title(self, wish: Wish) -> _Title:
        known = self._title_now(wish)
        if known is not None:
            return known
        name = wish.title, wish.version
        try:
            index = await asyncio.to_thread(self._store.index, *name)
        except AbrError as exc:
            stale = self._titles.get(name)
            if stale is not None:
                return stale
            if wish.permission.max_height is not None:
                raise
            LOGGER.warning("%s: what its keys open is not known: %s", wish.title, exc)
            return _Title(TitleKeys(), None, 0.0)
        return self._keep(name, index)

    def _title_now(self, wish: Wish) -> _Title | None:
        """What is known of a title, if it is good for this wish."""
        name = wish.title, wish.version
        known = self._titles.get(name)
        if not self._store.may_wait:
            index = self._store.index(*name)
            return known if known is not None and known.index is index else self._keep(name, index)
        if known is None or self._now() < known.good_until_s:
            return known
        # What a key opens never changes, so for those that are known nobody waits for the store.
        if not all(kid in known.keys for kid in wish.kids):
            return None
        known.good_until_s = self._now() + LOOK_S
        task = asyncio.create_task(self._look_again(name))
        self._looking.add(task)
        task.add_done_callback(self._looking.discard)
        return known

    async def _look_again(self, name: tuple[str, str]) -> None:
        try:
            self._keep(name, await asyncio.to_thread(self._store.index, *name))
        except AbrError as exc:
            LOGGER.warning("%s: going on with what is known of its keys: %s", name[0], exc)

    def _keep(self, name: tuple[str, str], index: PresentationIndex | None) -> _Title:
        keys = TitleKeys() if index is None else keys_of(index)
        title = self._titles[name] = _Title(keys, index, self._now() + LOOK_S)
        self._titles.move_to_end(name)
        while len(self._titles) > _KEPT_TITLES:
            self._titles.popitem(last=False)
        return title


class _Title:
    """What is known of one version of a title."""

    __slots__ = ("good_until_s", "index", "keys")

    def __init__(
        self, keys: TitleKeys, index: PresentationIndex | None, good_until_s: float
    ) -> None:
        self.keys, self.index, self.good_until_s = keys, index, good_until_s

    def __repr__(self) -> str:
        return f"<_Title {self.keys!r}>"

    def height(self, kid: str) -> int:
        use = self.keys.use(kid)
        return 0 if use is None else use.height


def _too_tall(permission: Permission, opened: Opened) -> str:
    allowed = f"the token gives keys for pictures of at most {permission.max_height} lines"
    if not opened.least_height:
        return f"{allowed}, and what this key opens is not known; begin at the playlist again"
    return (
        f"{allowed}, and this key opens {opened.least_height}; play a lower rung, or ask for a "
        "playback under another plan (a title with one key for all rungs needs the tallest)"
    )
