"""Common Access Tokens: a CWT that says which URIs it opens, to whom, and how it is renewed.

A token is a COSE_Mac0 or COSE_Sign1 message in base64url. ``claims`` knows what its claims
mean; here they are verified, and made. Times are checked by the verifier as for every other form,
whatever leeway libraries for CWTs would give.

Stricter than CTA-5007: a token must end, and a claim that is not kept refuses it. Where two open
implementations differ, or one of them from the standard, ``docs/common-access-tokens.md`` says so.

Sources: CTA-5007 (see ``claims``), RFC 8392 §7 (making and validating a CWT), RFC 9052 §3.1.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from typing import Any

from origin.tokens.cat.claims import NAME, permission_of
from origin.tokens.cat.labels import decode_claims, encode_claims
from origin.tokens.cose import CoseError, Message, is_genuine, read, seal
from origin.tokens.issuers import Issuer
from origin.tokens.keysets import VerificationKey, b64url, unb64url
from origin.tokens.permission import Permission
from origin.tokens.refusals import refuse
from origin.tokens.signingkeys import SigningKey

MAX_CAT_CHARS = 4096
"""A longer text is refused before any of it is decoded."""

# The first bytes of an array of four after its tags, d8 3d for a CWT and d1 or d2 for COSE, and the
# head of a byte string shorter than 256; in base64url.
_SHAPE = re.compile(r"(?:(?:2D3[RS])?h[EF]|0[Yo]R)[A-Za-z0-9_-]{30,}", re.ASCII)


class CatTokens:
    """The form of Common Access Tokens, for some issuers."""

    name = NAME

    def __init__(self, issuers: Sequence[Issuer]) -> None:
        self._keys = [
            (key, issuer) for issuer in issuers if NAME in issuer.forms for key in issuer.keys
        ]

    def __repr__(self) -> str:
        return f"<CatTokens of {sorted({issuer.name for _, issuer in self._keys})}>"

    @property
    def kids(self) -> frozenset[str]:
        """Ids of the keys it accepts."""
        return frozenset(key.kid for key, _ in self._keys)

    def recognises(self, token: str) -> bool:
        """Whether it begins as a COSE message does."""
        return len(token) <= MAX_CAT_CHARS and _SHAPE.fullmatch(token) is not None

    def key_id_of(self, token: str) -> str:
        """Empty: no key set of our parent helps with tokens of others."""
        _message_of(token)
        return ""

    def permission(self, token: str) -> Permission:
        """What ``token`` says, if it is genuine.

        Raises:
            TokenError: it is not, or makes a condition that is not understood.
        """
        message = _message_of(token)
        key, issuer = self._signer_of(message)
        # Not of the text: tags, signature and an unprotected key id have other spellings.
        payload_id = f"sha256:{hashlib.sha256(message.payload).hexdigest()}"
        claims = decode_claims(message.payload)
        return permission_of(claims, kid=key.kid, issuer=issuer, payload_id=payload_id)

    def _signer_of(self, message: Message) -> tuple[VerificationKey, Issuer]:
        """The key that signed it, and whose it is."""
        kid = None if message.kid is None else message.kid.decode("utf-8", "replace")
        named = [pair for pair in self._keys if kid is None or pair[0].kid in ("", kid)]
        if not named:
            refuse("unknown-key")
        fitting = [pair for pair in named if pair[0].algorithm == message.algorithm]
        if not fitting:
            refuse("wrong-algorithm")
        found = next((pair for pair in fitting if is_genuine(message, pair[0])), None)
        if found is None:
            refuse("bad-signature")
        return found


def mint_cat(claims: Mapping[str, Any], key: SigningKey) -> str:
    """A token with these claims.

    Args:
        claims: By name, as in ``labels.LABELS``; ``catv`` is added.
        key: Signs it. Only a shared secret makes tokens that node-cat reads.

    Raises:
        ValueError: the claims are no token that we would accept.
    """
    return b64url(seal(encode_claims({"catv": 1, **claims}), key))


def _message_of(token: str) -> Message:
    """The message in a token, of which nothing is verified yet."""
    if len(token) > MAX_CAT_CHARS or not _SHAPE.fullmatch(token):
        refuse("malformed")
    try:
        data = unb64url(token)
        # The last character may hold bits that count for nothing: one spelling only.
        if b64url(data) != token:
            refuse("malformed")
        return read(data)
    except (CoseError, ValueError):
        refuse("malformed")
