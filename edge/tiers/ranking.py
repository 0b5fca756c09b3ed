"""The best servers for one viewer: health first, then room, distance, holding and load.

Among servers that are equally good, the order depends on the session: a session keeps its server
from one steering manifest to the next, and sessions spread over equals by weight.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from edge.parents.ring import preference
from edge.tiers.leases import ServerState
from edge.tiers.topology import Server

FULL = 0.9
"""A server with this load or more gets no further sessions while others have room."""

LOAD_STEP = 0.25
"""Loads within one step of each other are equal, so that sessions do not swing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Viewer:
    """Who asks."""

    session: str
    title: str = ""
    region: str = ""
    zone: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A server as it could serve a viewer."""

    server: Server
    state: ServerState
    is_well: bool = True
    """The latest health checks found it well."""


def rank(
    candidates: Iterable[Candidate], viewer: Viewer, *, tier_rank: dict[str, int]
) -> tuple[Candidate, ...]:
    """Candidates in the order in which the viewer should use them.

    One that is not well is left out, unless none is: then the viewer may try. One that is
    draining or full comes after the others.
    """
    listed = list(candidates)
    well = [each for each in listed if each.is_well] or listed
    weights = {each.server.name: each.server.weight for each in well}
    order = preference(viewer.session, weights, weights)
    place = {name: at for at, name in enumerate(order)}

    def merit(each: Candidate) -> tuple[bool, int, int, bool, int, int]:
        server, state = each.server, each.state
        return (
            state.draining or state.load >= FULL,
            tier_rank.get(server.tier, len(tier_rank)),
            _distance(server, viewer),
            bool(viewer.title) and viewer.title not in state.titles,
            int(state.load / LOAD_STEP),
            place[server.name],
        )

    return tuple(sorted(well, key=merit))


def _distance(server: Server, viewer: Viewer) -> int:
    """0 in the same zone, 1 in the same region, 2 elsewhere; unknown places are elsewhere."""
    same_region = bool(viewer.region) and server.region == viewer.region
    if same_region and viewer.zone and server.zone == viewer.zone:
        return 0
    return 1 if same_region else 2
