"""Why the playback service refuses: a word for programs, a status, a sentence for people.

Source of the form: RFC 9457 (problem details). ``type`` is ``about:blank``, so ``title`` is the
status in words; the member ``error`` tells refusals apart.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from abr.errors import InputError


class Meaning(NamedTuple):
    """What one word stands for."""

    status: int
    text: str
    """What was found and what to do; told to the client."""


REFUSALS: Mapping[str, Meaning] = {
    "bad-request": Meaning(400, "the request cannot be read"),
    "unauthenticated": Meaning(
        401, "no account was named; send its secret as `Authorization: Bearer ...`"
    ),
    "unknown-account": Meaning(401, "the bearer secret belongs to no account; sign in again"),
    "bearer-expired": Meaning(401, "the bearer token has expired; sign in again"),
    "no-plan": Meaning(403, "the account has no plan that is known here"),
    "account-blocked": Meaning(403, "this account may not play now; its owner knows why"),
    "account-revoked": Meaning(403, "this account was revoked; its owner knows why"),
    "title-revoked": Meaning(403, "this title was withdrawn"),
    "not-admin": Meaning(403, "revocations need the admin secret of this gateway"),
    "admin-off": Meaning(
        403, "this gateway takes no revocations; set ABR_GATEWAY_ADMIN_SECRET, or use the command"
    ),
    "not-in-plan": Meaning(403, "this title is not part of the account's plan"),
    "too-tall": Meaning(
        403, "the account's plan opens no picture of this title: all are taller, or share a key"
    ),
    "too-many-streams": Meaning(
        403, "all places of this account are taken; end a playback on one of the devices"
    ),
    "not-yours": Meaning(403, "the session belongs to another account, or the token to another"),
    "bad-token": Meaning(403, "the session's token is not valid"),
    "session-over": Meaning(410, "the session has ended; ask POST /v1/playback for a new one"),
    "session-replaced": Meaning(
        410, "the device has begun another playback, so this one has ended"
    ),
    "place-taken": Meaning(
        410, "no heartbeat came in time, and another device has taken the place"
    ),
    "session-ended": Meaning(410, "the session was ended; ask POST /v1/playback for a new one"),
    "session-revoked": Meaning(410, "the session was revoked"),
    "no-such-title": Meaning(404, "there is no title of this name; GET /v1/titles lists them"),
    "not-found": Meaning(404, "there is nothing here; the service begins at /v1/playback"),
    "too-many-requests": Meaning(429, "too many requests; wait as long as Retry-After says"),
    "accounts-unavailable": Meaning(
        503, "accounts cannot be looked up at the moment; what plays goes on, try again soon"
    ),
    "state-unavailable": Meaning(
        503, "places cannot be given at the moment; what plays goes on, try again soon"
    ),
    "titles-unavailable": Meaning(
        503, "titles cannot be looked up at the moment; what plays goes on, try again soon"
    ),
}
"""Every refusal."""


_PHRASES = {  # RFC 9110 §15.5 and §15.6, RFC 6585 §4
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    410: "Gone",
    429: "Too Many Requests",
    503: "Service Unavailable",
}


class GatewayRefusal(InputError):  # noqa: N818  # an answer, not a fault
    """A request that is refused, with the word for it."""

    def __init__(
        self,
        word: str,
        detail: str = "",
        *,
        retry_after_s: int | None = None,
        facts: Mapping[str, Any] | None = None,
    ) -> None:
        """``word`` is a key of ``REFUSALS``; ``detail`` replaces its text."""
        super().__init__(detail or REFUSALS[word].text)
        self.word = word
        self.status = REFUSALS[word].status
        self.retry_after_s = retry_after_s
        self.facts = facts or {}


def problem(refusal: GatewayRefusal) -> dict[str, Any]:
    """The body that tells of a refusal.

    ``error`` and ``message`` are as in the refusals of our other servers.
    """
    return {
        "type": "about:blank",
        "title": _PHRASES[refusal.status],
        "status": refusal.status,
        "detail": str(refusal),
        "error": refusal.word,
        "message": str(refusal),
        **refusal.facts,
    }
