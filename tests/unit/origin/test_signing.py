"""The key that signs tokens: made once, named by its thumbprint."""

from __future__ import annotations

from collections.abc import Callable

from origin.signing import signing_key
from origin.tokens.keysets import thumbprint


class MemorySecrets:
    """Keeps secrets as the key store does."""

    def __init__(self) -> None:
        self.kept: dict[str, tuple[str, bytes]] = {}

    def secret(self, name: str, make: Callable[[], tuple[str, bytes]]) -> tuple[str, bytes]:
        """The secret, made on first use."""
        return self.kept.setdefault(name, make())


def test_the_key_is_made_on_first_use_and_kept() -> None:
    """Under the name that the file has on disk."""
    secrets = MemorySecrets()
    kid, private = signing_key(secrets)
    assert signing_key(secrets)[0] == kid == thumbprint(private.public_key())
    assert secrets.kept == {"signing": (kid, private.private_bytes_raw())}
    assert signing_key(MemorySecrets())[0] != kid
