"""Key sets: the keys that verify tokens, as a JSON Web Key Set.

Our own key set holds Ed25519 public keys, which are not secret; the private key stays in the
key store. Sets of others may also hold P-256 keys, and shared secrets where that is allowed.

Sources: RFC 7517 (key sets), RFC 7518 §6 (P-256, shared secrets), RFC 8037 and RFC 9864
(Ed25519 keys, and the two names of their algorithm), RFC 7638 (thumbprints).
"""

from __future__ import annotations

import hashlib
import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from abr.errors import KeyStoreError

ALGORITHM = "EdDSA"
"""The only signature algorithm of our own tokens."""

Algorithm = Literal["EdDSA", "ES256", "HS256"]
"""What tokens of others may be signed with; ``Ed25519`` is another name of ``EdDSA``."""

MIN_SECRET_BYTES = 32
"""Shortest shared secret (RFC 7518 §3.2)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VerificationKey:
    """A key that verifies tokens of one algorithm."""

    kid: str
    """Its id; empty when it has none."""
    algorithm: Algorithm
    key: Ed25519PublicKey | ec.EllipticCurvePublicKey | bytes = field(repr=False)


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
    """Ed25519 public keys by id from a JSON Web Key Set; keys of other kinds are left out.

    Raises:
        KeyStoreError: it is not a key set, or an Ed25519 key in it is damaged or without id.
    """
    keys: dict[str, Ed25519PublicKey] = {}
    for found in verification_keys(jwks):
        if isinstance(found.key, Ed25519PublicKey):
            if not found.kid:
                raise KeyStoreError("key set: a key without kid; expected one in every key")
            keys[found.kid] = found.key
    return keys


def verification_keys(
    jwks: Mapping[str, Any], *, with_secrets: bool = False
) -> tuple[VerificationKey, ...]:
    """The keys of a JSON Web Key Set that can verify; keys of other kinds are left out.

    Args:
        jwks: The key set.
        with_secrets: Take shared secrets too; only from a file that others cannot read.

    Raises:
        KeyStoreError: it is not a key set, or a key in it is damaged.
    """
    entries = jwks.get("keys") if isinstance(jwks, Mapping) else None
    if not isinstance(entries, Iterable) or isinstance(entries, (str, bytes)):
        raise KeyStoreError('key set: no list "keys" in it; expected a JSON Web Key Set')
    keys: list[VerificationKey] = []
    for entry in entries:
        # RFC 7517 §5: keys whose type is not understood should be ignored.
        if not isinstance(entry, Mapping) or entry.get("use", "sig") != "sig":
            continue
        kind = (entry.get("kty"), entry.get("crv"))
        if kind == (_OCTETS, None) and not with_secrets:
            continue
        kid = entry.get("kid", "")
        try:
            found = _key_of(entry, kind)
        except (KeyError, ValueError, TypeError, AttributeError) as exc:
            raise KeyStoreError(
                f"key set: key {kid!r} is not a usable {kind[1] or _OCTETS} key"
            ) from exc
        if found is None:
            continue
        if not isinstance(kid, str):
            raise KeyStoreError("key set: a kid that is no text; expected text")
        keys.append(VerificationKey(kid=kid, algorithm=found[0], key=found[1]))
    return tuple(keys)


_OCTETS = "oct"
_NAMES: Mapping[tuple[Any, Any], tuple[Algorithm, frozenset[str]]] = {
    ("OKP", "Ed25519"): ("EdDSA", frozenset({"EdDSA", "Ed25519"})),
    ("EC", "P-256"): ("ES256", frozenset({"ES256"})),
    (_OCTETS, None): ("HS256", frozenset({"HS256"})),
}


def _key_of(
    entry: Mapping[str, Any], kind: tuple[Any, Any]
) -> tuple[Algorithm, Ed25519PublicKey | ec.EllipticCurvePublicKey | bytes] | None:
    """Algorithm and key of an entry; None for a kind, or an algorithm, that is not used here."""
    if kind not in _NAMES:
        return None
    algorithm, names = _NAMES[kind]
    if entry.get("alg", algorithm) not in names:
        return None
    if algorithm == "EdDSA":
        return algorithm, Ed25519PublicKey.from_public_bytes(unb64url(entry["x"]))
    if algorithm == "ES256":
        x, y = (int.from_bytes(unb64url(entry[name]), "big") for name in ("x", "y"))
        return algorithm, ec.EllipticCurvePublicNumbers(x, y, ec.SECP256R1()).public_key()
    secret = unb64url(entry["k"])
    if len(secret) < MIN_SECRET_BYTES:
        raise ValueError("too short")
    return algorithm, secret


def b64url(data: bytes) -> str:
    """Base64url text without padding (RFC 7515 §2)."""
    return urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


def unb64url(text: str) -> bytes:
    """The bytes of base64url text without padding; raises ``ValueError`` for any other text."""
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))
