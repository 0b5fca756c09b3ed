"""Settings of the playback service."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from abr.errors import ConfigError
from origin.config import check_tls, is_loopback
from origin.gateway.ratelimit import Network, Rate
from origin.gateway.sessions import LeaseRules


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayConfig:
    """Everything a gateway needs to know; checked by ``check``."""

    host: str = "127.0.0.1"
    """Address to listen on."""
    port: int = 8090
    """Port to listen on; 0 takes a free one."""
    tls_cert: str = ""
    """PEM file with the certificate to serve HTTPS with; empty: plain HTTP."""
    tls_key: str = ""
    """PEM file with the certificate's private key."""
    public_base: str = ""
    """Base of the URLs that players get, such as that of an edge; empty: they are paths."""
    accounts: str = ""
    """TOML file with accounts, plans, or the issuer of the bearers."""
    authenticator: str = ""
    """Entry point ``abr.authenticators`` that tells accounts, in place of the file."""
    anyone: bool = False
    """Let anyone play, without an account; each device is one of its own."""
    steering: bool = False
    """The tiers in front have a director, so players get a URI to be steered by."""
    lease_ttl_s: float = 30.0
    """A place is held this long after a heartbeat; players send one at a third of it."""
    token_ttl_s: float = 3600.0
    """A token is valid this long, then it must be renewed."""
    session_ttl_s: float = 86400.0
    """Tokens of one session can be renewed this long after it was asked for."""
    admin_secret: str = field(default="", repr=False)
    """Bearer secret for ``/v1/revocations``; empty: nobody may."""
    address_per_s: float = 20.0
    """Playbacks that may be asked for from one address; other requests count a tenth. 0: any."""
    address_burst: float = 200.0
    """So many at once after a pause."""
    account_per_s: float = 1.0
    """Playbacks that one account may ask for. 0: any."""
    account_burst: float = 30.0
    """So many at once after a pause."""
    trusted_proxies: tuple[str, ...] = ()
    """Networks of proxies whose ``X-Forwarded-For`` is believed."""
    answer_s: float = 0.9
    """A request is answered within this, whatever it has to ask."""
    traced_days: float = 90.0
    """Sessions of watermarked titles are remembered so many days after they end."""
    titles_fresh_s: float = 5.0
    """What is known of titles is looked up again after this."""

    @property
    def leases(self) -> LeaseRules:
        """How long sessions hold what."""
        return LeaseRules(lease_s=self.lease_ttl_s, token_s=self.token_ttl_s)

    @property
    def address_rate(self) -> Rate:
        """Of one address."""
        return Rate(per_s=self.address_per_s, burst=self.address_burst)

    @property
    def account_rate(self) -> Rate:
        """Of one account."""
        return Rate(per_s=self.account_per_s, burst=self.account_burst)

    @property
    def proxies(self) -> tuple[Network, ...]:
        """Networks of trusted proxies."""
        return tuple(ipaddress.ip_network(each, strict=False) for each in self.trusted_proxies)

    def check(self) -> GatewayConfig:
        """Return self when every value can be used.

        Raises:
            ConfigError: a value is out of range; the message names it.
        """
        if not 0 <= self.port <= 65535:
            raise ConfigError(f"gateway.port: found {self.port}; expected 0 to 65535")
        for name, (least, most) in _RANGES.items():
            if not least <= getattr(self, name) <= most:
                raise ConfigError(
                    f"gateway.{name}: found {getattr(self, name):g}; expected {least:g} to {most:g}"
                )
        check_tls("gateway", self.tls_cert, self.tls_key)
        parts = urlsplit(self.public_base)
        if self.public_base and (
            parts.scheme not in ("http", "https") or not parts.hostname or parts.username
        ):
            raise ConfigError(
                f"gateway.public_base: found {self.public_base!r}; "
                "expected the URL of an edge, such as https://video.example"
            )
        self._check_accounts()
        for each in self.trusted_proxies:
            try:
                ipaddress.ip_network(each, strict=False)
            except ValueError as exc:
                raise ConfigError(
                    f"gateway.trusted_proxies: {exc}; expected networks such as 10.0.0.0/8"
                ) from exc
        return self

    def check_authority(self) -> None:
        """Return if these settings say who has an account; a service cannot begin without.

        Raises:
            ConfigError: they do not.
        """
        if not (self.accounts or self.authenticator or self.anyone):
            raise ConfigError(
                "gateway.accounts: missing; name a file with --accounts, or let anyone who can "
                "reach this address play with --anyone"
            )

    def _check_accounts(self) -> None:
        given = [bool(self.accounts), bool(self.authenticator), self.anyone]
        if sum(given) > 1:
            raise ConfigError(
                "gateway.accounts: accounts are told in more than one way; expected one of "
                "accounts, authenticator and anyone"
            )
        if self.anyone and not is_loopback(self.host):
            raise ConfigError(
                f"gateway.host: {self.host} can be reached by others, and anyone may play; "
                "name a file with --accounts, or listen on 127.0.0.1"
            )


_YEARS_S = 10 * 365 * 86400.0
_RANGES: dict[str, tuple[float, float]] = {
    "lease_ttl_s": (1.0, 86400.0),
    "token_ttl_s": (1.0, _YEARS_S),
    "session_ttl_s": (1.0, _YEARS_S),
    "traced_days": (0.0, 36_500.0),
    "address_per_s": (0.0, 1e6),
    "address_burst": (1.0, 1e6),
    "account_per_s": (0.0, 1e6),
    "account_burst": (1.0, 1e6),
    "answer_s": (0.05, 60.0),
    "titles_fresh_s": (0.0, 3600.0),
}
