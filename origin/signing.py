"""The Ed25519 keys that sign tokens: the first made on first use, all kept in the key store.

The key store holds them as it holds any secret, encrypted and under a name; what kind of
keys they are, and what their ids mean, is known here and in ``tokens`` only.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, runtime_checkable

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from origin.tokens.keysets import thumbprint
from origin.tokens.signingring import SigningRing, parse_ring, print_ring

NAME = "signing"
"""Name of the secret, so of its file ``signing.json`` in the key store."""

RING_ID = "ring"
"""Id of the secret once it is more than one key, which has an id of its own."""


class Secrets(Protocol):
    """What is needed of a key store."""

    def secret(self, name: str, make: Callable[[], tuple[str, bytes]]) -> tuple[str, bytes]:
        """Id and bytes of the secret ``name``; what ``make`` returns on first use."""
        ...


@runtime_checkable
class StampedSecrets(Protocol):
    """A key store that tells cheaply whether a secret was changed."""

    def secret_stamp(self, name: str) -> object:
        """What differs after the secret ``name`` was changed; None: not known."""
        ...


class ChangingSecrets(Secrets, Protocol):
    """What is needed of a key store to change keys."""

    def change_secret(
        self, name: str, change: Callable[[str, bytes], tuple[str, bytes]]
    ) -> tuple[str, bytes]:
        """Replace the secret ``name`` by what ``change`` makes of it, with nobody between."""
        ...


def signing_ring(keys: Secrets) -> SigningRing:
    """The keys that sign tokens; the first is made on first use.

    Raises:
        KeyStoreError: the key store is damaged.
    """
    return parse_ring(*keys.secret(NAME, _make))


def signing_key(keys: Secrets, *, now_s: float = 0.0) -> tuple[str, Ed25519PrivateKey]:
    """Key id and private key that sign tokens at ``now_s``.

    Raises:
        KeyStoreError: the key store is damaged.
    """
    found = signing_ring(keys).signing(now_s)
    return found.kid, found.private


def change_ring(keys: ChangingSecrets, change: Callable[[SigningRing], SigningRing]) -> SigningRing:
    """Replace the keys by what ``change`` makes of them, with nobody between.

    Raises:
        KeyStoreError: the key store is damaged.
    """
    signing_ring(keys)

    def changed(kid: str, data: bytes) -> tuple[str, bytes]:
        return RING_ID, print_ring(change(parse_ring(kid, data)))

    return parse_ring(*keys.change_secret(NAME, changed))


def new_key() -> bytes:
    """The bytes of a new private key."""
    return Ed25519PrivateKey.generate().private_bytes_raw()


def _make() -> tuple[str, bytes]:
    private = Ed25519PrivateKey.generate()
    return thumbprint(private.public_key()), private.private_bytes_raw()
