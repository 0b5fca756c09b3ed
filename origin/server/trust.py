"""Whom an origin trusts: the keys that it signs with, what it revoked, and how tiers learn both."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Callable

from aiohttp import web

from origin.server.revoking import Revoking
from origin.server.trustanswers import TrustAnswers
from origin.signing import Secrets, signing_key
from origin.tokens.pathtoken import PathTokens, TokenIssuer
from origin.tokens.revocation import DenyList, MemoryRevocations, RevocationSource
from origin.tokens.trustfeed import digest_of
from origin.tokens.verifier import TokenVerifier


class Trust:
    """The tokens of one origin.

    Args:
        keys: Holds the key that signs.
        source: Where revocations come from; None: only from this process, as long as it runs.
        now: Unix time, seconds.

    Raises:
        KeyStoreError: the signing key cannot be read or made.
    """

    def __init__(
        self, keys: Secrets, source: RevocationSource | None, *, now: Callable[[], float]
    ) -> None:
        kid, private = signing_key(keys)
        self.issuer = TokenIssuer(private, kid)
        self.denied = DenyList()
        self.verifier = TokenVerifier(PathTokens(self.issuer.jwks()), denied=self.denied)
        self._digest = digest_of(self.issuer.jwks())
        self.feed = TrustAnswers(self.denied, keys=lambda: self._digest, epoch=secrets.token_hex(8))
        self.revoking = Revoking(
            MemoryRevocations() if source is None else source,
            self.denied,
            now=now,
            on_change=self.feed.wake,
        )

    def __repr__(self) -> str:
        return f"<Trust in {self.issuer!r}, {self.denied!r}>"

    async def running(self, _app: web.Application) -> AsyncIterator[None]:
        """Follow the source of revocations meanwhile; for ``cleanup_ctx``."""
        await self.revoking.open()
        try:
            yield
        finally:
            await self.revoking.close()

    async def shut(self, _app: web.Application) -> None:
        """Let nobody wait for news any more; for ``on_shutdown``."""
        self.feed.close()
