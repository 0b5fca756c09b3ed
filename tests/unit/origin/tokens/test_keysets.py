"""Key sets: the published example keys of RFC 8037, and what is none of ours."""

from __future__ import annotations

from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from hypothesis import given
from hypothesis import strategies as st

from abr.errors import KeyStoreError
from origin.tokens.keysets import (
    b64url,
    jwks_of,
    keys_from,
    thumbprint,
    unb64url,
    verification_keys,
)

X = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"
"""RFC 8037, appendix A.2: the public key of the examples."""
KEY = Ed25519PublicKey.from_public_bytes(unb64url(X))
ENTRY = {"kty": "OKP", "crv": "Ed25519", "kid": "k", "x": X}


def test_the_thumbprint_is_that_of_the_published_example() -> None:
    """RFC 8037, appendix A.3, of which key ids are the first 16 characters."""
    assert thumbprint(KEY) == "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"[:16]


def test_a_key_set_reads_back() -> None:
    found = keys_from(jwks_of({"k": KEY}))
    assert {kid: key.public_bytes_raw() for kid, key in found.items()} == {"k": unb64url(X)}
    assert jwks_of({"k": KEY})["keys"] == [ENTRY | {"alg": "EdDSA", "use": "sig"}]


@pytest.mark.parametrize(
    "other",
    [
        {"kty": "RSA", "kid": "r", "n": "AQAB", "e": "AQAB"},
        {**ENTRY, "crv": "X25519"},
        {**ENTRY, "use": "enc"},
        "not an object",
    ],
)
def test_keys_of_other_kinds_are_left_out(other: object) -> None:
    """RFC 7517, section 5: what is not understood is ignored."""
    assert list(keys_from({"keys": [other, ENTRY]})) == ["k"]


@pytest.mark.parametrize(
    "jwks",
    [
        {},
        {"keys": None},
        {"keys": "text"},
        [],
        {"keys": [{**ENTRY, "x": "AAAA"}]},
        {"keys": [{**ENTRY, "x": 3}]},
        {"keys": [{**ENTRY, "kid": ""}]},
        {"keys": [{name: value for name, value in ENTRY.items() if name != "kid"}]},
    ],
)
def test_what_is_no_key_set_is_our_error(jwks: Any) -> None:
    with pytest.raises(KeyStoreError, match="key set: "):
        keys_from(jwks)


@given(st.binary(max_size=70))
def test_base64url_has_no_padding_and_reads_back(data: bytes) -> None:
    text = b64url(data)
    assert not set(text) & set("+/=")
    assert unb64url(text) == data


EC = {
    "kty": "EC",
    "crv": "P-256",
    "kid": "e",
    "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
    "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
}
"""RFC 7515, appendix A.3.1: the public half of the example."""
SECRET = {"kty": "oct", "kid": "s", "k": b64url(bytes(32))}


def test_keys_of_others_are_read_with_their_algorithm() -> None:
    keys = verification_keys({"keys": [ENTRY | {"alg": "Ed25519"}, EC, SECRET]}, with_secrets=True)
    assert [(key.kid, key.algorithm) for key in keys] == [
        ("k", "EdDSA"),
        ("e", "ES256"),
        ("s", "HS256"),
    ]


def test_shared_secrets_are_taken_only_where_that_is_allowed() -> None:
    assert [key.kid for key in verification_keys({"keys": [SECRET, EC]})] == ["e"]


def test_secrets_are_never_shown() -> None:
    (key,) = verification_keys({"keys": [SECRET | {"k": b64url(b"x" * 32)}]}, with_secrets=True)
    assert "x" * 8 not in repr(key)


@pytest.mark.parametrize(
    "entry", [EC | {"x": EC["y"]}, SECRET | {"k": b64url(bytes(31))}, EC | {"y": None}]
)
def test_damaged_keys_of_others_are_our_error(entry: dict[str, Any]) -> None:
    with pytest.raises(KeyStoreError, match="not a usable"):
        verification_keys({"keys": [entry]}, with_secrets=True)


def test_a_key_for_another_algorithm_is_left_out() -> None:
    assert verification_keys({"keys": [EC | {"alg": "ES384"}]}) == ()
