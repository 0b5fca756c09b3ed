"""The one verifier of tokens: forms read them, everything else is checked at every request.

What a genuine token says is remembered, so that a signature is verified once. Its times, and
whether it opens what is asked for, are compared at each call. No clock is read: ``now_s`` is
Unix time in seconds.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, NoReturn, Protocol

from origin.tokens.permission import Asked, Permission
from origin.tokens.refusals import refuse
from origin.tokens.replay import ReplayMemory
from origin.tokens.revocation import DenyList

EARLY_S = 30.0
"""How far the clock of a verifier may be behind the issuer's."""


class Form(Protocol):
    """One form of tokens, with the keys that verify it."""

    @property
    def name(self) -> str:
        """As in ``Permission.form``."""
        ...

    @property
    def kids(self) -> frozenset[str]:
        """Ids of the keys it accepts."""
        ...

    def recognises(self, token: str) -> bool:
        """Whether ``token`` has the shape of this form; at most a glance at it."""
        ...

    def key_id_of(self, token: str) -> str:
        """The id of the key that ``token`` names, after every check that needs no key.

        Raises:
            TokenError: it is ``malformed``.
        """
        ...

    def permission(self, token: str) -> Permission:
        """What ``token`` says, if it is genuine; times and limits are not looked at.

        Raises:
            TokenError: ``malformed``, ``unknown-key``, ``bad-signature``, or a reason of the form.
        """
        ...


class PublicForm(Form, Protocol):
    """A form whose public keys tiers get from the origin."""

    def jwks(self) -> dict[str, Any]:
        """The key set it verifies with, to hand on to the next tier."""
        ...

    def replace_keys(self, jwks: Mapping[str, Any]) -> None:
        """Verify with these keys from now on.

        Raises:
            KeyStoreError: ``jwks`` is not a key set; the old keys stay.
        """
        ...


