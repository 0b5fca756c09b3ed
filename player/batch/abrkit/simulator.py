"""Our own player as a simulator."""

from __future__ import annotations

from typing import Any

from abr.media import Presentation
from player.batch.abrkit.session import can_play, link_for, session
from player.batch.abrkit.side import FIRST_RUNG, has_side_files
from player.batch.abrkit.timeline import MORE_COLUMNS, Options, config_of, options_of
from player.batch.simulators import PlayerTwin, Simulator
from player.batch.tables import PresentationTable, presentation_table_of
from player.playback.room import goals_of


def _presentation_table(presentation: Presentation, options: Any) -> PresentationTable:
    goals_s = goals_of(options, presentation.peaks_bps, presentation.duration_s)
    table = presentation_table_of(presentation)._replace(goals_s=goals_s)
    if options.begins_listed > 0 and has_side_files(table) and presentation.listed_first > 0:
        numbers = table.side_numbers.copy()
        numbers[FIRST_RUNG] = presentation.listed_first
        table = table._replace(side_numbers=numbers)
    return table


ABRKIT = Simulator(
    name="abrkit",
    session=session,
    options=Options,
    presentation_table=_presentation_table,
    link_table=link_for,
    extra_columns=MORE_COLUMNS,
    must_fill_columns=False,
    twin=PlayerTwin(config_of=config_of, options_of=options_of, can_play=can_play),
)
