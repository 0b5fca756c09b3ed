"""The player and the link that plans are made for, and the score of a plan.

Model, that of our player. A request costs a round trip (two on the first, which opens the
connection) and ``server_s``, then its bytes with ``overhead_bytes`` before them come at the
trace's full capacity. Audio of its own is asked for when its segment's video is here, and
a segment can be played once both are. The next request is sent when its segment fits the
buffer, at once when it does. The first segment starts playback and any segment ends a
stall. Nothing is abandoned or replaced, and no request waits of its own will: that could
only help if the trace's round-trip times fell faster than time passes.

Where there are side files, all that comes before the first segment is played out by
``abr.planning.startup``, for each rung that it may have. Later a rung that is new has its
playlist fetched first; its initialisation section, and a key that is new, share the link
with the segment, so together they take as long as one body of all their bytes. Left out is
the round trip of a connection that such a group may open. Audio is taken to end with its
video; where its segments end some milliseconds earlier or later, playback may wait as much
longer or shorter.

The link is that of ``abr.capacity``, to the last bit; the player's wait for room is
``abr.buffering.room_at_s``.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from abr.buffering import room_at_s
from abr.capacity import request, table_of
from abr.compilable import rarely
from abr.media import KEY_BYTES, FloatArray, Presentation, SideFiles, frozen_array
from abr.planning.startup import first_arrivals_s
from abr.trace import Trace

OVERHEAD_BYTES, SERVER_S = 0, 1
"""Places in ``KnownLink.costs``."""

NEVER_S = 1e9
"""Stands for a time that never comes, so that sums stay numbers."""

NOTHING = frozen_array([])
"""Sizes of what a presentation does not have."""


class KnownLink(NamedTuple):
    """A trace and the costs of a request over it: an ``abr.capacity.Offer``."""

    times_s: FloatArray
    """Bounds of the periods, shape (K+1,)."""
    offered_bits: FloatArray
    """Bits offered from 0 to each bound, shape (K+1,)."""
    capacity_bps: FloatArray
    """Capacity in each period, shape (K,)."""
    rtt_s: FloatArray
    """Round-trip time in each period, shape (K,)."""
    costs: FloatArray
    """Bytes before each body, and seconds that software takes per request, shape (2,)."""


class Weights(NamedTuple):
    """What a plan is scored by: ``sum of Mbit/s - stalls - changes``."""

    stall_per_s: float
    """Cost of a second of stall."""
    startup_per_s: float
    """Cost of a second before the first frame."""
    smooth_per_mbps: float
    """Cost of a change of rate between consecutive segments, per Mbit/s."""


class Problem(NamedTuple):
    """What is planned: R rungs by N segments over one link."""

    utility: FloatArray
    """What a segment of each rung gains: its nominal rate in Mbit/s, shape (R,)."""
    sizes_bytes: FloatArray
    """Shape (R, N)."""
    durations_s: FloatArray
    """Shape (N,)."""
    link: KnownLink
    weights: Weights
    max_buffer_s: float
    """The player's limit."""
    audio_bytes: FloatArray
    """Size of the audio that goes with every segment, shape (N,); (0,) where there is none
    apart from the video."""
    first_s: FloatArray
    """When the first segment is here, by its rung, ``NEVER_S`` at the latest, shape (R,)."""
    playlist_bytes: FloatArray
    """Size of each rung's media playlist, shape (R,); (0,) without side files."""
    init_bytes: FloatArray
    """What comes beside the first segment of each rung, with the bytes before that body,
    shape (R,); (0,) without side files."""


def problem_of(
    presentation: Presentation,
    trace: Trace,
    *,
    rtt_s: float,
    overhead_bytes: float,
    server_s: float,
    weights: Weights,
    max_buffer_s: float,
) -> Problem:
    """What is planned for ``presentation`` over ``trace``; costs are those of ``known_link``."""
    link = known_link(trace, rtt_s=rtt_s, overhead_bytes=overhead_bytes, server_s=server_s)
    first_s = first_arrivals_s(
        presentation, trace, rtt_s=rtt_s, overhead_bytes=overhead_bytes, server_s=server_s
    )
    side, sizes_bytes = presentation.side_files, presentation.sizes_bytes
    playlist_bytes = init_bytes = NOTHING
    if side is not None:
        playlist_bytes = side.playlist_bytes
        init_bytes = frozen_array(side.init_bytes + overhead_bytes * (side.init_bytes > 0))
        sizes_bytes = frozen_array(sizes_bytes + new_key_bytes(side, overhead_bytes))
    return Problem(
        presentation.bitrates_bps / 1e6,
        sizes_bytes,
        presentation.durations_s,
        link,
        weights,
        max_buffer_s,
        audio_of(presentation),
        frozen_array(np.minimum(first_s, NEVER_S)),
        playlist_bytes,
        init_bytes,
    )


