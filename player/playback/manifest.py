"""From a ladder and its timelines to the presentation that algorithms see.

Playlists do not state segment sizes exactly. Where a media playlist carries
``EXT-X-BITRATE`` the size is rate times duration; for rungs whose playlist was not
loaded yet the sizes of the nearest loaded rung are scaled by the ladder.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from abr.errors import PlaybackError
from abr.media import FloatArray, Presentation
from player.playback.ladder import Rung
from player.playback.sizes import fill_known_sizes
from player.playback.timeline import SegmentRef, Timeline
from transcode.packaging.presentation import own_rates_bps


def presentation_from_playlists(
    rungs: Sequence[Rung],
    loaded: Mapping[int, Timeline],
    audio: Timeline | None,
    *,
    grid: Timeline,
    title: str,
) -> Presentation:
    """The presentation as algorithms see it: video sizes, rates of the whole variant.

    Args:
        rungs: The ladder.
        loaded: Video segments by rung, at least one rung.
        audio: Audio segments; None when audio is muxed or absent.
        grid: The segments that the presentation is told in.
        title: Name for reports.

    Raises:
        PlaybackError: a size is 0.
    """
    rates = np.array([rung.bitrate_bps for rung in rungs])
    durations = grid.durations_s
    video_rates = own_rates_bps(rates, 0.0 if audio is None else _mean_rate(audio.segments))
    listed = np.zeros((len(rungs), len(durations)))
    for rung, timeline in loaded.items():
        listed[rung] = _sizes_on(grid, timeline, float(video_rates[rung]))
    sizes = np.empty(listed.shape)
    fill_known_sizes(sizes, listed, video_rates, sum(1 << rung for rung in loaded))
    if not (sizes > 0).all():
        raise PlaybackError("a segment of no bytes; expected an EXT-X-BYTERANGE longer than 0")
    return Presentation(
        bitrates_bps=rates,
        sizes_bytes=sizes,
        durations_s=durations,
        title=title,
        listed_first=next((n for n, rung in enumerate(rungs) if rung.is_first), -1),
        peak_bitrates_bps=np.array([rung.peak_bps or rung.bitrate_bps for rung in rungs]),
    )


def _sizes_on(grid: Timeline, timeline: Timeline, nominal_bps: float) -> FloatArray:
    """Bytes of ``timeline`` between the boundaries of ``grid``."""
    stated = timeline.stated_bytes
    sizes = np.where(np.isnan(stated), nominal_bps * timeline.durations_s / 8, stated)
    bounds, wanted = timeline.bounds_s, grid.bounds_s
    if np.array_equal(bounds, wanted):
        return sizes
    # Evenly within each segment; where it lists nothing, as on the whole.
    total = np.concatenate(([0.0], np.cumsum(sizes)))
    shares = np.diff(np.interp(wanted, bounds, total))
    mean = total[-1] / (bounds[-1] - bounds[0]) * np.diff(wanted)
    return np.where(shares > 0, shares, mean)


def _mean_rate(segments: Sequence[SegmentRef]) -> float:
    known = [(s.bitrate_bps, s.duration_s) for s in segments if s.bitrate_bps]
    total_s = sum(duration for _, duration in known)
    return sum(rate * duration for rate, duration in known) / total_s if total_s else 0.0
