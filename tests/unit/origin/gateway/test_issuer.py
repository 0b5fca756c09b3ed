"""Bearers that another service has signed: whose are believed, and what they say."""

from __future__ import annotations

import json
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

from abr.errors import ConfigError, UpstreamError
from origin.gateway.accounts import Account, parse_accounts, parse_plans, parse_tables
from origin.gateway.issuer import (
    Issuer,
    account_in,
    candidates,
    claims_of,
    key_id_of,
    looks_signed,
    parse_issuer,
    parse_key_set,
)
from origin.gateway.refusals import GatewayRefusal

NOW_S = 1_800_000_000.0
EC_KEY = ec.generate_private_key(ec.SECP256R1())
RSA_KEY = rsa.generate_private_key(65537, 2048)
ED_KEY = ed25519.Ed25519PrivateKey.generate()
OTHER = ec.generate_private_key(ec.SECP256R1())
KEYS: dict[str, Any] = {"ES256": EC_KEY, "RS256": RSA_KEY, "PS384": RSA_KEY, "EdDSA": ED_KEY}
KEYS["Ed25519"] = ED_KEY
KEY_SET = {
    "keys": [
        ECAlgorithm.to_jwk(EC_KEY.public_key(), as_dict=True) | {"kid": "ec"},
        RSAAlgorithm.to_jwk(RSA_KEY.public_key(), as_dict=True) | {"kid": "rsa"},
        OKPAlgorithm.to_jwk(ED_KEY.public_key(), as_dict=True) | {"kid": "ed"},
        OKPAlgorithm.to_jwk(ED_KEY.public_key(), as_dict=True) | {"kid": "new", "alg": "Ed25519"},
        {"kty": "oct", "k": "c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0LTEyMzQ", "kid": "oct"},
        {"kty": "EC", "crv": "P-256", "x": "damaged", "kid": "bad"},
    ]
}
SETTINGS = """
[plans.basic]
streams = 1
[plans.gold]
streams = 4
[accounts.blocked-one]
plan = "basic"
blocked = true
[issuer]
iss = "https://login.example"
audience = "video"
jwks = "keys.json"
default_plan = "basic"
"""
TABLES = parse_tables(SETTINGS, where="a.toml")
PLANS = parse_plans(TABLES, where="a.toml")
KNOWN = parse_accounts(TABLES, PLANS, where="a.toml")
ISSUER = parse_issuer(TABLES["issuer"], PLANS, where="a.toml")
CLAIMS = {"iss": "https://login.example", "aud": "video", "sub": "user-7", "exp": NOW_S + 60}


def signed(
    claims: dict[str, Any] | None = None,
    *,
    algorithm: str = "ES256",
    key: Any = None,
    **header: Any,
) -> str:
    given = {name: value for name, value in (CLAIMS | (claims or {})).items() if value is not None}
    key = KEYS[algorithm] if key is None else key
    return jwt.encode(given, key, algorithm=algorithm, headers=header or {"kid": "ec"})


def account(bearer: str, *, now_s: float = NOW_S, issuer: Issuer = ISSUER) -> Account:
    keys = parse_key_set(json.dumps(KEY_SET).encode(), where="k")
    claims = claims_of(bearer, candidates(keys, key_id_of(bearer, issuer)), issuer)
    return account_in(claims, issuer, PLANS, KNOWN, now_s=now_s)


@pytest.mark.parametrize(
    ("algorithm", "kid"),
    [
        ("ES256", "ec"),
        ("RS256", "rsa"),
        ("PS384", "rsa"),
        ("EdDSA", "ed"),
        ("Ed25519", "ed"),
        ("Ed25519", "new"),
        ("EdDSA", "new"),
    ],
)
def test_a_bearer_of_the_issuer_names_its_account(algorithm: str, kid: str) -> None:
    bearer = signed(algorithm=algorithm, kid=kid)
    assert looks_signed(bearer)
    assert (account(bearer).name, account(bearer).plan.streams) == ("user-7", 1)
    unnamed = signed({"plan": "gold"}, algorithm=algorithm, other="x")
    assert account(unnamed).plan.streams == 4


