"""The token check of an edge, with the parent's public keys only.

A request that is refused does not reach the parent. When its token names an unknown key, the
parent's key set is fetched again, at a limited rate.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from abr.errors import KeyStoreError, PeerError, TokenError, UpstreamError
from origin.paths import Target
from origin.tokens import TokenVerifier


class TokenCheck:
    """Checks tokens; fetches and keeps the public keys for that.

    Args:
        fetch: Gets the parent's key set; raises ``PeerError``.
        now: Seconds since the epoch.
        refresh_s: Least seconds between two fetches that unknown keys cause.
    """

    def __init__(
        self,
        fetch: Callable[[], Awaitable[dict[str, Any]]],
        *,
        now: Callable[[], float],
        refresh_s: float,
    ) -> None:
        self._fetch = fetch
        self._now = now
        self._refresh_s = refresh_s
        self._verifier: TokenVerifier | None = None
        self._fetched_s = float("-inf")
        self._tried_s = float("-inf")
        self._lock = asyncio.Lock()
        self.trouble = ""
        """Why the latest fetch of keys failed; empty when it did not."""

    def __repr__(self) -> str:
        return f"<TokenCheck {self._verifier!r}, trouble {self.trouble!r}>"

    @property
    def has_keys(self) -> bool:
        """Whether tokens can be checked."""
        return self._verifier is not None

    def reconfigure(self, *, refresh_s: float) -> None:
        """Use another least time between two fetches, and let the next one come at once."""
        self._refresh_s = refresh_s
        self._tried_s = float("-inf")

    def jwks(self) -> dict[str, Any] | None:
        """The key set in use, for the next tier; None before there is one."""
        return None if self._verifier is None else self._verifier.jwks()

    async def authorize(self, target: Target) -> None:
        """Return if the token of ``target`` permits the request.

        Raises:
            TokenError: it does not; ``reason`` says why.
            PeerError: there are no keys to check it with, and none can be fetched.
        """
        verifier = self._verifier or await self._first_keys()
        try:
            self._check(verifier, target)
        except TokenError as exc:
            if exc.reason != "unknown-key" or not await self.refresh():
                raise
            self._check(verifier, target)

    def permits(self, token: str, title: str) -> bool:
        """Whether ``token`` opens objects of ``title`` now; False also when that is not certain.

        Waits for nothing, so it is for those who can leave a refusal to ``authorize``.
        """
        if self._verifier is None:
            return False
        try:
            self._verifier.verify(token, title=title, now_s=self._now())
        except TokenError:
            return False
        return True

    async def refresh(self) -> bool:
        """Fetch the keys again, unless that was tried less than ``refresh_s`` ago."""
        asked_s = self._now()
        async with self._lock:
            if self._fetched_s >= asked_s:
                return True  # another request did while this one waited
            if abs(asked_s - self._tried_s) < self._refresh_s:
                return False
            return await self._load()

    async def _first_keys(self) -> TokenVerifier:
        async with self._lock:
            # Without keys nothing can be served, so try once a second.
            if self._verifier is None and abs(self._now() - self._tried_s) >= 1.0:
                await self._load()
        if self._verifier is None:
            raise UpstreamError(f"no keys to check tokens with; {self.trouble}")
        return self._verifier

    async def _load(self) -> bool:
        self._tried_s = self._now()
        try:
            found = await self._fetch()
            if self._verifier is None:
                self._verifier = TokenVerifier(found)
            else:
                self._verifier.replace_keys(found)
        except (PeerError, KeyStoreError) as exc:
            self.trouble = str(exc)
            return False
        self.trouble = ""
        self._fetched_s = self._now()
        return True

    def _check(self, verifier: TokenVerifier, target: Target) -> None:
        now_s = self._now()
        if target.kind == "renew":
            verifier.verify_renewable(target.token, title=target.title, now_s=now_s)
        else:
            verifier.verify(target.token, title=target.title, now_s=now_s)
