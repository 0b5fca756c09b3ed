"""What the playback service consists of, and how it asks the parts that may fail.

Each part is asked through a ``Guard``. What stands in for an answer that does not come:

* accounts: nothing; new sessions are refused
* titles: what was known of the title; if nothing was, the session is refused
* state: a heartbeat is accepted; everything else is refused
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol, TypeVar

from origin.gateway.accounts import Account, account_tag
from origin.gateway.answers import session_entries
from origin.gateway.config import GatewayConfig
from origin.gateway.metrics import GatewayMetrics
from origin.gateway.refusals import GatewayRefusal
from origin.gateway.server.authenticating import Authenticator
from origin.gateway.server.guard import DependencyError, Guard
from origin.gateway.server.stateclient import StateClient
from origin.gateway.sessions import Beat, Denied, End, Full, Gone, Result, Session, Take
from origin.server.signingkeys import SigningKeys
from origin.signing import Secrets
from origin.tokens.pathtoken import PathTokens
from origin.tokens.permission import Permission
from origin.tokens.verifier import TokenVerifier
from transcode.packaging.index import PresentationIndex
from transcode.watermark.pattern import pattern_of, watermark_secret

LOGGER = logging.getLogger("abr.gateway")
T = TypeVar("T")

TAG_SECRET = "accounts"  # noqa: S105  # the name of a secret
"""Name of the key that makes tags of accounts, in the key store."""

RETRY_S = 2
"""Whoever is refused because something failed may ask again after this."""


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
    ) -> None:
        """Put the parts together.

        Args:
            config: Settings, checked.
            titles: What can be played.
            keys: The secrets that tokens and tags are made with.
            authenticator: Knows the accounts.
            state: Sessions and revocations.
            now: Unix time, seconds.

        Raises:
            KeyStoreError: the key store is damaged.
        """
        self.config, self.metrics = config, GatewayMetrics()
        self.state = state
        self.now_s = now
        self.signing = SigningKeys(keys, now=now, session_s=config.session_ttl_s)
        """The keys that sign tokens; whoever runs this follows their changes."""
        self._verifier = TokenVerifier(PathTokens(self.signing.jwks()))
        self.signing.on_change = self._use_keys
        self._tag_key = tag_key(keys)
        self._keys, self._watermark = keys, b""
        self._titles, self._authenticator = titles, authenticator
        self._indexes = _Remembered()
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

    def issue(self, session: Session, account: Account) -> tuple[str, Permission]:
        """A token for a session, and what it says."""
        now_s = self.now_s()
        token = self.signing.issuer.issue(
            session.title,
            now_s=now_s,
            session_id=session.id,
            ttl_s=self.config.token_ttl_s,
            session_s=session.ends_s - now_s,
            account=session.account,
            max_height=account.plan.height,
            watermark=pattern_of(self._watermark, session.id) if session.traced_until_s else b"",
        )
        return token, self.read_token(token)

    def renew(self, permission: Permission) -> tuple[str, Permission]:
        """A fresh token for the session of another, and what it says.

        Raises:
            TokenError: the session is over.
        """
        token = self.signing.issuer.renew(
            permission, now_s=self.now_s(), ttl_s=self.config.token_ttl_s
        )
        return token, self.read_token(token)

    def read_token(self, token: str | None) -> Permission:
        """What a genuine token says; its times and its title are not looked at.

        Raises:
            TokenError: it is missing, or none of ours.
        """
        return self._verifier.permission_of(token)

    def _use_keys(self) -> None:
        """Read tokens with the keys that count now."""
        self._verifier.replace_keys(self.signing.jwks())

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

    async def close(self) -> None:
        """Let go of everything."""
        await self.state.close()
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
    def remembered(self) -> _Remembered:
        """What is known of titles."""
        return self._indexes


class Asking:
    """What one request asks for; together within ``answer_s``."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._ends_s = _now_s() + service.config.answer_s

    def __repr__(self) -> str:
        return f"<Asking of {self._service!r}>"

    async def account(self, bearer: str | None, *, device: str) -> Account:
        """The account of a bearer.

        Raises:
            GatewayRefusal: it names none, or nobody can tell at the moment.
        """
        try:
            return await self._ask(
                "accounts", lambda: self._service.look_up_account(bearer, device)
            )
        except DependencyError as exc:
            raise self._unavailable("accounts", exc) from exc

    async def index(self, title: str) -> PresentationIndex:
        """What a title consists of.

        Raises:
            GatewayRefusal: there is no such title, or nobody can tell at the moment.
        """
        memory, now_s = self._service.remembered, _now_s()
        fresh_s = self._service.config.titles_fresh_s
        known = memory.get(title, newer_than_s=now_s - fresh_s)
        if known is None:
            try:
                known = await self._ask("titles", lambda: self._service.look_up_index(title))
                memory.put(title, known, now_s)
            except DependencyError as exc:
                known = memory.get(title)
                if known is None:
                    raise self._unavailable("titles", exc) from exc
        if known is None:
            raise GatewayRefusal("no-such-title")
        return known

    async def indexes(self) -> list[PresentationIndex]:
        """All titles.

        Raises:
            GatewayRefusal: nobody can tell at the moment.
        """
        try:
            names = await self._ask("titles", self._service.look_up_titles)
        except DependencyError as exc:
            names = self._service.remembered.names()
            if not names:
                raise self._unavailable("titles", exc) from exc
        found = []
        for name in names:
            try:
                found.append(await self.index(name))
            except GatewayRefusal as exc:
                if exc.word != "no-such-title":
                    raise
        return found

    async def session(self, account: Account, *, index: PresentationIndex, device: str) -> Session:
        """A new session of an account, with a place, for the title of ``index``.

        Raises:
            GatewayRefusal: no place is free, something was revoked, or places cannot be given.
        """
        service = self._service
        now_s = service.now_s()
        wanted = Session(
            id=service.make_id(),
            account=service.tag(account),
            device=device,
            title=index.title,
            began_s=now_s,
            ends_s=now_s + service.config.session_ttl_s,
            lease_until_s=now_s,
            traced_until_s=service.traced_until_s(index),
        )
        try:
            result = await self._settle(Take(session=wanted, places=account.plan.streams))
        except DependencyError as exc:
            raise self._unavailable("state", exc) from exc
        if isinstance(result, Denied):
            raise GatewayRefusal(f"{result.kind}-revoked")
        if isinstance(result, Full):
            raise _full(result, account, now_s)
        assert not isinstance(result, Gone)
        return result.session

    async def beat(self, session: str, account: str) -> Session:
        """Note a heartbeat.

        Raises:
            DependencyError: it could not be noted.
            GatewayRefusal: the session has ended.
        """
        return await self._keep(Beat(id=session, account=account))

    async def end(self, session: str, account: str) -> None:
        """Give a place back.

        Raises:
            GatewayRefusal: the session has ended before, or nobody can tell.
        """
        try:
            await self._keep(End(id=session, account=account))
        except DependencyError as exc:
            raise self._unavailable("state", exc) from exc

    async def running(self, account: Account) -> tuple[Session, ...]:
        """What plays on an account.

        Raises:
            GatewayRefusal: nobody can tell at the moment.
        """
        tag, now_s, client = self._service.tag(account), self._service.now_s(), self._service.state
        try:
            return await self._ask(
                "state",
                lambda: client.call(lambda state: state.running(tag, now_s=now_s)),
            )
        except DependencyError as exc:
            raise self._unavailable("state", exc) from exc

    async def _keep(self, ask: Beat | End) -> Session:
        result = await self._settle(ask)
        if not isinstance(result, Gone):
            assert not isinstance(result, Full | Denied)
            return result.session
        client = self._service.state
        why = await self._ask(
            "state",
            lambda: client.call(lambda state: state.why_closed(ask.id, ask.account)),
        )
        raise GatewayRefusal(why or "session-over")

    async def _settle(self, ask: Take | Beat | End) -> Result:
        return await self._ask("state", lambda: self._service.state.ask(ask))

    async def _ask(self, name: str, make: Callable[[], Awaitable[T]]) -> T:
        return await self._service.guarded(name, make, self._ends_s - _now_s())

    def _unavailable(self, name: str, exc: DependencyError) -> GatewayRefusal:
        LOGGER.info("%s", exc)
        return GatewayRefusal(f"{name}-unavailable", retry_after_s=RETRY_S)


