"""A rung as a ladder states it: what every way of choosing a ladder comes to."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PlannedRung:
    """One rung to encode."""

    width: int
    height: int
    bitrate_bps: int
    """Target mean of the video alone."""
