"""What a cache sends to the director when it registers, and what it gets back, as JSON.

Format: ``{"server": {name, tier, url, region, zone, weight}, "state": {load, draining,
sent_bytes, titles}}`` to register or renew; the answer is ``{"lease_s", "parents": [{url, weight,
backup}]}``. Both directions are written and read here.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

from abr.errors import ConfigError, UpstreamError
from edge.parents.parents import Parent
from edge.tiers.leases import MAX_TITLES, ServerState
from edge.tiers.topology import Server, Topology, parse_server

MAX_BYTES = 1 << 20
"""Longest registration that is read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Registration:
    """A cache and its state, as it announces itself."""

    server: Server
    state: ServerState


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """The director's answer."""

    lease_s: float
    """Seconds within which to register again."""
    parents: tuple[Parent, ...]
    """Whom to ask from now on; empty: no parent is known, keep to those of the settings."""


def dump_registration(registration: Registration) -> bytes:
    """The request body of a registration."""
    server, state = registration.server, registration.state
    described: dict[str, object] = {
        "name": server.name,
        "tier": server.tier,
        "url": server.address,
        "weight": server.weight,
    }
    described |= {
        name: value for name, value in (("region", server.region), ("zone", server.zone)) if value
    }
    said = {
        "load": state.load,
        "draining": state.draining,
        "sent_bytes": state.sent_bytes,
        "titles": sorted(state.titles),
    }
    return json.dumps({"server": described, "state": said}).encode()


def load_registration(data: bytes, topology: Topology) -> Registration:
    """A registration from its request body.

    Raises:
        ConfigError: it is not one, or its server cannot be used in this topology.
    """
    try:
        raw = json.loads(data)
    except (ValueError, RecursionError) as exc:
        raise ConfigError("registration: not JSON; expected an object") from exc
    if not isinstance(raw, dict):
        raise ConfigError("registration: expected an object with server and state")
    server = parse_server(raw.get("server"), topology, where="registration: server")
    return Registration(server=server, state=_state(raw.get("state", {})))


def _state(raw: object) -> ServerState:
    if not isinstance(raw, dict):
        raise ConfigError("registration: state: expected an object")
    load, draining, titles = raw.get("load", 0.0), raw.get("draining", False), raw.get("titles", [])
    if not isinstance(load, int | float) or isinstance(load, bool) or not 0 <= load <= 1:
        raise ConfigError(f"registration: state: load is {load!r}; expected 0 to 1")
    if not isinstance(draining, bool):
        raise ConfigError(f"registration: state: draining is {draining!r}; expected true or false")
    sent_bytes = raw.get("sent_bytes", 0)
    if not isinstance(sent_bytes, int) or isinstance(sent_bytes, bool) or sent_bytes < 0:
        raise ConfigError(f"registration: state: sent_bytes is {sent_bytes!r}; expected 0 or more")
    if not isinstance(titles, list) or not all(isinstance(each, str) for each in titles):
        raise ConfigError("registration: state: titles: expected a list of names")
    return ServerState(
        load=float(load),
        draining=draining,
        sent_bytes=sent_bytes,
        titles=frozenset(titles[:MAX_TITLES]),
    )


def dump_accepted(accepted: Accepted) -> dict[str, object]:
    """The answer as it is sent."""
    parents = [
        {"url": each.name, "weight": each.weight, "backup": each.backup}
        for each in accepted.parents
    ]
    return {"lease_s": accepted.lease_s, "parents": parents}


def load_accepted(data: bytes) -> Accepted:
    """The answer as it was received.

    Raises:
        UpstreamError: it is not one.
    """
    try:
        raw = json.loads(data)
        parents = tuple(_parent(each) for each in raw["parents"])
        lease_s = float(raw["lease_s"])
    except (ValueError, TypeError, KeyError, RecursionError) as exc:
        raise UpstreamError("director: the answer is not that of a registration") from exc
    if not 0 < lease_s < 86400:
        raise UpstreamError(f"director: lease_s is {lease_s:g}; expected more than 0, to a day")
    return Accepted(lease_s=lease_s, parents=parents)


def _parent(raw: Mapping[str, object]) -> Parent:
    url, weight = raw["url"], raw["weight"]
    if not isinstance(url, str) or not url.startswith(("http://", "https://")):
        raise ValueError("expected a URL")
    if not isinstance(weight, int | float) or not 0 < weight < float("inf"):
        raise ValueError("expected a weight above 0")
    return Parent(name=url, weight=float(weight), backup=bool(raw["backup"]))
