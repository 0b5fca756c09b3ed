"""Our own tokens: permission to fetch one title, as claims ⇄ signed text.

A token is a JWT signed with Ed25519. It names one title, ends at ``exp``, and may be
exchanged for a fresh one until ``ses``, the end of its session, even after ``exp``.
Anyone with the public keys (a JWKS) can verify it; only the origin can issue one.

Optional claims: ``acc``, a tag of the account that says nothing of it; ``mh``, the greatest
height of pictures that keys are given for; ``wm``, the pattern of a watermark, base64url.

No clock is read: ``now_s`` is Unix time in seconds.

Sources: RFC 7519 (JWT), RFC 7517 and 8037 (key sets, Ed25519 keys), RFC 7638
(thumbprints, used as key ids), RFC 8725 §3.1 (the algorithm is fixed by the verifier).
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Mapping
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from origin.tokens.keysets import ALGORITHM, b64url, jwks_of, keys_from, thumbprint, unb64url
from origin.tokens.permission import Permission
from origin.tokens.refusals import refuse
from origin.tokens.signatures import is_signature

EVERY_TITLE = "*"
"""What could be taken for all titles; no token may carry it."""

MAX_TOKEN_CHARS = 2048
"""A longer text is refused before any of it is decoded."""

MAX_WATERMARK_BYTES = 64
"""The longest pattern of a watermark."""

_SHAPE = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]{86}", re.ASCII)


class TokenIssuer:
    """Signs tokens with one private key."""

    def __init__(self, signing_key: Ed25519PrivateKey, kid: str | None = None) -> None:
        """``kid`` is the id verifiers find the key by; the key's thumbprint by default."""
        self._key = signing_key
        self.kid = kid if kid is not None else thumbprint(signing_key.public_key())

    def __repr__(self) -> str:
        return f"<TokenIssuer {self.kid}>"

    def issue(
        self,
        title: str,
        *,
        now_s: float,
        session_id: str,
        ttl_s: float = 3600.0,
        session_s: float = 86400.0,
        account: str = "",
        max_height: int | None = None,
        watermark: bytes = b"",
    ) -> str:
        """A token for ``title``, valid for ``ttl_s`` and renewable for ``session_s``.

        Whole seconds are signed: the ends are rounded up, the beginning down.

        Args:
            title: The one title.
            now_s: Unix time, seconds.
            session_id: Id of the playback session.
            ttl_s: Seconds until it expires.
            session_s: Seconds until it cannot be renewed any more.
            account: A tag of the account that says nothing of it; empty: none.
            max_height: Keys are given for pictures of at most this many lines; None: all.
            watermark: The pattern of the session's watermark; empty: none.

        Raises:
            ValueError: the title is empty or ``*``, the session id is empty, a time or height
                is not positive, or the pattern is too long.
        """
        if not title or title == EVERY_TITLE:
            raise ValueError(f"cannot issue a viewer's token for title {title!r}")
        if not (ttl_s > 0 and session_s > 0 and session_id):
            raise ValueError("a token needs a session id, ttl_s > 0 and session_s > 0")
        if max_height is not None and max_height <= 0:
            raise ValueError(f"max_height {max_height}; expected more than 0")
        if len(watermark) > MAX_WATERMARK_BYTES:
            raise ValueError(f"watermark: over {MAX_WATERMARK_BYTES} bytes")
        extra = _extra(account, max_height, watermark)
        return self._sign(title, session_id, now_s, ttl_s, math.ceil(now_s + session_s), extra)

    def renew(self, permission: Permission, *, now_s: float, ttl_s: float = 3600.0) -> str:
        """A fresh token for the same title and session; its session does not grow.

        Raises:
            TokenError: the session is over.
        """
        if now_s >= permission.session_ends_s:
            refuse("session-over")
        ends_s = int(permission.session_ends_s)
        extra = _extra(permission.account, permission.max_height, permission.watermark)
        return self._sign(permission.title, permission.session, now_s, ttl_s, ends_s, extra)

    def jwks(self) -> dict[str, Any]:
        """The key set that verifies what this issuer signs."""
        return jwks_of({self.kid: self._key.public_key()})

    def _sign(
        self,
        title: str,
        session: str,
        now_s: float,
        ttl_s: float,
        ends_s: int,
        extra: Mapping[str, Any],
    ) -> str:
        issued_s = math.floor(now_s)
        expires_s = min(math.ceil(now_s + ttl_s), ends_s)
        # Derived instead of random: the shell that made the session id supplied the chance.
        seed = f"{session}\n{title}\n{now_s!r}\n{expires_s}"
        payload = {
            "sub": session,
            "title": title,
            "iat": issued_s,
            "exp": expires_s,
            "ses": ends_s,
            "jti": hashlib.sha256(seed.encode()).hexdigest()[:16],
            **extra,
        }
        return jwt.encode(payload, self._key, algorithm=ALGORITHM, headers={"kid": self.kid})


