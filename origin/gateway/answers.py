"""What the playback service tells players: everything they need, in one JSON object each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from origin.gateway.sessions import LeaseRules, Session
from origin.paths import object_path
from origin.tokens.permission import Permission
from transcode.packaging.index import PresentationIndex
from transcode.packaging.layout import MULTIVARIANT


def playback_answer(
    session: Session,
    index: PresentationIndex,
    token: str,
    permission: Permission,
    *,
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
        permission: What the token says.
        base: Of URLs at the tiers; empty: they are paths.
        player: Family of players that playlists are for.
        is_steered: Whether the tiers have a director.
        rules: How long a lease lasts.
        now_s: Unix time, seconds.
    """
    title = session.title

    def url(path: str) -> str:
        return base.rstrip("/") + object_path(token, title, path)

    query = "?player=shaka" if player == "shaka" else ""
    return {
        "session": session.id,
        "title": title,
        "device": session.device,
        "manifest_url": url(MULTIVARIANT) + query,
        "licence_url": url("licence") if index.encryption is not None else None,
        "steering_url": url("steering") if is_steered else None,
        "renew_url": url("renew"),
        "max_height": permission.max_height,
        "session_ends_s": session.ends_s,
        "heartbeat_url": f"/v1/sessions/{session.id}/heartbeat",
        **lease_fields(session, rules),
        **token_fields(token, permission, now_s=now_s),
    }


def heartbeat_answer(
    session: Session | None,
    token: str,
    permission: Permission,
    *,
    rules: LeaseRules,
    now_s: float,
) -> dict[str, Any]:
    """What a heartbeat is answered with; ``session`` is None when it could not be noted."""
    lease = {"lease_expires_s": None, "heartbeat_s": rules.heartbeat_s}
    return {
        "session": permission.session,
        "is_noted": session is not None,
        **(lease if session is None else lease_fields(session, rules)),
        **token_fields(token, permission, now_s=now_s),
    }


def lease_fields(session: Session, rules: LeaseRules) -> dict[str, Any]:
    """Until when a place is held, and how often a heartbeat is due."""
    return {"lease_expires_s": session.lease_until_s, "heartbeat_s": rules.heartbeat_s}


def token_fields(token: str, permission: Permission, *, now_s: float) -> dict[str, Any]:
    """A token and when it ends."""
    return {
        "token": token,
        "expires_s": permission.expires_s,
        "ttl_s": round(permission.expires_s - now_s, 3),
    }


def title_entry(index: PresentationIndex, *, max_height: int | None) -> dict[str, Any]:
    """One title as it is listed."""
    heights = sorted({track.height for track in index.rungs if track.height})
    allowed = [each for each in heights if max_height is None or each <= max_height]
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
