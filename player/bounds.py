"""Where an upper bound is none: rules of playing that its plan does not know.

Algorithms that are told the network plan with the model of ``abr.planning``: our own player
as it is by default, with the settings in ``PLANNED``. What they score under other rules or
settings bounds nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from abr.decision import Algorithm, Rule
from player.config import PlayerConfig

PLANNED = ("max_buffer_s", "rtt_s", "response_overhead_bytes", "server_s")
"""Settings of the player that a plan takes into account."""

OWN = "abrkit"
"""The preset that plans are made for."""


def unplanned(config: PlayerConfig) -> dict[str, Any]:
    """Settings that differ from their defaults and that no plan takes into account."""
    default = PlayerConfig()
    return {
        each.name: getattr(config, each.name)
        for each in fields(PlayerConfig)
        if each.name not in PLANNED and getattr(config, each.name) != getattr(default, each.name)
    }


def why_no_bound(preset: str, settings: Mapping[str, Any]) -> str:
    """Why an upper bound is none here; empty where it is one.

    Args:
        preset: Rules of simulation.
        settings: Of the player, as a plan of ``abr bench`` has them or ``unplanned`` finds them.
    """
    if preset != OWN:
        return f"it plans for abrkit's own player and not for the rules of {preset}"
    default = PlayerConfig()
    others = [
        name
        for name, value in settings.items()
        if name not in PLANNED and getattr(default, name, None) != value
    ]
    return f"it does not plan for {', '.join(others)} of [player]" if others else ""


def about_bound(algorithm: Algorithm, config: PlayerConfig) -> dict[str, str]:
    """What the log of a simulation says of an upper bound that is none: ``no_upper_bound``."""
    if not isinstance(algorithm, Rule) or not algorithm.needs_trace:
        return {}
    why = why_no_bound(OWN, unplanned(config))
    return {"no_upper_bound": why} if why else {}
