"""What the playback service tells players: everything they need, in one JSON object each."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from origin.gateway.sessions import LeaseRules, Session
from origin.paths import object_path
from origin.tokens.keysets import unb64url
from origin.tokens.permission import Permission
from transcode.packaging.index import PresentationIndex
from transcode.packaging.keygroups import CEILINGS
from transcode.packaging.layout import MULTIVARIANT
from transcode.packaging.views import FAMILY_OF_PLAYER, View, view_path


def playback_answer(
    session: Session,
    index: PresentationIndex,
    token: str,
    *,
    max_height: int | None,
    base: str,
    player: str,
    is_steered: bool,
    rules: LeaseRules,
    now_s: float,
) -> dict[str, Any]:
    """What a player needs for a playback that was granted.

    Args:
        session: As it was granted.
        index: What the title consists of.
        token: Opens the title; it is in every URL of it.
        max_height: Keys are given for pictures of at most this many lines; None: for all.
        base: Of URLs at the tiers; empty: they are paths.
        player: Family of players that playlists are for.
        is_steered: Whether the tiers have a director.
        rules: How long a lease lasts.
        now_s: Unix time, seconds.
    """
    title = session.title

    def url(path: str) -> str:
        return base.rstrip("/") + object_path(token, title, path)

    family = FAMILY_OF_PLAYER.get(player, "")
    view = View(family=family, plan=plan_view(index, max_height))
    return {
        "session": session.id,
        "title": title,
        "device": session.device,
        "manifest_url": url(view_path(MULTIVARIANT, view)),
        "licence_url": url("licence") if index.encryption is not None else None,
        "steering_url": url("steering") if is_steered else None,
        "renew_url": url("renew"),
        "max_height": max_height,
        "session_ends_s": session.ends_s,
        "heartbeat_url": f"/v1/sessions/{session.id}/heartbeat",
        **lease_fields(session, rules),
        **token_fields(token, now_s=now_s),
    }


def plan_view(index: PresentationIndex, max_height: int | None) -> str:
    """The view of playlists for a plan of so many lines; empty: everything is listed.

    Views end where groups of keys do. A plan between them gets the one below, or the lowest.
    """
    if max_height is None or all(track.lines <= max_height for track in index.rungs):
        return ""
    below = [name for name, lines in CEILINGS.items() if lines <= max_height]
    return below[-1] if below else next(iter(CEILINGS))


def is_within(index: PresentationIndex, max_height: int | None) -> bool:
    """Whether a plan of so many lines opens any picture of a title."""
    if max_height is None:
        return True
    groups = [group.height for group in index.key_groups if group.height]
    return min(groups or [track.lines for track in index.rungs]) <= max_height


def heartbeat_answer(
    permission: Permission,
    session: Session | None,
    token: str,
    *,
    rules: LeaseRules,
    now_s: float,
) -> dict[str, Any]:
    """What a heartbeat is answered with.

    Args:
        permission: What the token says that it came with.
        session: None when it could not be noted.
        token: A fresh one.
        rules: How long a lease lasts.
        now_s: Unix time, seconds.
    """
    lease = {"lease_expires_s": None, "heartbeat_s": rules.heartbeat_s}
    return {
        "session": permission.session,
        "is_noted": session is not None,
        **(lease if session is None else lease_fields(session, rules)),
        **token_fields(token, now_s=now_s),
    }


def lease_fields(session: Session, rules: LeaseRules) -> dict[str, Any]:
    """Until when a place is held, and how often a heartbeat is due."""
    return {"lease_expires_s": session.lease_until_s, "heartbeat_s": rules.heartbeat_s}


def token_fields(token: str, *, now_s: float) -> dict[str, Any]:
    """A token that was just made, and when it ends."""
    expires_s = json.loads(unb64url(token.split(".")[1]))["exp"]
    return {"token": token, "expires_s": expires_s, "ttl_s": round(expires_s - now_s, 3)}


def title_entry(index: PresentationIndex, *, max_height: int | None) -> dict[str, Any]:
    """One title as it is listed."""
    lines = sorted({track.lines for track in index.rungs if track.lines})
    allowed = [each for each in lines if max_height is None or each <= max_height]
    return {
        "title": index.title,
        "duration_s": round(sum(index.video[0].durations_s), 3),
        "heights": allowed,
        "languages": sorted({each.language for each in index.audio if each.language}),
        "has_subtitles": bool(index.text),
        "encryption": None if index.encryption is None else index.encryption.method,
    }


def session_entries(sessions: Sequence[Session]) -> list[dict[str, Any]]:
    """Running sessions as their own account may see them."""
    return [
        {
            "session": each.id,
            "device": each.device,
            "title": each.title,
            "began_s": each.began_s,
            "lease_expires_s": each.lease_until_s,
        }
        for each in sessions
    ]
