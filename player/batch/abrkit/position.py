"""How far a session has come, and what its algorithm sees and may answer there."""

from __future__ import annotations

import sys
from typing import NamedTuple

from abr.decision import Decision, Observation
from abr.media import FloatArray
from player.batch.abrkit.side import (
    Have,
)
from player.batch.abrkit.timeline import (
    At,
    Options,
)
from player.batch.tables import (
    Out,
    PresentationTable,
    downloads_so_far,
)
from player.playback.playhead import PLAYING as IS_PLAYING
from player.playback.playhead import buffer_s

MOST_S = sys.float_info.max
"""Finite, which the compiler makes more of when it is asked whether a time is infinite."""


class Position(NamedTuple):
    """How far a session has come."""

    segment: int
    """The one being fetched."""
    last_rung: int
    remembered: int
    """Downloads in the history."""
    have: Have


def observe(
    presentation: PresentationTable,
    options: Options,
    out: Out,
    known: FloatArray,
    at: At,
    position: Position,
) -> Observation:
    """What the algorithm is shown."""
    return Observation(
        at.now_s,
        position.segment,
        buffer_s(at.head, at.now_s),
        options.max_buffer_s,
        position.last_rung,
        at.head.state == IS_PLAYING,
        presentation.ladder_bps,
        known,
        presentation.durations_s,
        downloads_so_far(out.history, position.remembered),
    )


def has_goals(presentation: PresentationTable) -> bool:
    """Whether it depends on the rung how much is buffered."""
    return len(presentation.goals_s) > 0


def is_legal(decision: Decision, presentation: PresentationTable, segment: int) -> bool:
    """Whether the algorithm asks for what there is."""
    is_there = 0 <= decision.rung < len(presentation.ladder_bps) and decision.segment in (
        -1,
        segment,
    )
    return is_there and 0 <= decision.wait_s <= MOST_S
