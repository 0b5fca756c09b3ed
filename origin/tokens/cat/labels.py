"""The claims of a Common Access Token, by name ⇄ as CBOR with the labels of the registry.

Sources: the registry of CWT claims, CTA-5007 (through Eyevinn's node-cat 0.16.4), RFC 8392 §7.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import cbor2

from origin.tokens.refusals import refuse

LABELS: Mapping[str, int] = {
    "iss": 1,
    "sub": 2,
    "aud": 3,
    "exp": 4,
    "nbf": 5,
    "iat": 6,
    "cti": 7,
    "catreplay": 308,
    "catv": 310,
    "catnip": 311,
    "catu": 312,
    "catm": 313,
    "catif": 322,
    "catr": 323,
    "acc": -65537,
    "mh": -65538,
    "wm": -65539,
}
"""Claims that are understood, by name. The last three are ours, as in our own tokens, with labels
from the range for private use (RFC 8392 §9.1)."""

_NAMES = {label: name for name, label in LABELS.items()}
_MAX_DEPTH = 8


def decode_claims(payload: bytes) -> dict[str, Any]:
    """The claims of a genuine payload, by name.

    Raises:
        TokenError: ``malformed``, or ``not-understood`` for a claim that is not in ``LABELS``.
    """
    try:
        claims = cbor2.loads(
            payload, max_depth=_MAX_DEPTH, allow_indefinite=False, allow_duplicate_keys=False
        )
    except (cbor2.CBORDecodeError, ValueError, ArithmeticError):
        refuse("malformed")
    return named_claims(claims)


def named_claims(claims: object) -> dict[str, Any]:
    """Decoded claims, by name; raises ``TokenError`` as ``decode_claims`` does."""
    if not isinstance(claims, dict):
        refuse("malformed")
    # 1.0 and true are equal to 1 in Python, and are not the label 1 in CBOR.
    if not all(type(label) is int and label in _NAMES for label in claims):
        refuse("not-understood")
    return {_NAMES[label]: value for label, value in claims.items()}


def encode_claims(claims: Mapping[str, Any]) -> bytes:
    """The payload of claims by name.

    Raises:
        ValueError: a name is not in ``LABELS``.
    """
    strangers = claims.keys() - LABELS.keys()
    if strangers:
        raise ValueError(f"claims {sorted(strangers)}; expected some of {', '.join(LABELS)}")
    return cbor2.dumps({LABELS[name]: value for name, value in claims.items()})
