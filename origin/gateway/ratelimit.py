"""How often somebody may ask: one bucket for each, in bounded memory.

A bucket holds ``burst`` requests and fills at ``per_s``. Only the time at which it will be full
again is kept (the "theoretical arrival time" of the generic cell rate algorithm), and of the names
those asked for last; whoever is forgotten begins with a full bucket.

Source: ITU-T I.371, annex A (generic cell rate algorithm, virtual scheduling).
"""

from __future__ import annotations

import ipaddress
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """How often."""

    per_s: float
    """Requests a second in the long run; 0: no limit."""
    burst: float
    """Requests at once after a pause."""


class RateLimit:
    """Buckets by name."""

    def __init__(self, rate: Rate, *, most: int = 100_000) -> None:
        """Remember ``most`` names."""
        self._rate, self._most = rate, most
        self._full_s: OrderedDict[str, float] = OrderedDict()

    def __repr__(self) -> str:
        return f"<RateLimit {self._rate.per_s:g}/s, {len(self._full_s)} names>"

    def __len__(self) -> int:
        return len(self._full_s)

    def wait_s(self, name: str, *, now_s: float, cost: float = 1.0) -> float:
        """Count a request of ``name``.

        Args:
            name: Whose bucket.
            now_s: Any clock that does not go back.
            cost: How many requests it counts for.

        Returns:
            0 when it may be answered; otherwise the seconds after which it may be asked again.
            Requests that are refused do not count.
        """
        if self._rate.per_s <= 0:
            return 0.0
        full_s = max(self._full_s.get(name, now_s), now_s) + cost / self._rate.per_s
        wait_s = full_s - self._rate.burst / self._rate.per_s - now_s
        if wait_s > 1e-9:
            return wait_s
        self._full_s[name] = full_s
        self._full_s.move_to_end(name)
        if len(self._full_s) > self._most:
            self._full_s.popitem(last=False)
        return 0.0


Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def client_address(peer: str, forwarded_for: str, trusted: Sequence[Network]) -> str:
    """The address of the client of a request.

    Args:
        peer: Address at the other end of the connection.
        forwarded_for: Fields ``X-Forwarded-For``, joined by commas; each proxy adds at the end
            the address that it was asked from.
        trusted: Networks of our own proxies. What anybody else wrote is not believed.
    """
    client = peer
    for given in reversed([each.strip() for each in forwarded_for.split(",") if each.strip()]):
        if not _is_within(client, trusted):
            break
        client = given
    return client


def bucket_of(address: str) -> str:
    """Whose bucket an address shares: that of its /64 when it is IPv6, for one client has that."""
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address[:64]
    if isinstance(found, ipaddress.IPv6Address):
        mapped = found.ipv4_mapped
        return str(mapped or ipaddress.IPv6Network((int(found) >> 64 << 64, 64)))
    return str(found)


def _is_within(address: str, networks: Sequence[Network]) -> bool:
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    return any(found in network for network in networks)
