"""BBA-2: BBA-1 with a startup phase that steps up while downloads are fast.

During startup the rung steps up if the last segment raised the buffer by more than 0.875
of its duration, that is, arrived eight times as fast as it plays. The threshold falls
linearly to 0.5 at the end of the cushion. The phase ends permanently when the buffer falls,
or when the chunk map of BBA-1 suggests a higher rung; only then does outage protection grow.

Source: Huang, Johari, McKeown, Trunnell, Watson, A Buffer-Based Approach to Rate
Adaptation, SIGCOMM 2014, sections 6 and 7.1; the rest is ``bba-1``.

deviation: those of ``bba-1``. The threshold falls with the buffer level; the paper says
"linearly, from the first chunk until the cushion is full". The first segment is at the
lowest rung.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from abr.algorithms import bba1
from abr.algorithms.bba1 import protect, rung_by_map
from abr.decision import Decision, Download, Observation, Rule
from abr.media import FloatArray

_STARTUP = 3


class Params(NamedTuple):
    """Parameters of ``bba-2``."""

    reservoir_min_s: float = 8.0
    """Minimum reservoir: section 5.1."""
    reservoir_max_s: float = 140.0
    """Maximum reservoir of a player that buffers ``buffer_s``: section 5.1."""
    window_s: float = 480.0
    """How far the reservoir of that player looks ahead: section 5.1."""
    full_s: float = 216.0
    """Buffer level of that player at which the top rung is permitted: section 4."""
    protection_step_s: float = 0.4
    """Outage protection added for each segment that raised the buffer: section 7.1."""
    protection_below_s: float = 180.0
    """Buffer level of that player above which none is added: section 7.1."""
    protection_max_s: float = 80.0
    """Maximum protection of that player: section 7.1."""
    buffer_s: float = 240.0
    """Buffer limit that the lengths above refer to: that of the paper's player."""
    startup_empty_ratio: float = 0.875
    """Fraction of a segment that the buffer must gain for a step up when empty: section 6."""
    startup_full_ratio: float = 0.5
    """The same at the end of the cushion: section 6."""


class State(NamedTuple):
    """State of one playback."""

    protection_s: FloatArray
    """Outage protection accumulated so far, shape (1,)."""
    gained_s: FloatArray
    """What the last download added to the buffer, shape (1,)."""
    is_steady: FloatArray
    """1 once the startup phase is over, shape (1,)."""


def start(params: Params, ladder_bps: FloatArray, durations_s: FloatArray) -> State:
    """Create the state of one playback."""
    return State(np.zeros(1), np.zeros(1), np.zeros(1))


def map_params(params: Params) -> bba1.Params:
    """The parameters of the chunk map."""
    return bba1.Params(
        params.reservoir_min_s,
        params.reservoir_max_s,
        params.window_s,
        params.full_s,
        params.protection_step_s,
        params.protection_below_s,
        params.protection_max_s,
        params.buffer_s,
    )


def step_up_s(params: Params, media_s: float, seen: Observation) -> float:
    """What a segment of ``media_s`` must add to the buffer for a step up in startup."""
    filled = min(seen.buffer_s / (params.full_s * seen.max_buffer_s / params.buffer_s), 1.0)
    lowered = (params.startup_empty_ratio - params.startup_full_ratio) * filled
    return (params.startup_empty_ratio - lowered) * media_s


def choose(params: Params, state: State, seen: Observation) -> Decision:
    """Choose the rung of the startup phase, or that of the chunk map."""
    rung, reason = rung_by_map(map_params(params), state.protection_s[0], seen)
    if state.is_steady[0] > 0:
        return Decision(rung, 0.0, reason)
    if seen.last_rung < 0:
        return Decision(0, 0.0, _STARTUP)
    media_s = seen.durations_s[max(seen.segment - 1, 0)]
    fast = seen.last_rung
    if state.gained_s[0] > step_up_s(params, media_s, seen) and fast + 1 < len(seen.ladder_bps):
        fast += 1
    if state.gained_s[0] < 0 or rung > fast:
        state.is_steady[0] = 1.0
        return Decision(rung, 0.0, reason)
    return Decision(fast, 0.0, _STARTUP)


def delivered(params: Params, state: State, seen: Observation, download: Download) -> None:
    """Record what the segment added to the buffer; add outage protection after startup."""
    elapsed_s = download.end_s - download.start_s
    state.gained_s[0] = seen.durations_s[download.segment] - elapsed_s
    if state.is_steady[0] > 0:
        protect(map_params(params), state.protection_s, seen, download)


def make(**params: float) -> Rule:
    """Create the algorithm with the given parameters; see ``Params``.

    Raises:
        ValueError: a parameter is out of range.
    """
    made = Params(**params)
    bba1.check(map_params(made))
    if not 0 <= made.startup_full_ratio <= made.startup_empty_ratio:
        raise ValueError("expected 0 <= startup_full_ratio <= startup_empty_ratio")
    return Rule(
        name="bba-2",
        params=made,
        start=start,
        choose=choose,
        delivered=delivered,
        reasons=("reservoir", "chunk map", "above cushion", "startup"),
    )
