"""When the first segment is here: all requests of a playback up to then, played out.

They are those of our player: the multivariant playlist, the media playlists of rung 0 and
of the audio together, the playlist of the first segment's rung, then that segment and its
audio, each with the keys and the initialisation section it needs. A presentation without
side files begins with the segment.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from abr.link import SharedLink
from abr.media import KEY_BYTES, FloatArray, Presentation, SideFiles
from abr.trace import Trace


def first_arrivals_s(
    presentation: Presentation,
    trace: Trace,
    *,
    rtt_s: float,
    overhead_bytes: float,
    server_s: float,
) -> FloatArray:
    """When the first segment can be played, by its rung, shape (R,); inf where never.

    Args:
        presentation: What is played.
        trace: The link's.
        rtt_s: Round-trip time if the trace has none.
        overhead_bytes: Bytes before each body.
        server_s: Seconds that software takes per request.
    """
    arrivals_s = np.zeros(presentation.rungs)
    for rung in range(presentation.rungs):
        link = SharedLink(trace, rtt_s=rtt_s, overhead_bytes=overhead_bytes, server_s=server_s)
        for sizes_bytes in _first_requests(presentation, rung):
            arrivals_s[rung] = _fetch(link, sizes_bytes, float(arrivals_s[rung]))
    return arrivals_s


def _first_requests(presentation: Presentation, rung: int) -> list[list[float]]:
    """Sizes of what is asked for until the first segment can be played: together, in turn."""
    side, audio = presentation.side_files, presentation.audio_sizes_bytes
    requests: list[list[float]] = []
    video_needs: list[float] = []
    audio_needs: list[float] = []
    if side is not None:
        playlists = [float(side.playlist_bytes[0])]
        if audio is not None:
            playlists.append(side.audio_playlist_bytes)
        requests += [[side.multivariant_bytes], playlists]
        if rung > 0:
            requests.append([float(side.playlist_bytes[rung])])
        keys: set[int] = set()
        video_needs = _needs(side, float(side.init_bytes[rung]), keys)
        audio_needs = _needs(side, side.audio_init_bytes, keys)
    requests.append([*video_needs, float(presentation.sizes_bytes[rung, 0])])
    if audio is not None:
        requests.append([*audio_needs, float(audio[0])])
    return requests


def _needs(side: SideFiles, init_bytes: float, keys: set[int]) -> list[float]:
    """Sizes of what a first segment needs beside itself; ``keys`` here already are left out."""
    sizes_bytes: list[float] = []
    wanted = [side.init_key if init_bytes else -1, -1 if side.keys is None else int(side.keys[0])]
    for key in wanted:
        if key >= 0 and key not in keys:
            keys.add(key)
            sizes_bytes.append(KEY_BYTES)
    return [*sizes_bytes, init_bytes] if init_bytes else sizes_bytes


def _fetch(link: SharedLink, sizes_bytes: Sequence[float], now_s: float) -> float:
    """When all of ``sizes_bytes``, asked for at ``now_s``, are here; inf when never."""
    if now_s == math.inf:
        return math.inf
    for flow, size_bytes in enumerate(sizes_bytes):
        link.request(flow, size_bytes, now_s)
    left = len(sizes_bytes)
    while left > 0:
        now_s = link.next_event_s()
        if now_s == math.inf:
            break
        left -= sum(event.kind == "finished" for event in link.advance(now_s))
    return now_s
