"""Whom an origin trusts: the keys that it signs with, what it revoked, and how tiers learn both."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

from aiohttp import web

from origin.server.revoking import Revoking
from origin.server.signingkeys import SigningKeys
from origin.server.trustanswers import TrustAnswers
from origin.signing import Secrets
from origin.tokens.pathtoken import PathTokens, TokenIssuer
from origin.tokens.revocation import DenyList, MemoryRevocations, RevocationSource
from origin.tokens.tiertoken import TierTokens
from origin.tokens.trustfeed import digest_of
from origin.tokens.verifier import Form, TokenVerifier


class Trust:
    """The tokens of one origin.

    Args:
        keys: Holds the keys that sign.
        source: Where revocations come from; None: only from this process, as long as it runs.
        now: Unix time, seconds.
        session_s: How long a token can be renewed, at most.
        others: Further forms of tokens that are taken.
        tiers: Takes tokens of tiers as well; None: not.

    Raises:
        KeyStoreError: the signing keys cannot be read or made.
    """

    def __init__(
        self,
        keys: Secrets,
        source: RevocationSource | None,
        *,
        now: Callable[[], float],
        session_s: float,
        others: Sequence[Form] = (),
        tiers: TierTokens | None = None,
    ) -> None:
        self.denied = DenyList()
        self._signing = SigningKeys(keys, now=now, session_s=session_s)
        self._signing.on_change = self._use_keys
        self.verifier = TokenVerifier(
            PathTokens(self._signing.jwks()),
            (*others, *(() if tiers is None else (tiers,))),
            denied=self.denied,
        )
        self._digest = digest_of(self._signing.jwks())
        self.feed = TrustAnswers(
            self.denied,
            keys=lambda: self._digest,
            epoch=secrets.token_hex(8),
            knows=lambda bearer: tiers is not None and tiers.is_tier(bearer, now_s=now()),
        )
        self.revoking = Revoking(
            MemoryRevocations() if source is None else source,
            self.denied,
            now=now,
            on_change=self.feed.wake,
        )

    def __repr__(self) -> str:
        return f"<Trust in {self._signing!r}, {self.denied!r}>"

    @property
    def issuer(self) -> TokenIssuer:
        """What signs tokens now."""
        return self._signing.issuer

    def jwks(self) -> dict[str, Any]:
        """The key set that verifies tokens now."""
        return self._signing.jwks()

    async def running(self, _app: web.Application) -> AsyncIterator[None]:
        """Follow the key store and the source of revocations meanwhile; for ``cleanup_ctx``."""
        await self.revoking.open()
        self._use_keys()
        self._signing.open()
        try:
            yield
        finally:
            await self._signing.close()
            await self.revoking.close()

    async def shut(self, _app: web.Application) -> None:
        """Let nobody wait for news any more; for ``on_shutdown``."""
        self.feed.close()

    def _use_keys(self) -> None:
        """Verify with the keys that count now, and tell the tiers."""
        self.verifier.replace_keys(self._signing.jwks())
        self._digest = digest_of(self._signing.jwks())
        self.revoking.take(*self._signing.ring.entries())
        self.feed.wake()
