"""Signed texts in compact form (JWS), of the algorithms that tokens of others may have.

The key decides the algorithm, never the text. Of each text there is one spelling: an altered text
is another text, and is refused.

Sources: RFC 7515 (JWS), RFC 7518 §3 (ES256, HS256), RFC 8037 and 9864 (EdDSA, Ed25519), RFC 8725
(best practices).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import jwt
from jwt.algorithms import OKPAlgorithm

from origin.tokens.keysets import VerificationKey, b64url, unb64url
from origin.tokens.refusals import refuse
from origin.tokens.signingkeys import SigningKey

MAX_JWS_CHARS = 4096
"""A longer text is refused before any of it is decoded."""

_SHAPE = re.compile(r"[A-Za-z0-9_-]{2,}\.[A-Za-z0-9_-]{2,}\.[A-Za-z0-9_-]{2,}", re.ASCII)
_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")
_NAMES = {"EdDSA": "EdDSA", "Ed25519": "EdDSA", "ES256": "ES256", "HS256": "HS256"}
_JWS = jwt.PyJWS(algorithms=["EdDSA", "ES256", "HS256"])
_JWS.register_algorithm("Ed25519", OKPAlgorithm())  # PyJWT knows the older name only


@dataclass(frozen=True, slots=True, kw_only=True)
class Jws:
    """A signed text, of which nothing is verified yet."""

    text: str = field(repr=False)
    header: Mapping[str, Any]
    claims: Mapping[str, Any] = field(repr=False)

    @property
    def kid(self) -> str:
        """Id of the key; empty when it names none."""
        return str(self.header.get("kid", ""))

    def signed_by(self, keys: Iterable[VerificationKey]) -> VerificationKey:
        """The first of ``keys`` that verifies it.

        Raises:
            TokenError: ``wrong-algorithm`` when none is for its algorithm, or ``bad-signature``.
        """
        name = self.header.get("alg")
        algorithm = _NAMES.get(name) if isinstance(name, str) else None
        fitting = [key for key in keys if key.algorithm == algorithm]
        if not fitting or not isinstance(name, str):
            refuse("wrong-algorithm")
        found = next((key for key in fitting if _is_signed(self.text, key, name)), None)
        if found is None:
            refuse("bad-signature")
        return found


def _is_signed(text: str, key: VerificationKey, name: str) -> bool:
    try:
        _JWS.decode(text, key.key, algorithms=[name])
    except (jwt.PyJWTError, ValueError, TypeError):
        return False
    return True


def looks_signed(text: str) -> bool:
    """Whether ``text`` has the shape of a signed text."""
    return len(text) <= MAX_JWS_CHARS and _SHAPE.fullmatch(text) is not None


@lru_cache(maxsize=4)  # a form that has looked whether a text is its own reads it again at once
def read_jws(text: str) -> Jws:
    """The header and the claims of a signed text, without verifying it.

    Raises:
        TokenError: ``malformed``, or ``not-understood`` when its header demands an extension.
    """
    if not looks_signed(text):
        refuse("malformed")
    parts = text.split(".")
    if any(_recoded(part) != part for part in parts):
        refuse("malformed")
    header, claims = (_object(part) for part in parts[:2])
    if "crit" in header or "b64" in header:
        refuse("not-understood")
    if not isinstance(header.get("kid", ""), str):
        refuse("malformed")
    return Jws(text=text, header=header, claims=claims)


def sign_jws(claims: Mapping[str, Any], key: SigningKey) -> str:
    """The claims as a signed text."""
    payload = json.dumps(claims, separators=(",", ":")).encode()
    headers = {"kid": key.kid} if key.kid else {}
    return _JWS.encode(payload, key.key, algorithm=key.algorithm, headers=headers)


def _recoded(part: str) -> str:
    """``part`` decoded and encoded again: the last character holds bits that count for nothing."""
    try:
        return b64url(unb64url(part))
    except ValueError:
        return ""


def _object(part: str) -> Mapping[str, Any]:
    try:
        data = unb64url(part)
        found = json.loads(data, object_pairs_hook=_only_once, parse_constant=_no_constant)
        if _SURROGATE.search(data):  # half a character (RFC 8259 §8.2) cannot be written anywhere
            json.dumps(found, ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        refuse("malformed")
    if not isinstance(found, dict):
        refuse("malformed")
    return found


def _only_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object without repeated names, of which readers take different ones."""
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name twice")
    return found


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is no JSON")
