"""Why a token is refused: one word for programs and counters, one sentence for people."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NoReturn

from abr.errors import TokenError

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


def refuse(reason: str) -> NoReturn:
    """Raise the ``TokenError`` for ``reason``, a key of ``REASONS``."""
    raise TokenError(reason, REASONS[reason])
