"""What the settings of an edge mean for its parts."""

from __future__ import annotations

from edge.caching.decide import Rules
from edge.caching.freshness import Defaults
from edge.config import EdgeConfig


def rules_of(config: EdgeConfig) -> Rules:
    """What its caching decisions depend on."""
    return Rules(
        max_object_bytes=config.max_object_bytes,
        is_open=not config.require_token,
        defaults=Defaults(
            stale_if_error_s=config.stale_if_error_s,
            heuristic_ratio=config.heuristic_ratio,
            negative_ttl_s=config.negative_ttl_s,
        ),
    )


def share_of(config: EdgeConfig, workers: int) -> int:
    """Most bytes that one of ``workers`` holds: each holds its keys, about as many as others."""
    return config.cache_bytes // workers
