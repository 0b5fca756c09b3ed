"""The first line of a session log: what it says of a run, and what a replay takes from it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from abr.errors import LogFormatError
from abr.log import SessionLog
from abr.media import Presentation, SideFiles
from abr.trace import Trace
from player.config import PlayerConfig

MOST_PERIODS_KEPT = 2000
"""A trace of up to this many periods is kept in the log, so that reports can draw it."""

KEPT_AT_REPLAY = (
    "cmcd",
    "command",
    "clock_resolution_s",
    "trace",
    "trace_digest",
    "trace_data",
    "stop_at_s",
    "shaper",
)
"""Provenance of a recording that stays true of its replay."""


def recorded_config(past: Mapping[str, Any]) -> PlayerConfig:
    """The player's settings.

    Raises:
        LogFormatError: there are none that this version understands.
    """
    try:
        return PlayerConfig(**past["config"])
    except (KeyError, TypeError, ValueError) as exc:
        raise LogFormatError(f"the log's configuration cannot be used: {exc}") from exc


def recorded_trace(past: Mapping[str, Any]) -> Trace | None:
    """The trace, as far as it was kept; None when it was not.

    Raises:
        LogFormatError: it is none.
    """
    kept = past.get("trace_data")
    if kept is None:
        return None
    try:
        return Trace(**kept, name=str(past.get("trace", "")))
    except (TypeError, ValueError) as exc:
        raise LogFormatError(f"the log's trace cannot be used: {exc}") from exc


def recorded_source(log: SessionLog) -> str | Presentation:
    """What was played: its URL, or a presentation that was given whole.

    Raises:
        LogFormatError: it is no presentation.
    """
    known = log.provenance.get("presentation")
    if known is None:
        return str(log.provenance.get("source", ""))
    side = known.get("side_files")
    try:
        return Presentation(**{**known, "side_files": None if side is None else SideFiles(**side)})
    except (TypeError, ValueError) as exc:
        raise LogFormatError(f"the log's presentation cannot be used: {exc}") from exc


def about_trace(trace: Trace | None) -> dict[str, Any]:
    """What a log says of the network."""
    if trace is None:
        return {}
    about: dict[str, Any] = {"trace": trace.name, "trace_digest": trace.digest()}
    if len(trace.capacity_bps) <= MOST_PERIODS_KEPT:
        about["trace_data"] = {
            "times_s": trace.times_s.tolist(),
            "capacity_bps": trace.capacity_bps.tolist(),
            "end": trace.end,
        }
        if trace.rtt_s is not None:
            about["trace_data"]["rtt_s"] = trace.rtt_s.tolist()
    return about


def about_stop(max_play_s: float) -> dict[str, Any]:
    """When the viewer is to leave, where that was said.

    Raises:
        ValueError: it is no time.
    """
    if not max_play_s >= 0:
        raise ValueError(f"max_play_s is {max_play_s}; expected 0 s or more")
    return {"stop_at_s": max_play_s} if math.isfinite(max_play_s) else {}
