"""Who is let in at one edge: tokens, what parents say of them, and how it asks its parents."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable

from edge.config import EdgeConfig
from edge.server.following import Following
from edge.server.parents import ParentsClient
from edge.server.tokencheck import TokenCheck
from edge.server.upward import Upward
from origin.files.trustfile import read_trust
from origin.server.trustanswers import TrustAnswers
from origin.tokens.redaction import redact
from origin.tokens.trust import Trust

LOG = logging.getLogger("abr.edge")


class Admission:
    """The token check of an edge, and all that keeps it true."""

    def __init__(
        self, config: EdgeConfig, *, upstream: ParentsClient, now: Callable[[], float]
    ) -> None:
        self._is_needed, self._upstream = config.require_token, upstream
        self.tokens = tokens = TokenCheck(
            upstream.key_set, now=now, refused_s=config.keys_refresh_s, waits=True
        )
        self.upward = upward = Upward(config, judged_s=tokens.now_s)
        """How this edge asks its parents for what viewers may have."""
        self.trust = TrustAnswers(
            tokens.denied,
            keys=lambda: tokens.digest,
            epoch=secrets.token_hex(8),
            knows=upward.knows,
        )
        """What the next tier is told of keys and revocations."""
        tokens.on_keys = self.trust.wake
        tokens.set_others((*read_trust(config.trust).forms(), *upward.forms))
        self.following = Following(
            config, tokens=tokens, now=now, on_change=self.trust.wake, upward=upward
        )
        """What the parents tell."""
        upward.takes_tiers = self.following.takes_tiers

    def __repr__(self) -> str:
        return f"<Admission by {self.tokens!r}>"

    def reconfigure(self, config: EdgeConfig, trust: Trust) -> None:
        """Use other settings from now on, and these issuers of tokens."""
        self.upward.reconfigure(config)
        self.tokens.set_others((*trust.forms(), *self.upward.forms))
        self.following.reconfigure(config)
        self.tokens.reconfigure(refused_s=config.keys_refresh_s)

    async def start(self) -> None:
        """Listen to the parents, and wait a little for their keys."""
        if not self._is_needed:
            return
        self.following.open(self._upstream.parents.names)
        self._upstream.on_parents.append(self.following.set_parents)
        if not await self.tokens.start():
            trouble = self.tokens.trouble or self.following.trouble
            LOG.info("no keys from the parent yet: %s", redact(trouble))

    async def refresh_keys(self) -> None:
        """Fetch the parent's public keys again; those in use stay when that fails."""
        if self._is_needed and not await self.tokens.refresh():
            LOG.warning("keys not fetched: %s", redact(self.tokens.trouble))

    @property
    def trouble(self) -> str:
        """Why tokens cannot be checked yet; empty when they can be, or need not be."""
        return "" if self.tokens.has_keys else self.tokens.trouble
