"""Reads and makes tokens with cwt, PyJWT and joserfc: one JSON object per line, in and out.

    {"do": "read", "with": "cwt", "key": {a private JSON Web Key}, "token": "..."}
    {"do": "make", "with": "joserfc", "key": {...}, "claims": {...}}

Answers are ``{"claims": ...}``, ``{"token": ...}`` or ``{"error": "name of the exception"}``.
Claims of CWTs stand under their labels, their bytes in hexadecimal.
"""

from __future__ import annotations

import json
import sys
import warnings
from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Any

import jwt
from cwt import COSEKey, cwt  # type: ignore[import-not-found]  # only in the environment beside
from joserfc import jwt as joserfc
from joserfc.jwk import ECKey, OctKey, OKPKey
from jwt.algorithms import OKPAlgorithm

KINDS: dict[str, Any] = {"oct": OctKey, "EC": ECKey, "OKP": OKPKey}
COSE_NAMES = {"oct": "HS256", "EC": "ES256", "OKP": "EdDSA"}
ALGORITHMS = ["EdDSA", "Ed25519", "ES256", "HS256"]


def read_cwt(token: str, jwk: dict[str, Any]) -> Any:
    """The claims that cwt finds."""
    data = urlsafe_b64decode(token + "=" * (-len(token) % 4))
    return plain(cwt.decode(data, cose_key(jwk)))


def make_cwt(claims: dict[str, Any], jwk: dict[str, Any]) -> str:
    """A token of cwt."""
    make = cwt.encode_and_mac if jwk["kty"] == "oct" else cwt.encode_and_sign
    data = make(labelled(claims), cose_key(jwk), tagged=True)
    return urlsafe_b64encode(data).rstrip(b"=").decode()


def cose_key(jwk: dict[str, Any]) -> Any:
    """The key as cwt wants it; it knows no second name of Ed25519."""
    return COSEKey.from_jwk({**jwk, "alg": COSE_NAMES[jwk["kty"]]})


def labelled(value: Any) -> Any:
    """Numbers instead of the names that JSON needs."""
    if not isinstance(value, dict):
        return value
    return {int(label): labelled(each) for label, each in value.items()}


def plain(value: Any) -> Any:
    """Something that JSON can hold."""
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, dict):
        return {str(label): plain(each) for label, each in value.items()}
    return [plain(each) for each in value] if isinstance(value, list) else value


def read_pyjwt(token: str, jwk: dict[str, Any]) -> Any:
    """The claims that PyJWT finds."""
    key = jwt.PyJWK({**jwk, "alg": COSE_NAMES[jwk["kty"]]}).key
    public = key if jwk["kty"] == "oct" else key.public_key()
    return jwt.decode(token, public, algorithms=ALGORITHMS, options={"verify_aud": False})


def make_pyjwt(claims: dict[str, Any], jwk: dict[str, Any]) -> str:
    """A token of PyJWT, with the name of the algorithm that the key has."""
    key = jwt.PyJWK({**jwk, "alg": COSE_NAMES[jwk["kty"]]}).key
    return jwt.encode(claims, key, algorithm=jwk["alg"], headers={"kid": jwk["kid"]})


def read_joserfc(token: str, jwk: dict[str, Any]) -> Any:
    """The claims that joserfc finds."""
    key = KINDS[jwk["kty"]].import_key(jwk)
    return joserfc.decode(token, key, algorithms=ALGORITHMS).claims


def make_joserfc(claims: dict[str, Any], jwk: dict[str, Any]) -> str:
    """A token of joserfc."""
    key = KINDS[jwk["kty"]].import_key(jwk)
    header = {"alg": jwk["alg"], "kid": jwk["kid"]}
    return str(joserfc.encode(header, claims, key, algorithms=ALGORITHMS))


READERS = {"cwt": read_cwt, "pyjwt": read_pyjwt, "joserfc": read_joserfc}
MAKERS = {"cwt": make_cwt, "pyjwt": make_pyjwt, "joserfc": make_joserfc}


def answer(asked: dict[str, Any]) -> dict[str, Any]:
    """What the library says to one line."""
    try:
        if asked["do"] == "read":
            return {"claims": READERS[asked["with"]](asked["token"], asked["key"])}
        return {"token": MAKERS[asked["with"]](asked["claims"], asked["key"])}
    except Exception as exc:  # noqa: BLE001 - the name of any error of theirs is the answer
        return {"error": type(exc).__name__, "text": str(exc)}


if __name__ == "__main__":
    warnings.simplefilter("ignore")  # joserfc warns of the older name of Ed25519
    # A user of PyJWT who wants the newer name registers it, for PyJWT does not know it.
    jwt.register_algorithm("Ed25519", OKPAlgorithm())
    for line in sys.stdin:
        print(json.dumps(answer(json.loads(line))))
