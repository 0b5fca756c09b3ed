"""URI Signing: a JWT that says which URIs it opens, for a CDN of anyone.

The container ``cdniuc`` is a pattern or a hash of the whole URI without the token. With
``cdnistt`` 1, each answer brings a cookie with a token that ends ``cdniets`` seconds later,
counted from now and not from the old end, so renewals cannot be piled up.

Deviations from RFC 9246, all of them stricter: ``exp`` and ``cdniuc`` must be there, a pattern
must fit the whole URI, and hashes of less than 128 bits are refused. Laxer: ``cdniip`` and
``sub`` may also be plain text, and ``jti`` may name tokens only, where the issuer says so.

Sources: RFC 9246 §2 (claims) and §3 (renewal), RFC 7519 §4.1, RFC 6920 §5, RFC 6265 §4.1 (cookies).
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from abr.errors import TokenError
from origin.tokens.issuers import Issuer
from origin.tokens.jwe import JweError, looks_encrypted, open_jwe
from origin.tokens.jws import Jws, looks_signed, read_jws, sign_jws
from origin.tokens.limits import Addresses, UriHash, UriPattern, network_of
from origin.tokens.matching import MatchError, checked_hash, compile_pattern
from origin.tokens.pathtoken import height_of, watermark_of
from origin.tokens.permission import Asked, Limit, Permission
from origin.tokens.refusals import refuse
from origin.tokens.signingkeys import SigningKey

NAME = "uri-signing"
ATTRIBUTE = "URISigningPackage"
"""Name of the query argument, path parameter and cookie that hold a token (RFC 9246 §2)."""

_EXTENSIONS = frozenset({"acc", "mh", "title", "wm"})
"""Claims of our own that an issuer may set."""
_UNDERSTOOD = _EXTENSIONS | {
    *("iss", "sub", "aud", "exp", "nbf", "iat", "jti", "cdniv", "cdnicrit", "cdniip"),
    *("cdniuc", "cdniets", "cdnistt", "cdnistd"),
}
_MAX_TIME_S = 1e11
_MAX_TEXT = 128


class UriSigning:
    """The form of signed URIs, for some issuers."""

    name = NAME

    def __init__(self, issuers: Sequence[Issuer]) -> None:
        self._issuers = {issuer.name: issuer for issuer in issuers if NAME in issuer.forms}

    def __repr__(self) -> str:
        return f"<UriSigning of {sorted(self._issuers)}>"

    @property
    def kids(self) -> frozenset[str]:
        """Ids of the keys it accepts."""
        return frozenset(key.kid for each in self._issuers.values() for key in each.keys)

    def recognises(self, token: str) -> bool:
        """Whether it is a JWT with claims of this form, or of an issuer that is trusted."""
        if not looks_signed(token):
            return False
        try:
            claims = read_jws(token).claims
        except TokenError:
            return False
        issuer = claims.get("iss")
        is_known = isinstance(issuer, str) and issuer in self._issuers
        return is_known or any(name.startswith("cdni") for name in claims)

    def key_id_of(self, token: str) -> str:
        """Empty: no key set of our parent helps with tokens of others."""
        read_jws(token)
        return ""

    def permission(self, token: str) -> Permission:
        """What ``token`` says, if it is genuine.

        Raises:
            TokenError: it is not, or makes a condition that is not understood.
        """
        jws = read_jws(token)
        issuer, kid = self._verify(jws)
        claims = jws.claims
        _check_critical(claims)
        _check_audience(claims, issuer)
        if claims.get("cdniv", 1) != 1 or isinstance(claims.get("cdniv"), bool):
            refuse("not-understood")
        token_id = _text(claims, "jti") if "jti" in claims else ""
        nonce = "" if issuer.ignores_nonce or not token_id else f"{issuer.name}\n{token_id}"
        return Permission(
            form=NAME,
            kid=kid,
            issuer=issuer.name,
            token_id=token_id,
            nonce=nonce,
            session=_session(claims, issuer),
            account=_text(claims, "acc") if "acc" in claims else "",
            title=_text(claims, "title") if "title" in claims else "",
            issued_s=_time(claims, "iat") if "iat" in claims else -math.inf,
            starts_s=_time(claims, "nbf") if "nbf" in claims else -math.inf,
            expires_s=_time(claims, "exp"),
            limits=(*issuer.limits, *_address(claims, issuer), _container(claims, issuer)),
            max_height=height_of(claims),
            watermark=watermark_of(claims),
            renewal=_renewal(claims, issuer),
        )

    def _verify(self, jws: Jws) -> tuple[Issuer, str]:
        """The issuer and the id of the key that signed it."""
        issuers = list(self._issuers.values())
        if "iss" in jws.claims:
            name = jws.claims["iss"]
            if not isinstance(name, str) or name not in self._issuers:
                refuse("unknown-issuer")
            issuers = [self._issuers[name]]
        candidates = [
            (key, issuer)
            for issuer in issuers
            for key in issuer.keys
            if not jws.kid or key.kid in ("", jws.kid)
        ]
        if not candidates:
            refuse("unknown-key")
        found = jws.signed_by(key for key, _ in candidates)
        return next((issuer, key.kid) for key, issuer in candidates if key is found)


def _check_critical(claims: Mapping[str, Any]) -> None:
    """Refuse a token that lists a claim as critical which is not understood, or not there."""
    if "cdnicrit" not in claims:
        return
    names = _text(claims, "cdnicrit").split(",")
    if any(name not in _UNDERSTOOD or name not in claims for name in names):
        refuse("not-understood")


def _check_audience(claims: Mapping[str, Any], issuer: Issuer) -> None:
    if "aud" not in claims:
        return
    named = claims["aud"]
    audiences = named if isinstance(named, list) else [named]
    if not all(isinstance(each, str) for each in audiences):
        refuse("malformed")
    if not issuer.audience or issuer.audience not in audiences:
        refuse("wrong-audience")


def _container(claims: Mapping[str, Any], issuer: Issuer) -> Limit:
    kind, _, held = _text(claims, "cdniuc").partition(":")
    try:
        if kind == "hash":
            return UriHash(hash=checked_hash(held), base=issuer.base)
        if kind != "regex":
            refuse("not-understood")
        return UriPattern(pattern=compile_pattern(held), base=issuer.base)
    except MatchError:
        refuse("not-understood")


def _address(claims: Mapping[str, Any], issuer: Issuer) -> tuple[Limit, ...]:
    if "cdniip" not in claims:
        return ()
    text = _text(claims, "cdniip")
    try:
        if looks_encrypted(text):
            text = open_jwe(text, issuer.secrets)
        return (Addresses(network=network_of(text), claim="cdniip"),)
    except (JweError, ValueError):
        refuse("not-understood")


def _session(claims: Mapping[str, Any], issuer: Issuer) -> str:
    """What stands for the viewer: ``sub``, opened if that is possible, else a digest of it."""
    if "sub" not in claims:
        return ""
    text = _text(claims, "sub")
    if looks_encrypted(text):
        try:
            text = open_jwe(text, issuer.secrets)
        except JweError:
            return hashlib.sha256(text.encode()).hexdigest()[:32]
    is_short = len(text) <= _MAX_TEXT and text.isprintable()
    return text if is_short else hashlib.sha256(text.encode()).hexdigest()[:32]


@dataclass(frozen=True, slots=True, kw_only=True)
class CookieRenewal:
    """A fresh token in a cookie with each answer (``cdnistt`` 1)."""

    claims: Mapping[str, Any] = field(repr=False)
    lifetime_s: int
    depth: int
    """Path segments that the cookie is for; 0: all paths."""
    key: SigningKey
    base: str = ""

    def fields(self, *, asked: Asked, now_s: float) -> tuple[tuple[str, str], ...]:
        """``Set-Cookie``; nothing when the path has too few segments for the cookie's."""
        names = [asked.title, *asked.path.split("/")]
        if self.depth >= len(names):
            return ()
        path = "/" + "/".join(names[: self.depth])
        now = int(now_s)
        claims = {**self.claims, "exp": now + self.lifetime_s, "iat": now}
        is_secure = (self.base or f"{asked.scheme}:").startswith("https:")
        # Pages of other sites may send it, as with tokens in URLs; browsers want TLS for that.
        guard = "Secure; SameSite=None" if is_secure else "SameSite=Lax"
        cookie = f"{ATTRIBUTE}={sign_jws(claims, self.key)}"
        return (
            ("Set-Cookie", f"{cookie}; Path={path}; Max-Age={self.lifetime_s}; HttpOnly; {guard}"),
        )

    def is_kept(self, asked: Asked) -> bool:
        """Cookies are, where the path has segments enough for theirs."""
        return self.depth < 2 + asked.path.count("/")

    def moves(self, *, asked: Asked, now_s: float) -> None:
        """RFC 9246 has no redirects."""
        return