def new_key_bytes(side: SideFiles, overhead_bytes: float) -> FloatArray:
    """What the keys cost that come beside segments, shape (N,), or 0 where there are none."""
    keys = np.full(side.listed_sizes_bytes.shape[1], -1.0) if side.keys is None else side.keys
    newest = np.maximum.accumulate(np.append(side.init_key, keys))
    return np.where(np.diff(newest) > 0, KEY_BYTES + overhead_bytes, 0.0)


def audio_of(presentation: Presentation) -> FloatArray:
    """Size of the audio of every segment, shape (N,), or ``NOTHING``."""
    audio = presentation.audio_sizes_bytes
    return NOTHING if audio is None else audio


def known_link(trace: Trace, *, rtt_s: float, overhead_bytes: float, server_s: float) -> KnownLink:
    """``trace`` with the costs of a request; ``rtt_s`` is for traces that have none."""
    rtts = np.full(len(trace.capacity_bps), rtt_s) if trace.rtt_s is None else trace.rtt_s
    table = table_of(trace.times_s, trace.capacity_bps, rtts, trace.end)
    return KnownLink(
        np.asarray(table.times_s),
        np.asarray(table.offered_bits),
        np.asarray(table.capacity_bps),
        np.asarray(table.rtt_s),
        np.array([overhead_bytes, server_s], dtype=np.float64),
    )


def arrival_s(
    link: KnownLink, request_s: float, size_bytes: float, is_first: bool, near: int
) -> float:
    """When the last byte is here of a segment asked for at ``request_s``; inf when never.

    ``near`` is a period of the link to search from; any will do.
    """
    overhead_bytes, server_s = link.costs[OVERHEAD_BYTES], link.costs[SERVER_S]
    return request(link, request_s, not is_first, size_bytes, overhead_bytes, server_s, near).end_s


def segment_arrival_s(
    link: KnownLink,
    request_s: float,
    size_bytes: float,
    is_first: bool,
    audio_bytes: FloatArray,
    segment: int,
) -> float:
    """When ``segment`` can be played, its audio included; ``NEVER_S`` at the latest."""
    done_s = min(arrival_s(link, request_s, size_bytes, is_first, 0), NEVER_S)
    if len(audio_bytes) > 0:
        done_s = later_arrival_s(link, done_s, float(audio_bytes[segment]))
    return done_s


@rarely
def later_arrival_s(link: KnownLink, request_s: float, size_bytes: float) -> float:
    """When a body of ``size_bytes`` is here, asked for over an open connection."""
    return min(arrival_s(link, request_s, size_bytes, False, 0), NEVER_S)


def score_of(rungs: FloatArray, problem: Problem) -> float:
    """What one plan scores, one request after the other; ``rungs`` of shape (N,)."""
    utility, durations_s, weights = problem.utility, problem.durations_s, problem.weights
    now_s, lag_s, media_s, score = 0.0, 0.0, 0.0, 0.0
    before = int(rungs[0])
    played = {before}
    for k in range(len(rungs)):
        rung = int(rungs[k])
        if k == 0:
            now_s = float(problem.first_s[rung])
        else:
            buffer_s = media_s + lag_s - now_s
            now_s += max(room_at_s(buffer_s, durations_s[k], problem.max_buffer_s), 0.0)
            size_bytes = problem.sizes_bytes[rung, k]
            if len(problem.playlist_bytes) > 0 and rung not in played:
                played.add(rung)
                if rung > 0:  # the playlist of rung 0 is fetched before all
                    now_s = later_arrival_s(problem.link, now_s, problem.playlist_bytes[rung])
                size_bytes += problem.init_bytes[rung]
            now_s = segment_arrival_s(
                problem.link, now_s, size_bytes, False, problem.audio_bytes, k
            )
        late_s = max(now_s - media_s - lag_s, 0.0)
        score -= late_s * (weights.startup_per_s if k == 0 else weights.stall_per_s)
        score += utility[rung] - weights.smooth_per_mbps * abs(utility[rung] - utility[before])
        lag_s += late_s
        media_s += durations_s[k]
        before = rung
    return float(score)
