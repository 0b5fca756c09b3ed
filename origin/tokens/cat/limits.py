"""What the URI, method and address claims of a Common Access Token permit.

A limit is read once, when the signature has been verified, and asked at every request.

The parts of a URI are those of the request without its token, and every match of every part must
hold. ``stem`` and ``extension`` are divided at the last dot of the file name, and the extension
keeps it, as in ``std::filesystem``; node-cat divides at the first dot.

Sources: CTA-5007 (through Eyevinn's node-cat 0.16.4 and the CAT module of Akamai's EdgeWorkers
examples), RFC 9164 §3 (addresses and prefixes), FIPS 180-4 (SHA-512/256).
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from origin.tokens.limits import Network, address_of
from origin.tokens.matching import MatchError, compile_pattern
from origin.tokens.permission import Asked
from origin.tokens.refusals import refuse

PARTS: Mapping[int, str] = {
    0: "scheme",
    1: "host",
    2: "port",
    3: "path",
    4: "query",
    5: "parent-path",
    6: "filename",
    7: "stem",
    8: "extension",
}
"""Parts of a URI by their number in ``catu``."""

MATCHES: Mapping[int, str] = {
    0: "exact",
    1: "prefix",
    2: "suffix",
    3: "contains",
    4: "regex",
    -1: "sha256",
    -2: "sha512-256",
}
"""Kinds of matches by their number."""

_ALWAYS = frozenset({"scheme", "host", "port"})
"""Parts that every URI has; empty they are not known."""
_PORTS: Mapping[str, str] = {"http": "80", "https": "443"}
_FUNCTIONS: Mapping[str, str] = {"sha256": "sha256", "sha512-256": "sha512_256"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Methods:
    """Methods that may be used (``catm``)."""

    methods: frozenset[str]
    claim: str = "catm"

    @classmethod
    def read(cls, catm: object) -> Methods:
        """The limit that the claim is; raises ``TokenError``."""
        if not isinstance(catm, list) or not all(isinstance(method, str) for method in catm):
            refuse("malformed")
        return cls(methods=frozenset(catm))

    @property
    def wanted(self) -> str:
        """The methods."""
        return " or ".join(sorted(self.methods)) or "no method at all"

    def found(self, asked: Asked) -> str:
        """The method of the request."""
        return asked.method

    def refusal(self, asked: Asked) -> str | None:
        """``wrong-method``, or None."""
        return None if asked.method in self.methods else "wrong-method"


@dataclass(frozen=True, slots=True, kw_only=True)
class Networks:
    """Networks that may ask (``catnip``)."""

    networks: tuple[Network, ...]
    claim: str = "catnip"

    @classmethod
    def read(cls, catnip: object) -> Networks:
        """The limit that the claim is; raises ``TokenError``.

        One network in the list suffices, so a number of an autonomous system beside networks
        permits nobody more. Alone it would be all that counts, and nobody here can compare it.
        """
        if not isinstance(catnip, list) or not catnip:
            refuse("malformed")
        networks = [_network(item) for item in catnip if not _is_whole(item)]
        if not networks:
            refuse("not-understood")
        return cls(networks=tuple(networks))

    @property
    def wanted(self) -> str:
        """The networks."""
        return f"a client in {' or '.join(map(str, self.networks))}"

    def found(self, asked: Asked) -> str:
        """The address of the client."""
        return asked.address or "a client whose address is not known"

    def refusal(self, asked: Asked) -> str | None:
        """``wrong-address``, or None."""
        address = address_of(asked.address)
        if address is None or not any(address in network for network in self.networks):
            return "wrong-address"
        return None


def _is_whole(item: object) -> bool:
    return isinstance(item, int) and not isinstance(item, bool)


def _network(item: object) -> Network:
    """A network or an address as cbor2 reads it, which refuses bits after the prefix."""
    # The third kind, an address with the prefix of its network, does not say which is meant.
    if isinstance(item, ipaddress.IPv4Interface | ipaddress.IPv6Interface):
        refuse("not-understood")
    if isinstance(item, ipaddress.IPv4Address | ipaddress.IPv6Address):
        return ipaddress.ip_network(item)
    if not isinstance(item, ipaddress.IPv4Network | ipaddress.IPv6Network):
        refuse("malformed")
    return item


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """What one part of the URI must be like."""

    part: str
    kind: str
    value: str
    """The text, the expression, or the hash in hexadecimal."""
    holds: Callable[[str], bool] = field(repr=False, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class UriParts:
    """What the parts of the URI must be like (``catu``)."""

    matches: tuple[Match, ...]
    base: Mapping[str, str] = field(default_factory=dict)
    """Scheme, host and port wherever viewers come in; empty: as the client gave them."""
    claim: str = "catu"

    @classmethod
    def read(cls, catu: object, *, base: str = "") -> UriParts:
        """The limit that the claim is; raises ``TokenError``.

        Args:
            catu: The claim.
            base: What stands before the path, such as ``https://cdn.example``; empty: scheme and
                host as the client gives them.
        """
        if not isinstance(catu, dict) or not catu:
            refuse("malformed")
        matches: list[Match] = []
        for number, wanted in catu.items():
            if not isinstance(wanted, dict) or not wanted:
                refuse("malformed")
            if not _is_whole(number) or number not in PARTS:
                refuse("not-understood")
            matches += [_match(PARTS[number], kind, value) for kind, value in wanted.items()]
        scheme, _, authority = base.partition("://")
        fixed = Asked(title="", scheme=scheme, authority=authority)
        places = {part: _READERS[part](fixed) for part in _ALWAYS} if base else {}
        return cls(matches=tuple(matches), base=places)

    @property
    def wanted(self) -> str:
        """The matches."""
        return ", ".join(f"{each.part} {each.kind} {each.value}" for each in self.matches)

    def found(self, asked: Asked) -> str:
        """The first part that is not as wanted, or the path."""
        part = self._unlike(asked) or "path"
        value = self._value(part, asked)
        return f"{part} {value}" if value else f"a request whose {part} is not known"

    def refusal(self, asked: Asked) -> str | None:
        """``wrong-uri``, or None."""
        return "wrong-uri" if self._unlike(asked) else None

    def _unlike(self, asked: Asked) -> str:
        """The first part that is not as wanted; empty: all are."""
        for each in self.matches:
            value = self._value(each.part, asked)
            # What a request does not say fits nothing, not even a pattern of nothing.
            if not each.holds(value) or (not value and each.part in _ALWAYS):
                return each.part
        return ""

    def _value(self, part: str, asked: Asked) -> str:
        return self.base.get(part) or _READERS[part](asked)


def path_of(asked: Asked) -> str:
    """The path of a request, without the token."""
    return f"/{asked.title}/{asked.path}"


def _host(asked: Asked) -> str:
    host, colon, port = asked.authority.lower().rpartition(":")
    return host if colon and port.isdecimal() else asked.authority.lower()


def _port(asked: Asked) -> str:
    host, _, port = asked.authority.rpartition(":")
    return port if host and port.isdecimal() else _PORTS.get(asked.scheme, "")


def _filename(asked: Asked) -> str:
    return asked.path.rpartition("/")[2]


def _stem(asked: Asked) -> str:
    return _filename(asked).removesuffix(_extension(asked))


def _extension(asked: Asked) -> str:
    stem, dot, rest = _filename(asked).rpartition(".")
    return dot + rest if stem else ""


_READERS: Mapping[str, Callable[[Asked], str]] = {
    "scheme": lambda asked: asked.scheme,
    "host": _host,
    "port": _port,
    "path": path_of,
    "query": lambda asked: asked.query,
    "parent-path": lambda asked: path_of(asked).rpartition("/")[0],
    "filename": _filename,
    "stem": _stem,
    "extension": _extension,
}


def _match(part: str, number: object, value: Any) -> Match:
    """One match of ``catu``; raises ``TokenError``."""
    kind = MATCHES.get(number) if isinstance(number, int) and not isinstance(number, bool) else None
    if kind is None:
        refuse("not-understood")
    if kind == "regex":
        return _regex(part, value)
    if kind in _FUNCTIONS:
        return _hash(part, kind, value)
    if not isinstance(value, str):
        refuse("malformed")
    # Host and scheme are compared in small letters (RFC 3986 §6.2.2.1).
    wanted = value.lower() if part in {"scheme", "host"} else value
    tests: Mapping[str, Callable[[str], bool]] = {
        "exact": wanted.__eq__,
        "prefix": lambda text: text.startswith(wanted),
        "suffix": lambda text: text.endswith(wanted),
        "contains": lambda text: wanted in text,
    }
    return Match(part=part, kind=kind, value=value, holds=tests[kind])


def _hash(part: str, kind: str, value: object) -> Match:
    # node-cat writes the bytes as hexadecimal text.
    try:
        wanted = bytes.fromhex(value) if isinstance(value, str) else value
    except ValueError:
        refuse("malformed")
    if not isinstance(wanted, bytes) or len(wanted) != 32:
        refuse("malformed")
    function, digest = _FUNCTIONS[kind], wanted

    def holds(text: str) -> bool:
        return hmac.compare_digest(hashlib.new(function, text.encode()).digest(), digest)

    return Match(part=part, kind=kind, value=digest.hex(), holds=holds)


def _regex(part: str, value: object) -> Match:
    """A regular expression, which may fit anywhere in the part, as in both implementations."""
    if not isinstance(value, list) or len(value) not in (1, 2) or not isinstance(value[0], str):
        refuse("malformed")
    flags = value[1] if len(value) == 2 and value[1] is not None else ""
    # Of ECMAScript's flags "i" is known; "g" and "u" change nothing for a plain yes or no.
    if not isinstance(flags, str) or not set(flags) <= set("giu"):
        refuse("not-understood")
    try:
        pattern = compile_pattern(value[0], anywhere=True, any_case="i" in flags)
    except MatchError:
        refuse("not-understood")
    return Match(part=part, kind="regex", value=value[0], holds=pattern.fits)
