"""Answers that a Common Access Token asks for say nothing to caches and proxies in front."""

from __future__ import annotations

import pytest

from abr.errors import TokenError
from origin.tokens.cat.form import CatTokens, mint_cat
from origin.tokens.issuers import Issuer
from origin.tokens.keysets import VerificationKey
from origin.tokens.signingkeys import SigningKey

NOW_S = 1_800_000_000
SECRET = bytes(range(32))
FORM = CatTokens(
    [
        Issuer(
            name="studio",
            forms=frozenset({"cat"}),
            audience="cdn-1",
            keys=(VerificationKey(kid="k", algorithm="HS256", key=SECRET),),
        )
    ]
)


def token(field: str) -> str:
    """One that asks for an answer with a field."""
    claims = {"iss": "studio", "exp": NOW_S, "catif": {4: [302, {field: "600"}]}}
    return mint_cat(claims, SigningKey(kid="k", algorithm="HS256", key=SECRET))


@pytest.mark.parametrize(
    "field",
    [
        "X-Accel-Expires",
        "x-accel-redirect",
        "X-Sendfile",
        "CDN-Cache-Control",
        "Surrogate-Control",
        "Edge-Control",
        "Expires",
        "Vary",
    ],
)
def test_fields_that_caches_and_proxies_act_on_refuse_the_token(field: str) -> None:
    """They would keep what is for one viewer, or send something of their own."""
    with pytest.raises(TokenError) as caught:
        FORM.permission(token(field))
    assert caught.value.reason == "not-understood"


@pytest.mark.parametrize("field", ["X-Why", "Expires-In", "Variant", "X-Acceleration"])
def test_other_fields_are_given(field: str) -> None:
    assert FORM.permission(token(field)).expires_s == NOW_S
