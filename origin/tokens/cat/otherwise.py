"""What a Common Access Token says of its own refusal (``catif``): an answer instead of ours.

For each claim that may fail it names a status and fields, such as a redirect to where a viewer
gets another token. A ``Location`` of two parts is a URL and the claims of a token that is put
behind it; that needs a key of the issuer that may sign, and without one our own answer is given.

An answer never looks like a success, is never stored by caches, and holds no field that frames a
message.

Sources: CTA-5007 (through Eyevinn's node-cat 0.16.4 and the CAT module of Akamai's EdgeWorkers
examples), RFC 9110 §5.5 (values of fields).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from origin.tokens.cat.labels import LABELS, encode_claims, named_claims
from origin.tokens.cose import seal
from origin.tokens.keysets import b64url
from origin.tokens.permission import Answer
from origin.tokens.refusals import refuse
from origin.tokens.signingkeys import SigningKey

REASONS: Mapping[str, str] = {
    "expired": "exp",
    "session-over": "exp",
    "not-yet": "nbf",
    "wrong-uri": "catu",
    "wrong-method": "catm",
    "wrong-address": "catnip",
    "used": "catreplay",
}
"""The claim that fails when a token is refused for a reason."""

MAX_FIELDS = 16
"""Most fields of an answer."""

_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,64}", re.ASCII)
_VALUE = re.compile(r"[\x21-\x7e](?:[\x20-\x7e]{0,1022}[\x21-\x7e])?", re.ASCII)
_FRAMING = frozenset(
    {
        *("connection", "content-encoding", "content-length", "content-type", "keep-alive"),
        *("cache-control", "date", "server", "te", "trailer", "transfer-encoding", "upgrade"),
    }
)

_OF_PROXIES = re.compile(
    r"x-accel-|x-sendfile|x-lighttpd-|surrogate-|edge-control"
    r"|(?:age|etag|expires|vary)$|.*-cache-control$"
)
"""Fields that caches and proxies in front act on: they would keep the answer and give it to others,
or send something of their own."""

Value = str | tuple[str, Mapping[str, Any]]
"""A text, or a URL and the claims of the token that is put behind it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One answer."""

    claims: frozenset[int | str]
    """Labels of the claims that it is for."""
    status: int
    fields: tuple[tuple[str, Value], ...] = field(repr=False)
    kid: str
    """Id of the key that signs a new token; empty: none is made."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Otherwise:
    """The answers of one token; the first rule for the claim that failed gives it."""

    rules: tuple[Rule, ...]
    key: SigningKey | None = None

    @classmethod
    def read(cls, catif: object, *, key: SigningKey | None) -> Otherwise:
        """The answers that the claim gives; raises ``TokenError``."""
        if not isinstance(catif, dict):
            refuse("malformed")
        return cls(rules=tuple(_rule(*pair) for pair in catif.items()), key=key)

    def answer(self, reason: str, *, now_s: float) -> Answer | None:
        """The answer to a refusal; None: the usual one."""
        label = LABELS.get(REASONS.get(reason, ""))
        rule = next((rule for rule in self.rules if label in rule.claims), None)
        if rule is None:
            return None
        fields = []
        for name, value in rule.fields:
            text = value if isinstance(value, str) else self._located(value, rule.kid, now_s)
            if text is None:
                return None
            fields.append((name, text))
        return Answer(status=rule.status, fields=tuple(fields))

    def _located(self, value: tuple[str, Mapping[str, Any]], kid: str, now_s: float) -> str | None:
        """A URL with a new token behind it; None: nobody here may sign one."""
        if self.key is None or self.key.kid != kid:
            return None
        url, claims = value
        return url + b64url(seal(encode_claims({"iat": int(now_s), **claims}), self.key))


def _rule(names: object, said: object) -> Rule:
    labels = names if isinstance(names, tuple) else (names,)
    if not labels or not all(type(label) in {int, str} for label in labels):
        refuse("malformed")
    if not isinstance(said, list) or len(said) not in (2, 3):
        refuse("malformed")
    status, fields, kid = (*said, None)[:3]
    if type(status) is not int or not 300 <= status <= 499 or status == 304:
        refuse("not-understood")
    if not isinstance(fields, dict) or len(fields) > MAX_FIELDS:
        refuse("malformed")
    if isinstance(kid, bytes):
        kid = kid.decode("utf-8", "replace")
    if not isinstance(kid, str | None):
        refuse("malformed")
    read = tuple((_name(name), _value(name, value)) for name, value in fields.items())
    return Rule(claims=frozenset(labels), status=status, fields=read, kid=kid or "")


def _name(name: object) -> str:
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        refuse("malformed")
    if name.lower() in _FRAMING or _OF_PROXIES.match(name.lower()):
        refuse("not-understood")
    return name


def _value(name: str, value: object) -> Value:
    if isinstance(value, str) and _VALUE.fullmatch(value):
        return value
    if name.lower() != "location" or not isinstance(value, list) or len(value) != 2:
        refuse("malformed")
    url, claims = value
    if not isinstance(url, str) or not _VALUE.fullmatch(url):
        refuse("malformed")
    return url, named_claims(claims)
