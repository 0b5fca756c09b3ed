"""Renewal of Common Access Tokens (``catr``): a fresh token comes with an answer.

A token asks for it when it is about to end. The fresh one says the same and ends ``expadd``
seconds from now, not from the old end, so that renewals cannot be piled up. It needs a key of the
issuer that may sign: a tier that has none lets the token end.

Sources: CTA-5007 (through Eyevinn's node-cat 0.16.4 and the CAT module of Akamai's EdgeWorkers
examples), RFC 6265 §4.1 (cookies), RFC 9110 §5.6.2 (names of fields).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from origin.tokens.cat.labels import encode_claims
from origin.tokens.cose import seal
from origin.tokens.keysets import b64url
from origin.tokens.permission import Asked
from origin.tokens.refusals import refuse
from origin.tokens.signingkeys import SigningKey

FIELD = "CTA-Common-Access-Token"
"""Name of the field, and of the cookie, that hold a token."""

Way = Literal["automatic", "cookie", "header", "redirect"]

WITHIN_S = 60.0
"""A token that does not say when it wants to be renewed is renewed this long before its end."""

WAYS: tuple[Way, ...] = ("automatic", "cookie", "header", "redirect")
"""Ways by their number."""

_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,64}", re.ASCII)
# No semicolon, for each is one parameter, and nothing that ends a line.
_PARAMETER = re.compile(r"[\x20-\x3a\x3c-\x7e]{1,256}", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Catr:
    """What a token says of its renewal."""

    way: Way
    add_s: float
    """From the renewal to the end of the fresh token."""
    within_s: float = WITHIN_S
    """It is renewed in its last so many seconds."""
    cookie_name: str = FIELD
    field_name: str = FIELD
    cookie_parameters: tuple[str, ...] = ()
    field_parameters: tuple[str, ...] = ()
    status: int = 302
    """Of a redirect."""

    @classmethod
    def read(cls, catr: object) -> Catr:
        """The renewal that the claim asks for; raises ``TokenError``."""
        if not isinstance(catr, dict) or 0 not in catr or 1 not in catr:
            refuse("malformed")
        if not all(type(label) is int and label in range(8) for label in catr):
            refuse("not-understood")
        if type(catr[0]) is not int or catr[0] not in range(len(WAYS)):
            refuse("not-understood")
        status = catr.get(7, 302)
        if type(status) is not int or status not in {301, 302, 303, 307, 308}:
            refuse("not-understood")
        return cls(
            way=WAYS[catr[0]],
            add_s=_seconds(catr[1], least=1),
            within_s=_seconds(catr.get(2, WITHIN_S), least=0),
            cookie_name=_name(catr.get(3, FIELD)),
            field_name=_name(catr.get(4, FIELD)),
            cookie_parameters=_parameters(catr.get(5, ())),
            field_parameters=_parameters(catr.get(6, ())),
            status=status,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class CatRenewal:
    """Makes fresh tokens of one token."""

    claims: Mapping[str, Any] = field(repr=False)
    catr: Catr
    key: SigningKey
    base: str = ""

    def token(self, *, now_s: float) -> str | None:
        """A fresh token; None when it is too early for one."""
        if now_s < self.claims["exp"] - self.catr.within_s:
            return None
        now = int(now_s)
        # RFC 8392 §3.1.7: no two tokens have one id. The shell that drew the first one's supplied
        # the chance.
        seed = self.claims.get("cti", b"") + f"\n{now_s!r}".encode()
        fresh = {
            **self.claims,
            "iat": now,
            "exp": now + int(self.catr.add_s),
            "cti": hashlib.sha256(seed).digest()[:16],
        }
        return b64url(seal(encode_claims(fresh), self.key))

    def fields(self, *, asked: Asked, now_s: float) -> tuple[tuple[str, str], ...]:
        """A field or a cookie with a fresh token; nothing when it is too early."""
        way = self._way(asked)
        token = self.token(now_s=now_s) if way in {"cookie", "header"} else None
        if token is None:
            return ()
        if way == "header":
            value = "; ".join((token, *self.catr.field_parameters))
            return ((self.catr.field_name, value),)
        return (("Set-Cookie", self._cookie(token, asked)),)

    def is_kept(self, asked: Asked) -> bool:
        """Cookies are."""
        return self._way(asked) == "cookie"

    def moves(self, *, asked: Asked, now_s: float) -> tuple[int, str] | None:
        """A redirect to the same thing with a fresh token; None when it is too early."""
        # The fresh one must not be due at once, or the redirects would never end.
        if self._way(asked) != "redirect" or self.catr.add_s <= self.catr.within_s:
            return None
        token = self.token(now_s=now_s)
        return None if token is None else (self.catr.status, token)

    def _way(self, asked: Asked) -> Way:
        """How this client is given a fresh token."""
        if self.catr.way != "automatic":
            return self.catr.way
        usual: Mapping[str, Way] = {"cookie": "cookie", "header": "header"}
        return usual.get(asked.carriage, "redirect")

    def _cookie(self, token: str, asked: Asked) -> str:
        is_secure = (self.base or f"{asked.scheme}:").startswith("https:")
        # Pages of other sites may send it, as with tokens in URLs; browsers want TLS for that.
        usual = (
            "Path=/",
            f"Max-Age={int(self.catr.add_s)}",
            "HttpOnly",
            *(("Secure", "SameSite=None") if is_secure else ("SameSite=Lax",)),
        )
        return "; ".join(
            (f"{self.catr.cookie_name}={token}", *(self.catr.cookie_parameters or usual))
        )


def _seconds(value: object, *, least: float) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        refuse("malformed")
    if not least <= value < 1e9:
        refuse("malformed")
    return float(value)


def _name(value: object) -> str:
    if not isinstance(value, str) or not _NAME.fullmatch(value):
        refuse("malformed")
    return value


def _parameters(value: object) -> tuple[str, ...]:
    if isinstance(value, str):  # node-cat takes one without a list
        value = [value]
    if not isinstance(value, list | tuple):
        refuse("malformed")
    if not all(isinstance(each, str) and _PARAMETER.fullmatch(each) for each in value):
        refuse("malformed")
    return tuple(value)
