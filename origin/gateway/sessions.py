"""Sessions and their leases: who holds which place of an account, decided without a clock.

A playback holds one place of its account for as long as its lease lasts; heartbeats extend it. A
place whose lease has run out is still its session's until somebody needs it: then the session
that was silent for longest is closed. A device holds one place, however often it asks.

``settle`` decides about all requests that wait, at once, from the sessions that the accounts
concerned have, and says what has to be written. Whoever keeps the state reads, settles and writes
in one transaction; nothing else need be atomic.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

Closing = Literal["session-replaced", "place-taken", "session-ended", "session-revoked"]
"""Why a session was closed before its end."""

MOST_STREAMS = 1000
"""No plan has more places than this: each request looks at all sessions of its account."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """One playback. Times are Unix seconds."""

    id: str
    account: str
    """Opaque tag of the account."""
    device: str
    title: str
    began_s: float
    ends_s: float
    """When its tokens cannot be renewed any more."""
    lease_until_s: float
    """Until when it holds its place without a further heartbeat."""
    traced_until_s: float = 0.0
    """Until when it is remembered whose it is, so that copies can be traced; 0: not at all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Take:
    """A request for a place."""

    session: Session
    """As it will be; ``lease_until_s`` is set when the place is given."""
    places: int
    """Places of the account's plan."""

    @property
    def account(self) -> str:
        """Whose place."""
        return self.session.account


@dataclass(frozen=True, slots=True, kw_only=True)
class Beat:
    """A heartbeat."""

    id: str
    account: str


@dataclass(frozen=True, slots=True, kw_only=True)
class End:
    """A place given back."""

    id: str
    account: str


Ask = Take | Beat | End


@dataclass(frozen=True, slots=True)
class Held:
    """The session has its place."""

    session: Session


@dataclass(frozen=True, slots=True)
class Full:
    """No place is free."""

    holders: tuple[Session, ...]
    """Who has them, oldest first."""


@dataclass(frozen=True, slots=True)
class Gone:
    """The account has no such session, or no longer."""


@dataclass(frozen=True, slots=True)
class Denied:
    """The account or the title was revoked."""

    kind: Literal["account", "title"]


Result = Held | Full | Gone | Denied


