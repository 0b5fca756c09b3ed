"""Key sets: the public keys that verify tokens, as a JSON Web Key Set.

Only Ed25519 public keys, which are not secret; the private key stays in the key store.

Sources: RFC 7517 (key sets), RFC 8037 (Ed25519 keys), RFC 7638 (thumbprints).
"""

from __future__ import annotations

import hashlib
import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Iterable, Mapping
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from abr.errors import KeyStoreError

ALGORITHM = "EdDSA"
"""The only signature algorithm issued or accepted."""


def thumbprint(key: Ed25519PublicKey) -> str:
    """Key id of a public key: the first 16 characters of its RFC 7638 thumbprint."""
    required = {"crv": "Ed25519", "kty": "OKP", "x": b64url(key.public_bytes_raw())}
    canonical = json.dumps(required, separators=(",", ":"), sort_keys=True)
    return b64url(hashlib.sha256(canonical.encode()).digest())[:16]


def jwks_of(keys: Mapping[str, Ed25519PublicKey]) -> dict[str, Any]:
    """A JSON Web Key Set of public keys by id."""
    return {
        "keys": [
            {
                "kty": "OKP",
                "crv": "Ed25519",
                "alg": ALGORITHM,
                "use": "sig",
                "kid": kid,
                "x": b64url(key.public_bytes_raw()),
            }
            for kid, key in keys.items()
        ]
    }


def keys_from(jwks: Mapping[str, Any]) -> dict[str, Ed25519PublicKey]:
    """Public keys by id from a JSON Web Key Set; keys of other kinds are left out.

    Raises:
        KeyStoreError: it is not a key set, or an Ed25519 key in it is damaged.
    """
    entries = jwks.get("keys") if isinstance(jwks, Mapping) else None
    if not isinstance(entries, Iterable) or isinstance(entries, (str, bytes)):
        raise KeyStoreError('key set: no list "keys" in it; expected a JSON Web Key Set')
    keys: dict[str, Ed25519PublicKey] = {}
    for entry in entries:
        # RFC 7517 §5: keys whose type is not understood should be ignored.
        if not isinstance(entry, Mapping) or entry.get("kty") != "OKP":
            continue
        if entry.get("crv") != "Ed25519" or entry.get("use", "sig") != "sig":
            continue
        kid = entry.get("kid")
        try:
            key = Ed25519PublicKey.from_public_bytes(unb64url(entry["x"]))
        except (KeyError, ValueError, TypeError, AttributeError) as exc:
            raise KeyStoreError(f"key set: key {kid!r} is not a usable Ed25519 key") from exc
        if not isinstance(kid, str) or not kid:
            raise KeyStoreError("key set: a key without kid; expected one in every key")
        keys[kid] = key
    return keys


def b64url(data: bytes) -> str:
    """Base64url text without padding (RFC 7515 §2)."""
    return urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


def unb64url(text: str) -> bytes:
    """The bytes of base64url text without padding; raises ``ValueError`` for any other text."""
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))
