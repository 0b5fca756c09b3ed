"""What the playback service and the origin keep in common: running sessions and revocations.

``State`` is the seam: SQLite and PostgreSQL are behind it, and whatever can do one transaction can
be. All decisions are made by ``sessions.settle``; a state reads, has it decide, and writes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from origin.gateway.sessions import Ask, Closed, Closing, LeaseRules, Result, Session
from origin.tokens.revocation import Revocation, Revoked


class State(Protocol):
    """Sessions and revocations, shared by several processes. Its methods may wait."""

    def settle(
        self, asks: Sequence[Ask], *, rules: LeaseRules, now_s: float, grace_s: float = 0.0
    ) -> tuple[Result, ...]:
        """Answer ``asks`` in one transaction, by ``sessions.settle``.

        Raises:
            StateError: nothing was changed, or nobody knows.
        """
        ...

    def running(self, account: str, *, now_s: float) -> tuple[Session, ...]:
        """The sessions of an account that hold a place, oldest first."""
        ...

    def why_closed(self, session: str, account: str) -> Closing | None:
        """Why a session of an account was closed before its end; None when it was not."""
        ...

    def marked(self, title: str) -> tuple[str, ...]:
        """Ids of the sessions that got ``title`` with a watermark, as far as they are kept."""
        ...

    def revoke(self, entries: Sequence[Revocation], *, now_s: float) -> None:
        """Note revocations so that no crash loses them, and close the sessions that they mean."""
        ...

    def revocations(self, after: int) -> Revoked:
        """As ``RevocationSource`` says."""
        ...

    def sweep(self, *, now_s: float) -> None:
        """Forget what has ended."""
        ...

    def interrupt(self) -> None:
        """Have a method that waits, in another thread, fail soon."""
        ...

    def close(self) -> None:
        """Let go of it."""
        ...


def revocation_of(closed: Closed, *, rules: LeaseRules, now_s: float) -> Revocation:
    """The entry of the deny list for a session that was closed."""
    return Revocation(
        kind="session",
        value=closed.session.id,
        until_s=min(now_s + rules.token_s, closed.session.ends_s),
        changed_ms=int(now_s * 1000),
    )


def is_meant(session: Session, entry: Revocation) -> bool:
    """Whether a revocation ends ``session``."""
    if entry.is_lifted or (
        entry.issued_before_s is not None and session.began_s >= entry.issued_before_s
    ):
        return False
    named = {"session": session.id, "account": session.account, "title": session.title}
    return named.get(entry.kind) == entry.value
