"""The state as an origin reads it: what is revoked, and which sessions were closed.

An origin makes no state: as long as there is no file, nothing is revoked. What fails is opened
anew when it is next asked, and a connection that does not answer is cut.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeVar

from abr.errors import AbrError, StateError
from abr.userfolders import data_home
from origin.gateway.server.postgres import is_postgres
from origin.gateway.server.states import default_state, open_state
from origin.gateway.state import State
from origin.tokens.permission import Permission
from origin.tokens.revocation import Revoked

LOGGER = logging.getLogger("abr.gateway")
T = TypeVar("T")

CUT_S = 2.0
"""A connection that has not answered for this long is cut."""

RENEWAL_S = 0.5
"""A renewal waits for this long to hear that its session was closed."""


class SharedState:
    """The state at one place, for threads."""

    def __init__(self, where: str) -> None:
        """Nothing is opened yet; ``where`` is as ``open_state`` takes it."""
        self._where = where
        self._state: State | None = None
        self._lock = threading.Lock()
        self._is_in_trouble = False

    def __repr__(self) -> str:
        return f"<SharedState {'not opened' if self._state is None else self._state!r}>"

    def revocations(self, after: int) -> Revoked:
        """As ``RevocationSource`` says."""
        found = self._ask(lambda state: state.revocations(after), limit_s=CUT_S)
        return Revoked(entries=(), version=0) if found is None else found

    async def is_closed(self, permission: Permission) -> bool:
        """Whether the session of a token was closed before its end.

        While nobody can tell it was not: who plays is not disturbed.
        """
        if not permission.account:
            return False
        asked = asyncio.to_thread(self._why_closed, permission)
        try:
            async with asyncio.timeout(RENEWAL_S):
                found = await asked
        except (AbrError, TimeoutError) as exc:
            if not self._is_in_trouble:
                LOGGER.warning(
                    "renewals: %s; sessions are renewed", str(exc) or "no answer in time"
                )
            self._is_in_trouble = True
            return False
        self._is_in_trouble = False
        return found

    def close(self) -> None:
        """Let go of it."""
        with self._lock:
            if self._state is not None:
                self._state.close()
            self._state = None

    def _why_closed(self, permission: Permission) -> bool:
        session, account = permission.session, permission.account
        why = self._ask(lambda state: state.why_closed(session, account), limit_s=RENEWAL_S)
        return why is not None

    def _ask(self, ask: Callable[[State], T], *, limit_s: float) -> T | None:
        """What ``ask`` gives; None when there is no state yet."""
        if not self._lock.acquire(timeout=limit_s):
            raise StateError(f"state: no answer within {limit_s:g} s")
        try:
            if self._state is None:
                if not is_postgres(self._where) and not Path(self._where).exists():
                    return None
                self._state = open_state(self._where)
            state = self._state
            alarm = threading.Timer(CUT_S, state.interrupt)
            alarm.daemon = True
            alarm.start()
            try:
                return ask(state)
            except AbrError:
                self._state = None
                state.close()
                raise
            finally:
                alarm.cancel()
        finally:
            self._lock.release()


def shared_state(where: str | None, environ: Mapping[str, str]) -> SharedState | None:
    """The state as an origin reads it; None when the environment names no place for one."""
    if where is None and data_home(environ) is None and not environ.get("ABR_STATE"):
        return None
    return SharedState(where or default_state(environ))
