"""Claims as people write them."""

from __future__ import annotations

import ipaddress
import json
from typing import Any

import cbor2
import pytest

from origin.tokens.cat.labels import decode_claims, encode_claims
from origin.tokens.cat.readable import claims_from, readable_claims, said_by
from origin.tokens.cose import seal
from origin.tokens.keysets import b64url
from origin.tokens.signingkeys import SigningKey

READABLE: dict[str, Any] = {
    "iss": "studio",
    "exp": 1_800_000_000,
    "cti": "0a0b",
    "wm": "aa",
    "catreplay": 1,
    "catm": ["GET", "HEAD"],
    "catnip": ["192.0.2.0/24", "2001:db8::/32", "10.0.0.1", 64512],
    "catu": {
        "host": {"exact": "cdn.example"},
        "path": {"prefix": "/film/", "regex": ["[.]m4s$", "i"], "sha256": "ab" * 32},
        "parent-path": {"sha512-256": "cd" * 32},
    },
    "catr": {"type": "cookie", "expadd": 120, "cookie-name": "t", "cookie-params": ["Path=/"]},
    "catif": {"exp": [302, {"Location": "https://a.example/"}, None]},
}
CLAIMS: dict[str, Any] = {
    "iss": "studio",
    "exp": 1_800_000_000,
    "cti": b"\x0a\x0b",
    "wm": b"\xaa",
    "catreplay": 1,
    "catm": ["GET", "HEAD"],
    "catnip": [
        ipaddress.ip_network("192.0.2.0/24"),
        ipaddress.ip_network("2001:db8::/32"),
        ipaddress.ip_address("10.0.0.1"),
        64512,
    ],
    "catu": {
        1: {0: "cdn.example"},
        3: {1: "/film/", 4: ["[.]m4s$", "i"], -1: b"\xab" * 32},
        5: {-2: b"\xcd" * 32},
    },
    "catr": {0: 1, 1: 120, 3: "t", 5: ["Path=/"]},
    "catif": {4: [302, {"Location": "https://a.example/"}, None]},
}


def test_names_stand_for_numbers_both_ways() -> None:
    """And what was written into a token reads the same when it comes out."""
    assert claims_from(READABLE) == CLAIMS
    assert readable_claims(CLAIMS) == READABLE
    assert json.loads(json.dumps(readable_claims(decode_claims(encode_claims(CLAIMS))))) == READABLE


def test_names_of_matches_may_be_those_of_node_cat() -> None:
    """So that its examples can be used."""
    assert claims_from({"catu": {"path": {"prefix-match": "/x/"}}}) == {"catu": {3: {1: "/x/"}}}


@pytest.mark.parametrize(
    ("readable", "says"),
    [
        ({"catx": 1}, "claim 'catx'; expected some of iss, sub"),
        ({"cti": "xyz"}, "claim cti: "),
        ({"cti": 7}, "claim cti: "),
        ({"catu": {"folder": {"exact": "x"}}}, "claim catu: found 'folder'; expected some of sch"),
        ({"catu": {"path": {"like": "x"}}}, "claim catu: found 'like'; expected some of exact"),
        ({"catu": "x"}, "claim catu: "),
        ({"catnip": ["300.0.0.0/8"]}, "claim catnip: "),
        ({"catnip": ["192.0.2.1/24"]}, "claim catnip: .*host bits"),
        ({"catr": {"type": "pigeon"}}, "claim catr: "),
        ({"catr": {"pigeon": 1}}, "claim catr: "),
        ({"catif": {"pigeon": []}}, "claim catif: "),
    ],
)
def test_slips_of_the_pen_are_named(readable: dict[str, Any], says: str) -> None:
    """With the claim they are in."""
    with pytest.raises(ValueError, match=says):
        claims_from(readable)


def test_what_a_token_says_is_shown_whoever_signed_it_and_whatever_it_is() -> None:
    """For people who look for a fault, so nothing is left out and nothing fails."""
    key = SigningKey(kid="k", algorithm="HS256", key=bytes(32))
    odd = {999: {(1,): 2}, 312: [1], 323: {0: 9}, 4: cbor2.CBORTag(1, 5), 7: b"\x01"}
    said = said_by(b64url(seal(cbor2.dumps(odd), key)))
    assert said["header"] == {"alg": "HS256", "kid": "k"}
    assert said["claims"].keys() == {"999", "catu", "catr", "exp", "cti"}
    assert json.loads(json.dumps(said)) == said
    assert said_by(b64url(seal(b"\x81\x00", key))) == said_by("a.b.c") == said_by("") == {}
    assert said_by(b64url(seal(b"\xff", key))) == {}
