"""Claims of a Common Access Token as people write them, in JSON ⇄ as they stand in a token.

``{"catu": {"path": {"prefix": "/film/"}}, "catnip": ["192.0.2.0/24"], "catr": {"type": "cookie",
"expadd": 120}, "cti": "0a0b"}``: names instead of numbers, networks as text, bytes in hexadecimal.
The names of matches may also end in ``-match``, as node-cat writes them.

Source: the names of CTA-5007, through Eyevinn's node-cat 0.16.4.
"""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Mapping
from typing import Any

import cbor2

from origin.tokens.cat.labels import LABELS
from origin.tokens.cat.limits import MATCHES, PARTS
from origin.tokens.cat.renewal import WAYS
from origin.tokens.cose import read
from origin.tokens.keysets import unb64url

RENEWAL = (
    "type",
    "expadd",
    "deadline",
    "cookie-name",
    "header-name",
    "cookie-params",
    "header-params",
    "code",
)
"""Members of ``catr``, in the order of their numbers."""

_BYTES = frozenset({"cti", "wm"})
_PART_NUMBERS = {name: number for number, name in PARTS.items()}
_MATCH_NUMBERS = {name: number for number, name in MATCHES.items()}


def claims_from(readable: Mapping[str, Any]) -> dict[str, Any]:
    """Claims for ``mint_cat``.

    Raises:
        ValueError: a name or a value cannot be used; the message says which.
    """
    return {name: _claim_from(name, value) for name, value in readable.items()}


def readable_claims(claims: Mapping[str, Any]) -> dict[str, Any]:
    """Claims by name as JSON can hold them; what has no readable form stands as it is."""
    return {name: _readable(name, value) for name, value in claims.items()}


def said_by(token: str) -> dict[str, Any]:
    """Header and claims of a token, whoever signed it; empty when it is no Common Access Token.

    For people who look for a fault: nothing of it is verified.
    """
    try:
        message = read(unb64url(token))
        claims = cbor2.loads(message.payload, max_depth=8, allow_indefinite=False)
    except (cbor2.CBORDecodeError, ValueError, ArithmeticError):
        return {}
    if not isinstance(claims, dict):
        return {}
    names = {label: name for name, label in LABELS.items()}
    header: dict[str, str] = {"alg": message.algorithm}
    if message.kid is not None:
        header["kid"] = message.kid.decode("utf-8", "replace")
    said = {names.get(label, str(label)): value for label, value in claims.items()}
    shown = {name: _shown(value) for name, value in readable_claims(said).items()}
    return {"header": header, "claims": shown}


def _shown(value: Any) -> Any:
    """``value`` if JSON can hold it, else as Python writes it."""
    try:
        json.dumps(value)
    except (TypeError, ValueError, RecursionError):
        return repr(value)
    return value


def _claim_from(name: str, value: Any) -> Any:
    if name not in LABELS:
        raise ValueError(f"claim {name!r}; expected some of {', '.join(LABELS)}")
    try:
        if name in _BYTES:
            return bytes.fromhex(value)
        if name == "catnip":
            return [each if isinstance(each, int) else _network(each) for each in value]
        if name == "catu":
            return {_number(part, _PART_NUMBERS): _matches(each) for part, each in value.items()}
        if name == "catr":
            return {RENEWAL.index(each): _renewal(each, said) for each, said in value.items()}
        if name == "catif":
            return {LABELS[each]: said for each, said in value.items()}
    except (ValueError, TypeError, AttributeError, KeyError) as exc:
        raise ValueError(f"claim {name}: {exc}") from exc
    return value


def _readable(name: str, value: Any) -> Any:
    try:
        return _as_named(name, value)
    except (TypeError, AttributeError, LookupError):
        return repr(value)


def _as_named(name: str, value: Any) -> Any:
    if isinstance(value, bytes):
        return value.hex()
    if name == "catnip" and isinstance(value, list):
        return [each if isinstance(each, int) else str(each) for each in value]
    if name == "catu" and isinstance(value, dict):
        return {
            PARTS.get(part, str(part)): {
                MATCHES.get(kind, str(kind)): said.hex() if isinstance(said, bytes) else said
                for kind, said in matches.items()
            }
            for part, matches in value.items()
        }
    if name == "catr" and isinstance(value, dict):
        return {
            RENEWAL[number]: WAYS[said] if number == 0 else said for number, said in value.items()
        }
    if name == "catif" and isinstance(value, dict):
        names = {label: each for each, label in LABELS.items()}
        return {names.get(label, str(label)): said for label, said in value.items()}
    return value


def _matches(value: Mapping[str, Any]) -> dict[int, Any]:
    matches: dict[int, Any] = {}
    for kind, said in value.items():
        number = _number(kind.removesuffix("-match"), _MATCH_NUMBERS)
        matches[number] = bytes.fromhex(said) if number < 0 else said
    return matches


def _renewal(name: str, value: Any) -> Any:
    return WAYS.index(value) if name == "type" else value


def _number(name: str, numbers: Mapping[str, int]) -> int:
    if name not in numbers:
        raise ValueError(f"found {name!r}; expected some of {', '.join(numbers)}")
    return numbers[name]


def _network(text: str) -> object:
    return ipaddress.ip_network(text) if "/" in text else ipaddress.ip_address(text)
