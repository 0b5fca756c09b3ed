"""Common Access Tokens of an issuer with keys of every kind."""

from __future__ import annotations

from typing import Any

import cbor2
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from abr.errors import TokenError
from origin.tokens.cat.form import CatTokens, mint_cat
from origin.tokens.cose import seal
from origin.tokens.issuers import Issuer
from origin.tokens.keysets import VerificationKey, b64url
from origin.tokens.permission import Asked, Permission
from origin.tokens.refusals import REASONS
from origin.tokens.signingkeys import SigningKey

NOW_S = 1_800_000_000
SECRET = SigningKey(kid="shared", algorithm="HS256", key=bytes(range(32)))
P256 = SigningKey(kid="p", algorithm="ES256", key=ec.derive_private_key(7, ec.SECP256R1()))
ED = SigningKey(kid="e", algorithm="EdDSA", key=Ed25519PrivateKey.from_private_bytes(bytes(32)))
STRANGER = SigningKey(kid="shared", algorithm="HS256", key=bytes(32))
ISSUER = Issuer(
    name="studio",
    forms=frozenset({"cat"}),
    audience="cdn-1",
    keys=(
        VerificationKey(kid="shared", algorithm="HS256", key=bytes(range(32))),
        VerificationKey(kid="p", algorithm="ES256", key=P256.key.public_key()),  # type: ignore[union-attr]
        VerificationKey(kid="e", algorithm="EdDSA", key=ED.key.public_key()),  # type: ignore[union-attr]
    ),
)
FORM = CatTokens([ISSUER])
CLAIMS: dict[str, Any] = {"iss": "studio", "exp": NOW_S + 60}
ASKED = Asked(
    title="film",
    path="v0/seg.1.m4s",
    scheme="https",
    authority="CDN.example:8443",
    query="a=1",
    address="192.0.2.7",
)


def token(key: SigningKey = SECRET, **claims: Any) -> str:
    return mint_cat({**CLAIMS, **claims}, key)


def sealed(claims: object, key: SigningKey = SECRET) -> str:
    """A token with any payload."""
    return b64url(seal(claims if isinstance(claims, bytes) else cbor2.dumps(claims), key))


def reason_of(text: str, form: CatTokens = FORM) -> str:
    with pytest.raises(TokenError) as caught:
        form.permission(text)
    assert str(caught.value) == REASONS[caught.value.reason]
    return caught.value.reason


def refusal(found: Permission, asked: Asked = ASKED) -> str | None:
    """The first reason why a permission does not cover what is asked."""
    return next(filter(None, (limit.refusal(asked) for limit in found.limits)), None)


def allows(asked: Asked = ASKED, **claims: Any) -> bool:
    found = refusal(FORM.permission(token(**claims)), asked)
    assert found in {None, "wrong-uri", "wrong-method", "wrong-address"}
    return found is None
