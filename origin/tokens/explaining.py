"""Why a token opens a URL or does not, step by step and in words, for whoever runs a server.

Clients are told one word. Here each condition is named with what was found and what was
expected; neither the token nor a secret is part of it. What stands in a token that is not genuine
is shown as what it says, not as what is true.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from abr.errors import TokenError
from origin.tokens.cat.readable import said_by
from origin.tokens.jws import looks_signed, read_jws
from origin.tokens.permission import Asked, Permission
from origin.tokens.shortform import fields_of
from origin.tokens.verifier import TokenVerifier

REMEDIES: Mapping[str, str] = {
    "missing": "put the token into the path, a query argument, a header field or a cookie",
    "malformed": "copy the whole token; is it of a form that is trusted here (--trust)?",
    "unknown-key": "give its key set (--trust, --jwks or --keys), or sign with a known key",
    "bad-signature": "the token was altered on its way, or is signed with another key",
    "wrong-algorithm": "sign with the algorithm of the key",
    "unknown-issuer": "add the issuer to the file of issuers (--trust)",
    "expired": "ask for a new token; if it should still be valid, compare the clocks",
    "session-over": "begin a new playback",
    "not-yet": "wait, or compare the clocks",
    "wrong-title": "ask for a token for this title",
    "wrong-uri": "ask for a token for this URL; is the base that viewers see set (base)?",
    "wrong-method": "use a method that the token names, or ask for a token for this one",
    "wrong-address": "ask from the address that the token names; is there a proxy in between?",
    "wrong-audience": "name this server in aud, or set its id in the file of issuers",
    "not-understood": "leave out the condition, or use a server that understands it",
    "revoked": "begin a new playback, if the account still may",
    "used": "ask for a new token for each use",
    "too-many": "let tokens that may be used once end sooner",
}
"""What to do, by reason."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One condition."""

    about: str
    """The claim or the fact that it is about."""
    holds: bool
    found: str
    expected: str
    reason: str = ""
    """As clients are told when it does not hold."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """What comes of a token for a request."""

    reason: str
    """Why it is refused; empty when it opens what is asked for."""
    steps: tuple[Step, ...]
    form: str = ""
    issuer: str = ""
    kid: str = ""
    token_id: str = ""
    session: str = ""
    account: str = ""
    says: Mapping[str, Any] = field(default_factory=dict)
    """Its header and claims, as far as they can be read."""
    notes: tuple[str, ...] = ()

    @property
    def remedy(self) -> str:
        """What to do; empty when there is nothing to do."""
        return REMEDIES.get(self.reason, "")


def explain_token(
    token: str | None,
    *,
    verifier: TokenVerifier,
    asked: Asked | None,
    now_s: float,
    early_s: float,
) -> Explanation:
    """What a verifier makes of a token, and why.

    Args:
        token: As it was carried; None: there was none.
        verifier: What decides.
        asked: The request; None: any that the token is for.
        now_s: Unix time, seconds.
        early_s: How far the verifier's clock may be behind.
    """
    says = _says(token or "")
    try:
        found = verifier.permission_of(token)
    except TokenError as exc:
        return Explanation(reason=exc.reason, steps=(_not_genuine(exc, says, verifier),), says=says)
    steps = [
        Step(about="signature", holds=True, found=f"key {found.kid}", expected="a trusted key"),
        *_times(found, now_s, early_s),
        *_limits(found, asked),
    ]
    reason = next((step.reason for step in steps if not step.holds), "")
    if not reason and asked is not None:
        try:
            verifier.verify(token, asked=asked, now_s=now_s)
        except TokenError as exc:
            steps.append(_of_verifier(exc))
            reason = exc.reason
    return Explanation(
        reason=reason,
        steps=tuple(steps),
        form=found.form,
        issuer=found.issuer or "this service",
        kid=found.kid,
        token_id=found.token_id,
        session=found.session,
        account=found.account,
        says=says,
        notes=_notes(found),
    )


def with_clock(explanation: Explanation, ahead_s: float, where: str) -> Explanation:
    """The same with what another clock shows; ``ahead_s`` of this one, whole seconds."""
    shown = "the same" if abs(ahead_s) < 2 else f"{abs(ahead_s):.0f} s {_side(ahead_s)}"
    return replace(
        explanation, notes=(*explanation.notes, f"this clock and that of {where}: {shown}")
    )


def _side(ahead_s: float) -> str:
    return (
        "ahead, so tokens end earlier here" if ahead_s > 0 else "behind, so tokens end later here"
    )


def _step(about: str, found: str, expected: str, reason: str) -> Step:
    return Step(about=about, holds=False, found=found, expected=expected, reason=reason)


def _of_verifier(exc: TokenError) -> Step:
    """What only the verifier knows."""
    if exc.reason == "revoked":
        expected = "a token, session, account and title that nobody revoked"
        return _step("deny list", "an entry that means it", expected, exc.reason)
    return _step("verifier", str(exc), "a token that is accepted", exc.reason)


def _not_genuine(exc: TokenError, says: Mapping[str, Any], verifier: TokenVerifier) -> Step:
    reason = exc.reason
    kids = ", ".join(sorted(verifier.kids)) or "none"
    header = says.get("header", {})
    claims = says.get("claims", {})
    if reason == "missing":
        return _step("token", "none in the path, the query, the fields or cookies", "one", reason)
    if reason == "unknown-key":
        expected = f"a key that is known; of this service: {kids}"
        return _step("kid", str(header.get("kid", "none")), expected, reason)
    if reason == "unknown-issuer":
        expected = f"an issuer in the file of issuers; forms: {verifier!r}"
        return _step("iss", str(claims.get("iss", "none")), expected, reason)
    if reason == "wrong-algorithm":
        return _step("alg", str(header.get("alg", "none")), "the algorithm of the key", reason)
    if reason == "wrong-audience":
        return _step("aud", str(claims.get("aud", "none")), "our id in the file of issuers", reason)
    if reason == "bad-signature":
        return _step("signature", "one that does not fit", "that of a trusted key", reason)
    if reason == "not-understood":
        return _step("claims", _names(claims), "claims and values that are understood", reason)
    return _step("form", _shape(says), "a whole token of a form that is trusted", reason)


def _names(claims: Mapping[str, Any]) -> str:
    return ", ".join(sorted(claims)) or "what cannot be read"


def _shape(says: Mapping[str, Any]) -> str:
    claims = says.get("claims")
    return f"a token with {_names(claims)}" if claims else "a text that is no token"


def _times(found: Permission, now_s: float, early_s: float) -> list[Step]:
    steps = []
    if math.isfinite(found.starts_s):
        left_s = found.starts_s - now_s
        expected = f"{moment(now_s)} or before; up to {early_s:g} s later is accepted"
        word = f"in {left_s:.0f} s" if left_s > 0 else f"{-left_s:.0f} s ago"
        steps.append(
            Step(
                about="begin",
                holds=left_s <= early_s,
                found=f"{moment(found.starts_s)}, {word}",
                expected=expected,
                reason="not-yet",
            )
        )
    left_s = found.expires_s - now_s
    word = f"in {left_s:.0f} s" if left_s > 0 else f"{-left_s:.0f} s ago"
    is_over = now_s >= found.session_ends_s > 0
    steps.append(
        Step(
            about="end",
            holds=left_s > 0,
            found=f"{moment(found.expires_s)}, {word}",
            expected=f"after {moment(now_s)}; nothing later is accepted",
            reason="session-over" if is_over else "expired",
        )
    )
    return steps


def _limits(found: Permission, asked: Asked | None) -> list[Step]:
    steps: list[Step] = []
    if asked is None:
        return steps
    if found.title:
        holds = found.title == asked.title
        steps.append(
            Step(
                about="title",
                holds=holds,
                found=asked.title,
                expected=found.title,
                reason="wrong-title",
            )
        )
    for limit in found.limits:
        reason = limit.refusal(asked)
        steps.append(
            Step(
                about=limit.claim,
                holds=reason is None,
                found=limit.found(asked),
                expected=limit.wanted,
                reason=reason or "",
            )
        )
    return steps


def _notes(found: Permission) -> tuple[str, ...]:
    notes = []
    if found.nonce:
        notes.append("its use is limited; whether it was used, only the server knows")
    if found.renewal is not None:
        notes.append("each answer brings a fresh token")
    if found.max_height is not None:
        notes.append(f"keys for pictures of at most {found.max_height} lines")
    if found.watermark:
        notes.append(f"a watermark of {8 * len(found.watermark)} segments")
    if found.session_ends_s >= found.expires_s:
        notes.append(f"it can be renewed until {moment(found.session_ends_s)}")
    return tuple(notes)


def _says(token: str) -> Mapping[str, Any]:
    """Header and claims of a token, whoever signed it."""
    if looks_signed(token):
        try:
            jws = read_jws(token)
        except TokenError:
            return {}
        return {"header": dict(jws.header), "claims": dict(jws.claims)}
    said = said_by(token)
    if said:
        return said
    fields = fields_of(token)
    return {"claims": fields} if fields else {}


def moment(time_s: float) -> str:
    """A Unix time as people write it."""
    try:
        return datetime.fromtimestamp(time_s, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    except (OverflowError, OSError, ValueError):
        return f"{time_s:g} s after 1970"
