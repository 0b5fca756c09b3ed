"""ClearKey: requests and licences in JSON, as browsers exchange them.

A request lists key ids, a licence is a set of keys. Key bytes appear in the licence only.

Sources: W3C Encrypted Media Extensions, section 9.1 (key system ``org.w3.clearkey``): 9.1.3 the
licence request, 9.1.4 the licence; RFC 7517 and 7518 §6.4 (a set of ``oct`` keys).
"""

from __future__ import annotations

import binascii
import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Iterable

from abr.errors import InputError
from origin.licences.keys import KeyToGive

MAX_KIDS = 256
"""Most key ids in one request."""

MEDIA_TYPE = "application/json"
"""Of licences."""

_KID_CHARS = 22
_EXPECTED = 'expected {"kids": ["<key id, base64url>", ...], "type": "temporary"}'


class LicenceRequestError(InputError, ValueError):
    """A licence request that cannot be read."""


class ClearKey:
    """The key system ``org.w3.clearkey``."""

    name = "clearkey"
    """As in URLs."""
    media_type = MEDIA_TYPE
    """Of its licences."""
    may_wait = False
    """It asks nobody."""

    def __repr__(self) -> str:
        return "<ClearKey>"

    def kids_of(self, request: bytes) -> tuple[str, ...]:
        """The key ids that a request asks for, each once, as 32 hexadecimal digits.

        Raises:
            LicenceRequestError: it is malformed, or asks for licences of another type.
        """
        try:
            value = json.loads(request)
        except (ValueError, RecursionError):
            raise LicenceRequestError(f"licence request: not JSON; {_EXPECTED}") from None
        if not isinstance(value, dict):
            raise LicenceRequestError(f"licence request: not an object; {_EXPECTED}")
        kids = value.get("kids")
        if not isinstance(kids, list) or not kids:
            raise LicenceRequestError(f'licence request: no list of "kids" in it; {_EXPECTED}')
        if len(kids) > MAX_KIDS:
            raise LicenceRequestError(
                f"licence request: {len(kids)} kids; expected at most {MAX_KIDS}; ask for fewer"
            )
        wanted = value.get("type", "temporary")
        if wanted != "temporary":
            raise LicenceRequestError(
                "licence request: another type; expected 'temporary': "
                "no licence given here may be stored"
            )
        return tuple(dict.fromkeys(_kid(each, place) for place, each in enumerate(kids)))

    def licence(self, _request: bytes, keys: Iterable[KeyToGive], *, expires_s: float) -> bytes:
        """The licence that gives ``keys``.

        ``exp`` says when to ask again, Unix seconds. Members that a reader does not know are
        ignored (RFC 7517 §5), so browsers take it for what it is to them: a set of keys.
        """
        listed = [
            {"kty": "oct", "kid": _text(bytes.fromhex(each.kid)), "k": _text(each.key)}
            for each in keys
        ]
        value = {"keys": listed, "type": "temporary", "exp": int(expires_s)}
        return json.dumps(value, separators=(",", ":")).encode()


def _kid(value: object, place: int) -> str:
    if isinstance(value, str) and len(value) == _KID_CHARS and value.isascii():
        try:
            data = urlsafe_b64decode(value + "==")
        except (binascii.Error, ValueError):
            data = b""
        # 22 characters hold 132 bits for 128, and strangers to the alphabet are skipped.
        if len(data) == 16 and _text(data) == value:
            return data.hex()
    raise LicenceRequestError(
        f"licence request: kids[{place}] is not a key id; expected {_KID_CHARS} characters of "
        "base64url without padding, for 16 bytes"
    )


def _text(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode("ascii")
