"""Matroska times before 0, which ffmpeg loses.

A block's time is its cluster's, unsigned, plus its own, signed (RFC 9559, 10.1 and 10.2), so a film
may begin before 0. ffprobe then shows packets without any time. ffmpeg counts their frames from 0,
each as long as it should last, and begins again at 0 where the times do: as if two pieces had been
joined.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from transcode.masters.packets import BACKWARD_S, Packets


def with_counted_start(tracks: Mapping[int, Packets]) -> dict[int, Packets]:
    """``tracks`` with the times that ffmpeg gives to packets before 0.

    Less than ``BACKWARD_S`` is left alone: such a step back is taken for an overlap.
    """
    return {index: _counted(each) for index, each in tracks.items()}


def _counted(track: Packets) -> Packets:
    timed = np.flatnonzero(~(np.isnan(track.pts_s) & np.isnan(track.dts_s)))
    if not len(timed) or not timed[0]:
        return track
    first = int(timed[0])
    lasts_s = track.duration_s[:first]
    if len(timed) < track.count - first or np.isnan(lasts_s).any() or lasts_s.sum() <= BACKWARD_S:
        return track
    counted_s = np.concatenate([[0.0], np.cumsum(lasts_s)[:-1]])
    pts_s, dts_s = track.pts_s.copy(), track.dts_s.copy()
    pts_s[:first] = dts_s[:first] = counted_s
    if np.isnan(dts_s[first]):
        dts_s[first] = pts_s[first]  # where the count begins again
    return replace(track, pts_s=pts_s, dts_s=dts_s)
