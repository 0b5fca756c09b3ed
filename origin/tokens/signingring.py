"""The keys that sign tokens, one after the other, so that a change of keys refuses nobody.

A new key is published first, and signs once every tier must have it. The key before it verifies
until its last token is over, renewals included. A key that leaked is revoked instead: it verifies
nothing any more, and every token that it signed has to be asked for anew.

Bytes and text only. No clock is read: ``now_s`` is Unix time in seconds. A private key appears in
no message and no ``repr``.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from abr.errors import InputError, KeyStoreError
from origin.tokens.keysets import thumbprint
from origin.tokens.revocation import Revocation

KEY_BYTES = 32

LEAD_S = 120.0
"""How long a new key is published before it signs. Tiers that the trust feed reaches have it within
seconds; one without the feed keeps a key set for a minute."""

MARGIN_S = 60.0
"""How much longer than its tokens a key verifies: clocks of issuers differ."""

LONGEST_S = 10 * 365 * 86400.0
"""The longest session that an origin can be set to."""

FORMAT = "abrkit signing ring"


class SigningRingError(InputError, ValueError):
    """What cannot be done to a ring of signing keys."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SigningKey:
    """One key."""

    kid: str
    raw: bytes = field(repr=False)
    """The private key."""
    signs_from_s: float = 0.0
    """When it begins to sign; 0: always."""

    @property
    def private(self) -> Ed25519PrivateKey:
        """What signs."""
        return Ed25519PrivateKey.from_private_bytes(self.raw)


@dataclass(frozen=True, slots=True, kw_only=True)
class RevokedKey:
    """A key that was revoked."""

    kid: str
    at_ms: int
    """When, Unix milliseconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SigningRing:
    """All keys, by when they begin to sign."""

    keys: tuple[SigningKey, ...]
    revoked: tuple[RevokedKey, ...] = ()

    def signing(self, now_s: float) -> SigningKey:
        """The key that signs."""
        begun = [key for key in self.keys if key.signs_from_s <= now_s]
        return begun[-1] if begun else self.keys[0]

    def waiting(self, now_s: float) -> SigningKey | None:
        """The key that is published and does not sign yet; None: there is none."""
        last = self.keys[-1]
        return last if last.signs_from_s > now_s and len(self.keys) > 1 else None

    def verifying(self, now_s: float, *, session_s: float) -> dict[str, Ed25519PublicKey]:
        """Public keys by id that tokens may be verified with.

        Args:
            now_s: Unix time.
            session_s: How long a token can be renewed, at most.
        """
        kept = self._without_ended(now_s, session_s).keys
        return {key.kid: key.private.public_key() for key in kept}

    def entries(self) -> tuple[Revocation, ...]:
        """What the deny list says of revoked keys, also where a key set is behind."""
        return tuple(
            Revocation(
                kind="key",
                value=key.kid,
                until_s=key.at_ms / 1000 + LONGEST_S,
                changed_ms=key.at_ms,
            )
            for key in self.revoked
        )

    def rotate(
        self, raw: bytes, *, now_s: float, lead_s: float = LEAD_S, session_s: float = LONGEST_S
    ) -> SigningRing:
        """With another key, which signs after ``lead_s``.

        Args:
            raw: The new private key.
            now_s: Unix time.
            lead_s: How long it is published before.
            session_s: Keys are dropped whose tokens cannot be older than this.

        Raises:
            SigningRingError: another new key does not sign yet.
        """
        waiting = self.waiting(now_s)
        if waiting is not None:
            raise SigningRingError(
                f"key {waiting.kid} is published, and signs in "
                f"{waiting.signs_from_s - now_s:.0f} s; wait until then"
            )
        kept = self._without_ended(now_s, session_s)
        return replace(kept, keys=(*kept.keys, key_of(raw, signs_from_s=now_s + lead_s)))

    def revoke(self, kid: str, raw: bytes, *, now_s: float) -> SigningRing:
        """Without a key, which verifies nothing any more.

        Args:
            kid: Its id.
            raw: A private key that signs at once, if no other key is left that can.
            now_s: Unix time.

        Raises:
            SigningRingError: there is no such key.
        """
        kept = [key for key in self.keys if key.kid != kid]
        if len(kept) == len(self.keys):
            known = ", ".join(key.kid for key in self.keys)
            raise SigningRingError(f"no signing key {kid!r}; there are {known}")
        if self.signing(now_s).kid == kid:
            # One that signed before may have leaked with it, or have been replaced for a reason.
            later = [key for key in kept if key.signs_from_s > now_s]
            kept = [key for key in kept if key not in later]
            first = later[0] if later else key_of(raw)
            kept += [replace(first, signs_from_s=now_s), *later[1:]]
        gone = RevokedKey(kid=kid, at_ms=int(now_s * 1000))
        return SigningRing(keys=tuple(kept), revoked=(*self.revoked, gone))

    def _without_ended(self, now_s: float, session_s: float) -> SigningRing:
        """Without keys that were replaced so long ago that their tokens are over."""
        ends = [key.signs_from_s + session_s + MARGIN_S for key in self.keys[1:]]
        kept = [key for key, end_s in zip(self.keys, ends, strict=False) if now_s < end_s]
        return replace(self, keys=(*kept, self.keys[-1]))


def key_of(raw: bytes, *, kid: str = "", signs_from_s: float = 0.0) -> SigningKey:
    """The key of these bytes; its id is its thumbprint unless it has another.

    Raises:
        KeyStoreError: it is no private key.
    """
    if len(raw) != KEY_BYTES:
        raise KeyStoreError(f"signing key: {len(raw)} bytes; expected {KEY_BYTES}")
    made = SigningKey(kid=kid or "?", raw=raw, signs_from_s=signs_from_s)
    return made if kid else replace(made, kid=thumbprint(made.private.public_key()))


def print_ring(ring: SigningRing) -> bytes:
    """What the key store encrypts."""
    value = {
        "format": FORMAT,
        "keys": [
            {"kid": each.kid, "key": base64.b64encode(each.raw).decode(), "from": each.signs_from_s}
            for each in ring.keys
        ],
        "revoked": [{"kid": each.kid, "at": each.at_ms} for each in ring.revoked],
    }
    return json.dumps(value).encode()


def parse_ring(kid: str, data: bytes) -> SigningRing:
    """Read what the key store decrypted; a single key without times is a ring too.

    Raises:
        KeyStoreError: it is no ring.
    """
    if len(data) == KEY_BYTES:
        return SigningRing(keys=(key_of(data, kid=kid),))
    # The cause is not kept: a JSON error may quote the text, and with it a key.
    try:
        value = json.loads(data)
        if value["format"] != FORMAT or not value["keys"]:
            raise ValueError
        return SigningRing(
            keys=_keys(value["keys"]),
            revoked=tuple(
                RevokedKey(kid=_text(each["kid"]), at_ms=int(each["at"]))
                for each in value["revoked"]
            ),
        )
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        raise KeyStoreError("signing keys: damaged; restore signing.json") from None


def _keys(values: Sequence[Any]) -> tuple[SigningKey, ...]:
    found = [
        key_of(
            base64.b64decode(each["key"], validate=True),
            kid=_text(each["kid"]),
            signs_from_s=float(each["from"]),
        )
        for each in values
    ]
    return tuple(sorted(found, key=lambda each: each.signs_from_s))


def _text(value: Any) -> str:
    if not isinstance(value, str) or not value:
        raise ValueError
    return value
