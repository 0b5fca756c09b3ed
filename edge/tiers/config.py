"""Settings of the director."""

from __future__ import annotations

from dataclasses import dataclass, field

from abr.errors import ConfigError
from origin.config import is_loopback


@dataclass(frozen=True, slots=True, kw_only=True)
class DirectorConfig:
    """Everything the director needs to know; checked by ``check``."""

    topology: str = ""
    """The topology file."""
    host: str = "127.0.0.1"
    """Address to listen on."""
    port: int = 8090
    """Port to listen on; 0 takes a free one."""
    public_base: str = ""
    """Base of the URL at which players ask again; empty: relative to where they asked."""
    lease_s: float = 15.0
    """A cache that does not register again within this is gone."""
    steering_ttl_s: int = 10
    """Seconds after which a player asks for a steering manifest again."""
    check_interval_s: float = 2.0
    """How often each server's health is checked."""
    check_limit_s: float = 1.0
    """A server that does not answer a check within this has failed it."""
    secret: str = field(default="", repr=False)
    """Bearer secret that caches register with; needed on addresses that others can reach."""

    def check(self) -> DirectorConfig:
        """Return self when every value can be used.

        Raises:
            ConfigError: a value is out of range; the message names it.
        """
        if not 0 <= self.port <= 65535:
            raise ConfigError(f"director.port: found {self.port}; expected 0 to 65535")
        for name in ("lease_s", "steering_ttl_s", "check_interval_s", "check_limit_s"):
            value = getattr(self, name)
            if not 0 < value <= 86400:
                raise ConfigError(
                    f"director.{name}: found {value:g}; expected more than 0, and at most a day"
                )
        if self.public_base and not self.public_base.startswith(("http://", "https://")):
            raise ConfigError(
                f"director.public_base: found {self.public_base!r}; expected a URL such as "
                "https://steer.example"
            )
        if not (self.secret or is_loopback(self.host)):
            raise ConfigError(
                f"director.host: {self.host} can be reached by others, and no secret is set; set "
                "ABR_DIRECTOR_SECRET, or listen on 127.0.0.1"
            )
        return self
