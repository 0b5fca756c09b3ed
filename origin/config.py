"""Settings of the origin, and of any HTTP server of ours."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from abr.errors import ConfigError
from origin.tokens.tiertoken import parse_secrets


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerLimits:
    """Limits on the size and the time of requests."""

    keepalive_s: float = 75.0
    """An idle connection is closed after this."""
    header_s: float = 10.0
    """A request's head must be complete within this, from connecting or its first byte."""
    head_bytes: int = 32 << 10
    """Most bytes of all header fields of a request."""
    field_bytes: int = 8190
    """Most bytes of the request line, or of one header field."""
    fields: int = 100
    """Most header fields."""
    send_s: float = 120.0
    """A client must take each 256 KiB of a body within this."""
    send_bytes_per_s: int = 512
    """A client must take what waits for it at this rate, however little it is."""
    body_bytes_per_s: int = 1024
    """The body of a request must come at this rate, ..."""
    body_s: float = 8.0
    """... looked at after each of these."""
    connections: int = 0
    """Most connections; 0, and at most: half of the descriptors the process may have."""
    connections_per_address: int = 2048
    """Most connections from one address; 0: as many as from all."""
    drain_s: float = 10.0
    """When asked to end in peace, answers may take this long."""
    drain_idle_s: float = 2.0
    """Then a connection is closed that was idle for this long."""
    shutdown_s: float = 5.0
    """When the server stops, responses under way may take this long to end."""
    backlog: int = 1024
    """Connections waiting to be accepted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OriginConfig:
    """Everything an origin needs to know; checked by ``check``."""

    host: str = "127.0.0.1"
    """Address to listen on."""
    port: int = 8080
    """Port to listen on; 0 takes a free one."""
    tls_cert: str = ""
    """PEM file with the certificate to serve HTTPS with; empty: plain HTTP."""
    tls_key: str = ""
    """PEM file with the certificate's private key."""
    public_base: str = ""
    """Base of the playback URLs that are handed out, such as that of an edge or a load
    balancer; empty: they are paths, to be resolved against the server that was asked."""
    token_ttl_s: float = 3600.0
    """A token is valid this long, then it must be renewed."""
    session_ttl_s: float = 86400.0
    """Tokens of one playback can be renewed this long after it was asked for."""
    trust: str = ""
    """File of issuers whose tokens are accepted besides our own (``tokens.trust``); empty: none."""
    cookie_pages: tuple[str, ...] = ()
    """Sites whose pages may send cookies with tokens, such as ``https://player.example``; pages of
    others may send tokens in other places only."""
    token_leeway_s: float = 0.0
    """A token is still accepted this long after it expired."""
    playback_secret: str = field(default="", repr=False)
    """Bearer secret that a request for a playback URL must present. Empty asks for none, which
    is refused on addresses that others can reach, unless ``open_playback``."""
    tier_secret: str = field(default="", repr=False)
    """Secret that caches in front share, or several with spaces between; they need not show tokens
    of viewers then. Empty: they do."""
    open_playback: bool = False
    """Give playback URLs to anyone who can reach this server."""
    steering: bool = False
    """Say in multivariant playlists that players are steered; the caches in front need a
    director."""
    playlist_max_age_s: int = 5
    """Freshness in caches of what is asked for without naming a version."""
    media_max_age_s: int = 31536000
    """Freshness of what lies below the name of a version, which never changes."""
    keys_max_age_s: int = 60
    """Freshness of the public key set."""
    licence_ttl_s: float = 600.0
    """A licence says that it is to be asked for again after this, and never lives longer than the
    token."""
    keys_ahead: int = 1
    """For how many periods after those asked for a licence gives keys, where keys rotate."""
    audit_log: str = ""
    """File for a line of JSON about each key that is given or refused; empty: none."""
    audit_log_bytes: int = 0
    """The audit log is moved away before it grows beyond this; 0: never."""

    def check(self) -> OriginConfig:
        """Return self when every value can be used.

        Raises:
            ConfigError: a value is out of range; the message names it.
        """
        if not 0 <= self.port <= 65535:
            raise ConfigError(f"origin.port: found {self.port}; expected 0 to 65535")
        for name in ("token_ttl_s", "session_ttl_s", "licence_ttl_s"):
            if not 0 < getattr(self, name) <= 10 * 365 * 86400:
                raise ConfigError(
                    f"origin.{name}: found {getattr(self, name):g}; "
                    "expected more than 0 and at most ten years"
                )
        for name in _NOT_NEGATIVE:
            if not getattr(self, name) >= 0:
                raise ConfigError(f"origin.{name}: found {getattr(self, name)}; expected 0 or more")
        parse_secrets(self.tier_secret, where="origin.tier_secret")
        check_tls("origin", self.tls_cert, self.tls_key)
        check_pages("origin", self.cookie_pages)
        self._check_base()
        if not (self.playback_secret or self.open_playback or is_loopback(self.host)):
            raise ConfigError(
                f"origin.host: {self.host} can be reached by others, and no playback_secret is "
                "set; set ABR_ORIGIN_PLAYBACK_SECRET, listen on 127.0.0.1, or use --open to let "
                "anyone play"
            )
        return self

    def _check_base(self) -> None:
        parts = urlsplit(self.public_base)
        if self.public_base and (
            parts.scheme not in ("http", "https") or not parts.hostname or parts.username
        ):
            raise ConfigError(
                f"origin.public_base: found {self.public_base!r}; "
                "expected a URL such as https://video.example"
            )
        if parts.query or parts.fragment:
            raise ConfigError("origin.public_base: found a query or fragment; expected none")


_NOT_NEGATIVE = (
    "token_leeway_s",
    "playlist_max_age_s",
    "media_max_age_s",
    "keys_max_age_s",
    "keys_ahead",
    "audit_log_bytes",
)


def check_tls(where: str, cert: str, key: str) -> None:
    """Return if both files for TLS are named, or none.

    Raises:
        ConfigError: one is missing.
    """
    if bool(cert) != bool(key):
        missing = "tls_key" if cert else "tls_cert"
        raise ConfigError(f"{where}.{missing}: missing; expected a certificate and its key")


def check_pages(where: str, pages: tuple[str, ...]) -> None:
    """Return if each is the origin of a page as browsers send it.

    Raises:
        ConfigError: one is not.
    """
    for page in pages:
        if not _PAGE.fullmatch(page):
            raise ConfigError(
                f"{where}.cookie_pages: found {page!r}; expected scheme and host in lower case, "
                "and a port that is not the usual one: https://player.example"
            )


_PAGE = re.compile(r"https?://(?:[a-z0-9.-]+|\[[0-9a-f:.]+\])(?::[1-9][0-9]{0,4})?")


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach a server that listens on ``host``."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
