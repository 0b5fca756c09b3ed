"""The audit log: one line of JSON for every key that was given or refused. Never a key.

A line says when, to which session and account, for which title, which key ids, and the outcome.
Of a request without a genuine token nothing that it says is written down but that it was refused,
and why: nothing of it can be told from the parts of a token.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime

from origin.tokens.permission import Permission

GRANTED = "granted"
"""The outcome of a request that got every key it may have; others are reasons of refusals."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditRecord:
    """One answer to a request for keys."""

    time_s: float
    """Unix seconds."""
    system: str
    """``key`` for a plain key, else the name of the key system."""
    outcome: str
    """``granted``, or the reason of the refusal."""
    session: str = ""
    account: str = ""
    """The account's opaque tag."""
    token_id: str = ""
    title: str = ""
    kids: tuple[str, ...] = ()
    """Key ids that were asked for and given; of a refusal those that were asked for."""
    ahead: tuple[str, ...] = ()
    """Key ids that were given with them."""
    withheld: tuple[str, ...] = ()
    """Key ids that were asked for and not given, because the permission does not open them."""
    unknown: tuple[str, ...] = ()
    """Key ids that were asked for and are not of this title."""

    @property
    def line(self) -> bytes:
        """As it is written, with the end of the line; what is empty is left out."""
        at = datetime.fromtimestamp(self.time_s, UTC).isoformat(timespec="milliseconds")
        value: dict[str, object] = {"time": at.replace("+00:00", "Z"), "outcome": self.outcome}
        for name in _WRITTEN:
            found = getattr(self, name)
            if found:
                value[name] = found
        return json.dumps(value, separators=(",", ":")).encode() + b"\n"


_WRITTEN = (
    "system", "session", "account", "token_id", "title", "kids", "ahead", "withheld", "unknown",
)  # fmt: skip


def refused(reason: str, *, time_s: float, system: str) -> AuditRecord:
    """The record of a request whose token was refused."""
    return AuditRecord(time_s=time_s, system=system, outcome=reason)


def record_of(
    permission: Permission,
    *,
    time_s: float,
    system: str,
    outcome: str,
    title: str,
    kids: tuple[str, ...] = (),
    ahead: tuple[str, ...] = (),
    withheld: tuple[str, ...] = (),
    unknown: tuple[str, ...] = (),
) -> AuditRecord:
    """The record of a request with a genuine token."""
    return AuditRecord(
        time_s=time_s,
        system=system,
        outcome=outcome,
        session=permission.session,
        account=permission.account,
        token_id=permission.token_id,
        title=title,
        kids=kids,
        ahead=ahead,
        withheld=withheld,
        unknown=unknown,
    )
