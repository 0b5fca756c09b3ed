"""The keys that sign and verify tokens, as the key store holds them at the time.

Another process may add or revoke keys; the store is read again every ``POLL_S``. A key that was
published in time begins to sign when its time has come, whether the store can be read then or not.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any

from abr.errors import AbrError
from origin.signing import NAME, Secrets, StampedSecrets, signing_ring
from origin.tokens.keysets import jwks_of
from origin.tokens.pathtoken import TokenIssuer
from origin.tokens.signingring import SigningRing

LOGGER = logging.getLogger("abr.origin")

POLL_S = 0.5
"""How often the key store is read."""


class SigningKeys:
    """The keys of one process that issues tokens; ``open`` to follow changes, ``close`` after.

    Args:
        keys: The key store.
        now: Unix time, seconds.
        session_s: How long a token can be renewed, at most.

    Raises:
        KeyStoreError: the keys cannot be read, or made.
    """

    def __init__(self, keys: Secrets, *, now: Callable[[], float], session_s: float) -> None:
        self._keys, self._now, self._session_s = keys, now, session_s
        self._stamp = self._find_stamp()  # before it is read: a change in between is seen later
        self.ring: SigningRing = signing_ring(keys)
        self.on_change: Callable[[], object] = _do_nothing
        """Called when other keys verify, or were revoked."""
        self._issuer = self._make_issuer()
        self._jwks = self._made_jwks()
        self._task: asyncio.Task[None] | None = None
        self.trouble = ""
        """Why the store could not be read; empty when it could."""

    def __repr__(self) -> str:
        return f"<SigningKeys: {self.issuer!r} of {len(self.ring.keys)}>"

    @property
    def issuer(self) -> TokenIssuer:
        """What signs tokens now."""
        if self.ring.signing(self._now()).kid != self._issuer.kid:
            self._issuer = self._make_issuer()
        return self._issuer

    def jwks(self) -> dict[str, Any]:
        """The key set that verifies tokens."""
        return self._jwks

    def open(self) -> None:
        """Read the store again and again."""
        self._task = asyncio.create_task(self._read_for_ever())

    async def close(self) -> None:
        """Read it no more."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _read_for_ever(self) -> None:
        while True:
            await asyncio.sleep(POLL_S)
            stamp = self._find_stamp()
            if stamp is not None and stamp == self._stamp:
                self._take(self.ring)
                continue
            try:
                found = await asyncio.to_thread(signing_ring, self._keys)
            except AbrError as exc:
                if str(exc) != self.trouble:
                    LOGGER.error("signing keys: %s; those known stay", exc)  # noqa: TRY400
                self.trouble = str(exc)
            else:
                self.trouble, self._stamp = "", stamp
                self._take(found)

    def _find_stamp(self) -> object:
        if isinstance(self._keys, StampedSecrets):
            return self._keys.secret_stamp(NAME)
        return None

    def _take(self, found: SigningRing) -> None:
        before, is_other = self._jwks, found.revoked != self.ring.revoked
        self.ring = found
        self._jwks = self._made_jwks()  # a key may also have ended
        if is_other or self._jwks != before:
            self.on_change()

    def _make_issuer(self) -> TokenIssuer:
        key = self.ring.signing(self._now())
        return TokenIssuer(key.private, key.kid)

    def _made_jwks(self) -> dict[str, Any]:
        return jwks_of(self.ring.verifying(self._now(), session_s=self._session_s))


def _do_nothing() -> None:
    """Nobody wants to know."""
