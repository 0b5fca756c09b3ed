"""Which rungs a master gets.

Sizes and bit rates of rungs are decided here, and how they are encoded in ``plan``.
"""

from __future__ import annotations

from transcode.ladders import presets, text
from transcode.ladders.rungs import PlannedRung
from transcode.masters.master import Master


def ladder_for(master: Master, *, wanted: str = "") -> tuple[PlannedRung, ...]:
    """The rungs for ``master``, lowest first.

    Args:
        master: What is to be encoded.
        wanted: A ladder of the user's own as ``HEIGHT:KBPS,…``; empty chooses one.

    Raises:
        ConfigError: ``wanted`` cannot be read, or a rung is larger than the master.
    """
    return text.parse(master, wanted) if wanted.strip() else presets.auto(master)
