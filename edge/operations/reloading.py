"""Which settings of a running edge can change, and what a reload of them means.

A reload is all or nothing: the new settings were checked as a whole before they come here, and
what cannot change while the edge runs keeps its old value and is named.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

from edge.config import EdgeConfig

FIXED = frozenset(
    {
        "cache_dir",
        "capacity_bps",
        "director",
        "director_secret",
        "forward_host",
        "fsync",
        "host",
        "name",
        "own_prefix",
        "port",
        "public_url",
        "region",
        "require_token",
        "reuse_port",
        "strip_cmcd",
        "tier",
        "tls_cert",
        "tls_key",
        "workers",
        "zone",
    }
)
"""Settings that keep their value until the edge is restarted: where it listens and stores, what
its keys mean, and who it is to others. All others can change."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reload:
    """What comes of a reload."""

    config: EdgeConfig
    """Settings to use from now on."""
    changed: tuple[str, ...]
    """Names of those that differ from before."""
    waiting: tuple[str, ...]
    """Names of those that were set anew but need a restart."""

    def describe(self) -> str:
        """One line for the log; values are not shown, as some are secrets."""
        what = f"changed {', '.join(self.changed)}" if self.changed else "nothing changed"
        if not self.waiting:
            return f"settings reloaded: {what}"
        return f"settings reloaded: {what}; needs a restart: {', '.join(self.waiting)}"


def plan_reload(held: EdgeConfig, found: EdgeConfig) -> Reload:
    """What a reload makes of the settings in use and those that were found.

    Args:
        held: Settings in use.
        found: New settings, checked.
    """
    names = [field.name for field in fields(EdgeConfig)]
    differing = [name for name in names if getattr(held, name) != getattr(found, name)]
    changed = tuple(name for name in differing if name not in FIXED)
    return Reload(
        config=replace(held, **{name: getattr(found, name) for name in changed}),
        changed=changed,
        waiting=tuple(name for name in differing if name in FIXED),
    )
