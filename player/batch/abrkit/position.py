"""How far a session has come, and what its algorithm sees and may answer there."""

from __future__ import annotations

from typing import NamedTuple

from abr.decision import Observation
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
