"""The paths of the playback service, and what a request for a playback says."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from origin.gateway.refusals import GatewayRefusal
from origin.paths import is_servable
from transcode.packaging.views import FAMILY_OF_PLAYER

Name = Literal[
    "playback", "titles", "sessions", "session", "heartbeat", "revocations", "healthz", "metrics"
]

METHODS: Mapping[Name, tuple[str, ...]] = {
    "playback": ("POST",),
    "titles": ("GET", "HEAD"),
    "sessions": ("GET", "HEAD"),
    "session": ("DELETE",),
    "heartbeat": ("POST",),
    "revocations": ("GET", "POST"),
    "healthz": ("GET", "HEAD"),
    "metrics": ("GET", "HEAD"),
}
"""Methods by what is asked for; OPTIONS is answered everywhere."""

_FIXED: Mapping[str, Name] = {
    "/v1/playback": "playback",
    "/v1/titles": "titles",
    "/v1/sessions": "sessions",
    "/v1/revocations": "revocations",
    "/healthz": "healthz",
    "/metrics": "metrics",
}
_SESSION = re.compile(r"/v1/sessions/([A-Za-z0-9_-]{1,64})(/heartbeat)?")
_DEVICE = re.compile(r"[A-Za-z0-9._:-]{1,64}")

MAX_BODY_BYTES = 8 << 10
"""Longest body of a request that is read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """What a request asks for."""

    name: Name
    session: str = ""
    """Id of a session."""

    @property
    def shown(self) -> str:
        """As a log may show it: a session has ``-`` for its id, which anybody may have sent."""
        if self.name in {"session", "heartbeat"}:
            return "/v1/sessions/-" + "/heartbeat" * (self.name == "heartbeat")
        return next(path for path, name in _FIXED.items() if name == self.name)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """A request for a playback."""

    title: str
    device: str = ""
    """As the client names it; empty: it did not, and is taken for a new one."""
    player: str = ""
    """Family of players, as in ``views``: ``shaka`` reads other playlists than the rest."""


def parse_route(target: str) -> Route | None:
    """What a request target asks for; None when there is nothing."""
    path = target.partition("?")[0]
    if path in _FIXED:
        return Route(name=_FIXED[path])
    match = _SESSION.fullmatch(path)
    if match is None:
        return None
    return Route(name="heartbeat" if match[2] else "session", session=match[1])


def parse_wish(body: bytes) -> Wish:
    """What the body of a request for a playback says.

    Raises:
        GatewayRefusal: ``bad-request``, or ``no-such-title`` for what cannot be one.
    """
    members = parse_object(body)
    title = members.get("title")
    if not isinstance(title, str) or not title:
        raise GatewayRefusal("bad-request", "title: expected the name of a title")
    if not is_servable(title):
        raise GatewayRefusal("no-such-title")
    device = members.get("device", "")
    if not isinstance(device, str) or (device and not _DEVICE.fullmatch(device)):
        raise GatewayRefusal(
            "bad-request", "device: expected 1 to 64 of the characters A-Z a-z 0-9 . _ : -"
        )
    player = members.get("player", "")
    if not isinstance(player, str) or player not in {"", *FAMILY_OF_PLAYER}:
        known = " or ".join(sorted(FAMILY_OF_PLAYER))
        raise GatewayRefusal("bad-request", f"player: expected {known}, or nothing")
    return Wish(title=title, device=device, player=player)


def parse_object(body: bytes) -> Mapping[str, Any]:
    """The members of a JSON object.

    Raises:
        GatewayRefusal: it is none.
    """
    try:
        value = json.loads(body or b"{}")
    except (ValueError, RecursionError) as exc:
        raise GatewayRefusal("bad-request", "body: expected a JSON object") from exc
    if not isinstance(value, dict):
        raise GatewayRefusal("bad-request", "body: expected a JSON object")
    return value
