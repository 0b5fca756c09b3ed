"""The Ed25519 key that signs tokens: made on first use, kept in the key store.

The key store holds it as it holds any secret, encrypted and under a name; what kind of
key it is, and what its id means, is known here and in ``tokens`` only.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from origin.tokens.keysets import thumbprint

NAME = "signing"
"""Name of the secret, so of its file ``signing.json`` in the key store."""


class Secrets(Protocol):
    """What is needed of a key store."""

    def secret(self, name: str, make: Callable[[], tuple[str, bytes]]) -> tuple[str, bytes]:
        """Id and bytes of the secret ``name``; what ``make`` returns on first use."""
        ...


def signing_key(keys: Secrets) -> tuple[str, Ed25519PrivateKey]:
    """Key id and private key that sign tokens; made on first use.

    The key id is the thumbprint of the public key (RFC 7638), cut to 16 characters.

    Raises:
        KeyStoreError: the key store is damaged.
    """
    kid, raw = keys.secret(NAME, _make)
    return kid, Ed25519PrivateKey.from_private_bytes(raw)


def _make() -> tuple[str, bytes]:
    private = Ed25519PrivateKey.generate()
    return thumbprint(private.public_key()), private.private_bytes_raw()