def _renewal(claims: Mapping[str, Any], issuer: Issuer) -> CookieRenewal | None:
    transport = _number(claims, "cdnistt")
    depth = _number(claims, "cdnistd")
    if transport not in (0, 1):
        refuse("not-understood")
    if not transport:
        return None
    lifetime_s = _number(claims, "cdniets")
    if not lifetime_s:
        refuse("malformed")
    if issuer.renewing is None:
        return None
    return CookieRenewal(
        claims=dict(claims),
        lifetime_s=lifetime_s,
        depth=depth,
        key=issuer.renewing,
        base=issuer.base,
    )


def _number(claims: Mapping[str, Any], name: str) -> int:
    """A whole number of at least 0; 0 when it is not there."""
    value = claims.get(name, 0)
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= _MAX_TIME_S:
        refuse("malformed")
    return value


def _text(claims: Mapping[str, Any], name: str) -> str:
    value = claims.get(name)
    if not isinstance(value, str) or not value:
        refuse("malformed")
    return value


def _time(claims: Mapping[str, Any], name: str) -> float:
    """Unix seconds, which may have a fraction (RFC 7519 §2)."""
    value = claims.get(name)
    if not isinstance(value, int | float) or isinstance(value, bool):
        refuse("malformed")
    if not -_MAX_TIME_S < value < _MAX_TIME_S:
        refuse("malformed")
    return float(value)
