"""Renewal of the token that the URLs of a playback hold.

What a token in a URL means is known here, and nowhere else in the player: where it is
exchanged for a fresh one, how the answer reads, and which later URLs change.
"""

from __future__ import annotations

import json

from abr.errors import PlaybackError
from origin.paths import renew_url, token_of, with_token
from player.playback.actions import Want


class TokenRenewal:
    """The token of one playback; there may be none, and then nothing can be renewed."""

    def __init__(self, url: str) -> None:
        """``url`` is the source of the playback."""
        self._token = token_of(url)
        self._fresh: str | None = None
        self.want = None if self._token is None else Want(kind="token", url=renew_url(url))
        """What to fetch when a server says that the token expired; None: no token, no hope."""

    def __repr__(self) -> str:
        state = "no token" if self._token is None else "renewed" if self._fresh else "as given"
        return f"<TokenRenewal {state}>"

    def take(self, body: bytes) -> None:
        """The answer to ``want`` is here.

        Raises:
            PlaybackError: it holds no token.
        """
        token = token_in(body)
        if token is None:
            raise PlaybackError("renew: the answer holds no token")
        self._fresh = token

    def update_url(self, url: str) -> str:
        """``url`` as it is to be fetched: with the newest token where it held ours."""
        if self._fresh is None or token_of(url) != self._token:
            return url
        return with_token(url, self._fresh)


def token_in(body: bytes) -> str | None:
    """The token of an answer to a renewal; None where there is none."""
    try:
        token = json.loads(body)["token"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    return token if isinstance(token, str) and token else None
