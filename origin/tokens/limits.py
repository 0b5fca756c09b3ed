"""Limits that tokens of several forms have in common: which URIs they open, and to whom.

Each compares one claim with one fact of a request. What a request does not say is never taken
to fit.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from functools import lru_cache

from origin.tokens.matching import MatchError, Pattern, hash_fits, normal_authority, normal_escapes
from origin.tokens.permission import Asked

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def uri_of(asked: Asked, base: str = "") -> str:
    """The absolute URI of a request in its normal form, without the token; empty: not known.

    Args:
        asked: The request.
        base: What stands before the path wherever viewers come in, such as
            ``https://cdn.example``; empty: scheme and host as the client gave them.
    """
    if not base:
        if not asked.scheme or not asked.authority:
            return ""
        base = f"{asked.scheme}://{normal_authority(asked.scheme, asked.authority)}"
    try:
        query = f"?{normal_escapes(asked.query)}" if asked.query else ""
    except MatchError:
        return ""
    return f"{base}/{asked.title}/{asked.path}{query}"


@dataclass(frozen=True, slots=True, kw_only=True)
class UriPattern:
    """The whole URI must fit a regular expression."""

    pattern: Pattern
    base: str = ""
    claim: str = "cdniuc"

    @property
    def wanted(self) -> str:
        """The expression."""
        return f"a URL that fits {self.pattern.text}"

    def found(self, asked: Asked) -> str:
        """The URI of the request."""
        return uri_of(asked, self.base) or "a request whose host is not known"

    def refusal(self, asked: Asked) -> str | None:
        """``wrong-uri``, or None."""
        uri = uri_of(asked, self.base)
        return None if uri and self.pattern.fits(uri) else "wrong-uri"


@dataclass(frozen=True, slots=True, kw_only=True)
class UriHash:
    """The whole URI must have this hash (RFC 6920)."""

    hash: str
    base: str = ""
    claim: str = "cdniuc"

    @property
    def wanted(self) -> str:
        """The hash."""
        return f"the one URL whose hash is {self.hash}"

    def found(self, asked: Asked) -> str:
        """The URI of the request."""
        return uri_of(asked, self.base) or "a request whose host is not known"

    def refusal(self, asked: Asked) -> str | None:
        """``wrong-uri``, or None."""
        uri = uri_of(asked, self.base)
        return None if uri and hash_fits(self.hash, uri) else "wrong-uri"


@dataclass(frozen=True, slots=True, kw_only=True)
class PathPatterns:
    """The path, from the title on and without a query, must fit one of several patterns."""

    patterns: tuple[Pattern, ...]
    claim: str = "acl"

    @property
    def wanted(self) -> str:
        """The patterns."""
        return " or ".join(pattern.text for pattern in self.patterns)

    def found(self, asked: Asked) -> str:
        """The path of the request."""
        return f"/{asked.title}/{asked.path}"

    def refusal(self, asked: Asked) -> str | None:
        """``wrong-uri``, or None."""
        path = f"/{asked.title}/{asked.path}"
        return None if any(pattern.fits(path) for pattern in self.patterns) else "wrong-uri"


@dataclass(frozen=True, slots=True, kw_only=True)
class Titles:
    """An issuer may be trusted for some titles only."""

    titles: frozenset[str]
    claim: str = "iss"

    @property
    def wanted(self) -> str:
        """The titles."""
        return f"one of the titles its issuer may open: {', '.join(sorted(self.titles))}"

    def found(self, asked: Asked) -> str:
        """The title of the request."""
        return asked.title

    def refusal(self, asked: Asked) -> str | None:
        """``wrong-title``, or None."""
        return None if asked.title in self.titles else "wrong-title"


@dataclass(frozen=True, slots=True, kw_only=True)
class Addresses:
    """The client must have one of these addresses."""

    network: Network
    claim: str

    @property
    def wanted(self) -> str:
        """The network."""
        return f"a client in {self.network}"

    def found(self, asked: Asked) -> str:
        """The address of the client."""
        return asked.address or "a client whose address is not known"

    def refusal(self, asked: Asked) -> str | None:
        """``wrong-address``, or None."""
        address = address_of(asked.address)
        return None if address is not None and address in self.network else "wrong-address"


@lru_cache(maxsize=4096)
def address_of(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """An address as sockets give it; None when it is none.

    Sockets for both families give IPv4 addresses as ``::ffff:192.0.2.1``.
    """
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return address if mapped is None else mapped


def network_of(text: str) -> Network:
    """An address or a prefix in CIDR notation; brackets around it are taken off.

    The examples of RFC 9246 write IPv6 prefixes in brackets, and with bits after the prefix.

    Raises:
        ValueError: it is neither.
    """
    if text.startswith("[") and text.endswith("]"):
        text = text[1:-1]
    return ipaddress.ip_network(text, strict=False)
