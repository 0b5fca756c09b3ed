"""A package as players and algorithms see it: the one way from an index to a ``Presentation``.

Simulation, benchmarks, environments, planning and agreement all play what comes out of
here, so a package has one set of figures wherever it is played.
"""

from __future__ import annotations

from bisect import bisect_right
from itertools import accumulate

import numpy as np

from abr.media import FloatArray, Presentation, SideFiles
from transcode.layout import PresentationIndex, Track
from transcode.listing import media_playlist_of, multivariant_of
from transcode.playlist import print_media, print_multivariant


def presentation_of_package(index: PresentationIndex) -> Presentation:
    """The presentation that ``index`` describes.

    Sizes are those of the files as served, encrypted if they are; bit rates are the
    averages listed for the variants, audio included. Audio is that of the default
    rendition. Its segments end a few milliseconds off those of the video; here each
    belongs to the video segment in which its middle lies.
    """
    bitrates = [index.average_bandwidth_bps(rung) for rung in range(len(index.video))]
    return Presentation(
        # A higher rung of a simple picture may come out smaller; algorithms need an order.
        bitrates_bps=np.maximum.accumulate(bitrates),
        sizes_bytes=np.array([[s.size_bytes for s in track.segments] for track in index.video]),
        durations_s=np.array(index.video[0].durations_s),
        title=index.title,
        audio_sizes_bytes=_audio_sizes(index) if index.audio else None,
        side_files=_side_files(index),
    )


def _audio_sizes(index: PresentationIndex) -> FloatArray:
    """Bytes of audio per video segment, shape (N,)."""
    starts = list(accumulate(index.video[0].durations_s, initial=0.0))
    sizes = np.zeros(len(starts) - 1)
    begin_s = 0.0
    for segment in index.audio[0].segments:
        middle_s = begin_s + segment.duration_s / 2
        sizes[min(bisect_right(starts, middle_s) - 1, len(sizes) - 1)] += segment.size_bytes
        begin_s += segment.duration_s
    return sizes


def _side_files(index: PresentationIndex) -> SideFiles:
    encryption = index.encryption
    segments = range(len(index.video[0].segments))
    return SideFiles(
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
