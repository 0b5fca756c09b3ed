"""What a request asks for, and what a token permits, whatever the token's form.

A form reads a token once into a ``Permission``; all that depends on the request or the clock is
asked of the permission again at each request.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Literal, Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a request asks for, as far as a token can limit it. Nothing of it holds the token."""

    title: str
    """Normalised title."""
    path: str = ""
    """Inside the title, normalised, without a leading slash."""
    method: str = "GET"
    scheme: str = ""
    """``http`` or ``https``; empty when it is not known."""
    authority: str = ""
    """Host and port as the client gave them; empty when not known."""
    query: str = ""
    """Without the token, and without the question mark."""
    address: str = ""
    """IP address of the client; empty when not known."""
    carriage: str = ""
    """Where the request has its token, as in ``carriage.Carrier``; empty when not known."""


class Limit(Protocol):
    """One claim that limits what a token opens."""

    @property
    def claim(self) -> str:
        """Its name, as the standard of the form spells it."""
        ...

    @property
    def wanted(self) -> str:
        """What it permits, in words; holds no secret."""
        ...

    def found(self, asked: Asked) -> str:
        """What the request has in its place, in words."""
        ...

    def refusal(self, asked: Asked) -> str | None:
        """The reason, a key of ``REASONS``, why it does not permit the request; None: it does."""
        ...


class Renewal(Protocol):
    """A claim that asks for a fresh token with each answer."""

    def fields(self, *, asked: Asked, now_s: float) -> tuple[tuple[str, str], ...]:
        """Fields of an answer to a viewer that hand over a fresh token; empty: none now."""
        ...

    def is_kept(self, asked: Asked) -> bool:
        """Whether the client is given fresh tokens in a way in which it shows them by itself."""
        ...

    def moves(self, *, asked: Asked, now_s: float) -> tuple[int, str] | None:
        """Status of a redirect, and the fresh token for its target; None: no redirect now."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a client is told instead of a plain refusal."""

    status: int
    fields: tuple[tuple[str, str], ...] = field(repr=False)


class Otherwise(Protocol):
    """A claim that says what to answer when the token is refused."""

    def answer(self, reason: str, *, now_s: float) -> Answer | None:
        """The answer to a refusal for ``reason``, a key of ``REASONS``; None: the usual one."""
        ...


Reuse = Literal["other-objects", "nothing", "anything"]
"""``other-objects``: once for each object; ``nothing``: once; ``anything``: it is only counted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Permission:
    """What a token that is genuine says. All times are Unix seconds."""

    form: str
    """Name of the token's form: ``path``, ``uri-signing``, ``cat`` or ``hmac``."""
    kid: str
    """Id of the key that it is signed with."""
    issuer: str = ""
    """Name of the issuer whose key that is; empty: the origin."""
    expires_s: float
    """The first instant at which it is no longer valid (RFC 7519 §4.1.4)."""
    starts_s: float = -math.inf
    """The first instant at which it is valid."""
    issued_s: float = -math.inf
    """When it was issued."""
    session_ends_s: float = -math.inf
    """Latest instant of renewal; before ``expires_s``: it cannot be renewed."""
    token_id: str = ""
    """Differs between the tokens of a session; empty when it has none."""
    session: str = ""
    """Id of the playback session; the same in every renewed token."""
    account: str = ""
    """Opaque tag of the account; empty when it has none."""
    title: str = ""
    """The one title it opens, compared exactly; empty: ``limits`` say what it opens."""
    limits: tuple[Limit, ...] = field(default=(), repr=False)
    """What else must permit a request."""
    max_height: int | None = None
    """Keys are given for pictures of at most this many lines; None: for all."""
    watermark: bytes = field(default=b"", repr=False)
    """The pattern of the session's watermark; empty: none."""
    nonce: str = ""
    """Names the token where its use is limited by ``reuse``; empty: as often as wanted."""
    reuse: Reuse = "other-objects"
    """What a token with a nonce may be used for again."""
    renewal: Renewal | None = field(default=None, repr=False)
    """How it is replaced with each answer; None: it is not."""
    otherwise: Otherwise | None = field(default=None, repr=False)
    """What to answer when it is refused; None: what is usual."""

    @property
    def is_plain(self) -> bool:
        """Whether all answers to it are alike, and none of them changes anything."""
        return not self.nonce and self.renewal is None
