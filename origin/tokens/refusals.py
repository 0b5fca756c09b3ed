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
    "wrong-uri": "the token is for other URLs than this one",
    "wrong-method": "the token is for other methods than this one",
    "wrong-address": "the token is for another address than the one this request comes from",
    "wrong-audience": "the token is for another server",
    "wrong-algorithm": "the token is not signed with the algorithm of its key",
    "unknown-issuer": "the token's issuer is not trusted here",
    "not-understood": "the token makes a condition that this server does not understand",
    "used": "the token may be used once, and was used before",
    "too-many": "too many tokens that may be used once are in use here; try again later",
    "not-renewable": "tokens of this kind cannot be renewed here; ask their issuer for another",
    "revoked": "the token was revoked; ask /playback/<title> for a new playback URL",
    "unmarked": "the title is watermarked, and the token has no pattern; ask for playback again",
    "session-over": "the session has ended; ask /playback/<title> for a new playback URL",
}
"""Every reason for a refusal with the text for the client, who is told nothing else."""


def refuse(
    reason: str, *, status: int | None = None, fields: tuple[tuple[str, str], ...] = ()
) -> NoReturn:
    """Raise the ``TokenError`` for ``reason``, a key of ``REASONS``.

    Args:
        reason: Why.
        status: Status of the answer; None: 403.
        fields: Further fields of the answer.
    """
    raise TokenError(reason, REASONS[reason], status=status, fields=fields)