@dataclass(frozen=True, slots=True)
class Closed:
    """A session that has ended before its time, so its tokens must end too."""

    session: Session
    why: Closing


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    """What was decided."""

    results: tuple[Result, ...]
    """One for each request, in their order."""
    written: tuple[Session, ...]
    """Sessions that are new or have changed."""
    closed: tuple[Closed, ...]
    """Sessions to be removed whose tokens are refused from now on; one that was begun and replaced
    by requests that were settled together was never written."""
    over: tuple[str, ...]
    """Ids of sessions to be removed whose time has passed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaseRules:
    """How long things last, seconds."""

    lease_s: float = 30.0
    """A lease lasts this long after a heartbeat."""
    token_s: float = 3600.0
    """No token is valid for longer than this: so long is a session that was closed on the deny
    list."""

    @property
    def heartbeat_s(self) -> float:
        """How often a player sends a heartbeat, so that two may be lost."""
        return self.lease_s / 3


def settle(
    sessions: Iterable[Session],
    asks: Sequence[Ask],
    *,
    now_s: float,
    rules: LeaseRules,
    grace_s: float = 0.0,
    denied: Collection[tuple[str, str]] = (),
) -> Settled:
    """Decide about ``asks``, in their order.

    Args:
        sessions: All sessions of the accounts concerned.
        asks: What is asked for.
        now_s: Unix time, seconds.
        rules: How long a lease lasts.
        grace_s: Leases that ran out within this are taken to hold: no heartbeat could be noted
            meanwhile.
        denied: Kind and value of what is revoked, as far as it may be asked for here.
    """
    found = {each.id: each for each in sessions}
    over = tuple(each.id for each in found.values() if each.ends_s <= now_s)
    book = _Book(
        {key: each for key, each in found.items() if each.ends_s > now_s},
        now_s=now_s,
        lease_s=rules.lease_s,
        alive_s=now_s - grace_s,
        denied=denied,
    )
    results = tuple(book.answer(ask) for ask in asks)
    written = tuple(each for key, each in book.sessions.items() if found.get(key) != each)
    return Settled(results=results, written=written, closed=tuple(book.closed), over=over)


class _Book:
    """The sessions of some accounts while requests are answered one after the other."""

    def __init__(
        self,
        sessions: dict[str, Session],
        *,
        now_s: float,
        lease_s: float,
        alive_s: float,
        denied: Collection[tuple[str, str]],
    ) -> None:
        self.sessions, self._denied = sessions, denied
        self.closed: list[Closed] = []
        self._now_s, self._lease_s, self._alive_s = now_s, lease_s, alive_s

    def __repr__(self) -> str:
        return f"<_Book of {len(self.sessions)} sessions>"

    def answer(self, ask: Ask) -> Result:
        if isinstance(ask, Take):
            return self._take(ask)
        held = self.sessions.get(ask.id)
        if held is None or held.account != ask.account:
            return Gone()
        if isinstance(ask, End):
            self._close(held, "session-ended")
            return Held(held)
        return self._hold(held)

    def _take(self, ask: Take) -> Result:
        asked = ask.session
        if asked.id in self.sessions:
            # It was asked before, and the answer was lost.
            held = self.sessions[asked.id]
            return Held(replace(held, traced_until_s=asked.traced_until_s))
        if ("account", asked.account) in self._denied:
            return Denied("account")
        if ("title", asked.title) in self._denied:
            return Denied("title")
        others = sorted(
            (each for each in self.sessions.values() if each.account == asked.account),
            key=lambda each: (each.lease_until_s, each.began_s, each.id),
        )
        same = [each for each in others if each.device == asked.device]
        others = [each for each in others if each.device != asked.device]
        alive = [each for each in others if each.lease_until_s > self._alive_s]
        if len(alive) >= ask.places:
            return Full(tuple(sorted(alive, key=lambda each: (each.began_s, each.id))))
        for each in same:
            self._close(each, "session-replaced")
        # Places of the silent are taken only as far as they are needed, the longest silent first.
        for each in others[: max(0, len(others) + 1 - ask.places)]:
            self._close(each, "place-taken")
        return self._hold(asked)

    def _hold(self, session: Session) -> Held:
        until_s = min(self._now_s + self._lease_s, session.ends_s)
        held = replace(session, lease_until_s=max(until_s, session.lease_until_s))
        self.sessions[held.id] = held
        return Held(held)

    def _close(self, session: Session, why: Closing) -> None:
        del self.sessions[session.id]
        self.closed.append(Closed(session, why))


class Outage:
    """How long the state could not be written, so that nobody loses a place for it.

    While heartbeats cannot be noted, leases run out though players are well. For one lease
    after the state is back, the time of the outage does not count against them; by then every
    player that lives has been heard.
    """

    def __init__(self, lease_s: float) -> None:
        self._lease_s = lease_s
        self._since_s: float | None = None
        self._back_s: float | None = None

    def __repr__(self) -> str:
        state = "none" if self._since_s is None else "over" if self._back_s else "under way"
        return f"<Outage {state}>"

    def note_failure(self, now_s: float) -> None:
        """The state could not be written."""
        if self._since_s is None or self._is_past(now_s):
            self._since_s = now_s
        self._back_s = None

    def note_success(self, now_s: float) -> None:
        """The state was written."""
        if self._since_s is not None and self._back_s is None:
            self._back_s = now_s

    def grace_s(self, now_s: float) -> float:
        """Leases that ran out within so many seconds are taken to hold."""
        if self._since_s is None or self._is_past(now_s):
            return 0.0
        return max(0.0, now_s - self._since_s)

    def _is_past(self, now_s: float) -> bool:
        return self._back_s is not None and now_s >= self._back_s + self._lease_s
