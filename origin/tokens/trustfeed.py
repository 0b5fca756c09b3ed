"""The trust feed: what one tier tells the next about tokens that it may no longer accept.

``GET /.well-known/abr-trust?after=<cursor>&wait=<seconds>`` gives entries of the deny list that
changed since ``after``, and a digest of the key set, so that the next tier knows when to fetch
that anew. Nothing in it opens anything.

A cursor is a server's own: which of its changes were told, and the digest that was. Whoever comes
with another server's, or from before a restart, is told everything.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs

from abr.errors import UpstreamError
from origin.tokens.revocation import KINDS, DenyList, Revocation, dump_revocation, load_revocation

PATH = "/.well-known/abr-trust"

FORMAT = "abrkit trust"
MAJOR = 1

MOST_AT_ONCE = 2000
"""Most entries of one answer; who gets so many asks again at once."""

MAX_ANSWER_BYTES = 8 << 20
"""A longer answer is refused: ``MOST_AT_ONCE`` entries of the longest ids fit."""

MAX_WAIT_S = 30.0
"""Longest wait for news."""

_ANY_CURSOR = re.compile(r"[A-Za-z0-9._-]{1,128}")
_CURSOR = re.compile(r"([0-9a-f]{16})\.([0-9]{1,15})\.([0-9a-f]{16}|-)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What is asked of the feed."""

    after: str = ""
    """Cursor of the latest answer; empty for everything."""
    wait_s: float = 0.0
    """How long to wait when there is nothing new."""


@dataclass(frozen=True, slots=True, kw_only=True)
class News:
    """One answer."""

    cursor: str
    """What to ask after next."""
    keys: str
    """Digest of the key set."""
    revocations: tuple[Revocation, ...] = ()
    has_more: bool = False
    """There is more: ask again at once."""
    takes_tiers: bool = False
    """The server knows the secret of the tier that asked, and takes such tokens from it."""


class Bulletin:
    """What one server has to tell."""

    def __init__(self, denied: DenyList, *, epoch: str) -> None:
        """Tell of this deny list.

        Args:
            denied: Entries that are told.
            epoch: 16 hexadecimal digits by chance, which tell this list from any other.
        """
        self._denied, self._epoch = denied, epoch

    def __repr__(self) -> str:
        return f"<Bulletin {self._epoch} of {self._denied!r}>"

    def news(self, after: str, keys: str) -> News | None:
        """What is new after a cursor; None: nothing.

        Args:
            after: As asked; one that is not of this bulletin is told everything.
            keys: Digest of the key set now.
        """
        match = _CURSOR.fullmatch(after)
        is_ours = match is not None and match[1] == self._epoch
        number = int(match[2]) if match is not None and is_ours else 0
        if is_ours and match is not None and number == self._denied.number and match[3] == keys:
            return None
        entries, last = self._denied.since(number, most=MOST_AT_ONCE)
        return News(
            cursor=f"{self._epoch}.{last}.{keys}",
            keys=keys,
            revocations=entries,
            has_more=last < self._denied.number,
        )

    def nothing(self, keys: str) -> News:
        """The answer when there was nothing new."""
        return News(cursor=f"{self._epoch}.{self._denied.number}.{keys}", keys=keys)


def digest_of(jwks: Mapping[str, Any] | None) -> str:
    """Digest of a key set, whatever the order in it; ``-`` for none."""
    if jwks is None:
        return "-"
    keys = sorted(json.dumps(key, sort_keys=True) for key in jwks.get("keys", ()))
    return hashlib.sha256("\n".join(keys).encode()).hexdigest()[:16]


def parse_question(query: str) -> Question:
    """What a query string asks; what cannot be read is left out."""
    found = parse_qs(query, max_num_fields=16) if query.count("&") < 16 else {}
    wait = (found.get("wait") or ["0"])[0]
    wait_s = float(wait) if re.fullmatch(r"[0-9]{1,4}(?:\.[0-9]{1,6})?", wait) else 0.0
    return Question(after=(found.get("after") or [""])[0], wait_s=min(wait_s, MAX_WAIT_S))


def print_news(news: News) -> str:
    """The text of an answer."""
    return json.dumps(
        {
            "format": FORMAT,
            "version": f"{MAJOR}.0",
            "cursor": news.cursor,
            "keys": news.keys,
            "more": news.has_more,
            "tier": news.takes_tiers,
            "revocations": [dump_revocation(each) for each in news.revocations],
        }
    )


def parse_news(text: str | bytes) -> News:
    """Read an answer.

    Raises:
        UpstreamError: it is none, or of another major version.
        RevocationError: an entry is none.
    """
    try:
        value = json.loads(text)
        is_ours = value["format"] == FORMAT and str(value["version"]).split(".")[0] == str(MAJOR)
        cursor, keys, entries = value["cursor"], value["keys"], value["revocations"]
        has_more, takes_tiers = value.get("more", False), value.get("tier", False)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as exc:
        raise UpstreamError("trust feed: not an answer of it") from exc
    texts = isinstance(keys, str) and isinstance(cursor, str)
    if not (
        is_ours
        and texts
        and _ANY_CURSOR.fullmatch(cursor)
        and isinstance(entries, list)
        and isinstance(has_more, bool)
    ):
        raise UpstreamError(f"trust feed: expected {FORMAT!r} of version {MAJOR}")
    return News(
        cursor=cursor,
        keys=keys,
        # A later version may know more kinds; those known are not to wait for them.
        revocations=tuple(load_revocation(each) for each in entries if _is_known(each)),
        has_more=has_more,
        takes_tiers=takes_tiers is True,
    )


def _is_known(value: Any) -> bool:
    return not isinstance(value, Mapping) or value.get("kind") in KINDS
