"""Faults that other people's verifiers of tokens had, tried on ours.

Sources: public reports on fast-jwt (606), json-jwt (129), PyJWT (121, 676), libjwt (283, 292),
pycose (94, 140), and CVE-2022-21449.
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import cbor2
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from abr.errors import TokenError
from origin.tokens.cat.form import mint_cat
from origin.tokens.jws import sign_jws
from origin.tokens.keysets import b64url, unb64url
from origin.tokens.pathtoken import PathTokens, TokenIssuer
from origin.tokens.replay import ReplayMemory
from origin.tokens.trust import parse_trust
from origin.tokens.verifier import TokenVerifier
from tests.fakes.attacks import ASKED, KEYS, STRANGERS, genuine, trust_text

NOW_S = 1_800_000_000
ISSUER = TokenIssuer(Ed25519PrivateKey.from_private_bytes(bytes(range(32))))
TOKENS = {form: group[0] for form, group in genuine(ISSUER, NOW_S).items()}
CURVE_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
JWT: dict[str, Any] = {"iss": "studio", "exp": NOW_S + 60, "cdniuc": "regex:.*"}
CAT: dict[str, Any] = {"iss": "studio", "exp": NOW_S + 60}


def verifier() -> TokenVerifier:
    forms = parse_trust(trust_text(), where="trust").forms()
    return TokenVerifier(PathTokens(ISSUER.jwks()), forms, uses=ReplayMemory())


def reason_of(token: str, by: TokenVerifier | None = None) -> str:
    """Why a token is refused; empty when it is not."""
    by = by or verifier()
    try:
        by.use(by.verify(token, asked=ASKED, now_s=NOW_S), asked=ASKED, now_s=NOW_S)
    except TokenError as exc:
        return exc.reason
    return ""


@pytest.mark.parametrize("form", TOKENS)
@pytest.mark.parametrize("sign", [" ", "\t", "\n", "\r\n", "=", "==", ".", "\x00", "%20", "é"])
def test_nothing_is_passed_over_at_the_borders_of_a_token(form: str, sign: str) -> None:
    """Decoders of base64 that skip what they do not know take such texts."""
    token = TOKENS[form]
    assert reason_of(token) == ""
    middle = len(token) // 2
    for altered in (token + sign, sign + token, token[:middle] + sign + token[middle:]):
        assert reason_of(altered) != ""


@pytest.mark.parametrize("form", [form for form in TOKENS if form != "hmac"])
def test_the_standard_alphabet_of_base64_is_not_taken_for_that_of_urls(form: str) -> None:
    """Where a token has one of the two signs in which they differ."""
    token = TOKENS[form]
    for old, new in (("-", "+"), ("_", "/")):
        assert old not in token or reason_of(token.replace(old, new)) != ""


@pytest.mark.parametrize("end", ["x", f"{NOW_S + 60}", True, None, [], {}, 2**63, 2**70, -1, 1e300])
def test_ends_that_are_no_times_refuse_the_token(end: object) -> None:
    """Read as no end at all, or cut down to the largest number, they would never come."""
    for name, key in KEYS.items():
        assert reason_of(sign_jws({**JWT, "exp": end}, key)) in {"malformed", "expired"}, name
        assert reason_of(mint_cat({**CAT, "exp": end}, key)) in {"malformed", "expired"}, name


def test_a_forged_token_does_not_use_up_the_id_of_another() -> None:
    """Nor does a genuine one that is refused for something else."""
    by = verifier()
    cat = {**CAT, "cti": b"1", "catreplay": 1}
    jwt = {**JWT, "jti": "1"}
    for forged in (mint_cat(cat, STRANGERS["HS256"]), sign_jws(jwt, STRANGERS["ES256"])):
        assert reason_of(forged, by) == "bad-signature"
    assert reason_of(mint_cat({**cat, "catm": ["PUT"]}, KEYS["HS256"]), by) == "wrong-method"
    assert reason_of(sign_jws({**jwt, "cdniuc": "regex:x"}, KEYS["ES256"]), by) == "wrong-uri"
    for token in (mint_cat(cat, KEYS["EdDSA"]), sign_jws(jwt, KEYS["EdDSA"])):
        assert [reason_of(token, by) for _ in range(2)] == ["", "used"]


def test_a_signature_of_nothing_but_zeros_is_none() -> None:
    """It fits every text for verifiers that do not look at its range."""
    head, claims, _ = TOKENS["uri-signing ES256"].split(".")
    order = CURVE_ORDER.to_bytes(32, "big")
    for pair in (bytes(64), order + order, bytes(32) + order, bytes(31) + b"\x01" + order):
        assert reason_of(f"{head}.{claims}.{b64url(pair)}") == "bad-signature"
        assert reason_of(with_signature(TOKENS["cat ES256"], pair)) == "bad-signature"
    for form in ("uri-signing EdDSA", "path"):
        head, claims, _ = TOKENS[form].split(".")
        assert reason_of(f"{head}.{claims}.{b64url(bytes(64))}") == "bad-signature"


def with_signature(token: str, signature: bytes) -> str:
    """A Common Access Token with another signature."""
    message = cbor2.loads(unb64url(token))
    items = [*message.value.value[:3], signature]
    tagged = cbor2.CBORTag(message.value.tag, items)
    return b64url(cbor2.dumps(cbor2.CBORTag(61, tagged)))


def twin(signature: bytes) -> bytes:
    """The other ECDSA signature of the same text, which anybody can make."""
    s = int.from_bytes(signature[32:], "big")
    return signature[:32] + (CURVE_ORDER - s).to_bytes(32, "big")


def test_the_twin_of_a_signature_makes_no_other_token() -> None:
    """It opens the same, and has the same id: it is revoked and used up with the first."""
    cat = TOKENS["cat ES256"]
    signature = cbor2.loads(unb64url(cat)).value.value[3]
    jwt = TOKENS["uri-signing ES256"]
    text, _, written = jwt.rpartition(".")
    by = verifier()
    for one, other in (
        (cat, with_signature(cat, twin(signature))),
        (jwt, f"{text}.{b64url(twin(unb64url(written)))}"),
    ):
        first = by.verify(one, asked=ASKED, now_s=NOW_S)
        second = by.verify(other, asked=ASKED, now_s=NOW_S)
        assert first.token_id
        assert first == replace(second, limits=first.limits)


def test_headers_that_say_things_twice_are_refused() -> None:
    """Readers differ in which of the two they take."""
    payload, signature = cbor2.dumps({4: NOW_S + 60}), bytes(32)
    for header in (b"\xa2\x01\x05\x01\x26", b"\xa2\x01\x26\x01\x05"):
        message = cbor2.CBORTag(17, [header, {}, payload, signature])
        assert reason_of(b64url(cbor2.dumps(cbor2.CBORTag(61, message)))) == "malformed"
    _, claims, written = TOKENS["uri-signing HS256"].split(".")
    head = b'{"alg":"none","alg":"HS256","kid":"shared"}'
    assert reason_of(f"{b64url(head)}.{claims}.{written}") == "malformed"


@pytest.mark.parametrize("name", ["none", "None", "nOnE", "", "HS384", "RS256", "PS256", 5, None])
def test_the_algorithm_in_a_header_never_decides(name: object) -> None:
    """Without a signature, or with one by a public key as the secret."""
    for form in ("path", "uri-signing EdDSA", "uri-signing ES256", "uri-signing HS256"):
        head, claims, signature = TOKENS[form].split(".")
        header = b64url(json.dumps({**json.loads(unb64url(head)), "alg": name}).encode())
        assert reason_of(f"{header}.{claims}.{signature}") != ""
        assert reason_of(f"{header}.{claims}.") == "malformed"
