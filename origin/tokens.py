"""Tokens: permission to fetch one title, as claims ⇄ signed text.

A token is a JWT signed with Ed25519. It names one title, ends at ``exp``, and may be
exchanged for a fresh one until ``ses``, the end of its session, even after ``exp``.
Anyone with the public keys (a JWKS) can verify it; only the origin can issue one.

No clock is read: ``now_s`` is Unix time in seconds. A token never appears in a message, and
``redact`` removes it from text that is about to be logged.

Sources: RFC 7519 (JWT), RFC 7517 and 8037 (key sets, Ed25519 keys), RFC 7638
(thumbprints, used as key ids), RFC 8725 §3.1 (the algorithm is fixed by the verifier).
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from abr.errors import TokenError
from origin.jwks import ALGORITHM, b64url, jwks_of, keys_from, thumbprint, unb64url

EVERY_TITLE = "*"
"""What could be taken for all titles; no token may carry it."""

MAX_TOKEN_CHARS = 2048
"""A longer text is refused before any of it is decoded."""

REASONS: Mapping[str, str] = {
    "missing": "no token was given; ask /playback/<title> for a playback URL",
    "malformed": "the token is not one of ours",
    "unknown-key": "the token is signed with a key this server does not know",
    "bad-signature": "the token's signature does not fit its content",
    "expired": "the token has expired; renew it at /t/<token>/<title>/renew",
    "not-yet": "the token was issued in the future; compare the clocks",
    "wrong-title": "the token is for another title",
    "session-over": "the session has ended; ask /playback/<title> for a new playback URL",
}
"""Every reason for a refusal with the text for the client, who is told nothing else."""

_SHAPE = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]{86}", re.ASCII)

_JWS = jwt.PyJWS(algorithms=[ALGORITHM])
# After "/t/" a token of the right form is taken out alone. Of anything else nobody knows where it
# ends, so all that follows is.
_PATH_TOKEN = re.compile(
    r"(^|/|%2f)(t|%74)(/|%2f)"
    r"(?:[\w-]+(?:\.|%2e)[\w-]+(?:\.|%2e)[\w-]{86}(?![\w.~%+=-])|-(?=/)|\S+)",
    re.IGNORECASE | re.ASCII,
)
_LOOSE_TOKEN = re.compile(
    r"(?<![\w-])[\w-]{8,}(?:\.|%2e)[\w-]{8,}(?:\.|%2e)[\w-]{8,}", re.IGNORECASE
)
# Of a query only the names and values that hold no secret by themselves would be of use.
_QUERY = re.compile(r"\?[^\s\"']+")


def refuse(reason: str) -> NoReturn:
    """Raise the ``TokenError`` for ``reason``, a key of ``REASONS``."""
    raise TokenError(reason, REASONS[reason])


@dataclass(frozen=True, slots=True, kw_only=True)
class Claims:
    """The claims of a token. All times are Unix seconds."""

    session: str
    """Id of the playback session (``sub``); the same in every renewed token."""
    title: str
    """The title it opens."""
    issued_s: int
    expires_s: int
    """The first instant at which it is no longer valid (RFC 7519 §4.1.4)."""
    session_ends_s: int
    """Latest instant of renewal (``ses``); never before ``expires_s``."""
    token_id: str
    """Differs between the tokens of a session (``jti``)."""


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
    ) -> str:
        """A token for ``title``, valid for ``ttl_s`` and renewable for ``session_s``.

        Whole seconds are signed: the ends are rounded up, the beginning down.

        Raises:
            ValueError: the title is empty or ``*``, the session id is empty, or a time
                is not positive.
        """
        if not title or title == EVERY_TITLE:
            raise ValueError(f"cannot issue a viewer's token for title {title!r}")
        if not (ttl_s > 0 and session_s > 0 and session_id):
            raise ValueError("a token needs a session id, ttl_s > 0 and session_s > 0")
        return self._sign(title, session_id, now_s, ttl_s, math.ceil(now_s + session_s))

    def renew(self, claims: Claims, *, now_s: float, ttl_s: float = 3600.0) -> str:
        """A fresh token for the same title and session; its session does not grow.

        Raises:
            TokenError: the session is over.
        """
        if now_s >= claims.session_ends_s:
            refuse("session-over")
        return self._sign(claims.title, claims.session, now_s, ttl_s, claims.session_ends_s)

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
        }
        return jwt.encode(payload, self._key, algorithm=ALGORITHM, headers={"kid": self.kid})


class TokenVerifier:
    """Verifies tokens against a set of public keys.

    Verified signatures are cached for at most ``memo_size`` tokens, least recently used
    first out; expiry and title are checked at every call. Failures are not cached, so
    garbage cannot displace good tokens.
    """

    def __init__(
        self, jwks: Mapping[str, Any], *, memo_size: int = 4096, early_s: float = 30.0
    ) -> None:
        """``early_s``: how far this clock may be behind the issuer's before ``not-yet``.

        Raises:
            KeyStoreError: ``jwks`` is not a key set.
        """
        self._keys = keys_from(jwks)
        self._memo: OrderedDict[str, tuple[str, Claims]] = OrderedDict()
        self._memo_size = memo_size
        self._early_s = early_s

    def __repr__(self) -> str:
        return f"<TokenVerifier {sorted(self._keys)}, {len(self._memo)} tokens remembered>"

    @property
    def kids(self) -> frozenset[str]:
        """Ids of the keys it accepts."""
        return frozenset(self._keys)

    def jwks(self) -> dict[str, Any]:
        """The key set it verifies with, to hand on to the next tier."""
        return jwks_of(self._keys)

    def replace_keys(self, jwks: Mapping[str, Any]) -> None:
        """Verify with these keys from now on; tokens of keys that left are refused at once.

        Raises:
            KeyStoreError: ``jwks`` is not a key set; the old keys stay.
        """
        old, self._keys = self._keys, keys_from(jwks)
        kept = {kid for kid, key in self._keys.items() if kid in old and old[kid] == key}
        for token in [token for token, (kid, _) in self._memo.items() if kid not in kept]:
            del self._memo[token]

    def verify(
        self, token: str | None, *, title: str, now_s: float, leeway_s: float = 0.0
    ) -> Claims:
        """The claims of ``token`` if it opens ``title`` at ``now_s``.

        Args:
            token: As received; None or empty is ``missing``.
            title: Normalised title of the request, compared exactly.
            now_s: Unix time, seconds.
            leeway_s: Accept a token this long after it expired.

        Raises:
            TokenError: with ``reason`` one of ``REASONS``.
        """
        claims = self._claims(token, title=title, now_s=now_s)
        if now_s >= claims.expires_s + leeway_s:
            refuse("session-over" if now_s >= claims.session_ends_s else "expired")
        return claims

    def verify_renewable(self, token: str | None, *, title: str, now_s: float) -> Claims:
        """Like ``verify``, but an expired token passes until its session is over."""
        claims = self._claims(token, title=title, now_s=now_s)
        if now_s >= claims.session_ends_s:
            refuse("session-over")
        return claims

    def _claims(self, token: str | None, *, title: str, now_s: float) -> Claims:
        claims = self._genuine(token)
        if claims.title != title:
            refuse("wrong-title")
        if now_s < claims.issued_s - self._early_s:
            refuse("not-yet")
        return claims

    def _genuine(self, token: str | None) -> Claims:
        """The claims of a token whose signature is valid, from the cache if possible."""
        if not token:
            refuse("missing")
        found = self._memo.get(token)
        if found is not None:
            self._memo.move_to_end(token)
            return found[1]
        kid = key_id_of(token)
        key = self._keys.get(kid)
        if key is None:
            refuse("unknown-key")
        claims = _signed_claims(token, key)
        self._memo[token] = (kid, claims)
        if len(self._memo) > self._memo_size:
            self._memo.popitem(last=False)
        return claims


def key_id_of(token: str | None) -> str:
    """The key id in the header of a token, after every check that needs no key.

    Raises:
        TokenError: it is ``missing`` or ``malformed``.
    """
    if not token:
        refuse("missing")
    if len(token) > MAX_TOKEN_CHARS or not _SHAPE.fullmatch(token):
        refuse("malformed")
    signature = token.rpartition(".")[2]
    # 86 characters hold 516 bits for 512, so 16 spellings decode alike; only one is valid.
    if b64url(unb64url(signature)) != signature:
        refuse("malformed")
    try:
        header = jwt.get_unverified_header(token)
    except (jwt.PyJWTError, ValueError, TypeError, RecursionError):
        refuse("malformed")
    kid = header.get("kid")
    if header.get("alg") != ALGORITHM or not isinstance(kid, str) or not kid:
        refuse("malformed")
    if not header.keys() <= {"alg", "kid", "typ"}:
        refuse("malformed")
    return kid


def _signed_claims(token: str, key: Ed25519PublicKey) -> Claims:
    try:
        payload = json.loads(_JWS.decode(token, key, algorithms=[ALGORITHM]))
    except jwt.InvalidSignatureError:
        refuse("bad-signature")
    except (jwt.PyJWTError, ValueError, TypeError, RecursionError):
        refuse("malformed")
    return _claims_from(payload)


def _claims_from(payload: Any) -> Claims:
    if not isinstance(payload, dict) or "use" in payload:
        refuse("malformed")
    claims = Claims(
        session=_text(payload, "sub"),
        title=_text(payload, "title"),
        issued_s=_time(payload, "iat"),
        expires_s=_time(payload, "exp"),
        session_ends_s=_time(payload, "ses"),
        token_id=_text(payload, "jti"),
    )
    if claims.title == EVERY_TITLE:
        refuse("malformed")
    if not claims.issued_s <= claims.expires_s <= claims.session_ends_s:
        refuse("malformed")
    return claims


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


def redact(text: str) -> str:
    """``text`` (a URL, a path, a log line) with every token replaced by ``-``.

    Queries are taken out whole, and so is what follows ``/t/`` if it is not exactly a token.
    Servers do not rely on it for what strangers send: of a request without permission they log
    no part of its path.
    """
    text = _PATH_TOKEN.sub(r"\1\2\3-", text)
    return _QUERY.sub("?-", _LOOSE_TOKEN.sub("-", text))


def conceal(text: str) -> str:
    """``redact``, and without anything of 8 characters and more that is not a plain word.

    For paths that nobody has allowed: an altered token is still most of a token.
    """
    return _NO_WORD.sub("-", redact(text))


_NO_WORD = re.compile(r"(?=[^\s/]{8,})(?![a-z_-]{8,}(?:/|\s|$))[^\s/]+", re.ASCII)
