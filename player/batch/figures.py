"""What one session of a batch came to, as rows of results tell it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from abr.qoe import qoe_lin
from player.batch.tables import TOTALS


class Figures(NamedTuple):
    """Of one session; the words are those of ``abr.qoe.QoE``."""

    startup_s: float | None
    """None: playback never began."""
    stall_s: float
    stall_events: int
    played_s: float
    elapsed_s: float
    mean_bitrate_bps: float
    switches: int
    switch_bps: float
    qoe_lin: float
    downloaded_bytes: float
    wasted_bytes: float
    """Of segments that were never shown."""
    downloads: int
    """Requests sent."""
    abandoned: int
    """Downloads given up."""
    rungs: list[int]
    """Rung of each segment of which something was shown."""


def figures_of(
    totals: Sequence[float],
    rungs: Sequence[int],
    ladder_bps: Sequence[float],
    *,
    startup_in_stalls_s: float = 0.0,
) -> Figures:
    """The figures of a session.

    Args:
        totals: Its row of ``Batch.totals``.
        rungs: Its row of ``Batch.rungs``.
        ladder_bps: Nominal bit rate per rung.
        startup_in_stalls_s: Startup that the simulator counts as a stall; left out here.
    """
    known = dict(zip(TOTALS, totals, strict=True))
    shown = list(rungs[: int(known["shown"])])
    stall_s = max(known["stall_s"] - startup_in_stalls_s, 0.0)
    return Figures(
        startup_s=None if math.isnan(known["startup_s"]) else known["startup_s"],
        stall_s=stall_s,
        stall_events=int(known["stall_events"]) - (startup_in_stalls_s > 0),
        played_s=known["played_s"],
        elapsed_s=known["ended_s"],
        mean_bitrate_bps=known["mean_bitrate_bps"],
        switches=int(known["switches"]),
        switch_bps=known["bitrate_change_bps"],
        qoe_lin=qoe_lin([ladder_bps[rung] for rung in shown], stall_s),
        downloaded_bytes=known["downloaded_bytes"],
        wasted_bytes=known["wasted_bytes"],
        downloads=int(known["downloads"]),
        abandoned=int(known["abandoned"]),
        rungs=shown,
    )
