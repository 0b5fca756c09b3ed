"""Altered tokens of every form: none is accepted, and none is remembered."""

from __future__ import annotations

from collections import Counter

import numpy as np
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from abr.errors import TokenError
from origin.tokens.pathtoken import PathTokens, TokenIssuer
from origin.tokens.refusals import REASONS
from origin.tokens.trust import parse_trust
from origin.tokens.verifier import TokenVerifier
from tests.fakes.attacks import ASKED, Attacker, genuine, trust_text

NOW_S = 1_800_000_000.0
TOKENS = 12_000


def test_no_altered_token_of_any_form_is_accepted() -> None:
    """``tests/perf/token_attacks.py`` does the same a million times."""
    issuer = TokenIssuer(Ed25519PrivateKey.generate())
    others = parse_trust(trust_text(), where="trust").forms()
    verifier = TokenVerifier(PathTokens(issuer.jwks()), others)
    tokens = genuine(issuer, NOW_S)
    for group in tokens.values():  # what is altered would open the request, but for that
        assert verifier.verify(group[0], asked=ASKED, now_s=NOW_S).expires_s > NOW_S
    attacker = Attacker(tokens, np.random.default_rng(7))
    reasons: Counter[tuple[str, str]] = Counter()
    for form, kind, altered in attacker.attacks(TOKENS):
        try:
            verifier.verify(altered, asked=ASKED, now_s=NOW_S)
        except TokenError as refused:
            reasons[form.partition(" ")[0], refused.reason] += 1
        else:
            raise AssertionError(f"accepted {form}, {kind}: {altered!r}")
    assert {reason for _, reason in reasons} <= REASONS.keys()
    for form in ("path", "uri-signing", "cat", "hmac"):
        assert reasons[form, "malformed"] > 100
        assert reasons[form, "bad-signature"] > 100
    assert f", {len(tokens)} remembered" in repr(verifier)
