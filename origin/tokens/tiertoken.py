"""Tokens of the tiers themselves: how one that has checked a viewer asks its parent.

Tiers that share a secret need not show viewers' tokens to each other. An object is asked for with
a token that opens its title for a minute and names nobody. A key or a licence is asked for with one
that says what the viewer's token said, for its answer depends on that. What only the first tier
can check (the viewer's address, a token that may be used once, the URL as it was) has been checked
by then, and is not asked again.

Text: ``tiertoken.<claims, JSON in base64url>.<HMAC-SHA256 in base64url>``. A ring of secrets
verifies, and the first of them signs, so that secrets can be changed one tier after the other.

No clock is read: ``now_s`` is Unix time in seconds. Source: RFC 2104 (HMAC).
"""

from __future__ import annotations

import hmac
import json
import math
from collections import OrderedDict
from collections.abc import Sequence
from typing import Any

from abr.errors import ConfigError
from origin.tokens.keysets import b64url, unb64url
from origin.tokens.permission import Permission
from origin.tokens.refusals import refuse

PREFIX = "tiertoken."
FORM = "tier"

TTL_S = 60.0
"""How long one is valid."""

LEAST_SECRET_CHARS = 24
"""A shorter secret could be guessed."""

MAX_CHARS = 4096

_EVERY_TITLE = "*"
_MEMO = 4096


def parse_secrets(text: str, *, where: str) -> tuple[bytes, ...]:
    """The keys of the secrets in ``text``, which are separated by spaces.

    Raises:
        ConfigError: one is too short.
    """
    words = text.split()
    if any(len(word) < LEAST_SECRET_CHARS for word in words):
        raise ConfigError(
            f"{where}: a secret of fewer than {LEAST_SECRET_CHARS} characters; expected chance, "
            "such as the output of `openssl rand -hex 32`"
        )
    return tuple(hmac.digest(word.encode(), b"abrkit tier token", "sha256") for word in words)


def tier_tokens(text: str, *, where: str) -> TierTokens | None:
    """The tokens of tiers that share the secrets in ``text``; None without any.

    Raises:
        ConfigError: a secret is too short.
    """
    keys = parse_secrets(text, where=where)
    return TierTokens(keys) if keys else None


class TierTokens:
    """The form of tiers' tokens; it also makes them."""

    name = FORM
    kids = frozenset({FORM})

    def __init__(self, keys: Sequence[bytes]) -> None:
        """Verify with each of ``keys``, and sign with the first; there is at least one."""
        self._keys = tuple(keys)
        self._made: OrderedDict[tuple[str, bytes], tuple[float, str]] = OrderedDict()

    def __repr__(self) -> str:
        return f"<TierTokens of {len(self._keys)} secrets>"

    def for_title(self, title: str, *, now_s: float, watermark: bytes = b"") -> str:
        """A token for objects of a title; the same for a while, so that parents remember it.

        With a watermark it says the pattern, which chooses what a segment is.
        """
        until_s, token = self._made.get((title, watermark), (-math.inf, ""))
        if now_s < until_s:
            return token
        claims = {"title": title, "iat": int(now_s), "exp": math.ceil(now_s + TTL_S)}
        token = self._sign(claims | ({"wm": b64url(watermark)} if watermark else {}))
        self._made[title, watermark] = (now_s + TTL_S / 2, token)
        self._made.move_to_end((title, watermark))
        if len(self._made) > _MEMO:
            self._made.popitem(last=False)
        return token

    def for_viewer(self, said: Permission, title: str, *, now_s: float) -> str:
        """A token for what depends on the viewer, with what the viewer's token said."""
        claims: dict[str, Any] = {
            "title": title,
            "iat": None if said.issued_s == -math.inf else said.issued_s,
            "exp": math.ceil(min(said.expires_s, now_s + TTL_S)),
            "jti": said.token_id,
            "sub": said.session,
            "acc": said.account,
            "key": said.kid,
        }
        if said.max_height is not None:
            claims["mh"] = said.max_height
        if said.watermark:
            claims["wm"] = b64url(said.watermark)
        # 0 lines is a limit, which opens sound only.
        return self._sign(
            {name: value for name, value in claims.items() if value not in (None, "")}
        )

    def for_tier(self, *, now_s: float) -> str:
        """A token that opens nothing, and shows a parent that this tier knows a secret."""
        return self.for_title(_EVERY_TITLE, now_s=now_s)

    def is_tier(self, token: str | None, *, now_s: float) -> bool:
        """Whether ``token`` is one of ``for_tier``, of now."""
        if token is None or not self.recognises(token):
            return False
        said = self._read(token)
        return said is not None and said.get("title") == _EVERY_TITLE and now_s < said["exp"]

    def recognises(self, token: str) -> bool:
        """Whether ``token`` has the shape of this form."""
        return token.startswith(PREFIX)

    def key_id_of(self, token: str) -> str:
        """The id of the key, which is no secret of any one tier."""
        return FORM

    def permission(self, token: str) -> Permission:
        """What ``token`` says.

        Raises:
            TokenError: it is ``malformed``, or its ``bad-signature`` is of another secret.
        """
        if len(token) > MAX_CHARS or token.count(".") != 2:
            refuse("malformed")
        said = self._read(token)
        if said is None:
            refuse("bad-signature")
        return Permission(
            form=FORM,
            kid=said.get("key", FORM),
            expires_s=said["exp"],
            issued_s=said.get("iat", -math.inf),
            token_id=said.get("jti", ""),
            session=said.get("sub", ""),
            account=said.get("acc", ""),
            title=said["title"],
            max_height=said.get("mh"),
            watermark=unb64url(said.get("wm", "")),
        )

    def _sign(self, claims: dict[str, Any]) -> str:
        text = PREFIX + b64url(json.dumps(claims, separators=(",", ":")).encode())
        return f"{text}.{_mac(self._keys[0], text)}"

    def _read(self, token: str) -> dict[str, Any] | None:
        """The claims that a tier wrote; None when none of ours did."""
        text, _, given = token.rpartition(".")
        # The texts are compared, so another spelling of the same bytes is none of ours.
        valid = [
            hmac.compare_digest(_mac(key, text).encode(), given.encode("utf-8", "surrogateescape"))
            for key in self._keys
        ]
        if not any(valid):
            return None
        # Only a tier could write it, so it has the form in which tiers write.
        claims: dict[str, Any] = json.loads(unb64url(text.removeprefix(PREFIX)))
        return claims


def _mac(key: bytes, text: str) -> str:
    return b64url(hmac.digest(key, text.encode("utf-8", "surrogateescape"), "sha256"))
