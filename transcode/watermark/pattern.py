"""The pattern of a session: which variant of each segment it gets.

Bit ``n mod length`` of the pattern chooses variant A (0) or B (1) of segment ``n``, in every rung.
A pattern is made of the session's id under a secret, so whoever holds the secret can make it
again from a list of sessions, and nobody else can tell whose a pattern is, or make one for
another session.

Source: ETSI TS 104 002 (direct mode: the token carries the pattern).
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Callable
from typing import Protocol, runtime_checkable

PATTERN_BYTES = 32
"""256 segments until a pattern begins again: 8.5 minutes of segments of 2 s."""
MAX_PATTERN_BYTES = 128
"""Longest pattern that a token may carry."""
NAME = "watermark"
"""Name of the secret in the key store."""
_SECRET_BYTES = 32


@runtime_checkable
class Secrets(Protocol):
    """What is needed of a key store."""

    def secret(self, name: str, make: Callable[[], tuple[str, bytes]]) -> tuple[str, bytes]:
        """Id and bytes of the secret ``name``; what ``make`` returns on first use."""
        ...


def watermark_secret(keys: Secrets) -> bytes:
    """The secret that patterns and marks are made under; made on first use.

    Raises:
        KeyStoreError: the key store is damaged.
    """
    return keys.secret(NAME, _make)[1]


def _make() -> tuple[str, bytes]:
    secret = secrets.token_bytes(_SECRET_BYTES)
    return hashlib.sha256(b"id" + secret).hexdigest()[:16], secret


def pattern_of(secret: bytes, session: str) -> bytes:
    """The pattern of a session: the same at every call, and random to all without ``secret``."""
    return hmac.digest(secret, b"pattern\0" + session.encode(), "sha256")


def bit_of(pattern: bytes, segment: int) -> int:
    """Which variant of ``segment`` the pattern chooses: 0 is A, 1 is B.

    Args:
        pattern: At least one byte; the highest bit of the first comes first.
        segment: Index in the presentation, from 0.
    """
    place = segment % (8 * len(pattern))
    return pattern[place >> 3] >> (7 - (place & 7)) & 1


def one_variant(bit: int) -> bytes:
    """The pattern that chooses one variant of every segment: for those who fill caches."""
    return bytes([0xFF * bit]) * PATTERN_BYTES
