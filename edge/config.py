"""Settings of one edge cache."""

from __future__ import annotations

from dataclasses import dataclass, field
from urllib.parse import urlsplit

from abr.errors import ConfigError
from edge import policies
from origin.config import ServerLimits, check_pages, check_tls
from origin.tokens.tiertoken import parse_secrets

MIB = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class EdgeConfig:
    """Everything an edge needs to know; checked by ``check``."""

    parent: str = "http://127.0.0.1:8080"
    """Base URL of the only server that is asked: the origin, or a tier nearer to it."""
    parents: tuple[str, ...] = ()
    """Base URLs of several parents, which share the keys and stand in for each other; then
    ``parent`` is not used."""
    host: str = "127.0.0.1"
    """Address to listen on."""
    port: int = 8081
    """Port to listen on; 0 takes a free one."""
    tls_cert: str = ""
    """PEM file with the certificate to serve HTTPS with; empty: plain HTTP."""
    tls_key: str = ""
    """PEM file with the certificate's private key."""
    reuse_port: bool = False
    """Share the port with other edges of this user that say so as well."""
    workers: int = 1
    """Processes that share the port and the cache; each holds its part of the keys."""
    name: str = "edge"
    """Name in ``Cache-Status`` and in metrics."""
    tier: str = "edge"
    """Name of the level this cache belongs to, for metrics."""
    cache_dir: str = ""
    """Folder for stored bodies; empty: below the user's cache folder, by ``name``."""
    cache_bytes: int = 4096 * MIB
    """Most bytes stored, including whole disk blocks and sidecars."""
    policy: str = policies.DEFAULT
    """Name of the policy that decides what is stored and evicted; see ``edge.policies``."""
    max_object_bytes: int = 256 * MIB
    """Larger bodies are passed through without being stored or shared."""
    slice_bytes: int = 4 * MIB
    """Size of the slices in which a range far into an object is fetched."""
    fsync: bool = False
    """Flush each body to the disk before it counts as stored."""
    require_token: bool = True
    """Check tokens; False makes a plain reverse-proxy cache of the parent."""
    own_prefix: str = ""
    """Path below which the edge answers about itself, such as ``/.abr``; empty: at the root."""
    forward_host: bool = False
    """Without tokens: send the client's ``Host`` to the parent, and keep hosts apart in the
    cache. False sends the parent's own."""
    purge_secret: str = field(default="", repr=False)
    """Bearer secret that a purge must present; empty: only this machine may purge."""
    tier_secret: str = field(default="", repr=False)
    """Secret that the tiers share, so that this one asks its parent with tokens of its own; several
    with spaces between: the first is used, all are accepted. Empty: with the viewers'."""
    heuristic_ratio: float = 0.0
    """Freshness of responses that state none, as a share of the time since they were modified
    (RFC 9111 §4.2.2 suggests 0.1); 0 assumes none."""
    negative_ttl_s: float = 0.0
    """Freshness of 404 and 410 responses that state none."""
    hit_for_miss_s: float = 30.0
    """How long requests for what proved uncacheable do not wait for each other."""
    parent_ca_file: str = ""
    """Certificates to check a parent's with; empty: those that the system trusts."""
    connect_limit_s: float = 2.0
    """Most seconds to open a connection to the parent."""
    first_byte_limit_s: float = 10.0
    """Most seconds from asking the parent to its response head."""
    idle_limit_s: float = 10.0
    """Most seconds between two pieces of a body from the parent."""
    fill_limit_s: float = 120.0
    """Most seconds for one whole fetch from the parent."""
    send_limit_s: float = 60.0
    """A client must take each 256 KiB of a body within this."""
    upstream_connections: int = 64
    """Most requests to one parent at a time that wait for their response's head."""
    stale_if_error_s: float = 60.0
    """How long past its freshness an object may be served while the parent fails."""
    stale_wait_s: float = 1.0
    """How long a request waits for the parent when a stale response may stand in for it."""
    director: str = ""
    """Base URL of the director that tells whom to ask; empty: only ``parent`` and ``parents``."""
    director_secret: str = field(default="", repr=False)
    """Bearer secret to register with."""
    public_url: str = ""
    """How others reach this edge; empty: by ``host`` and ``port``."""
    region: str = ""
    """Where it stands, for the director."""
    zone: str = ""
    """Where in the region."""
    capacity_bps: float = 1e9
    """Bits per second that count as full load."""
    health_interval_s: float = 2.0
    """How often each of several parents is checked."""
    health_limit_s: float = 1.0
    """A parent that does not answer a check within this has failed it."""
    health_path: str = ""
    """What a check asks for; empty: it only connects."""
    trust: str = ""
    """File of issuers whose tokens are accepted besides the origin's own; empty: none."""
    cookie_pages: tuple[str, ...] = ()
    """Sites whose pages may send cookies with tokens, such as ``https://player.example``; pages of
    others may send tokens in other places only."""
    keys_refresh_s: float = 10.0
    """How long a key id that the parent does not know is refused without asking again."""
    connections: int = 0
    """Most connections of clients; 0, and at most: half of the descriptors it may have."""
    connections_per_address: int = 2048
    """Most connections from one address; 0: as many as from all."""
    keepalive_s: float = 75.0
    """An idle connection of a client is closed after this."""
    header_limit_s: float = 10.0
    """The head of a request must be complete within this."""
    body_bytes_per_s: int = 1024
    """The body of a request must come at this rate; looked at every 8 seconds."""
    access_log: str = ""
    """File for a line of JSON about each request; empty: none."""
    access_log_sample: float = 1.0
    """Share of the keys whose requests are logged, all of each; 0 to 1."""
    cmcd_log: str = ""
    """File for the edge view of what players report (CMCD); then ``POST /cmcd`` takes reports."""
    strip_cmcd: bool = False
    """Without tokens: keep the query argument ``CMCD`` out of keys, and from the parent."""
    prefetch: bool = False
    """Fetch what a player says it will ask for next (CMCD ``nor``), when there is room."""
    drain_s: float = 10.0
    """When asked to end, answers under way may take this long."""

    def check(self) -> EdgeConfig:
        """Return self when every value can be used.

        Raises:
            ConfigError: a value is out of range; the message names it.
        """
        optional = [("edge.director", self.director), ("edge.public_url", self.public_url)]
        for name, url in (*self._named_parents(), *(pair for pair in optional if pair[1])):
            _check_parent(name, url)
        if self.director and not self.public_url and self.port == 0:
            raise ConfigError(
                "edge.public_url: expected how others reach this edge, since its port is free to "
                "choose; set it, or a port"
            )
        if len(set(self.parents)) != len(self.parents):
            raise ConfigError("edge.parents: one is listed twice; expected each once")
        parse_secrets(self.tier_secret, where="edge.tier_secret")
        check_tls("edge", self.tls_cert, self.tls_key)
        check_pages("edge", self.cookie_pages)
        if not 0 <= self.port <= 65535:
            raise ConfigError(f"edge.port: found {self.port}; expected 0 to 65535")
        for name in _POSITIVE:
            value = getattr(self, name)
            if not value > 0:
                raise ConfigError(f"edge.{name}: found {value}; expected more than 0")
        for name in _NOT_NEGATIVE:
            if getattr(self, name) < 0:
                raise ConfigError(f"edge.{name}: found {getattr(self, name)}; expected 0 or more")
        if not self.name or not self.name.isascii() or not self.name.isprintable():
            raise ConfigError(f"edge.name: found {self.name!r}; expected printable ASCII")
        if self.access_log_sample > 1:
            found = self.access_log_sample
            raise ConfigError(f"edge.access_log_sample: found {found}; expected 0 to 1")
        policies.make(self.policy, capacity_bytes=self.cache_bytes)
        return self

    @property
    def server_limits(self) -> ServerLimits:
        """Limits for clients."""
        return ServerLimits(
            keepalive_s=self.keepalive_s,
            header_s=self.header_limit_s,
            body_bytes_per_s=self.body_bytes_per_s,
            connections=self.connections,
            connections_per_address=self.connections_per_address,
            drain_s=self.drain_s,
        )

    @property
    def parent_urls(self) -> tuple[str, ...]:
        """Base URLs of all parents, without a slash at the end."""
        return tuple(url.rstrip("/") for _, url in self._named_parents())

    def _named_parents(self) -> list[tuple[str, str]]:
        if self.parents:
            return [("edge.parents", url) for url in self.parents]
        return [("edge.parent", self.parent)]


def _check_parent(name: str, url: str) -> None:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ConfigError(f"{name}: found {url!r}; expected a URL such as http://127.0.0.1:8080")
    if parts.query or parts.fragment or parts.username:
        raise ConfigError(
            f"{name}: found a query, fragment or user name; expected scheme, host and port"
        )


_NOT_NEGATIVE = (
    "access_log_sample",
    "body_bytes_per_s",
    "connections",
    "connections_per_address",
    "drain_s",
    "heuristic_ratio",
    "hit_for_miss_s",
    "keys_refresh_s",
    "negative_ttl_s",
    "stale_if_error_s",
)
_POSITIVE = (
    "workers",
    "header_limit_s",
    "keepalive_s",
    "slice_bytes",
    "cache_bytes",
    "max_object_bytes",
    "connect_limit_s",
    "first_byte_limit_s",
    "idle_limit_s",
    "fill_limit_s",
    "send_limit_s",
    "upstream_connections",
    "health_interval_s",
    "health_limit_s",
    "stale_wait_s",
    "capacity_bps",
)
