"""Short tokens: those of another signer, every field, and what is no token."""

from __future__ import annotations

import hashlib
import hmac
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from abr.errors import TokenError
from origin.tokens.issuers import Issuer
from origin.tokens.keysets import VerificationKey
from origin.tokens.pathtoken import PathTokens
from origin.tokens.permission import Asked, Permission
from origin.tokens.shortform import ShortTokens, mint_short
from origin.tokens.verifier import TokenVerifier

SECRET = bytes.fromhex("00112233445566778899aabbccddeeff" * 2)
END_S = 1_790_000_000.0
KEY = VerificationKey(kid="k", algorithm="HS256", key=SECRET)
PLAIN = (
    "exp=1790000000~acl=/film/*"
    "~hmac=b2965d4c78439e65110121e70ac1c60760154a9673417484affe1c5575618721"
)
"""Made by PyPI's akamai-edgeauth 0.3.2 with the key above, and so are the next ones."""
FULL = (
    "ip=192.0.2.7~st=1780000000~exp=1790000000~acl=/film/*!/clip/v?/*~id=s+1%2f%c3%a9~data=x%3dy"
    "~hmac=c7030511bd3daf94e9c3c782fa0e501ad03a779277fbd07a568241fe37f89dd4"
)
FOR_ONE_URL = "exp=1790000000~hmac=6b00ac20cce56d8af8981fe94a9e9603ef7de370a8cf9477da7a3b7fa59c85f3"
SALTED = (
    "exp=1790000000~acl=/film/*"
    "~hmac=e6697613d87110474aacba9405329b99f8ea498af993592ab17cfb46be4ab500"
)


def issuer(**changes: Any) -> Issuer:
    settings: dict[str, Any] = {"name": "App", "forms": frozenset({"hmac"}), "keys": (KEY,)}
    return Issuer(**(settings | changes))


def verify(
    token: str,
    *issuers: Issuer,
    path: str = "/film/v0/1.m4s",
    address: str = "192.0.2.7",
    now_s: float = END_S - 1,
) -> Permission:
    verifier = TokenVerifier(PathTokens({"keys": []}), [ShortTokens(issuers or (issuer(),))])
    _, title, path = path.split("/", 2)
    asked = Asked(title=title, path=path, address=address)
    return verifier.verify(token, asked=asked, now_s=now_s)


def refusal(token: str, *issuers: Issuer, **how: Any) -> str:
    with pytest.raises(TokenError) as caught:
        verify(token, *issuers, **how)
    return caught.value.reason


def test_a_token_of_another_signer_opens_its_paths_until_it_ends() -> None:
    found = verify(PLAIN)
    assert (found.form, found.kid, found.issuer, found.expires_s) == ("hmac", "k", "App", END_S)
    assert refusal(PLAIN, now_s=END_S) == "expired"
    assert refusal(PLAIN, path="/clip/v0/1.m4s") == "wrong-uri"
    assert refusal(PLAIN, path="/film2/v0/1.m4s") == "wrong-uri"


def test_every_field_of_another_signer_counts() -> None:
    found = verify(FULL)
    assert (found.session, found.starts_s) == ("s 1/\u00e9", 1780000000)
    verify(FULL, path="/clip/v1/x")
    assert refusal(FULL, path="/clip/w1/x") == "wrong-uri"
    assert refusal(FULL, address="192.0.2.8") == "wrong-address"
    assert refusal(FULL, address="") == "wrong-address"
    assert refusal(FULL, now_s=1780000000 - 31) == "not-yet"


def test_the_same_token_comes_of_our_own_signer() -> None:
    assert mint_short(["/film/*"], expires_s=int(END_S), secret=SECRET) == PLAIN


def test_a_token_for_one_url_or_with_salt_is_refused() -> None:
    """The first signs a URL that it does not say, the second something more than it says."""
    assert refusal(FOR_ONE_URL) == "bad-signature"
    assert refusal(SALTED) == "bad-signature"


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ("exp=1790000000~acl=/film/*~country=de", "not-understood"),
        ("exp=1790000000", "not-understood"),
        ("acl=/film/*", "malformed"),
        ("exp=1790000000~acl=", "not-understood"),
        ("exp=1790000000~exp=1890000000~acl=/film/*", "malformed"),
        ("exp=0x7~acl=/film/*", "malformed"),
        ("exp=01790000000~acl=/film/*", "malformed"),
        ("exp=1790000000.5~acl=/film/*", "malformed"),
        ("exp=1790000000~acl=/film/*~ip=nowhere", "not-understood"),
        ("exp=1790000000~acl=/film/%zz", "not-understood"),
        ("st=soon~exp=1790000000~acl=/film/*", "malformed"),
    ],
)
def test_what_is_signed_must_be_understood(fields: str, reason: str) -> None:
    mac = hmac.new(SECRET, fields.encode(), hashlib.sha256).hexdigest()
    assert refusal(f"{fields}~hmac={mac}") == reason


@pytest.mark.parametrize(
    "altered",
    [
        PLAIN.replace("film", "clip"),
        PLAIN.replace("1790000000", "1890000000"),
        PLAIN[:-1] + "0",
        PLAIN.replace("~hmac", "~id=x~hmac"),
    ],
)
def test_an_altered_token_is_refused(altered: str) -> None:
    assert refusal(altered, path="/film/x") == "bad-signature"


@pytest.mark.parametrize(
    "text",
    [
        PLAIN.upper(),
        PLAIN + "~id=x",
        PLAIN[:-1],
        PLAIN + "\n",
        "hmac=" + 64 * "0",
        PLAIN.replace("/film", "/" + 1000 * "x"),
        "~" + PLAIN,
        PLAIN.replace("acl=/film/*", "acl=/fil m/*"),
    ],
)
def test_what_has_not_the_shape_is_no_token(text: str) -> None:
    assert refusal(text) == "malformed"


def test_every_key_of_every_issuer_is_tried() -> None:
    other = issuer(name="Old", keys=(VerificationKey(kid="o", algorithm="HS256", key=bytes(32)),))
    assert verify(PLAIN, other, issuer()).kid == "k"
    assert refusal(PLAIN, other) == "bad-signature"
    assert refusal(PLAIN, issuer(titles=frozenset({"clip"}))) == "wrong-title"


@given(
    st.lists(
        st.text("abc/*?._-%41", min_size=1, max_size=20).map("/{}".format), min_size=1, max_size=3
    ),
    st.integers(1, 10**11),
    st.text(max_size=20),
)
def test_what_we_sign_we_read(paths: list[str], end_s: int, session: str) -> None:
    token = mint_short(paths, expires_s=end_s, secret=SECRET, session=session)
    form = ShortTokens([issuer()])
    assert form.recognises(token)
    try:
        found = form.permission(token)
    except TokenError as exc:
        assert exc.reason == "not-understood"
        return
    assert found.expires_s == end_s
    assert found.session == (session if session.isprintable() else "")


@pytest.mark.parametrize("paths", [[], ["film"], ["/a b"], ["/a~b"], ["/a!b"], ["/caf\u00e9"]])
def test_paths_that_cannot_stand_in_a_token_are_refused(paths: list[str]) -> None:
    with pytest.raises(ValueError, match="paths"):
        mint_short(paths, expires_s=1, secret=SECRET)
