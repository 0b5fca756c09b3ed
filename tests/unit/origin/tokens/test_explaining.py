"""Why a token is refused, in words: the first condition that fails is the one clients are told."""

from __future__ import annotations

from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from abr.errors import TokenError
from origin.tokens.explaining import Explanation, explain_token, moment, with_clock
from origin.tokens.issuers import Issuer
from origin.tokens.jws import sign_jws
from origin.tokens.keysets import VerificationKey
from origin.tokens.pathtoken import PathTokens, TokenIssuer
from origin.tokens.permission import Asked
from origin.tokens.revocation import DenyList, Revocation
from origin.tokens.shortform import ShortTokens, mint_short
from origin.tokens.signingkeys import SigningKey
from origin.tokens.urisigning import UriSigning
from origin.tokens.verifier import Form, TokenVerifier

NOW_S = 1_790_000_000.0
SECRET = bytes(range(32))
SIGNER = SigningKey(kid="k", algorithm="HS256", key=SECRET)
OWN = TokenIssuer(Ed25519PrivateKey.from_private_bytes(SECRET))
APP = Issuer(
    name="App",
    forms=frozenset({"uri-signing", "hmac"}),
    keys=(VerificationKey(kid="k", algorithm="HS256", key=SECRET),),
    audience="cdn-1",
    base="https://cdn.example",
    renewing=SIGNER,
)
ASKED = Asked(title="film", path="x.m4s", scheme="http", authority="h", address="192.0.2.7")


def verifier(denied: DenyList | None = None) -> TokenVerifier:
    others: list[Form] = [UriSigning([APP]), ShortTokens([APP])]
    return TokenVerifier(PathTokens(OWN.jwks()), others, denied=denied)


def signed(key: SigningKey = SIGNER, **changes: Any) -> str:
    usual = {"iss": "App", "exp": NOW_S + 60, "cdniuc": "regex:https://cdn\\.example/film/.*"}
    return sign_jws({name: v for name, v in (usual | changes).items() if v is not None}, key)


def explain(
    token: str | None, *, asked: Asked | None = ASKED, denied: DenyList | None = None
) -> Explanation:
    return explain_token(token, verifier=verifier(denied), asked=asked, now_s=NOW_S, early_s=30)


def own(**more: Any) -> str:
    return OWN.issue("film", **{"now_s": NOW_S, "session_id": "s", "ttl_s": 60, **more})


REFUSED: dict[str, tuple[str | None, str, str, str]] = {
    "nothing": (None, "token", "none", "one"),
    "garbage": ("garbage", "form", "a text that is no token", "a whole token"),
    "an end": (signed(exp=NOW_S - 4), "end", "4 s ago", "nothing later"),
    "a begin": (signed(nbf=NOW_S + 100), "begin", "in 100 s", "up to 30 s later"),
    "a pattern": (
        signed(cdniuc="regex:https://cdn\\.example/clip/.*"),
        "cdniuc",
        "https://cdn.example/film/x.m4s",
        "/clip/",
    ),
    "an address": (signed(cdniip="192.0.3.0/24"), "cdniip", "192.0.2.7", "192.0.3.0/24"),
    "an audience": (signed(aud="cdn-2"), "aud", "cdn-2", "our id"),
    "an issuer": (signed(iss="Other"), "iss", "Other", "an issuer in the file"),
    "a key": (signed(SigningKey(kid="z", algorithm="HS256", key=SECRET)), "kid", "z", "known"),
    "a version": (signed(cdniv=2), "claims", "cdniv", "understood"),
    "a signature": (signed()[:-4] + "AAAA", "signature", "does not fit", "trusted key"),
    "a path": (
        mint_short(["/clip/*"], expires_s=int(NOW_S) + 9, secret=SECRET),
        "acl",
        "/film/x.m4s",
        "/clip/*",
    ),
    "a title": (OWN.issue("clip", now_s=NOW_S, session_id="s"), "title", "film", "clip"),
    "a session": (own(now_s=NOW_S - 100, session_s=61), "end", "ago", "nothing later"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_fails_is_named_with_what_was_found_and_what_was_expected(case: str) -> None:
    token, about, found, expected = REFUSED[case]
    explanation = explain(token)
    failing = [step for step in explanation.steps if not step.holds]
    assert len(failing) == 1
    assert failing[0].about == about
    assert found in failing[0].found
    assert expected in failing[0].expected
    assert explanation.remedy
    with pytest.raises(TokenError) as caught:
        verifier().verify(token, asked=ASKED, now_s=NOW_S)
    assert caught.value.reason == explanation.reason


@pytest.mark.parametrize("token", [signed(), signed(nbf=NOW_S + 20), own()])
def test_what_is_permitted_is_said_to_be(token: str) -> None:
    explanation = explain(token)
    assert explanation.reason == ""
    assert explanation.remedy == ""
    assert all(step.holds for step in explanation.steps)


def test_a_revoked_token_is_said_to_be_revoked() -> None:
    denied = DenyList()
    entry = Revocation(kind="session", value="s", until_s=NOW_S + 9, changed_ms=1)
    denied.merge([entry], now_s=NOW_S)
    explanation = explain(own(), denied=denied)
    assert explanation.reason == "revoked"
    assert explanation.steps[-1].about == "deny list"


def test_without_a_request_times_and_signature_are_judged() -> None:
    assert explain(signed(cdniuc="regex:nothing"), asked=None).reason == ""
    assert explain(signed(exp=NOW_S), asked=None).reason == "expired"


def test_notes_say_what_else_there_is_to_know() -> None:
    notes = " ".join(explain(signed(jti="n", cdnistt=1, cdniets=9, mh=720)).notes)
    for part in ("use is limited", "fresh token", "720 lines"):
        assert part in notes
    assert "renewed until" in " ".join(explain(own()).notes)
    assert "3 s ahead" in with_clock(explain(signed()), 3.0, "h").notes[-1]
    assert "9 s behind" in with_clock(explain(signed()), -9.0, "h").notes[-1]


def test_no_explanation_holds_a_token_or_a_secret() -> None:
    for token, *_ in REFUSED.values():
        shown = repr(explain(token))
        assert token is None or token == "garbage" or token not in shown
        assert token is None or len(token) < 100 or token[-30:] not in shown
        assert repr(SECRET)[2:20] not in shown


def test_any_time_can_be_written() -> None:
    assert moment(0) == "1970-01-01 00:00:00 UTC"
    assert "1e+20" in moment(1e20)
