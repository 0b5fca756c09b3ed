"""What one session of a batch came to, as rows of results tell it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

from abr.media import Presentation
from abr.qoe import Viewing, played_of_each_s, qoe_lin, view_quality
from abr.qoe.viewing import make_viewing
from player.batch.tables import TOTALS

# Looked up once: a plan asks for tens of thousands of rows.
(
    _STARTUP,
    _STALL,
    _STALL_EVENTS,
    _PLAYED,
    _ENDED,
    _MEAN,
    _CHANGE,
    _SWITCHES,
    _DOWNLOADS,
    _ABANDONED,
    _DOWNLOADED,
    _WASTED,
    _SHOWN,
) = map(
    TOTALS.index,
    (
        "startup_s",
        "stall_s",
        "stall_events",
        "played_s",
        "ended_s",
        "mean_bitrate_bps",
        "bitrate_change_bps",
        "switches",
        "downloads",
        "abandoned",
        "downloaded_bytes",
        "wasted_bytes",
        "shown",
    ),
)


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
    startup_s, change_bps = totals[_STARTUP], totals[_CHANGE]
    shown = list(rungs[: int(totals[_SHOWN])])
    stall_s = max(totals[_STALL] - startup_in_stalls_s, 0.0)
    return Figures(
        startup_s=None if math.isnan(startup_s) else startup_s,
        stall_s=stall_s,
        stall_events=int(totals[_STALL_EVENTS]) - (startup_in_stalls_s > 0),
        played_s=totals[_PLAYED],
        elapsed_s=totals[_ENDED],
        mean_bitrate_bps=totals[_MEAN],
        switches=int(totals[_SWITCHES]),
        switch_bps=change_bps,
        qoe_lin=qoe_lin([ladder_bps[rung] for rung in shown], stall_s, change_bps),
        downloaded_bytes=totals[_DOWNLOADED],
        wasted_bytes=totals[_WASTED],
        downloads=int(totals[_DOWNLOADS]),
        abandoned=int(totals[_ABANDONED]),
        rungs=shown,
    )


VIEWED = ("quality_mean", "quality_lowest", "quality_change")
"""Figures of the measured quality of what was shown."""


def viewed_figures(
    presentation: Presentation, rungs: Sequence[int], played_s: float
) -> dict[str, float]:
    """Quality of what was shown, by ``VIEWED``; empty where it was not measured, or nothing was.

    Args:
        presentation: What was played.
        rungs: Of each segment shown.
        played_s: Media seconds played in all.
    """
    if presentation.quality is None or not rungs:
        return {}
    seen = view_quality(
        str(presentation.quality_metric),
        [float(presentation.quality[rung, k]) for k, rung in enumerate(rungs)],
        played_of_each_s(presentation.durations_s[: len(rungs)].tolist(), played_s),
    )
    return dict(zip(VIEWED, (seen.mean, seen.lowest, seen.change), strict=True))


def viewing_of_session(
    presentation: Presentation, got: Figures, stalls: Sequence[Sequence[float]], **about: Any
) -> Viewing:
    """What a QoE sees of a session.

    Args:
        presentation: What was played.
        got: What it came to.
        stalls: Media time and length of each.
        about: ``algorithm``, ``trace`` and ``ended``.
    """
    table = presentation.quality
    return make_viewing(
        rungs=got.rungs,
        durations_s=presentation.durations_s[: len(got.rungs)].tolist(),
        played_s=got.played_s,
        stall_s=got.stall_s,
        stalls=stalls,
        ladder_bps=presentation.bitrates_bps.tolist(),
        quality=None if table is None else [table[rung, k] for k, rung in enumerate(got.rungs)],
        quality_metric=presentation.quality_metric,
        startup_s=got.startup_s,
        presentation=presentation.title,
        **about,
    )
