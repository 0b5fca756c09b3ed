"""Issuers of tokens that the origin does not issue itself: keys, and how far they are trusted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from origin.tokens.keysets import VerificationKey
from origin.tokens.limits import Titles
from origin.tokens.permission import Limit
from origin.tokens.signingkeys import SigningKey


@dataclass(frozen=True, slots=True, kw_only=True)
class Issuer:
    """One issuer."""

    name: str
    """As tokens name it in ``iss``."""
    forms: frozenset[str]
    """Names of the forms that are accepted from it."""
    keys: tuple[VerificationKey, ...] = field(repr=False)
    """Keys that verify its tokens."""
    audience: str = ""
    """Who we are to it, for ``aud``; empty: tokens that name an audience are refused."""
    base: str = ""
    """What its URLs begin with, in normal form; empty: scheme and host as clients give them."""
    titles: frozenset[str] = frozenset()
    """Titles that its tokens may open; empty: all."""
    renewing: SigningKey | None = field(default=None, repr=False)
    """Key that we renew its tokens with; None: they are not renewed."""
    signing: tuple[SigningKey, ...] = field(default=(), repr=False)
    """Keys of its own that we were given too; we sign with them only when we are told to."""
    secrets: Mapping[str, bytes] = field(default_factory=dict, repr=False)
    """Secrets by key id that open its encrypted claims."""
    ignores_nonce: bool = False
    """Its ``jti`` names tokens and does not forbid to use them again."""

    @property
    def limits(self) -> tuple[Limit, ...]:
        """Limits on all of its tokens."""
        return (Titles(titles=self.titles),) if self.titles else ()
