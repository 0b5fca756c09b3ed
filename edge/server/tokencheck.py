"""The token check of an edge, with the parent's public keys only.

A request that is refused does not reach the parent. The key set is fetched again shortly before
it is no longer fresh, and once for each key id that is not in it; never more often than once a
second, however many ids strangers make up, and whoever waits for such a fetch gets its outcome.
"""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from abr.errors import KeyStoreError, PeerError, TokenError, UpstreamError
from edge.caching.directives import control_of
from edge.caching.freshness import assess, states_lifetime
from edge.parents.keysets import KeySets
from edge.skew import correction_s
from origin.httpdate import parse_http_date
from origin.paths import PLAYLISTS, Target
from origin.tokens.carriage import from_segment
from origin.tokens.keysets import keys_from
from origin.tokens.pathtoken import PathTokens
from origin.tokens.permission import Asked, Permission
from origin.tokens.redaction import redact
from origin.tokens.revocation import DenyList
from origin.tokens.trustfeed import digest_of
from origin.tokens.verifier import Form, TokenVerifier

LOG = logging.getLogger("abr.edge")

SPACING_S = 1.0
"""Least seconds between two fetches of the key set."""

RETRY_S = 5.0
"""After a fetch that failed, the keys that we have are used for so long before another."""

FRESH_S = 60.0
"""Freshness of a key set that states none."""

MAX_FRESH_S = 3600.0
"""Longest time between two fetches, whatever the parent states."""

PATIENCE_S = 1.0
"""Longest time that a request waits for keys to be renewed, when there are older ones."""

SETTLE_S = 2.0
"""Longest time that news of keys waits for a fetch that may bring them."""

SKEW_TOLD_S = 30.0
"""A clock that is further than this off the parent's is worth a line in the log."""

_REMEMBERED_KIDS = 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class KeySetAnswer:
    """The parent's answer with its key set."""

    jwks: Mapping[str, Any] = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)
    """Its fields by lower-case name."""
    asked_s: float
    arrived_s: float
    parent: str = ""
    """Who answered."""


