"""Observations for tests of algorithms: at one moment, after downloads of given throughput."""

from __future__ import annotations

from collections.abc import Sequence

from abr.decision import Download, Observation, downloads_from
from abr.media import Presentation, constant_presentation

PRESENTATION = constant_presentation([1e6, 2e6, 4e6, 8e6], segments=100, segment_s=4)


def seen(
    buffer_s: float = 10.0,
    *,
    presentation: Presentation = PRESENTATION,
    segment: int = 50,
    max_buffer_s: float = 30.0,
    last_rung: int = 0,
    now_s: float = 100.0,
    downloads: Sequence[Download] = (),
) -> Observation:
    """The observation of an algorithm at one moment."""
    return Observation(
        now_s, segment, buffer_s, max_buffer_s, last_rung, True,
        presentation.bitrates_bps, presentation.sizes_bytes, presentation.durations_s,
        downloads_from(downloads),
    )  # fmt: skip


def make_download(
    throughput_bps: float, *, rung: int = 0, segment: int = 49, end_s: float = 100.0
) -> Download:
    """A download of a nominal segment with this throughput from request to last byte."""
    size_bytes = float(PRESENTATION.sizes_bytes[rung, segment])
    start_s = end_s - 8 * size_bytes / throughput_bps
    return Download(segment, rung, size_bytes, start_s, start_s, end_s)