class TokenVerifier:
    """Verifies tokens of every form that it is given.

    Genuine tokens are remembered, ``memo_size`` at most, least recently used first out.
    Failures are not remembered, so garbage cannot displace good tokens.
    """

    def __init__(
        self,
        own: PublicForm,
        others: Sequence[Form] = (),
        *,
        denied: DenyList | None = None,
        uses: ReplayMemory | None = None,
        memo_size: int = 4096,
        early_s: float = EARLY_S,
    ) -> None:
        """Verify tokens of these forms.

        Args:
            own: The form that the origin issues.
            others: Further forms; the first that recognises a token reads it, before ``own``.
            denied: What was revoked, looked at for each request; None: nothing.
            uses: What was used of tokens that may be used once; None: nothing yet.
            memo_size: Most tokens remembered.
            early_s: How far this clock may be behind the issuer's before ``not-yet``.
        """
        self._own, self._forms = own, (*others, own)
        self._memo: OrderedDict[str, Permission] = OrderedDict()
        self._memo_size, self._early_s = memo_size, early_s
        self._denied = DenyList() if denied is None else denied
        self.uses = ReplayMemory() if uses is None else uses
        """What was used of tokens that may be used once."""

    def __repr__(self) -> str:
        names = ", ".join(form.name for form in self._forms)
        return f"<TokenVerifier {names}: {sorted(self.kids)}, {len(self._memo)} remembered>"

    @property
    def kids(self) -> frozenset[str]:
        """Ids of the keys of the origin that it accepts."""
        return self._own.kids

    def jwks(self) -> dict[str, Any]:
        """The key set of the origin, to hand on to the next tier."""
        return self._own.jwks()

    def replace_keys(self, jwks: Mapping[str, Any]) -> None:
        """Take these for the keys of the origin; tokens of keys that left are refused at once.

        Raises:
            KeyStoreError: ``jwks`` is not a key set; the old keys stay.
        """
        before = {entry["kid"]: entry for entry in self._own.jwks()["keys"]}
        self._own.replace_keys(jwks)
        after = {entry["kid"]: entry for entry in self._own.jwks()["keys"]}
        gone = {kid for kid, entry in before.items() if after.get(kid) != entry}
        name = self._own.name
        for token, known in list(self._memo.items()):
            if known.form == name and known.kid in gone:
                del self._memo[token]

    def set_others(self, others: Sequence[Form]) -> None:
        """Take tokens of these further forms from now on, and forget what was remembered."""
        self._forms = (*others, self._own)
        self._memo.clear()

    def key_id_of(self, token: str | None) -> str:
        """The id of the key that ``token`` names, after every check that needs no key.

        Raises:
            TokenError: it is ``missing`` or ``malformed``.
        """
        return self._form_of(token)[0].key_id_of(token or "")

    def verify(
        self, token: str | None, *, asked: Asked, now_s: float, leeway_s: float = 0.0
    ) -> Permission:
        """What ``token`` says if it permits the request at ``now_s``.

        Args:
            token: As received; None or empty is ``missing``.
            asked: The request.
            now_s: Unix time, seconds.
            leeway_s: Accept a token this long after it expired.

        Raises:
            TokenError: with ``reason`` one of ``REASONS``.
        """
        found = self._permitting(token, asked, now_s)
        if now_s >= found.expires_s + leeway_s:
            is_over = now_s >= found.session_ends_s > 0
            _refuse(found, "session-over" if is_over else "expired", now_s)
        return found

    def verify_renewable(self, token: str | None, *, asked: Asked, now_s: float) -> Permission:
        """Like ``verify``, but an expired token passes until its session is over."""
        found = self._permitting(token, asked, now_s)
        if found.session_ends_s < found.expires_s:
            refuse("not-renewable")
        if now_s >= found.session_ends_s:
            refuse("session-over")
        return found

    def permission_of(self, token: str | None) -> Permission:
        """What a genuine token says, for callers who compare its times and titles themselves.

        Raises:
            TokenError: it is missing or not genuine.
        """
        return self._genuine(token)

    def use(self, found: Permission, *, asked: Asked, now_s: float, leeway_s: float = 0.0) -> bool:
        """Note that a token is used for a request that it permits; called once for each.

        Args:
            found: What ``verify`` returned.
            asked: The request.
            now_s: Unix time, seconds.
            leeway_s: As for ``verify``.

        Returns:
            Whether it is a use again that is only to be counted.

        Raises:
            TokenError: ``used`` before, or ``too-many`` tokens of the kind to know.
        """
        if not found.nonce:
            return False
        each = found.reuse == "other-objects"
        use = self.uses.use(
            f"{found.form}\n{found.nonce}",
            thing=f"{asked.method} /{asked.title}/{asked.path}" if each else "",
            ends_s=found.expires_s + leeway_s,
            now_s=now_s,
        )
        if found.reuse != "anything" and use != "first":
            _refuse(found, "used" if use == "again" else "too-many", now_s)
        return use == "again"

    def _permitting(self, token: str | None, asked: Asked, now_s: float) -> Permission:
        found = self._genuine(token)
        if found.title and found.title != asked.title:
            refuse("wrong-title")
        # Before the refusals that a token answers itself, maybe with another token.
        if self._denied.refuses(found, asked.title, now_s=now_s):
            refuse("revoked")
        if now_s < found.starts_s - self._early_s:
            _refuse(found, "not-yet", now_s)
        for limit in found.limits:
            reason = limit.refusal(asked)
            if reason is not None:
                _refuse(found, reason, now_s)
        return found

    def _genuine(self, token: str | None) -> Permission:
        """What a token says whose signature is valid, from memory if possible."""
        found = self._memo.get(token) if token else None
        if token and found is not None:
            self._memo.move_to_end(token)
            return found
        form, token = self._form_of(token)
        found = form.permission(token)
        if not found.token_id:
            found = replace(found, token_id=digest_as_id(token))
        self._memo[token] = found
        if len(self._memo) > self._memo_size:
            self._memo.popitem(last=False)
        return found

    def _form_of(self, token: str | None) -> tuple[Form, str]:
        if not token:
            refuse("missing")
        found = next((form for form in self._forms if form.recognises(token)), None)
        if found is None:
            refuse("malformed")
        return found, token


def _refuse(found: Permission, reason: str, now_s: float) -> NoReturn:
    """Refuse a genuine token, which may say what to answer then."""
    said = None if found.otherwise is None else found.otherwise.answer(reason, now_s=now_s)
    if said is None:
        refuse(reason)
    refuse(reason, status=said.status, fields=said.fields)


def digest_as_id(token: str) -> str:
    """What a token without an id of its own is revoked by.

    Of a JWT only what is signed counts: ECDSA has a second signature for the same text, which
    anybody can make.
    """
    if token.count(".") == 2:
        token = token.rpartition(".")[0]
    return f"sha256:{hashlib.sha256(token.encode()).hexdigest()}"
