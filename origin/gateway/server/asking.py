"""One request's way to the parts of the service: all that it asks is answered within its time.

What stands in for an answer that does not come:

* accounts: nothing; new sessions are refused
* titles: what was known of the title; if nothing was, the session is refused
* state: a heartbeat is accepted; everything else is refused
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, TypeVar

from origin.gateway.accounts import Account
from origin.gateway.answers import session_entries
from origin.gateway.refusals import GatewayRefusal
from origin.gateway.server.guard import DependencyError
from origin.gateway.sessions import Beat, Denied, End, Full, Gone, Result, Session, Take
from transcode.packaging.index import PresentationIndex

if TYPE_CHECKING:
    from origin.gateway.server.service import Service

LOGGER = logging.getLogger("abr.gateway")
T = TypeVar("T")

RETRY_S = 2
"""Whoever is refused because something failed may ask again after this."""


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

    async def why_closed(self, session: str, account: str) -> str | None:
        """Why a session was closed; None when that is not known, or nobody can tell."""
        client = self._service.state
        try:
            return await self._ask(
                "state", lambda: client.call(lambda state: state.why_closed(session, account))
            )
        except DependencyError:
            return None

    async def _keep(self, ask: Beat | End) -> Session:
        result = await self._settle(ask)
        if not isinstance(result, Gone):
            assert not isinstance(result, Full | Denied)
            return result.session
        why = await self.why_closed(ask.id, ask.account)
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


def _now_s() -> float:
    return asyncio.get_running_loop().time()
