"""Settings of a whole stack on this machine: origin, regional tier, ISP edges."""

from __future__ import annotations

from dataclasses import dataclass

from abr.errors import ConfigError
from origin.config import is_loopback


@dataclass(frozen=True, slots=True, kw_only=True)
class ServeConfig:
    """Everything ``abr serve`` needs to know; checked by ``check``."""

    host: str = "127.0.0.1"
    """Address that all servers listen on."""
    port: int = 0
    """Port of the origin; the regional cache, the edges and the watch page use those after it.
    0: any free."""
    edges: int = 2
    """Number of ISP edges below the regional tier."""
    cache_dir: str = ""
    """Folder for the caches, one sub-folder each; empty: a temporary one, gone at the end."""
    cache_bytes: int = 1 << 30
    """Most bytes stored by each cache."""
    playlist_max_age_s: int = 5
    """Freshness of playlists in caches."""
    cmcd_log: str = ""
    """File in which the ISP edges write what players report (CMCD); empty: nowhere."""
    token_ttl_s: float = 3600.0
    """A token is valid this long, then it must be renewed."""
    trust: str = ""
    """File of issuers whose tokens are accepted too, as of ``abr origin --trust``; empty: none."""
    state: str = ""
    """Where sessions and revocations are kept, as of ``abr gateway --state``; empty: a temporary
    file, gone at the end."""
    shutdown_s: float = 1.0
    """Responses under way may end within this when a server stops."""

    def check(self) -> ServeConfig:
        """Return self when every value can be used.

        Raises:
            ConfigError: a value is out of range; the message names it.
        """
        if not is_loopback(self.host):
            raise ConfigError(
                f"serve.host: found {self.host!r}; expected an address that only this machine can "
                "reach, such as 127.0.0.1; to serve others run `abr origin` and `abr edge`"
            )
        if not 1 <= self.edges <= 100:
            raise ConfigError(f"serve.edges: found {self.edges}; expected 1 to 100")
        highest = 65535 - self.edges - 2
        if not 0 <= self.port <= highest:
            raise ConfigError(f"serve.port: found {self.port}; expected 0 to {highest}")
        if self.cache_bytes <= 0:
            raise ConfigError(f"serve.cache_bytes: found {self.cache_bytes}; expected more than 0")
        for name in ("playlist_max_age_s", "shutdown_s"):
            if getattr(self, name) < 0:
                raise ConfigError(f"serve.{name}: found {getattr(self, name)}; expected 0 or more")
        if not self.token_ttl_s > 0:
            raise ConfigError(f"serve.token_ttl_s: found {self.token_ttl_s}; expected more than 0")
        return self
