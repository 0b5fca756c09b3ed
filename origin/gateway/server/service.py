"""What the playback service consists of; each part that may fail is asked through a ``Guard``."""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol, TypeVar

from origin.gateway.accounts import Account, account_tag
from origin.gateway.config import GatewayConfig
from origin.gateway.metrics import GatewayMetrics
from origin.gateway.server.asking import Asking
from origin.gateway.server.authenticating import Authenticator
from origin.gateway.server.guard import Guard
from origin.gateway.server.shared import SharedState
from origin.gateway.server.stateclient import StateClient
from origin.gateway.sessions import Session
from origin.server.revoking import Revoking
from origin.server.signingkeys import SigningKeys
from origin.signing import Secrets
from origin.tokens.pathtoken import PathTokens
from origin.tokens.permission import Asked, Permission
from origin.tokens.revocation import DenyList, MemoryRevocations
from origin.tokens.verifier import TokenVerifier
from transcode.packaging.index import PresentationIndex
from transcode.watermark.pattern import pattern_of, watermark_secret

LOGGER = logging.getLogger("abr.gateway")
T = TypeVar("T")

TAG_SECRET = "accounts"  # noqa: S105  # the name of a secret
"""Name of the key that makes tags of accounts, in the key store."""


class TitleIndex(Protocol):
    """What can be played."""

    @property
    def may_wait(self) -> bool:
        """Whether it may wait for a network."""
        ...

    def titles(self) -> tuple[str, ...]:
        """Names, in alphabetical order."""
        ...

    def index(self, title: str) -> PresentationIndex | None:
        """What a title consists of; None when there is none of that name."""
        ...


def tag_key(keys: Secrets) -> bytes:
    """The key that makes tags of accounts; made on first use.

    Raises:
        KeyStoreError: the key store is damaged.
    """
    return keys.secret(TAG_SECRET, lambda: (secrets.token_hex(8), secrets.token_bytes(32)))[1]


@dataclass(slots=True)
class _Known:
    index: PresentationIndex
    at_s: float


class Titles:
    """Titles as they were when somebody last asked for them."""

    def __init__(self) -> None:
        self._known: dict[str, _Known] = {}

    def __repr__(self) -> str:
        return f"<Titles: {len(self._known)} titles>"

    def names(self) -> tuple[str, ...]:
        """Those known, in alphabetical order."""
        return tuple(sorted(self._known))

    def get(self, title: str, *, newer_than_s: float = float("-inf")) -> PresentationIndex | None:
        """What is known of a title; None when that is nothing, or too old."""
        found = self._known.get(title)
        return found.index if found is not None and found.at_s > newer_than_s else None

    def put(self, title: str, index: PresentationIndex | None, now_s: float) -> None:
        """Remember what was told of a title at ``now_s``; None: there is none."""
        # Only titles that there are, so strangers cannot fill it.
        if index is None:
            self._known.pop(title, None)
        else:
            self._known[title] = _Known(index, now_s)


