"""Altered tokens, tens of thousands of them: none is accepted, and none is remembered."""

from __future__ import annotations

from collections import Counter

import numpy as np
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from abr.errors import TokenError
from origin.tokens.pathtoken import PathTokens, TokenIssuer
from origin.tokens.permission import Asked
from origin.tokens.refusals import REASONS
from origin.tokens.verifier import TokenVerifier

NOW_S = 1_800_000_000.0
TOKENS = 40_000
ALTERED = "abcXYZ019-_.~/%\\?#&=+;:@!$'()*,\"<> \t\x00\x7fé"


def alter(token: str, others: list[str], rng: np.random.Generator) -> str:
    """A token after one to four changes; parts of others may take the place of its own."""
    for _ in range(int(rng.integers(1, 5))):
        at = int(rng.integers(0, max(1, len(token))))
        new = ALTERED[int(rng.integers(0, len(ALTERED)))]
        kind = int(rng.integers(0, 6))
        if kind < 3:
            token = token[:at] + ("" if kind == 2 else new) + token[at + (kind > 0) :]
        elif kind == 3:
            token = token[at:] + token[:at]
        elif kind == 4:
            parts, other = token.split("."), others[int(rng.integers(0, len(others)))].split(".")
            place = int(rng.integers(0, min(3, len(parts))))
            parts[place] = other[place]
            token = ".".join(parts)
        elif token:
            flipped = chr(ord(token[at]) ^ (1 << int(rng.integers(0, 7))))
            token = token[:at] + flipped + token[at + 1 :]
    return token


def test_no_altered_token_is_accepted() -> None:
    """Each has one of the known reasons, and takes no place from good tokens."""
    rng = np.random.default_rng(5)
    issuer = TokenIssuer(Ed25519PrivateKey.generate())
    verifier = TokenVerifier(PathTokens(issuer.jwks()))
    titles = ("film", "other", "x") * 5
    tokens = [
        issuer.issue(title, now_s=NOW_S, session_id=f"s{number}")
        for number, title in enumerate(titles)
    ]
    reasons: Counter[str] = Counter()
    for _ in range(TOKENS):
        altered = alter(tokens[int(rng.integers(0, len(tokens)))], tokens, rng)
        if altered in tokens:
            continue
        try:
            verifier.verify(altered, asked=Asked(title="film"), now_s=NOW_S)
        except TokenError as refused:
            reasons[refused.reason] += 1
        else:
            raise AssertionError(f"accepted {altered!r}")
    assert reasons.keys() <= REASONS.keys()
    assert reasons["bad-signature"] > 1000
    assert reasons["malformed"] > 1000
    assert reasons.total() > 0.95 * TOKENS
    assert ", 0 remembered" in repr(verifier)
