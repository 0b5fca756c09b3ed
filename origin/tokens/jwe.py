"""Encrypted texts in compact form (JWE), as far as tokens hold them: one claim, a shared secret.

Direct use of the secret and AES key wrap, with AES-GCM; all else is not understood, which
includes everything that takes long to open.

Sources: RFC 7516 §5.2 (JWE), RFC 7518 §4.4, §4.5 and §5.3 (algorithms).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.keywrap import InvalidUnwrap, aes_key_unwrap

from origin.tokens.keysets import b64url, unb64url

MAX_JWE_CHARS = 2048
"""A longer text is refused before any of it is decoded."""

_KEY_BYTES = {"A128GCM": 16, "A192GCM": 24, "A256GCM": 32}
_WRAPPERS = {"A128KW": 16, "A192KW": 24, "A256KW": 32}


class JweError(ValueError):
    """A text that is no JWE, or that the keys do not open; the message says which."""


def looks_encrypted(text: str) -> bool:
    """Whether ``text`` has the five parts of a JWE."""
    return text.count(".") == 4


def open_jwe(text: str, secrets: Mapping[str, bytes]) -> str:
    """What an encrypted text holds.

    Args:
        text: The JWE.
        secrets: Shared secrets by key id; all are tried when it names none.

    Raises:
        JweError: it is not understood, or no key opens it.
    """
    if len(text) > MAX_JWE_CHARS:
        raise JweError("too long")
    protected, wrapped, nonce, cipher, tag = text.split(".")
    header = _header(protected)
    kid = header.get("kid")
    for name, secret in secrets.items():
        if kid in (None, name):
            key = _content_key(header, secret, wrapped)
            if key is None:
                continue
            try:
                sealed = unb64url(cipher) + _tag(tag)
                return AESGCM(key).decrypt(unb64url(nonce), sealed, protected.encode()).decode()
            except (InvalidTag, ValueError):
                continue
    raise JweError("no key of ours opens it")


def seal_jwe(text: str, *, kid: str, secret: bytes, nonce: bytes) -> str:
    """``text`` sealed directly with a shared secret of 16, 24 or 32 bytes; ``nonce`` has 12."""
    header = {"alg": "dir", "enc": f"A{8 * len(secret)}GCM", "kid": kid}
    protected = b64url(json.dumps(header, separators=(",", ":")).encode())
    sealed = AESGCM(secret).encrypt(nonce, text.encode(), protected.encode())
    return f"{protected}..{b64url(nonce)}.{b64url(sealed[:-16])}.{b64url(sealed[-16:])}"


def _header(text: str) -> Mapping[str, Any]:
    try:
        header = json.loads(unb64url(text))
    except (ValueError, RecursionError) as exc:
        raise JweError("no JWE") from exc
    if not isinstance(header, dict) or not header.keys() <= {"alg", "enc", "kid", "typ", "cty"}:
        raise JweError("its header demands what is not understood")
    return header


def _content_key(header: Mapping[str, Any], secret: bytes, wrapped: str) -> bytes | None:
    """The key that the content is sealed with; None when ``secret`` is not for it."""
    size = _KEY_BYTES.get(str(header.get("enc")))
    algorithm = header.get("alg")
    if algorithm == "dir":
        return secret if size == len(secret) and not wrapped else None
    if _WRAPPERS.get(str(algorithm)) != len(secret):
        return None
    try:
        key = aes_key_unwrap(secret, unb64url(wrapped))
    except (InvalidUnwrap, ValueError):
        return None
    return key if size == len(key) else None


def _tag(text: str) -> bytes:
    """The whole tag: AES-GCM would also accept a shorter one, which is easier to forge."""
    tag = unb64url(text)
    if len(tag) != 16:
        raise ValueError("a short tag")
    return tag