@pytest.mark.parametrize(
    ("bearer", "word"),
    [
        (signed(key=OTHER), "unknown-account"),
        (signed(kid="rsa"), "unknown-account"),
        (signed(kid="nobody"), "unknown-account"),
        (signed({"iss": "https://evil.example"}), "unknown-account"),
        (signed({"iss": None}), "unknown-account"),
        (signed({"aud": "shop"}), "unknown-account"),
        (signed({"aud": None}), "unknown-account"),
        (signed({"sub": None}), "unknown-account"),
        (signed({"sub": "\ud800"}), "unknown-account"),
        (signed({"exp": None}), "unknown-account"),
        (signed({"exp": NOW_S}), "bearer-expired"),
        (signed({"nbf": NOW_S + 31}), "unknown-account"),
        (signed({"plan": "unheard-of"}), "no-plan"),
        (signed(algorithm="HS256", key="c" * 40, kid="oct"), "unknown-account"),
        (jwt.encode(CLAIMS, "", algorithm="none"), "unknown-account"),
        (signed(kid="ec", crit=["b64"]), "unknown-account"),
        (signed()[:-4] + "AAAA", "unknown-account"),
        ("a.b.c", "unknown-account"),
        ("é.é.é", "unknown-account"),
        ("x" * 9000 + "..", "unknown-account"),
    ],
)
def test_any_other_bearer_is_refused(bearer: str, word: str) -> None:
    with pytest.raises(GatewayRefusal) as caught:
        account(bearer)
    assert caught.value.word == word
    assert bearer not in str(caught.value)


def test_the_public_key_as_a_shared_secret_opens_nothing() -> None:
    """The classic confusion of algorithms (RFC 8725 §2.1)."""
    import base64
    import hashlib
    import hmac

    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    pem = RSA_KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)

    def part(data: bytes) -> str:
        return base64.urlsafe_b64encode(data).rstrip(b"=").decode()

    head = part(json.dumps({"alg": "HS256", "kid": "rsa"}).encode())
    text = f"{head}.{part(json.dumps(CLAIMS).encode())}"
    mac = part(hmac.digest(pem, text.encode(), hashlib.sha256))
    with pytest.raises(GatewayRefusal):
        account(f"{text}.{mac}")


def test_a_bearer_that_starts_soon_is_taken_for_one_of_a_faster_clock() -> None:
    assert account(signed({"nbf": NOW_S + 29})).name == "user-7"


def test_the_file_says_more_of_an_account_than_its_bearer() -> None:
    found = account(signed({"sub": "blocked-one", "plan": "gold"}))
    assert found.is_blocked
    assert found.plan.name == "basic"


def test_secrets_and_what_is_damaged_are_no_keys() -> None:
    keys = parse_key_set(json.dumps(KEY_SET).encode(), where="k")
    assert sorted(keys) == ["ec", "ed", "new", "rsa"]
    for data in (b"", b"[]", b"{}", b'{"keys": 5}', b'{"keys": []}', b'{"keys": [{"kty": "oct"}]}'):
        with pytest.raises(UpstreamError, match="k: "):
            parse_key_set(data, where="k")


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ("x", "expected a table"),
        ({"iss": "i", "jwks": "k", "secret": "s"}, "unknown 'secret'"),
        ({"jwks": "k"}, "iss: missing"),
        ({"iss": "i"}, "jwks: missing"),
        ({"iss": "i", "jwks": 5}, "jwks: found 5"),
        ({"iss": "i", "jwks": "k", "algorithms": ["HS256"]}, "algorithms: expected a list of"),
        ({"iss": "i", "jwks": "k", "algorithms": []}, "algorithms"),
        ({"iss": "i", "jwks": "k", "default_plan": "no"}, "default_plan: found 'no'"),
    ],
)
def test_settings_that_cannot_be_used_are_named(table: object, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        parse_issuer(table, PLANS, where="a.toml")
