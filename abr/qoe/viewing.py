"""A playback as a QoE sees it: what was shown, segment by segment, and every wait.

Made from a session log here, and from a row of results in ``bench.analysis.scores``: both
know the same, so that a QoE cannot tell which one it scores.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from abr.arguments import expect
from abr.log import SessionLog
from abr.media import FloatArray, frozen_array
from abr.qoe.figures import LOG, UNFIT, QoE, played_of_each_s, summary, unfit
from abr.qoe.figures import stalls as stalls_of

NEAR_S = 1e-4
"""A stall this close before a segment's start is at its start: times in results are rounded."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Viewing:
    """One playback, for K segments of which something was shown; arrays are read-only."""

    rungs: NDArray[np.intp]
    """Rung of each segment, 0 the lowest, shape (K,)."""
    bitrates_bps: FloatArray
    """Nominal bit rate of that rung, shape (K,)."""
    durations_s: FloatArray
    """Media seconds of each segment, shape (K,)."""
    played_s: FloatArray
    """Media seconds of it that were played, shape (K,): all, but perhaps of the last."""
    stalls_s: FloatArray
    """Seconds stalled at each segment's start, or within it, shape (K,); startup is none.
    What was stalled after the last segment counts with it."""
    ladder_bps: FloatArray
    """Nominal bit rate of every rung there was, shape (R,)."""
    quality: FloatArray | None
    """Measured quality of each segment as it was shown, shape (K,); None: not measured."""
    quality_metric: str | None
    """Such as ``vmaf``."""
    startup_s: float | None
    """Play asked to first picture; None: there was none."""
    stall_s: float
    """Stalled in all."""
    stalls: tuple[tuple[float, float], ...]
    """Each stall in order: media seconds played before it, and its length in seconds."""
    ended: str
    """``complete``, ``stopped``, or an error."""
    algorithm: str
    presentation: str
    trace: str
    """What played, what was played, and over which network; for messages."""

    @property
    def segments(self) -> int:
        """K."""
        return len(self.rungs)


def make_viewing(
    *,
    rungs: Sequence[int],
    durations_s: Sequence[float],
    played_s: float,
    stall_s: float,
    stalls: Sequence[Sequence[float]],
    ladder_bps: Sequence[float],
    bitrates_bps: Sequence[float] | None = None,
    quality: Sequence[float] | None = None,
    **more: Any,
) -> Viewing:
    """A viewing of what logs and results hold.

    Args:
        rungs: Of each segment shown.
        durations_s: Media seconds of each.
        played_s: Media seconds played in all.
        stall_s: Stalled in all.
        stalls: Media time and length of each stall.
        ladder_bps: Nominal bit rate of every rung.
        bitrates_bps: Of each segment; None: as the ladder says.
        quality: Of each segment; None: not measured.
        more: The other fields of ``Viewing``.
    """
    places = np.array(rungs, dtype=np.intp)
    places.flags.writeable = False
    ladder = frozen_array(ladder_bps)
    lengths_s = np.array(durations_s, dtype=np.float64)
    waits_s = np.zeros(len(places))
    if len(places):
        starts_s = np.concatenate([[0.0], np.cumsum(lengths_s)[:-1]])
        for at_s, length_s in stalls:
            waits_s[np.searchsorted(starts_s, at_s + NEAR_S, side="right") - 1] += length_s
    return Viewing(
        rungs=places,
        bitrates_bps=frozen_array(ladder[places] if bitrates_bps is None else bitrates_bps),
        durations_s=frozen_array(lengths_s),
        played_s=frozen_array(played_of_each_s(lengths_s.tolist(), played_s)),
        stalls_s=frozen_array(waits_s),
        ladder_bps=ladder,
        quality=None if quality is None else frozen_array(quality),
        stall_s=stall_s,
        stalls=tuple((float(at_s), float(length_s)) for at_s, length_s in stalls),
        **more,
    )


def viewing_of(log: SessionLog) -> Viewing:
    """What a QoE sees of a session.

    Raises:
        ArgumentError: it is no log.
        LogFormatError: it has no ``start`` record, or others than a session's.
    """
    expect(log, SessionLog, "viewing_of(log=...)", f"{LOG}; a Viewing is used as it is")
    got = summary(log)
    try:
        return _seen_in(log, got)
    except UNFIT as exc:
        raise unfit(exc) from exc


def _seen_in(log: SessionLog, got: QoE) -> Viewing:
    known = log.provenance
    plays = list(log.of("play"))
    is_measured = got.quality is not None
    rates_bps = [float(record["bitrate_bps"]) for record in plays]
    ladder_bps = known.get("ladder_bps") or sorted(set(rates_bps))
    return make_viewing(
        rungs=got.rungs,
        bitrates_bps=rates_bps,
        durations_s=[float(record["duration_s"]) for record in plays],
        played_s=got.played_s,
        stall_s=got.stall_s,
        stalls=_stalls_in_media(log),
        ladder_bps=ladder_bps,
        quality=[float(record["quality"]) for record in plays] if is_measured else None,
        quality_metric=known.get("quality_metric") if is_measured else None,
        startup_s=got.startup_s,
        ended=got.ended,
        algorithm=str(known.get("algorithm", "")),
        presentation=str(known.get("title", "")),
        trace=str(known.get("trace", "")),
    )


def _stalls_in_media(log: SessionLog) -> list[tuple[float, float]]:
    """Media seconds played before each stall, and its length."""
    found = []
    played_s, since_s, waiting = 0.0, None, stalls_of(log)
    for record in log.of("state"):
        if since_s is not None:
            played_s += record["t"] - since_s
        since_s = record["t"] if record["to"] == "playing" else None
        if waiting and record["to"] == "stalled" and record["t"] == waiting[0].start_s:
            found.append((played_s, waiting.pop(0).length_s))
    return found