class Service:
    """The playback service, whatever protocol it is asked by."""

    def __init__(
        self,
        config: GatewayConfig,
        *,
        titles: TitleIndex,
        keys: Secrets,
        authenticator: Authenticator,
        state: StateClient,
        now: Callable[[], float],
        shared: SharedState | None = None,
    ) -> None:
        """Put the parts together.

        Args:
            config: Settings, checked.
            titles: What can be played.
            keys: The secrets that tokens and tags are made with.
            authenticator: Knows the accounts.
            state: Sessions and revocations.
            now: Unix time, seconds.
            shared: The state once more, to read what was revoked; None: nothing was.

        Raises:
            KeyStoreError: the key store is damaged.
        """
        self.config, self.metrics = config, GatewayMetrics()
        self.state = state
        self.now_s = now
        self.signing = SigningKeys(keys, now=now, session_s=config.session_ttl_s)
        """The keys that sign tokens."""
        self.signing.on_change = self._use_keys
        denied, self._shared = DenyList(), shared
        self._verifier = TokenVerifier(PathTokens(self.signing.jwks()), denied=denied)
        self._revoking = Revoking(
            MemoryRevocations() if shared is None else shared,
            denied,
            now=now,
            on_change=lambda: None,
        )
        self._tag_key = tag_key(keys)
        self._keys, self._watermark = keys, b""
        self._titles, self._authenticator = titles, authenticator
        self._indexes = Titles()
        note = self.metrics.count_dependency
        self._guards = {
            name: Guard(name, limit_s=config.answer_s, note=note)
            for name in ("accounts", "titles", "state")
        }

    def __repr__(self) -> str:
        return f"<Service of {self._titles!r}, {self._authenticator!r}, {self.state!r}>"

    def asking(self) -> Asking:
        """One request's way to the parts: all that it asks is answered within its time."""
        return Asking(self)

    def make_id(self) -> str:
        """A name for what has none: a session, a device."""
        return secrets.token_urlsafe(12)

    def tag(self, account: Account) -> str:
        """What tokens and state hold for an account."""
        return account_tag(self._tag_key, account.name)

    def traced_until_s(self, index: PresentationIndex) -> float:
        """Until when a session that begins now is remembered, because of a watermark."""
        if not index.watermarked:
            return 0.0
        if not self._watermark:
            self._watermark = watermark_secret(self._keys)
        return self.now_s() + self.config.session_ttl_s + self.config.traced_days * 86400

    def issue(self, session: Session, account: Account) -> str:
        """A token for a session."""
        now_s = self.now_s()
        return self.signing.issuer.issue(
            session.title,
            now_s=now_s,
            session_id=session.id,
            ttl_s=self.config.token_ttl_s,
            session_s=session.ends_s - now_s,
            account=session.account,
            max_height=account.plan.height,
            watermark=pattern_of(self._watermark, session.id) if session.traced_until_s else b"",
        )

    def renew(self, permission: Permission) -> str:
        """A fresh token for the same session.

        Raises:
            TokenError: the session is over.
        """
        return self.signing.issuer.renew(
            permission, now_s=self.now_s(), ttl_s=self.config.token_ttl_s
        )

    def read_token(self, token: str | None) -> Permission:
        """What a genuine token says; its times and its title are not looked at.

        Raises:
            TokenError: it is missing, or none of ours.
        """
        return self._verifier.permission_of(token)

    def check_token(self, token: str | None, permission: Permission) -> None:
        """Return if a genuine token that says this could be renewed.

        Raises:
            TokenError: it was revoked, or its session is over.
        """
        asked = Asked(title=permission.title)
        self._verifier.verify_renewable(token, asked=asked, now_s=self.now_s())

    def _use_keys(self) -> None:
        """Read tokens with the keys that count now, and refuse those of keys that were revoked."""
        self._verifier.replace_keys(self.signing.jwks())
        self._revoking.take(*self.signing.ring.entries())

    def dependencies(self) -> dict[str, str]:
        """The breakers of the parts: closed while all is well."""
        return {name: guard.state() for name, guard in self._guards.items()}

    async def sweep(self) -> None:
        """Forget what has ended.

        Raises:
            DependencyError: the state failed.
        """
        now_s = self.now_s()
        await self._guards["state"].ask(
            lambda: self.state.call(lambda state: state.sweep(now_s=now_s))
        )

    async def open(self) -> None:
        """Follow what is revoked, and the keys that sign.

        Raises:
            AbrError: that cannot be read; without it tokens that were revoked would be renewed.
        """
        await self._revoking.open()
        self._use_keys()
        self.signing.open()

    async def close(self) -> None:
        """Let go of everything."""
        await self.signing.close()
        await self._revoking.close()
        await self.state.close()
        if self._shared is not None:
            await asyncio.to_thread(self._shared.close)
        await self._authenticator.close()

    async def guarded(self, name: str, make: Callable[[], Awaitable[T]], limit_s: float) -> T:
        """What ``make`` gives, asked through the guard of a part.

        Raises:
            DependencyError: it failed, was late, or is left alone for a while.
        """
        return await self._guards[name].ask(make, limit_s=limit_s)

    async def look_up_account(self, bearer: str | None, device: str) -> Account:
        """Ask the authenticator."""
        return await self._authenticator.account_of(bearer, device=device)

    async def look_up_index(self, title: str) -> PresentationIndex | None:
        """Ask what a title consists of."""
        if self._titles.may_wait:
            return await asyncio.to_thread(self._titles.index, title)
        return self._titles.index(title)

    async def look_up_titles(self) -> tuple[str, ...]:
        """Ask which titles there are."""
        if self._titles.may_wait:
            return await asyncio.to_thread(self._titles.titles)
        return self._titles.titles()

    @property
    def remembered(self) -> Titles:
        """What is known of titles."""
        return self._indexes
