"""The topology file: tiers from the viewer towards the origin, and the servers in them.

A file in TOML::

    [[tier]]                     # the viewers' tier first, the origin's last
    name = "isp"
    cost_per_gb = 0.0            # what a byte that leaves a server of this tier costs
    [[tier]]
    name = "regional"
    cost_per_gb = 0.01
    [[tier]]
    name = "origin"
    cost_per_gb = 0.05

    [[server]]                   # further servers may register while the tree runs
    name = "isp-berlin-1"
    tier = "isp"
    region = "eu"
    zone = "berlin"
    url = "http://127.0.0.1:8082"
    weight = 1.0                 # share of keys and sessions among its equals

A server asks the next tier towards the origin: the servers of its own region first, those of
other regions when none of these can be asked, and the tier after that last of all.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from abr.errors import ConfigError
from edge.parents.parents import Parent

NAME = re.compile(r"[A-Za-z0-9._-]{1,64}")
"""Names of servers, tiers, regions and zones; also valid as pathway ids in playlists."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tier:
    """One level of the tree."""

    name: str
    cost_per_gb: float = 0.0
    """Cost of 10**9 bytes that leave a server of this tier, in any one currency."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """One cache, or an origin."""

    name: str
    tier: str
    address: str
    """Base URL: scheme, host and port."""
    region: str = ""
    zone: str = ""
    weight: float = 1.0
    """Share of keys and sessions among its equals."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Topology:
    """Tiers, the viewers' one first, and the servers that are listed by name."""

    tiers: tuple[Tier, ...]
    servers: tuple[Server, ...] = ()

    def rank(self, tier: str) -> int:
        """Distance of a tier from the viewers, from 0.

        Raises:
            ConfigError: there is no such tier.
        """
        for at, each in enumerate(self.tiers):
            if each.name == tier:
                return at
        names = ", ".join(each.name for each in self.tiers)
        raise ConfigError(f"tier {tier!r} is not in the topology; expected one of {names}")

    def cost_per_gb(self, tier: str) -> float:
        """What 10**9 bytes from this tier cost."""
        return self.tiers[self.rank(tier)].cost_per_gb


def parents_of(server: Server, topology: Topology, alive: Iterable[Server]) -> tuple[Parent, ...]:
    """Whom ``server`` asks, given those that are alive; empty for a server of the last tier.

    The nearest tier towards the origin that has a server is asked. Its servers in the same
    region share the keys; the others of that tier, and all of the tier after it, are backups.
    """
    own = topology.rank(server.tier)
    above: dict[int, list[Server]] = {}
    for each in alive:
        rank = topology.rank(each.tier)
        if rank > own and each.name != server.name:
            above.setdefault(rank, []).append(each)
    if not above:
        return ()
    nearest, *further = sorted(above)
    near = [each for each in above[nearest] if each.region == server.region] or above[nearest]
    names = {each.name for each in near}
    last = [each for each in above[nearest] if each.name not in names]
    if further:
        last += above[further[0]]
    return (
        *(Parent(name=each.address, weight=each.weight) for each in near),
        *(Parent(name=each.address, weight=each.weight, backup=True) for each in last),
    )


def parse_topology(text: str, *, where: str) -> Topology:
    """A topology from the text of its file.

    Raises:
        ConfigError: it cannot be used; the message names ``where``, what was found and what was
            expected.
    """
    try:
        raw = tomllib.loads(text)
    except tomllib.TOMLDecodeError as exc:
        raise ConfigError(f"{where}: not TOML: {exc}") from exc
    unknown = sorted(set(raw) - {"tier", "server"})
    if unknown:
        raise ConfigError(
            f"{where}: unknown table {unknown[0]!r}; expected [[tier]] and [[server]]"
        )
    tiers = tuple(
        _tier(each, f"{where}: tier {at}") for at, each in enumerate(_tables(raw, "tier", where), 1)
    )
    if not tiers:
        raise ConfigError(f"{where}: no [[tier]]; expected at least one, the viewers' tier first")
    topology = Topology(tiers=tiers)
    servers = tuple(
        parse_server(each, topology, where=f"{where}: server {at}")
        for at, each in enumerate(_tables(raw, "server", where), 1)
    )
    for what, names in (
        ("tier", [each.name for each in tiers]),
        ("server", [each.name for each in servers]),
        ("address", [each.address for each in servers]),
    ):
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ConfigError(f"{where}: {what} {twice[0]!r} is listed twice")
    return Topology(tiers=tiers, servers=servers)


def parse_server(raw: object, topology: Topology, *, where: str) -> Server:
    """A server from a table of the file, or from the object that it registers with.

    Raises:
        ConfigError: a value is missing, unknown or cannot be used.
    """
    table = _table(raw, {"name", "tier", "url", "region", "zone", "weight"}, where)
    tier = _name(table, "tier", where)
    try:
        topology.rank(tier)
    except ConfigError as exc:
        raise ConfigError(f"{where}: {exc}") from exc
    return Server(
        name=_name(table, "name", where),
        tier=tier,
        address=_address(table.get("url"), where),
        region=_name(table, "region", where, default=""),
        zone=_name(table, "zone", where, default=""),
        weight=_number(table, "weight", where, default=1.0, above=0.0),
    )


def _tables(raw: Mapping[str, Any], name: str, where: str) -> list[object]:
    found = raw.get(name, [])
    if not isinstance(found, list):
        raise ConfigError(f"{where}: [{name}] is one table; write [[{name}]]")
    return found


def _tier(raw: object, where: str) -> Tier:
    table = _table(raw, {"name", "cost_per_gb"}, where)
    cost = _number(table, "cost_per_gb", where, default=0.0, above=None)
    return Tier(name=_name(table, "name", where), cost_per_gb=cost)


def _table(raw: object, known: set[str], where: str) -> Mapping[str, object]:
    if not isinstance(raw, dict):
        raise ConfigError(f"{where}: found {type(raw).__name__}; expected a table")
    unknown = sorted(set(raw) - known)
    if unknown:
        expected = ", ".join(sorted(known))
        raise ConfigError(f"{where}: unknown key {unknown[0]!r}; expected one of {expected}")
    return raw


def _name(table: Mapping[str, object], key: str, where: str, *, default: str | None = None) -> str:
    value = table.get(key, default)
    if value == default and default is not None:
        return default
    if not isinstance(value, str) or not NAME.fullmatch(value):
        raise ConfigError(
            f"{where}: {key} is {value!r}; expected 1 to 64 letters, digits, '.', '_' or '-'"
        )
    return value


def _number(
    table: Mapping[str, object], key: str, where: str, *, default: float, above: float | None
) -> float:
    value = table.get(key, default)
    fits = (
        isinstance(value, int | float)
        and not isinstance(value, bool)
        and (value > above if above is not None else value >= 0)
        and value < float("inf")
    )
    if not fits:
        expected = "0 or more" if above is None else f"more than {above:g}"
        raise ConfigError(f"{where}: {key} is {value!r}; expected a number, {expected}")
    assert isinstance(value, int | float)
    return float(value)


def _address(value: object, where: str) -> str:
    text = value if isinstance(value, str) else ""
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        parts, port = urlsplit(""), None
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.username:
        raise ConfigError(
            f"{where}: url is {value!r}; expected scheme, host and port, as http://127.0.0.1:8082"
        )
    if parts.path.strip("/") or parts.query or parts.fragment:
        raise ConfigError(f"{where}: url is {text!r}; expected no path, query or fragment")
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return f"{parts.scheme}://{host}" + (f":{port}" if port is not None else "")
