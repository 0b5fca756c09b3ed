"""Other people's libraries read our tokens, and we read theirs."""

from __future__ import annotations

import ipaddress
import time
from dataclasses import replace
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from abr.errors import TokenError
from origin.tokens.cat.form import CatTokens, mint_cat
from origin.tokens.issuers import Issuer
from origin.tokens.jws import sign_jws
from origin.tokens.keysets import b64url, verification_keys
from origin.tokens.permission import Asked, Permission
from origin.tokens.signingkeys import SigningKey, signing_key_of
from origin.tokens.urisigning import UriSigning
from tests.fakes import tokenpeers

BEGUN_S = int(time.time())  # noqa: TID251 -- the others read the clock
END_S = BEGUN_S + 3600
"""Long after the last of these tests, however late it runs."""
P256 = ec.derive_private_key(7, ec.SECP256R1()).private_numbers()
ED = Ed25519PrivateKey.from_private_bytes(bytes(32))
KEYS: dict[str, dict[str, Any]] = {
    "HS256": {"kty": "oct", "kid": "shared", "alg": "HS256", "k": b64url(bytes(range(32)))},
    "ES256": {
        "kty": "EC",
        "crv": "P-256",
        "kid": "p",
        "alg": "ES256",
        "d": b64url(P256.private_value.to_bytes(32, "big")),
        "x": b64url(P256.public_numbers.x.to_bytes(32, "big")),
        "y": b64url(P256.public_numbers.y.to_bytes(32, "big")),
    },
    "EdDSA": {
        "kty": "OKP",
        "crv": "Ed25519",
        "kid": "e",
        "alg": "EdDSA",
        "d": b64url(bytes(32)),
        "x": b64url(ED.public_key().public_bytes_raw()),
    },
}
KEYS["Ed25519"] = {**KEYS["EdDSA"], "alg": "Ed25519"}
ISSUER = Issuer(
    name="studio",
    forms=frozenset({"cat", "uri-signing"}),
    keys=verification_keys({"keys": list(KEYS.values())[:3]}, with_secrets=True),
    audience="cdn-1",
    ignores_nonce=True,
)
ASKED = Asked(
    title="film",
    path="v0/1.m4s",
    scheme="https",
    authority="cdn.example",
    address="192.0.2.7",
)


def signing(name: str) -> SigningKey:
    found = signing_key_of(KEYS[name])
    assert found is not None
    return found


def refusal(found: Permission, asked: Asked = ASKED) -> str | None:
    return next(filter(None, (limit.refusal(asked) for limit in found.limits)), None)


needs_python = pytest.mark.skipif(
    bool(tokenpeers.why_no_python()), reason=tokenpeers.why_no_python()
)
needs_node = pytest.mark.skipif(bool(tokenpeers.why_no_node()), reason=tokenpeers.why_no_node())


@needs_python
def test_cwt_reads_our_tokens() -> None:
    """With all kinds of keys; the claims come out under their labels."""
    claims = {"iss": "studio", "exp": END_S, "catu": {3: {1: "/film/"}}, "catm": ["GET"]}
    names = ["HS256", "ES256", "EdDSA"]
    answers = tokenpeers.ask_python(
        [
            {
                "do": "read",
                "with": "cwt",
                "key": KEYS[name],
                "token": mint_cat(claims, signing(name)),
            }
            for name in names
        ]
    )
    wanted = {
        "310": 1,
        "1": "studio",
        "4": END_S,
        "312": {"3": {"1": "/film/"}},
        "313": ["GET"],
    }
    assert answers == [{"claims": wanted}] * 3


@needs_python
def test_we_read_tokens_of_cwt() -> None:
    """It adds times of its own, and has its key's id outside of what is signed."""
    claims = {"1": "studio", "4": END_S, "312": {"3": {"1": "/film/"}}}
    names = ["HS256", "ES256", "EdDSA"]
    answers = tokenpeers.ask_python(
        [{"do": "make", "with": "cwt", "key": KEYS[name], "claims": claims} for name in names]
    )
    found = [CatTokens([ISSUER]).permission(answer["token"]) for answer in answers]
    assert [each.expires_s for each in found] == [END_S] * 3
    assert [each.kid for each in found] == ["shared", "p", "e"]
    assert [refusal(each) for each in found] == [None] * 3
    assert refusal(found[0], replace(ASKED, title="other")) == "wrong-uri"


CLAIMS: dict[str, Any] = {
    "iss": "studio",
    "sub": "session-1",
    "aud": "cdn-1",
    "exp": END_S,
    "nbf": BEGUN_S - 5,
    "iat": BEGUN_S - 5,
    "cti": "0a0b",
    "catm": ["GET"],
    "catnip": ["192.0.2.0/24", "2001:db8::/32", "10.0.0.1", 64512],
}
NODE: dict[str, Any] = {"key": KEYS["HS256"]["k"], "kid": "shared"}
MATCHES: list[tuple[dict[str, Any], bool]] = [
    ({"scheme": {"exact-match": "https"}}, True),
    ({"host": {"exact-match": "cdn.example"}}, True),
    ({"host": {"exact-match": "example"}}, False),
    ({"path": {"exact-match": "/film/v0/1.m4s"}}, True),
    ({"path": {"prefix-match": "/film/"}}, True),
    ({"path": {"prefix-match": "/show/"}}, False),
    ({"path": {"suffix-match": ".m4s"}}, True),
    ({"path": {"contains-match": "/v0/"}}, True),
    ({"path": {"contains-match": "/v1/"}}, False),
    ({"path": {"regex-match": ["^/FILM/.*[.]m(4s|3u8)$", "i"]}}, True),
    ({"path": {"regex-match": ["^/FILM/"]}}, False),
    ({"path": {"regex-match": ["v0"]}}, True),
    (
        {
            "path": {
                "sha256-match": "7bc7f4d4e9ba4ae6c60dd7a5e8d85c94d9f6c3af4bcbb5bb90d0ebb67ecdb7bf"
            }
        },
        False,
    ),
    ({"parent-path": {"exact-match": "/film/v0"}}, True),
    ({"filename": {"exact-match": "1.m4s"}}, True),
    ({"stem": {"exact-match": "1"}}, True),
    ({"extension": {"exact-match": ".m4s"}}, True),
    ({"extension": {"exact-match": "m4s"}}, False),
    ({"path": {"prefix-match": "/film/"}, "extension": {"exact-match": ".mpd"}}, False),
]