def _full(result: Full, account: Account, now_s: float) -> GatewayRefusal:
    """Why there is no place, and who holds them."""
    first_s = min(each.lease_until_s for each in result.holders)
    places = account.plan.streams
    return GatewayRefusal(
        "too-many-streams",
        f"the plan allows {places} playback{'s' if places > 1 else ''} at once, which are on: "
        f"{', '.join(each.device for each in result.holders)}; end one of them first",
        retry_after_s=max(1, int(first_s - now_s + 0.999)),
        facts={"streams": places, "sessions": session_entries(result.holders)},
    )


@dataclass(slots=True)
class _Known:
    index: PresentationIndex
    at_s: float


class _Remembered:
    """Titles as they were when somebody last asked for them."""

    def __init__(self) -> None:
        self._known: dict[str, _Known] = {}

    def __repr__(self) -> str:
        return f"<_Remembered: {len(self._known)} titles>"

    def names(self) -> tuple[str, ...]:
        return tuple(sorted(self._known))

    def get(self, title: str, *, newer_than_s: float = float("-inf")) -> PresentationIndex | None:
        found = self._known.get(title)
        return found.index if found is not None and found.at_s > newer_than_s else None

    def put(self, title: str, index: PresentationIndex | None, now_s: float) -> None:
        # Only titles that there are, so strangers cannot fill it.
        if index is None:
            self._known.pop(title, None)
        else:
            self._known[title] = _Known(index, now_s)


def _now_s() -> float:
    return asyncio.get_running_loop().time()
