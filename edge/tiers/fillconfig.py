"""Settings of filling ahead of demand."""

from __future__ import annotations

from dataclasses import dataclass, field
from urllib.parse import urlsplit

from abr.errors import ConfigError
from edge import policies


@dataclass(frozen=True, slots=True, kw_only=True)
class FillConfig:
    """Everything ``abr fill`` needs to know beside logs and edges; checked by ``check``."""

    window: str = "02:00-06:00"
    """When to fill, each day, in UTC or with an offset: ``02:00-06:00+01:00``."""
    rate: str = "50Mbit"
    """Most bits per second for each edge, on average."""
    room: str = ""
    """Most bytes pinned, or a share of the cache; empty: what would have paid so far."""
    half_life_d: float = 2.0
    """A request this many days ago weighs half of one now."""
    policy: str = policies.DEFAULT
    """Policy of the edges, to find out what would have paid."""
    playback: str = ""
    """Base URL of the origin that gives tokens; empty: the edges check none."""
    playback_secret: str = field(default="", repr=False)
    """Bearer secret that the origin asks for."""
    purge_secret: str = field(default="", repr=False)
    """The edges' ``purge_secret``, which permits pinning."""
    answer_limit_s: float = 30.0
    """Most seconds for one answer of an edge or the origin."""

    def check(self) -> FillConfig:
        """This configuration.

        Raises:
            ConfigError: a setting cannot be used.
        """
        if not 0 < self.half_life_d <= 3650:
            raise ConfigError(
                f"fill.half_life_d: found {self.half_life_d}; expected days, more than 0"
            )
        if not 0 < self.answer_limit_s <= 3600:
            raise ConfigError(
                f"fill.answer_limit_s: found {self.answer_limit_s}; expected seconds, 0 to 3600"
            )
        if self.playback:
            check_url(self.playback, "fill.playback")
        policies.make(self.policy, capacity_bytes=1)
        return self


def check_url(url: str, where: str) -> str:
    """A base URL without a slash at its end.

    Raises:
        ConfigError: it is none; the message names ``where``.
    """
    try:
        parts = urlsplit(url)
        is_good = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
        is_good = is_good and not (parts.username or parts.query or parts.fragment)
    except ValueError:
        is_good = False
    if not is_good:
        shown = url.rpartition("@")[2].partition("?")[0]  # what is left out may be a secret
        raise ConfigError(f"{where}: found {shown!r}; expected a URL such as http://host:8081")
    return url.rstrip("/")
