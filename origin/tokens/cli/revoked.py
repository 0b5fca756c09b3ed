"""What was revoked, as far as a command can know: from the state, or from a server's trust feed."""

from __future__ import annotations

from dataclasses import dataclass

from abr.errors import MissingFileError, UpstreamError
from origin.tokens.cli.sources import get, wall_s
from origin.tokens.revocation import DenyList, FullListError, RevocationError
from origin.tokens.trustfeed import PATH, parse_news

MOST_ANSWERS = 50
"""Answers of a feed that are read at most: a full deny list."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Revoked:
    """A deny list, and what is to be said about it."""

    denied: DenyList
    remark: str = ""
    """Why it may lack something; empty: it is all there is."""


async def find_revoked(*, state: str | None, server: str) -> Revoked:
    """What was revoked by the state that is named, else by a server.

    Args:
        state: File or URL of a state that must be there; None: not named.
        server: Base URL of the server to ask otherwise; empty: none.

    Raises:
        MissingFileError, StateError: the state cannot be read.
    """
    if state is not None:
        return Revoked(denied=_from_state(state))
    if not server:
        return Revoked(
            denied=DenyList(), remark="revocations were not looked for; name a state with --state"
        )
    denied = DenyList()
    try:
        await _follow(server, denied)
    except (UpstreamError, RevocationError, FullListError) as exc:
        return Revoked(
            denied=denied,
            remark=f"revocations are not all known: {exc}; name a state with --state",
        )
    return Revoked(denied=denied)


def _from_state(where: str) -> DenyList:
    from origin.gateway.server.opening import is_there, open_state

    if not is_there(where):
        raise MissingFileError(
            f"{where}: no such file; expected the state that origin and gateway share"
        )
    denied = DenyList()
    held = open_state(where)
    try:
        denied.merge(held.revocations(0).entries, now_s=wall_s())
    finally:
        held.close()
    return denied


async def _follow(server: str, denied: DenyList) -> None:
    after = ""
    for _ in range(MOST_ANSWERS):
        answer = await get(f"{server}{PATH}?after={after}", expected="a trust feed")
        news = parse_news(answer.data)
        denied.merge(news.revocations, now_s=wall_s())
        if not news.has_more:
            return
        after = news.cursor
    raise UpstreamError(f"{server}{PATH}: over {MOST_ANSWERS} answers; expected fewer")
