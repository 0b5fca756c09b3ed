"""Common Access Tokens: which are genuine, what they say, and what refuses them."""

from __future__ import annotations

import ipaddress
from dataclasses import replace
from typing import Any

import cbor2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from abr.errors import TokenError
from origin.tokens.cat.form import CatTokens
from origin.tokens.cat.labels import LABELS
from origin.tokens.issuers import Issuer
from origin.tokens.keysets import b64url, unb64url
from origin.tokens.permission import Asked, Permission
from origin.tokens.refusals import REASONS
from origin.tokens.signingkeys import SigningKey
from tests.fakes.cats import (
    CLAIMS,
    ED,
    FORM,
    ISSUER,
    NOW_S,
    P256,
    SECRET,
    STRANGER,
    reason_of,
    refusal,
    sealed,
    token,
)


@pytest.mark.parametrize("key", [SECRET, P256, ED])
def test_a_token_says_what_was_minted(key: SigningKey) -> None:
    """With every kind of key; what identifies it is text for logs and deny lists."""
    claims: dict[str, Any] = {
        "sub": "session-1",
        "aud": ["other", "cdn-1"],
        "nbf": NOW_S - 5,
        "iat": NOW_S - 4.5,
        "cti": b"\x01\xff",
        "acc": "a-7",
        "mh": 720,
        "wm": b"\xaa",
    }
    found = FORM.permission(token(key, **claims))
    assert found == Permission(
        form="cat",
        kid=key.kid,
        issuer="studio",
        expires_s=NOW_S + 60,
        starts_s=NOW_S - 5,
        issued_s=NOW_S - 4.5,
        token_id="01ff",
        session="session-1",
        account="a-7",
        max_height=720,
        watermark=b"\xaa",
    )


@pytest.mark.parametrize("key", [SECRET, P256, ED])
def test_a_token_without_an_id_has_one_however_it_is_spelt(key: SigningKey) -> None:
    """Tags and signatures have other spellings; a token that was revoked stays revoked."""
    text = token(key)
    spellings = (text, b64url(unb64url(text)[2:]), b64url(unb64url(text)[3:]), token(key))
    ids = {FORM.permission(each).token_id for each in spellings}
    assert len(ids) == 1
    assert ids.pop().startswith("sha256:")
    assert FORM.permission(token(key, exp=NOW_S + 61)).token_id not in ids


def test_tokens_look_like_nothing_else() -> None:
    """A glance tells them from JWTs and short tokens, tagged or not."""
    message = unb64url(token())
    assert message[:3].hex() == "d83dd1"
    for text in (token(), token(P256), token(ED), b64url(message[2:]), b64url(message[3:])):
        assert FORM.recognises(text)
        assert FORM.permission(text).expires_s == NOW_S + 60
        assert FORM.key_id_of(text) == ""
    others = ("", "a.b.c", "eyJhbGciOiJFZERTQSJ9.e30.AAAA", "exp=1~acl=/*~hmac=00", "2D3R" * 1100)
    assert not any(map(FORM.recognises, others))
    assert {reason_of(text) for text in others} == {"malformed"}


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (token(STRANGER), "bad-signature"),
        (token(replace(SECRET, kid="nobody")), "unknown-key"),
        (token(replace(ED, kid="p")), "wrong-algorithm"),
        (token(replace(SECRET, kid="e")), "wrong-algorithm"),
        (token() + "A", "malformed"),
        (token()[:-1], "malformed"),
        (token().replace("-", "+"), "malformed"),
        (token() + "=", "malformed"),
    ],
)
def test_what_is_not_genuine_is_refused(text: str, reason: str) -> None:
    """With the word for it."""
    assert reason_of(text) == reason


def test_a_token_that_names_no_key_is_tried_with_all_of_its_algorithm() -> None:
    """As RFC 9052 §3.1 has it: the id of a key is a hint."""
    assert FORM.permission(token(replace(ED, kid=""))).kid == "e"
    other = Issuer(name="other", forms=frozenset({"cat"}), keys=ISSUER.keys)
    assert reason_of(token(iss="nobody")) == "unknown-issuer"
    assert reason_of(token(), CatTokens([other])) == "unknown-issuer"
    assert CatTokens([replace(ISSUER, forms=frozenset({"hmac"}))]).kids == frozenset()


