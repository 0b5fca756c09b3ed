"""Who is alive: servers that registered, each with a lease that it must renew.

A server registers with its place and its state, and again within the lease. One that does not
is gone: nobody is sent to it, and no cache asks it. Servers listed in the topology file need no
lease; they are there until a health check says otherwise.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from abr.errors import ConfigError
from edge.tiers.topology import Server

MAX_SERVERS = 10_000
"""Most registered servers; further ones are refused."""

MAX_TITLES = 2000
"""Most titles that one server announces to hold."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerState:
    """What a server says of itself, or what a check found."""

    load: float = 0.0
    """Share of its capacity in use, 0 to 1."""
    draining: bool = False
    """It finishes what it has and takes no new sessions."""
    sent_bytes: int = 0
    """Body bytes sent since it started."""
    titles: frozenset[str] = field(default=frozenset(), repr=False)
    """Titles of which it holds a good part."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """One registered server."""

    server: Server
    state: ServerState
    until_s: float


class Leases:
    """Registered servers by name.

    Args:
        lease_s: How long a registration holds, seconds.
        listed: Servers of the topology file.
    """

    def __init__(self, lease_s: float, listed: Iterable[Server] = ()) -> None:
        self.lease_s = lease_s
        self._listed = {server.name: server for server in listed}
        self._leases: dict[str, Lease] = {}

    def __repr__(self) -> str:
        return f"<Leases: {len(self._leases)} registered, {len(self._listed)} listed>"

    def register(self, server: Server, state: ServerState, *, now_s: float) -> Lease:
        """Take or renew the lease of a server.

        Raises:
            ConfigError: another live server has this address, a listed server of this name is
                elsewhere, or there are too many.
        """
        self.expire(now_s)
        listed = self._listed.get(server.name)
        if listed is not None and listed.address != server.address:
            raise ConfigError(
                f"server {server.name!r} is at {listed.address} in the topology; "
                f"found a registration from {server.address}"
            )
        for other in self._leases.values():
            if other.server.address == server.address and other.server.name != server.name:
                raise ConfigError(
                    f"{server.address} is registered as {other.server.name!r}; "
                    f"found {server.name!r}; give each server an address of its own"
                )
        if server.name not in self._leases and len(self._leases) >= MAX_SERVERS:
            raise ConfigError(f"over {MAX_SERVERS} servers are registered")
        lease = Lease(server=server, state=state, until_s=now_s + self.lease_s)
        self._leases[server.name] = lease
        return lease

    def leave(self, name: str) -> bool:
        """End a lease early: the server stops. False when there was none."""
        return self._leases.pop(name, None) is not None

    def expire(self, now_s: float) -> tuple[str, ...]:
        """Forget and return the servers whose lease has run out."""
        gone = tuple(name for name, lease in self._leases.items() if lease.until_s <= now_s)
        for name in gone:
            del self._leases[name]
        return gone

    def alive(self, now_s: float) -> dict[str, tuple[Server, ServerState]]:
        """Listed and registered servers by name; a registration overrides the list."""
        found = {name: (server, ServerState()) for name, server in self._listed.items()}
        for name, lease in self._leases.items():
            if lease.until_s > now_s:
                found[name] = (lease.server, lease.state)
        return found