class TokenCheck:
    """Checks tokens; fetches and keeps the public keys for that.

    Args:
        fetch: Gets the parent's key set, past every cache if told so; raises ``PeerError``.
        now: Seconds since the epoch, which do not jump.
        refused_s: How long a key id that the parent does not know is not asked for again.
        waits: Permit nothing before ``is_told`` is set.
    """

    def __init__(
        self,
        fetch: Callable[[bool], Awaitable[KeySetAnswer]],
        *,
        now: Callable[[], float],
        refused_s: float,
        waits: bool = False,
    ) -> None:
        self.denied = DenyList()
        """What was revoked."""
        self.is_told = asyncio.Event()
        """Set once it is known what was revoked, as far as anybody tells."""
        if not waits:
            self.is_told.set()
        self.key_sets = KeySets()
        """What each parent told of keys."""
        self.on_keys: Callable[[], object] = _do_nothing
        """Called when other keys are in use than before."""
        self._digest = digest_of(None)
        self._fetch = fetch
        self._now = now
        self._refused_s = refused_s
        self._others: tuple[Form, ...] = ()
        self._verifier: TokenVerifier | None = None
        self._correction_s = 0.0
        self._due_s = self._fresh_until_s = float("-inf")
        self._unknown_until_s: OrderedDict[str, float] = OrderedDict()
        self._lock = asyncio.Lock()
        self._started = 0  # fetches, since the start
        self._may_start_s = float("-inf")  # by the loop's clock
        self._succeeded = False
        self.renewing: asyncio.Task[bool] | None = None
        """The latest fetch in the background."""
        self.trouble = ""
        """Why the latest fetch of keys failed; empty when it did not."""

    def __repr__(self) -> str:
        return f"<TokenCheck {self._verifier!r}, trouble {self.trouble!r}>"

    @property
    def has_keys(self) -> bool:
        """Whether tokens can be checked."""
        return self._verifier is not None and self.is_told.is_set()

    @property
    def digest(self) -> str:
        """Digest of the key set in use, for the next tier; empty before tokens can be checked."""
        return self._digest if self.has_keys else ""

    @property
    def correction_s(self) -> float:
        """Seconds that are added to our clock to have the parent's."""
        return self._correction_s

    def now_s(self) -> float:
        """The time by the clock of the parent, and so of the origin."""
        return self._now() + self._correction_s

    def reconfigure(self, *, refused_s: float) -> None:
        """Refuse unknown key ids for another time, and ask for all of them anew."""
        self._refused_s = refused_s
        self._unknown_until_s.clear()

    def set_others(self, others: Sequence[Form]) -> None:
        """Take tokens of these further forms from now on."""
        self._others = tuple(others)
        if self._verifier is not None:
            self._verifier.set_others(self._others)

    def jwks(self) -> dict[str, Any] | None:
        """The key set in use, for the next tier; None before there is one."""
        return None if self._verifier is None else self._verifier.jwks()

    def fresh_s(self) -> int:
        """How long the next tier may use the key set, whole seconds, at least one."""
        return max(1, int(self._fresh_until_s - self._now()))

    async def start(self) -> bool:
        """Fetch the keys, and wait a little for them; whether they are there."""
        self.renewing = asyncio.create_task(self.refresh())
        with suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE_S):
                await asyncio.shield(self.renewing)
                await self.is_told.wait()
        if not self.renewing.done():
            self.trouble = "the parent has not answered yet"
        return self.has_keys

    async def close(self) -> None:
        """End a fetch that is under way."""
        if self.renewing is not None:
            self.renewing.cancel()
            await asyncio.gather(self.renewing, return_exceptions=True)

    async def authorize(self, target: Target, asked: Asked) -> Permission:
        """What the token of ``target`` permits, if it permits what is asked.

        Raises:
            TokenError: it does not; ``reason`` says why.
            PeerError: there are no keys to check it with, and none can be fetched.
        """
        if self._verifier is None:
            await self.refresh()
        elif self._now() >= self._due_s:
            self._start_renewing()
            if self._now() >= self._fresh_until_s:
                await self._wait_a_little()
        if not self.is_told.is_set():
            with suppress(TimeoutError):
                await asyncio.wait_for(self.is_told.wait(), PATIENCE_S)
        verifier = self._verifier
        if verifier is None:
            raise UpstreamError(f"no keys to check tokens with; {self.trouble}")
        if not self.is_told.is_set():
            raise UpstreamError("no parent has told yet which tokens were revoked")
        try:
            return self._check(verifier, target, asked)
        except TokenError as exc:
            if exc.reason != "unknown-key" or not await self._learn(verifier, target.token):
                raise
            return self._check(verifier, target, asked)

    def use(self, permission: Permission, asked: Asked) -> bool:
        """Note that a token is used for a request that it permits, once for each.

        Returns:
            Whether it is a use again that is only to be counted.

        Raises:
            TokenError: it was used before.
        """
        assert self._verifier is not None
        return self._verifier.use(permission, asked=asked, now_s=self.now_s())

    def of_prefix(self, segment: str, title: str, asked: Callable[[], Asked]) -> Permission | None:
        """What a token that is a path prefix permits, if it opens an object; None when uncertain.

        Waits for nothing, so it is for those who can leave a refusal to ``authorize``.

        Args:
            segment: The token as it stands in the path.
            title: The title of the object.
            asked: Makes the request, its query as received; not called for a token that is limited
                by its title only.
        """
        verifier, token = self._verifier_now(), from_segment(segment)
        if verifier is None:
            return None
        try:
            limits = verifier.permission_of(token).limits
            whole = asked() if limits else _of_title(title)
            found = verifier.verify(token, asked=whole, now_s=self.now_s())
        except TokenError:
            return None
        # What is noted, or sent to another URL, or depends on a query: on the ordinary path.
        if found.nonce or (limits and whole.query):
            return None
        is_moved = found.renewal is not None and asked().path.endswith(PLAYLISTS)
        return None if is_moved else found

    def permission(self, token: str, asked: Asked, *, renewing: bool = False) -> Permission | None:
        """What ``token`` permits, as ``authorize``; None when it does not, or is not certain.

        Waits for nothing, so it is for those who can leave a refusal to ``authorize``; None as well
        when a use is to be noted, or a fresh token handed over.
        """
        verifier = self._verifier_now()
        if verifier is None:
            return None
        verify = verifier.verify_renewable if renewing else verifier.verify
        try:
            found = verify(token, asked=asked, now_s=self.now_s())
        except TokenError:
            return None
        return found if found.is_plain else None

    def _verifier_now(self) -> TokenVerifier | None:
        """The verifier, if nothing has to be waited for before it is asked."""
        if self._verifier is None or not self.is_told.is_set():
            return None
        if self._now() >= self._due_s:
            self._start_renewing()
            if self._now() >= self._fresh_until_s:
                return None
        return self._verifier

    async def refresh(self, *, past_caches: bool = False) -> bool:
        """Have the keys of a fetch that begins after this call; whether it succeeded.

        Args:
            past_caches: Have every tier above ask its parent as well.
        """
        seen = self._started
        async with self._lock:
            if self._started > seen:  # for another request, since this one has waited
                return self._succeeded
            loop = asyncio.get_running_loop()
            await asyncio.sleep(max(0.0, self._may_start_s - loop.time()))
            self._started += 1
            self._may_start_s = loop.time() + SPACING_S
            self._succeeded = await self._load(past_caches)
            return self._succeeded

    async def settle(self) -> None:
        """Wait a little for a key set that is being fetched; the parent asked may hang."""
        with suppress(TimeoutError):
            async with asyncio.timeout(SETTLE_S), self._lock:
                pass

    async def _learn(self, verifier: TokenVerifier, token: str | None) -> bool:
        """Whether a fetch brings the key of ``token``, which is not known yet."""
        kid = verifier.key_id_of(token)
        if not kid:
            return False
        if self._now() < self._unknown_until_s.get(kid, float("-inf")):
            return False
        succeeded = await self.refresh(past_caches=True)
        if kid in verifier.kids:
            self._unknown_until_s.pop(kid, None)
            return True
        if succeeded:
            self._unknown_until_s[kid] = self._now() + self._refused_s
            if len(self._unknown_until_s) > _REMEMBERED_KIDS:
                self._unknown_until_s.popitem(last=False)
        return False

    def _start_renewing(self) -> None:
        """Fetch the keys in the background, unless that is under way."""
        if self.renewing is None or self.renewing.done():
            self.renewing = asyncio.create_task(self.refresh())

    async def _wait_a_little(self) -> None:
        """Wait for the fetch in the background, because the keys have run out."""
        assert self.renewing is not None
        await asyncio.wait({self.renewing}, timeout=PATIENCE_S)
        if self._now() >= self._fresh_until_s:  # others do not wait for it again
            self._use_for(RETRY_S)

    async def _load(self, past_caches: bool) -> bool:
        try:
            found = await self._fetch(past_caches)
            keys_from(found.jwks)
            self.key_sets.fetch(found.parent, found.jwks)
            self.use_keys()
        except (PeerError, KeyStoreError) as exc:
            if not self.trouble and self._verifier is not None:
                LOG.warning("keys not renewed, going on with older ones: %s", redact(str(exc)))
            self.trouble = str(exc)
            self._use_for(RETRY_S)
            return False
        self.trouble = ""
        self._set_clock(found)
        self._use_for(_fresh_s(found))
        return True

    def use_keys(self) -> None:
        """Verify with the keys that count now.

        Raises:
            KeyStoreError: they are damaged; then nothing has changed.
        """
        jwks = self.key_sets.merged(now_s=self._now())
        if self._verifier is None:
            self._verifier = TokenVerifier(PathTokens(jwks), self._others, denied=self.denied)
        else:
            self._verifier.replace_keys(jwks)
        before, self._digest = self._digest, digest_of(self._verifier.jwks())
        if self._digest != before:
            self._unknown_until_s.clear()
            self.on_keys()

    def _use_for(self, seconds: float) -> None:
        """Let the keys be fresh for so long, and have them fetched a little earlier."""
        self._fresh_until_s = self._now() + seconds
        self._due_s = self._fresh_until_s - seconds / 10

    def _set_clock(self, found: KeySetAnswer) -> None:
        """Learn how far our clock is off the parent's."""
        date_s = parse_http_date(found.headers.get("date"), now_s=found.arrived_s)
        before_s = self._correction_s
        self._correction_s = correction_s(date_s, asked_s=found.asked_s, arrived_s=found.arrived_s)
        is_far = abs(self._correction_s) > SKEW_TOLD_S
        if is_far and abs(self._correction_s - before_s) > SKEW_TOLD_S:
            LOG.warning(
                "this clock is %+.0f s off the parent's, by which tokens are judged; "
                "run a time service on both",
                -self._correction_s,
            )

    def _check(self, verifier: TokenVerifier, target: Target, asked: Asked) -> Permission:
        now_s = self.now_s()
        if target.kind == "renew":
            return verifier.verify_renewable(target.token, asked=asked, now_s=now_s)
        return verifier.verify(target.token, asked=asked, now_s=now_s)


@lru_cache(maxsize=1024)
def _of_title(title: str) -> Asked:
    """A request for something in a title; made anew it would cost as much as the check."""
    return Asked(title=title)


def _fresh_s(found: KeySetAnswer) -> float:
    """How long a key set may be used before it is fetched again."""
    control = control_of(found.headers)
    if not states_lifetime(found.headers, control):
        return FRESH_S
    fresh = assess(found.headers, control, asked_s=found.asked_s, arrived_s=found.arrived_s)
    return min(MAX_FRESH_S, max(SPACING_S, fresh.lifetime_s - fresh.age_s))


def _do_nothing() -> None:
    """Nobody wants to know."""