@pytest.mark.parametrize(
    ("claims", "reason"),
    [
        ({"exp": None}, "malformed"),
        ({"exp": True}, "malformed"),
        ({"exp": "1800000000"}, "malformed"),
        ({"exp": float("inf")}, "malformed"),
        ({"exp": float("nan")}, "malformed"),
        ({"exp": 2**70}, "malformed"),
        ({"exp": cbor2.CBORTag(1, NOW_S)}, "malformed"),
        ({"nbf": "now"}, "malformed"),
        ({"iat": False}, "malformed"),
        ({"iss": 7}, "malformed"),
        ({"iss": ""}, "malformed"),
        ({"iss": "other"}, "unknown-issuer"),
        ({"sub": b"s"}, "malformed"),
        ({"aud": "cdn-2"}, "wrong-audience"),
        ({"aud": []}, "wrong-audience"),
        ({"aud": [1]}, "malformed"),
        ({"cti": "text"}, "malformed"),
        ({"catv": 2}, "not-understood"),
        ({"catv": 0}, "not-understood"),
        ({"catv": "1"}, "malformed"),
        ({"catreplay": 3, "cti": b"1"}, "not-understood"),
        ({"catreplay": 1}, "malformed"),
        ({"catm": "GET"}, "malformed"),
        ({"catm": [1]}, "malformed"),
        ({"catnip": []}, "malformed"),
        ({"catnip": [64512]}, "not-understood"),
        ({"catnip": ["192.0.2.0/24"]}, "malformed"),
        ({"catnip": [True]}, "malformed"),
        ({"catnip": [ipaddress.ip_interface("192.0.2.1/24")]}, "not-understood"),
        ({"catnip": [cbor2.CBORTag(52, [24, b"\xc0\x00\x02\x01"])]}, "malformed"),
        ({"catnip": [cbor2.CBORTag(53, b"\x01\x02\x03\x04")]}, "malformed"),
        ({"catu": {}}, "malformed"),
        ({"catu": [1]}, "malformed"),
        ({"catu": {3: {}}}, "malformed"),
        ({"catu": {3: "/film"}}, "malformed"),
        ({"catu": {9: {0: "x"}}}, "not-understood"),
        ({"catu": {"path": {0: "x"}}}, "not-understood"),
        ({"catu": {True: {0: "x"}}}, "not-understood"),
        ({"catu": {3: {5: "x"}}}, "not-understood"),
        ({"catu": {3: {0: b"x"}}}, "malformed"),
        ({"catu": {3: {4: "/film"}}}, "malformed"),
        ({"catu": {3: {4: []}}}, "malformed"),
        ({"catu": {3: {4: ["(a)\\1"]}}}, "not-understood"),
        ({"catu": {3: {4: ["(?=a)"]}}}, "not-understood"),
        ({"catu": {3: {4: ["(a{1000}){1000}"]}}}, "not-understood"),
        ({"catu": {3: {4: ["a", "m"]}}}, "not-understood"),
        ({"catu": {3: {4: ["a" * 2000]}}}, "not-understood"),
        ({"catu": {3: {-1: b"short"}}}, "malformed"),
        ({"catu": {3: {-1: "zz"}}}, "malformed"),
        ({"catr": {}}, "malformed"),
        ({"catr": {0: 1}}, "malformed"),
        ({"catr": {0: 4, 1: 60}}, "not-understood"),
        ({"catr": {0: 1, 1: 0}}, "malformed"),
        ({"catr": {0: 1, 1: 60, 8: 1}}, "not-understood"),
        ({"catr": {0: 1, 1: 60, 3: "a=b"}}, "malformed"),
        ({"catr": {0: 1, 1: 60, 4: "a\r\nb"}}, "malformed"),
        ({"catr": {0: 1, 1: 60, 5: ["Path=/\r\nX: 1"]}}, "malformed"),
        ({"catr": {0: 1, 1: 60, 7: 200}}, "not-understood"),
        ({"mh": -1}, "malformed"),
        ({"wm": "text"}, "malformed"),
    ],
)
def test_claims_that_cannot_be_kept_refuse_the_token(claims: dict[str, Any], reason: str) -> None:
    """Each kind of value that a claim may not have, and what is not understood."""
    assert reason_of(token(**claims)) == reason


@pytest.mark.parametrize(
    "label",
    [
        *(8, 41, 42, 43, 44, 45, 282, 309, 314, 315, 316, 317, 318, 319, 320, 321, 999, -1),
        *("abc", 1.0, True, None, b"x", (1,)),
    ],
)
def test_claims_that_are_not_known_refuse_the_token(label: Any) -> None:
    """Composite, encrypted, place, TLS, header and proof-of-possession claims among them."""
    claims = {LABELS[name]: value for name, value in CLAIMS.items() if LABELS[name] != label}
    assert reason_of(sealed({label: 1, **claims})) == "not-understood"


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"\xa0\x00",
        b"\x80",
        bytes.fromhex("a2041a6b49d200041a6b49d201"),  # exp twice
        bytes.fromhex("bf041a6b49d200ff"),  # of no stated length
        b"\xa1\x04" + b"\x81" * 50 + b"\x00",
        bytes.fromhex("a104c4821b7fffffffffffffff01"),  # a huge decimal fraction
        b"\xa1\x01\x62\xff\x41",
    ],
)
def test_payloads_that_are_no_claims_are_malformed(payload: bytes) -> None:
    """Also when their signature is right."""
    assert reason_of(sealed(payload)) == "malformed"


def test_minting_refuses_claims_that_nobody_would_accept() -> None:
    """With the names that can be used."""
    with pytest.raises(ValueError, match=r"claims \['catx'\]; expected some of iss, sub"):
        token(catx=1)


def test_nothing_of_a_token_or_key_is_in_a_repr() -> None:
    """They end up in logs."""
    text = repr(FORM) + repr(FORM.permission(token(wm=b"\xaa\xbb", catr={0: 1, 1: 9})))
    assert "studio" in text
    assert "xaa" not in text
    assert repr(SECRET.key) not in text


@given(st.binary(max_size=120), st.sampled_from([SECRET, P256, ED]))
def test_any_genuine_payload_is_read_or_refused(payload: bytes, key: SigningKey) -> None:
    """No other error, whatever an issuer signs."""
    try:
        FORM.permission(sealed(payload, key))
    except TokenError as exc:
        assert exc.reason in REASONS


scalars = st.none() | st.booleans() | st.integers(-70000, 2**40) | st.floats() | st.text(max_size=5)
values = st.recursive(
    scalars | st.binary(max_size=5) | st.sampled_from([ipaddress.ip_network("10.0.0.0/8")]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.integers(-3, 9) | st.text(max_size=2), inner, max_size=3)
    ),
    max_leaves=6,
)


@given(st.dictionaries(st.sampled_from(sorted(LABELS)), values, max_size=5))
def test_any_claims_are_read_or_refused(claims: dict[str, Any]) -> None:
    """And what they limit can be asked of any request."""
    try:
        found = FORM.permission(token(**claims))
    except TokenError as exc:
        assert exc.reason in REASONS
    else:
        assert refusal(found) in {None, *REASONS}
        assert refusal(found, Asked(title="")) in {None, *REASONS}