class PathTokens:
    """The form of our own tokens, with the public keys that verify them."""

    name = "path"

    def __init__(self, jwks: Mapping[str, Any]) -> None:
        """Verify with the keys of a key set.

        Raises:
            KeyStoreError: ``jwks`` is not a key set.
        """
        self._keys = keys_from(jwks)

    def __repr__(self) -> str:
        return f"<PathTokens {sorted(self._keys)}>"

    @property
    def kids(self) -> frozenset[str]:
        """Ids of the keys it accepts."""
        return frozenset(self._keys)

    def jwks(self) -> dict[str, Any]:
        """The key set it verifies with, to hand on to the next tier."""
        return jwks_of(self._keys)

    def replace_keys(self, jwks: Mapping[str, Any]) -> None:
        """Verify with these keys from now on.

        Raises:
            KeyStoreError: ``jwks`` is not a key set; the old keys stay.
        """
        self._keys = keys_from(jwks)

    def recognises(self, token: str) -> bool:
        """Whether it has the shape of a JWT that Ed25519 signed."""
        return len(token) <= MAX_TOKEN_CHARS and _SHAPE.fullmatch(token) is not None

    def key_id_of(self, token: str) -> str:
        """The key id in the header of a token, after every check that needs no key.

        Raises:
            TokenError: it is ``malformed``.
        """
        return _key_id_of(token)

    def permission(self, token: str) -> Permission:
        """What ``token`` says, if it is genuine.

        Raises:
            TokenError: ``malformed``, ``unknown-key`` or ``bad-signature``.
        """
        kid = _key_id_of(token)
        key = self._keys.get(kid)
        if key is None:
            refuse("unknown-key")
        return _permission_from(_signed_payload(token, key), kid)


def _key_id_of(token: str) -> str:
    if len(token) > MAX_TOKEN_CHARS or not _SHAPE.fullmatch(token):
        refuse("malformed")
    signature = token.rpartition(".")[2]
    # 86 characters hold 516 bits for 512, so 16 spellings decode alike; only one is valid.
    if b64url(unb64url(signature)) != signature:
        refuse("malformed")
    header = _decoded(token.partition(".")[0])
    if not isinstance(header, dict):
        refuse("malformed")
    kid = header.get("kid")
    if header.get("alg") != ALGORITHM or not isinstance(kid, str) or not kid:
        refuse("malformed")
    if not header.keys() <= {"alg", "kid", "typ"}:
        refuse("malformed")
    return kid


def _signed_payload(token: str, key: Ed25519PublicKey) -> Any:
    signed, _, signature = token.rpartition(".")
    if not is_signature(unb64url(signature), signed.encode("ascii"), key):
        refuse("bad-signature")
    return _decoded(signed.partition(".")[2])


def _decoded(part: str) -> Any:
    """The JSON value in a part of a token."""
    try:
        return json.loads(unb64url(part))
    except (ValueError, RecursionError):
        refuse("malformed")


def _permission_from(payload: Any, kid: str) -> Permission:
    if not isinstance(payload, dict) or "use" in payload:
        refuse("malformed")
    issued_s, expires_s = _time(payload, "iat"), _time(payload, "exp")
    ends_s, title = _time(payload, "ses"), _text(payload, "title")
    if title == EVERY_TITLE or not issued_s <= expires_s <= ends_s:
        refuse("malformed")
    return Permission(
        form=PathTokens.name,
        kid=kid,
        token_id=_text(payload, "jti"),
        session=_text(payload, "sub"),
        account=_text(payload, "acc") if "acc" in payload else "",
        title=title,
        issued_s=issued_s,
        starts_s=issued_s,
        expires_s=expires_s,
        session_ends_s=ends_s,
        max_height=height_of(payload),
        watermark=watermark_of(payload),
    )


def _extra(account: str, max_height: int | None, watermark: bytes) -> dict[str, Any]:
    """The optional claims."""
    extra: dict[str, Any] = {}
    if account:
        extra["acc"] = account
    if max_height is not None:
        extra["mh"] = max_height
    if watermark:
        extra["wm"] = b64url(watermark)
    return extra


def height_of(payload: Mapping[str, Any]) -> int | None:
    """The claim ``mh``; raises ``TokenError`` when it is no height."""
    if "mh" not in payload:
        return None
    height = _time(payload, "mh")
    if height <= 0:
        refuse("malformed")
    return height


def watermark_of(payload: Mapping[str, Any]) -> bytes:
    """The claim ``wm``; raises ``TokenError`` when it is no pattern."""
    if "wm" not in payload:
        return b""
    text = _text(payload, "wm")
    try:
        pattern = unb64url(text)
    except ValueError:
        refuse("malformed")
    if not pattern or len(pattern) > MAX_WATERMARK_BYTES or b64url(pattern) != text:
        refuse("malformed")
    return pattern


def _text(payload: Mapping[str, Any], name: str) -> str:
    value = payload.get(name)
    if not isinstance(value, str) or not value:
        refuse("malformed")
    return value


def _time(payload: Mapping[str, Any], name: str) -> int:
    value = payload.get(name)
    if not isinstance(value, int) or isinstance(value, bool):
        refuse("malformed")
    return value
