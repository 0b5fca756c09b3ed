"""A package as players and algorithms see it: how an index becomes a ``Presentation``.

Simulation, benchmarks, environments, planning and agreement all play what comes out of
here, so a package has one set of figures wherever it is played.
"""

from __future__ import annotations

from bisect import bisect_right
from itertools import accumulate

import numpy as np

from abr.media import FloatArray, Presentation, SideFiles
from transcode.packaging.index import PresentationIndex, Track
from transcode.packaging.listing import default_rung, media_playlist_of, multivariant_of
from transcode.playlist import print_media, print_multivariant


def presentation_of_package(index: PresentationIndex) -> Presentation:
    """The presentation that ``index`` describes.

    Sizes are those of the files as served, encrypted if they are; bit rates are the
    averages listed for the variants, audio included. Quality is the mean of each segment's
    frames, where it was measured. Audio is that of the default
    rendition; where it has more or fewer segments than the video, each goes with the
    video segment in which its middle lies.
    """
    bitrates = [index.average_bandwidth_bps(rung) for rung in range(len(index.video))]
    audio = _audio(index) if index.audio else None
    heights = [track.height for track in index.video]
    return Presentation(
        # A higher rung of a simple picture may come out smaller; algorithms need an order.
        bitrates_bps=np.maximum.accumulate(bitrates),
        sizes_bytes=np.array([[s.size_bytes for s in track.segments] for track in index.video]),
        durations_s=_listed(index, index.video[0])[1],
        quality=_quality(index),
        quality_metric=None if index.quality is None else index.quality.metric,
        title=index.title,
        listed_first=default_rung(index),
        audio_sizes_bytes=None if audio is None else audio[0],
        audio_durations_s=None if audio is None else audio[1],
        side_files=_side_files(index),
        peak_bitrates_bps=np.array([index.bandwidth_bps(r) for r in range(len(index.video))]),
        heights=np.array(heights) if all(heights) else None,
    )


def _quality(index: PresentationIndex) -> FloatArray | None:
    """Mean quality of each segment of the first ladder, shape (R, N)."""
    if index.quality is None:
        return None
    return np.array([each.segments for each in index.quality.tracks[: len(index.video)]])


def own_rates_bps(rates_bps: FloatArray, audio_bps: float) -> FloatArray:
    """Rates of the video alone: of whole variants, less the audio's, shape (R,).

    A tenth is left at the least, whatever a playlist says of its audio.
    """
    rates: FloatArray = np.maximum(rates_bps - audio_bps, 0.1 * rates_bps)
    return rates


def _listed(index: PresentationIndex, track: Track) -> tuple[FloatArray, FloatArray]:
    """Rates and durations of a track's segments as its playlist states them, shape (N,)."""
    segments = media_playlist_of(index, track).segments
    rates = np.array([(s.bitrate_kbps or 0) * 1000.0 for s in segments])
    return rates, np.array([s.duration_s for s in segments])


def _audio(index: PresentationIndex) -> tuple[FloatArray, FloatArray]:
    """Bytes and seconds of audio per video segment, each of shape (N,)."""
    _, video_s = _listed(index, index.video[0])
    _, audio_s = _listed(index, index.audio[0])
    if len(audio_s) == len(video_s):
        return np.array([s.size_bytes for s in index.audio[0].segments]), audio_s
    starts = list(accumulate(video_s.tolist(), initial=0.0))
    sizes, durations_s, begin_s = np.zeros(len(video_s)), np.zeros(len(video_s)), 0.0
    for segment, duration_s in zip(index.audio[0].segments, audio_s.tolist(), strict=True):
        middle_s = begin_s + duration_s / 2
        place = min(bisect_right(starts, middle_s) - 1, len(sizes) - 1)
        sizes[place] += segment.size_bytes
        durations_s[place] += duration_s
        begin_s += duration_s
    return sizes, durations_s


def _side_files(index: PresentationIndex) -> SideFiles:
    encryption = index.encryption
    segments = range(len(index.video[0].segments))
    listed = [_listed(index, track) for track in index.video]
    audio_bps = 0.0
    if index.audio:
        rates, durations_s = _listed(index, index.audio[0])
        # Summed one after the other, as players do: numpy's own sum rounds otherwise.
        total_s = sum(durations_s.tolist())
        audio_bps = sum(r * d for r, d in zip(rates.tolist(), durations_s.tolist(), strict=True))
        audio_bps /= total_s
    bitrates = np.array([index.average_bandwidth_bps(rung) for rung in range(len(index.video))])
    return SideFiles(
        listed_sizes_bytes=np.array([rates * durations_s / 8 for rates, durations_s in listed]),
        listed_rates_bps=own_rates_bps(np.maximum.accumulate(bitrates), audio_bps),
        multivariant_bytes=_length(print_multivariant(multivariant_of(index))),
        playlist_bytes=np.array([_playlist_bytes(index, track) for track in index.video]),
        init_bytes=np.array([track.init_bytes for track in index.video]),
        audio_playlist_bytes=_playlist_bytes(index, index.audio[0]) if index.audio else 0.0,
        audio_init_bytes=index.audio[0].init_bytes if index.audio else 0.0,
        keys=None if encryption is None else np.array([encryption.period(n) for n in segments]),
        init_key=0 if encryption is not None and encryption.seals_init else -1,
    )


def _playlist_bytes(index: PresentationIndex, track: Track) -> float:
    return _length(print_media(media_playlist_of(index, track)))


def _length(text: str) -> float:
    return float(len(text.encode()))
