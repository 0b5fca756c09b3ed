"""Many sessions of the Pensieve family's environment, stepped in one loop.

Source: the family's ``env.py`` and ``fixed_env.py`` for the player, ``multi_agent.py`` for
the state that its network is shown and for the linear reward. The arithmetic is done in
their order, so that all of it comes out the same to the last bit.

The state is 6 rows of the last 8 segments, the newest last: rate of the segment in
multiples of the top one; buffer after it in 10 s; its throughput in kB/ms; its delay in 10 s;
the sizes of the next segment in MB, one per rung, from the left; share of segments remaining.
Each segment moves all rows one place to the left and *around*, so what stands right of the
next sizes are old ones, which the family's network does not look at. After the last segment
the next sizes are those of segment 0.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from abr.media import FloatArray
from player.batch.many import Links, link_at
from player.batch.pensieve import Options, Place, linear_quality, step
from player.batch.tables import PresentationTable

ROWS, PAST = 6, 8
"""Shape of the state."""
PERIOD, CLOCK, BUFFER_MS, SEGMENT, LAST_RUNG, NOW_S, IS_OVER = range(7)
"""Places in a row of ``PensieveCopies.places``."""
STALL, BUFFER, TIME, RETURN, DELAY_MS, SLEEP_MS = range(6)
"""Places in a row of ``PensieveCopies.news``: seconds stalled in the step, buffer and time now,
what the episode has come to since its first decision, the segment's delay and the sleep
after it."""


class PensieveCopies(NamedTuple):
    """n sessions that stand still."""

    places: FloatArray
    """Shape (n, 7)."""
    traces: NDArray[np.int64]
    """Shape (n,)."""
    news: FloatArray
    """Shape (n, 6)."""


class PensieveShown(NamedTuple):
    """What a step tells, a row or cell per copy."""

    vectors: NDArray[np.float32]
    """States, shape (n, 6, 8)."""
    last_vectors: NDArray[np.float32]
    """Of copies that were over and began again in the same step: the last, shape (n, 6, 8)."""
    last_news: FloatArray
    """Of the same copies: the last row of ``PensieveCopies.news``, shape (n, 6)."""
    last_traces: NDArray[np.int64]
    """Of the same copies, shape (n,)."""
    rewards: FloatArray
    """Shape (n,)."""
    terminated: NDArray[np.bool_]
    """Shape (n,)."""
    truncated: NDArray[np.bool_]
    """Never, shape (n,)."""


def fetch_many(
    presentation: PresentationTable,
    links: Links,
    options: Options,
    copies: PensieveCopies,
    which: NDArray[np.bool_],
    rungs: NDArray[np.int64],
    noises: FloatArray,
    shown: PensieveShown,
) -> None:
    """Fetch the next segment of the copies of ``which``."""
    for i in range(len(which)):
        if which[i]:
            fetch_one(presentation, links, options, copies, i, rungs[i], noises[i], shown)


def fetch_one(
    presentation: PresentationTable,
    links: Links,
    options: Options,
    copies: PensieveCopies,
    i: int,
    rung: int,
    noise: float,
    shown: PensieveShown,
) -> None:
    """Fetch the next segment of copy ``i`` at ``rung``."""
    row, news, ladder_bps = copies.places[i], copies.news[i], presentation.ladder_bps
    segment, segments = int(row[SEGMENT]), len(presentation.durations_s)
    size_bytes = presentation.sizes_bytes[rung, segment]
    got = step(
        link_at(links, copies.traces[i]),
        options,
        Place(int(row[PERIOD]), row[CLOCK]),
        row[BUFFER_MS],
        size_bytes,
        presentation.durations_s[segment],
        noise,
    )
    row[PERIOD], row[CLOCK] = got.place.period, got.place.clock_s
    row[BUFFER_MS], row[SEGMENT] = got.buffer_ms, segment + 1
    row[NOW_S] += got.delay_ms / 1000.0 + got.sleep_ms / 1000.0
    news[STALL], news[BUFFER] = got.rebuffer_ms / 1000.0, got.buffer_ms / 1000.0
    news[TIME], news[DELAY_MS], news[SLEEP_MS] = row[NOW_S], got.delay_ms, got.sleep_ms
    before = int(row[LAST_RUNG]) if segment > 0 else rung
    gained = linear_quality(options, ladder_bps[rung], ladder_bps[before], news[STALL])
    shown.rewards[i] = gained
    news[RETURN] += gained
    row[LAST_RUNG] = rung
    is_over = segment + 1 >= segments
    row[IS_OVER] = 1.0 if is_over else 0.0
    shown.terminated[i] = is_over
    state, following = shown.vectors[i], 0 if is_over else segment + 1
    roll(state)
    state[0, PAST - 1] = ladder_bps[rung] / ladder_bps[len(ladder_bps) - 1]
    state[1, PAST - 1] = news[BUFFER] / 10.0
    state[2, PAST - 1] = size_bytes / got.delay_ms / 1000.0
    state[3, PAST - 1] = got.delay_ms / 1000.0 / 10.0
    for k in range(len(ladder_bps)):
        state[4, k] = presentation.sizes_bytes[k, following] / 1000.0 / 1000.0
    left = segments - 1 - segment
    state[5, PAST - 1] = left / segments


def roll(state: Any) -> None:
    """Move all rows one place to the left, the first numbers to the end."""
    for r in range(ROWS):
        first = state[r, 0]
        for k in range(PAST - 1):
            state[r, k] = state[r, k + 1]
        state[r, PAST - 1] = first
