"""Short tokens: an end, the paths they open, an id, and an HMAC over that.

``exp=1790000000~acl=/film/*~id=s1~hmac=…``: fields in any order with the HMAC last, of the
shape that token CDNs use, so their signers make tokens for us and ours for them. The cheapest
form to verify, and the least that a token can say; whoever can verify one can also make one.

Fields: ``exp`` and ``acl`` (must be there), ``st`` (begin), ``ip`` (address or prefix), ``id``
(session), ``data`` (not looked at). Several paths stand with ``!`` between them; ``*`` stands
for any characters, ``?`` for one. What else a token says is a condition that we do not
understand.

Sources: the documentation of Akamai's edge authorization tokens, and of its signer for Python;
RFC 2104 (HMAC), RFC 6234 (SHA-256).
"""

from __future__ import annotations

import hashlib
import hmac
import math
import re
from collections.abc import Mapping, Sequence
from urllib.parse import quote, unquote_plus

from origin.tokens.issuers import Issuer
from origin.tokens.keysets import VerificationKey
from origin.tokens.limits import Addresses, PathPatterns, network_of
from origin.tokens.matching import MatchError, compile_wildcards, normal_escapes
from origin.tokens.permission import Limit, Permission
from origin.tokens.refusals import refuse

NAME = "hmac"
MAX_SHORT_CHARS = 1024
"""A longer text is refused."""

_SHAPE = re.compile(
    r"(?P<signed>[a-z]+=[!-}]*(?:~[a-z]+=[!-}]*)*)~hmac=(?P<mac>[0-9a-f]{64})", re.ASCII
)
_FIELDS = frozenset({"ip", "st", "exp", "acl", "id", "data"})
_TIME = re.compile(r"[1-9][0-9]{0,11}", re.ASCII)


class ShortTokens:
    """The form of short tokens, for some issuers."""

    name = NAME

    def __init__(self, issuers: Sequence[Issuer]) -> None:
        self._keys = [
            (key, issuer)
            for issuer in issuers
            if NAME in issuer.forms
            for key in issuer.keys
            if isinstance(key.key, bytes)
        ]

    def __repr__(self) -> str:
        return f"<ShortTokens of {sorted({issuer.name for _, issuer in self._keys})}>"

    @property
    def kids(self) -> frozenset[str]:
        """Ids of the keys it accepts."""
        return frozenset(key.kid for key, _ in self._keys)

    def recognises(self, token: str) -> bool:
        """Whether it ends with an HMAC field."""
        return len(token) <= MAX_SHORT_CHARS and _SHAPE.fullmatch(token) is not None

    def key_id_of(self, token: str) -> str:
        """Empty: a short token names no key."""
        _parts(token)
        return ""

    def permission(self, token: str) -> Permission:
        """What ``token`` says, if it is genuine.

        Raises:
            TokenError: it is not, or makes a condition that is not understood.
        """
        signed, mac = _parts(token)
        key, issuer = self._signer_of(signed, mac)
        fields = _fields(signed)
        session = unquote_plus(fields.get("id", ""))
        return Permission(
            form=NAME,
            kid=key.kid,
            issuer=issuer.name,
            token_id=mac[:32],
            session=session if session.isprintable() else "",
            issued_s=-math.inf,
            starts_s=_time(fields["st"]) if "st" in fields else -math.inf,
            expires_s=_time(fields.get("exp", "")),
            limits=(*issuer.limits, *_limits(fields)),
        )

    def _signer_of(self, signed: str, mac: str) -> tuple[VerificationKey, Issuer]:
        """The key that made the HMAC; every key is tried, whatever comes of the others."""
        found = None
        for key, issuer in self._keys:
            assert isinstance(key.key, bytes)
            if hmac.compare_digest(_mac(signed, key.key), mac):
                found = (key, issuer)
        if found is None:
            refuse("bad-signature" if self._keys else "unknown-key")
        return found


def fields_of(token: str) -> Mapping[str, str]:
    """The fields of a short token, not verified and without the HMAC; none when it is no token."""
    match = _SHAPE.fullmatch(token) if len(token) <= MAX_SHORT_CHARS else None
    pairs = [] if match is None else [each.partition("=") for each in match["signed"].split("~")]
    return {name: value for name, _, value in pairs}


def mint_short(
    paths: Sequence[str],
    *,
    expires_s: int,
    secret: bytes,
    starts_s: int | None = None,
    address: str = "",
    session: str = "",
) -> str:
    """A short token.

    Args:
        paths: Path patterns that it opens, such as ``/film/*``.
        expires_s: Unix time of its end.
        secret: The shared secret.
        starts_s: Unix time of its begin; None: it is valid at once.
        address: Address or prefix of the client; empty: any.
        session: Id of the session; empty: none.

    Raises:
        ValueError: a path cannot stand in a token, or there is none.
    """
    if not paths or any(not _ACL.fullmatch(path) for path in paths):
        raise ValueError(
            "paths: expected some, each with a slash first and without ~, ! and spaces"
        )
    fields = [
        ("ip", quote(address, safe=".:/")),
        ("st", "" if starts_s is None else str(starts_s)),
        ("exp", str(expires_s)),
        ("acl", "!".join(paths)),
        ("id", quote(session, safe="").replace("~", "%7e")),
    ]
    signed = "~".join(f"{name}={value}" for name, value in fields if value)
    return f"{signed}~hmac={_mac(signed, secret)}"


_ACL = re.compile(r"/[\"-}]*", re.ASCII)


def _mac(signed: str, secret: bytes) -> str:
    return hmac.new(secret, signed.encode(), hashlib.sha256).hexdigest()


def _parts(token: str) -> tuple[str, str]:
    match = _SHAPE.fullmatch(token) if len(token) <= MAX_SHORT_CHARS else None
    if match is None:
        refuse("malformed")
    return match["signed"], match["mac"]


def _fields(signed: str) -> Mapping[str, str]:
    """Its fields by name, of which none may stand twice."""
    pairs = [field.partition("=") for field in signed.split("~")]
    fields = {name: value for name, _, value in pairs}
    if len(fields) != len(pairs):
        refuse("malformed")
    if not fields.keys() <= _FIELDS:
        refuse("not-understood")
    return fields


def _limits(fields: Mapping[str, str]) -> tuple[Limit, ...]:
    if not fields.get("acl"):
        refuse("not-understood")  # a token for one URL, which does not say for which
    try:
        paths = tuple(compile_wildcards(normal_escapes(path)) for path in fields["acl"].split("!"))
        limits: tuple[Limit, ...] = (PathPatterns(patterns=paths),)
        if "ip" in fields:
            network = network_of(unquote_plus(fields["ip"]))
            limits = (Addresses(network=network, claim="ip"), *limits)
    except (MatchError, ValueError):
        refuse("not-understood")
    return limits


def _time(text: str) -> float:
    if not _TIME.fullmatch(text):
        refuse("malformed")
    return float(text)
