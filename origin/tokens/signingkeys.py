"""Keys that sign tokens in forms of others, read from private JSON Web Keys.

Our own tokens are signed with the key in the key store; these are for renewing tokens of an
issuer that has given us a key for that, and for minting tokens to try a verifier with.

Sources: RFC 7517 and 7518 §6 (private keys), RFC 8037 and 9864 (Ed25519).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from abr.errors import KeyStoreError
from origin.tokens.keysets import MIN_SECRET_BYTES, unb64url

AlgorithmName = Literal["EdDSA", "Ed25519", "ES256", "HS256"]
"""As written in the header of a token; the first two are the same."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SigningKey:
    """A key that signs."""

    kid: str
    algorithm: AlgorithmName
    key: Ed25519PrivateKey | ec.EllipticCurvePrivateKey | bytes = field(repr=False)


def signing_key_of(jwk: Mapping[str, Any]) -> SigningKey | None:
    """The key of a private JSON Web Key; None when it is public only, or of another kind.

    Raises:
        KeyStoreError: it is damaged; the message names its id and no part of the key.
    """
    kid = jwk.get("kid", "")
    kind = (jwk.get("kty"), jwk.get("crv"))
    try:
        found = _read(jwk, kind)
    except (KeyError, ValueError, TypeError, AttributeError) as exc:
        raise KeyStoreError(f"key {kid!r} is not a usable private key") from exc
    if found is None:
        return None
    if not isinstance(kid, str):
        raise KeyStoreError("a key whose kid is no text; expected text")
    algorithm, key = found
    named = jwk.get("alg", algorithm)
    if named != algorithm and (named, algorithm) != ("Ed25519", "EdDSA"):
        raise KeyStoreError(
            f"key {kid!r}: alg {named!r} does not fit its kind; expected {algorithm}"
        )
    return SigningKey(kid=kid, algorithm=named, key=key)


def _read(
    jwk: Mapping[str, Any], kind: tuple[Any, Any]
) -> tuple[AlgorithmName, Ed25519PrivateKey | ec.EllipticCurvePrivateKey | bytes] | None:
    if kind == ("oct", None):
        secret = unb64url(jwk["k"])
        if len(secret) < MIN_SECRET_BYTES:
            raise ValueError("too short")
        return "HS256", secret
    if "d" not in jwk:
        return None
    if kind == ("OKP", "Ed25519"):
        return "EdDSA", Ed25519PrivateKey.from_private_bytes(unb64url(jwk["d"]))
    if kind == ("EC", "P-256"):
        number = int.from_bytes(unb64url(jwk["d"]), "big")
        return "ES256", ec.derive_private_key(number, ec.SECP256R1())
    return None
