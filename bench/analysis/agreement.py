"""How far two drivers are apart on the same playback: the figures and their bounds.

Replay is not compared here: it is identical or it is wrong. Live runs meet a real
machine, so they are compared on what a viewer got, each figure with its own bound.
"""

from __future__ import annotations

from dataclasses import dataclass

from abr.log import SessionLog
from abr.qoe import QoE, summary
from bench.experiments.failures import why_playback_failed

BITRATE_BOUND = 0.02
"""Relative difference of the mean bitrate."""
STALLED_BOUND = 0.10
"""Relative difference of the stalled time, the most sensitive figure of all."""
STALLED_FLOOR_S = 0.05
"""A difference below this is no difference: a tenth of hardly anything says nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """Live against virtual: one presentation, trace and algorithm."""

    trace: str
    algorithm: str
    virtual: QoE
    live: QoE
    decisions: int
    """Decisions compared: those both drivers came to."""
    same_decisions: int
    is_overloaded: bool
    """The machine was too busy; the live figures are not to be trusted."""
    response_head_bytes: float
    """Mean size of what the server sent beside bodies, per response of the live run."""

    @property
    def stalls_agree(self) -> bool:
        """The same number of stalls."""
        return self.virtual.stall_events == self.live.stall_events

    @property
    def bitrate_ratio(self) -> float:
        """Relative difference of the mean bitrates."""
        return _relative(self.virtual.mean_bitrate_bps, self.live.mean_bitrate_bps)

    @property
    def stalled_ratio(self) -> float:
        """Relative difference of the stalled times."""
        return _relative(self.virtual.stall_s, self.live.stall_s)

    @property
    def startup_difference_s(self) -> float:
        """Live minus virtual startup; nan when one of them never started."""
        if self.virtual.startup_s is None or self.live.startup_s is None:
            return float("nan")
        return self.live.startup_s - self.virtual.startup_s

    @property
    def failed(self) -> str:
        """Which of the two failed, and why; empty when both played."""
        sides = (("simulation", self.virtual), ("live", self.live))
        return "; ".join(
            f"{side}: {why}" for side, qoe in sides if (why := why_playback_failed(qoe))
        )

    @property
    def is_within_bounds(self) -> bool:
        """Both played, same stalls, and bitrate and stalled time within their bounds."""
        if self.failed:  # two that never began agree in everything
            return False
        apart_s = abs(self.virtual.stall_s - self.live.stall_s)
        return (
            self.stalls_agree
            and self.bitrate_ratio <= BITRATE_BOUND
            and (apart_s <= STALLED_FLOOR_S or self.stalled_ratio <= STALLED_BOUND)
        )


def gap_between(virtual: SessionLog, live: SessionLog) -> Gap:
    """Compare two logs of the same playback."""
    pairs = list(zip(_rungs(virtual), _rungs(live), strict=False))
    shaper = live.provenance.get("shaper", {})
    bodies = sum(r["size_bytes"] for r in live.of("finished"))
    bodies += sum(r["received_bytes"] for r in live.of("abort"))
    responses = sum(1 for _ in live.of("response"))
    delivered = float(shaper.get("delivered_bytes", bodies))
    return Gap(
        trace=str(live.provenance.get("trace", "")),
        algorithm=str(live.provenance.get("algorithm", "")),
        virtual=summary(virtual),
        live=summary(live),
        decisions=len(pairs),
        same_decisions=sum(a == b for a, b in pairs),
        is_overloaded=bool(shaper.get("is_overloaded", False)),
        response_head_bytes=(delivered - bodies) / responses if responses else 0.0,
    )


def _rungs(log: SessionLog) -> list[tuple[int, int]]:
    return [(r["segment"], r["rung"]) for r in log.of("decision")]


def _relative(a: float, b: float) -> float:
    """Difference relative to the mean of both; 0 when both are 0."""
    return abs(a - b) / ((abs(a) + abs(b)) / 2) if a or b else 0.0