@needs_node
def test_we_read_tokens_of_node_cat_and_agree_with_it_on_every_match() -> None:
    """Each token is asked of both; the same requests are allowed."""
    made = tokenpeers.ask_node(
        [{"do": "make", **NODE, "claims": {**CLAIMS, "catu": catu}} for catu, _ in MATCHES]
    )
    tokens = [answer["token"] for answer in made]
    theirs = tokenpeers.ask_node([node_reads(token, ip="192.0.2.7") for token in tokens])
    found = [CatTokens([ISSUER]).permission(token) for token in tokens]
    assert [refusal(each) is None for each in found] == [holds for _, holds in MATCHES]
    assert [each["status"] == 200 for each in theirs] == [holds for _, holds in MATCHES]
    assert {(each.session, each.token_id, each.starts_s) for each in found} == {
        ("session-1", "0a0b", BEGUN_S - 5)
    }
    assert refusal(found[0], replace(ASKED, address="198.51.100.1")) == "wrong-address"


def node_reads(token: str, **changes: object) -> dict[str, Any]:
    return {
        "do": "read",
        **NODE,
        "token": token,
        "issuer": "studio",
        "audience": ["cdn-1"],
        "host": "cdn.example",
        "url": "/film/v0/1.m4s",
        "method": "GET",
        "via": "header",
        **changes,
    }


@needs_node
def test_node_cat_reads_our_tokens() -> None:
    """In a field, a cookie or the query; it refuses what they do not open."""
    claims = {
        "iss": "studio",
        "aud": ["cdn-1"],
        "exp": END_S,
        "catu": {1: {0: "cdn.example"}, 3: {1: "/film/"}},
        "catm": ["GET"],
    }
    # Not a prefix: it misses the zeros that RFC 9164 leaves out (see findings/).
    here = {**claims, "catnip": [ipaddress.ip_address("192.0.2.7")]}
    nets = mint_cat(here, signing("HS256"))
    token = mint_cat(claims, signing("HS256"))
    ended = mint_cat({**claims, "exp": BEGUN_S - 1}, signing("HS256"))
    answers = tokenpeers.ask_node(
        [
            *(node_reads(token, via=via) for via in ("header", "cookie", "query")),
            node_reads(token, url="/show/1.m4s"),
            node_reads(token, method="POST"),
            node_reads(token, issuer="other"),
            node_reads(token[:-2] + "AA"),
            node_reads(ended),
            node_reads(nets, ip="198.51.100.1"),
            node_reads(nets, ip="192.0.2.7"),
        ]
    )
    assert [each["status"] for each in answers] == [200] * 3 + [401] * 6 + [200]
    assert answers[-1]["claims"]["catnip"] == ["192.0.2.7"]


@needs_node
def test_renewed_tokens_go_from_one_to_the_other() -> None:
    """Node-cat renews a token of ours, and reads one that we have renewed."""
    form = CatTokens([replace(ISSUER, renewing=signing("HS256"))])
    catr = {0: 2, 1: 7200, 2: 7200}
    token = mint_cat({"iss": "studio", "exp": END_S, "cti": b"1", "catr": catr}, signing("HS256"))
    (theirs,) = tokenpeers.ask_node([node_reads(token)])
    fresh = form.permission(theirs["headers"]["cta-common-access-token"])
    assert END_S + 3000 < fresh.expires_s < END_S + 7200
    assert fresh.renewal is not None
    ((name, ours),) = fresh.renewal.fields(asked=ASKED, now_s=BEGUN_S + 1800)
    assert name == "CTA-Common-Access-Token"
    (read,) = tokenpeers.ask_node([node_reads(ours)])
    assert (read["status"], read["claims"]["exp"]) == (200, BEGUN_S + 9000)


@needs_python
@pytest.mark.parametrize("library", ["pyjwt", "joserfc"])
def test_jwt_libraries_read_our_signed_uris_and_we_read_theirs(library: str) -> None:
    """RFC 9246 tokens with a shared secret, with P-256, and with both names of Ed25519."""
    claims = {"iss": "studio", "exp": END_S, "cdniuc": "regex:https://cdn\\.example/film/.*"}
    ours = [sign_jws(claims, signing(name)) for name in KEYS]
    asked = [
        *({"do": "read", "key": KEYS[n], "token": t} for n, t in zip(KEYS, ours, strict=True)),
        *({"do": "make", "key": key, "claims": claims} for key in KEYS.values()),
    ]
    answers = tokenpeers.ask_python([{"with": library, **each} for each in asked])
    assert [each.get("claims", each) for each in answers[:4]] == [claims] * 4
    for made in answers[4:]:
        found = UriSigning([ISSUER]).permission(made["token"])
        assert (refusal(found), found.expires_s) == (None, END_S)
        with pytest.raises(TokenError):
            UriSigning([ISSUER]).permission(made["token"][:-5] + "AAAAA")
