"""Ladders in one line, as ``HEIGHT:KBPS,…``."""

from __future__ import annotations

import math
import re

from abr.errors import ConfigError
from transcode.ladders.rungs import PlannedRung, check_rungs
from transcode.ladders.sizes import scale_into, size_of
from transcode.masters.master import Master

LADDER_HELP = "HEIGHT:KBPS,… such as 234:200,360:600,720:2500"


def parse(master: Master, wanted: str) -> tuple[PlannedRung, ...]:
    """The rungs that ``wanted`` lists.

    Raises:
        ConfigError: it cannot be read, or a rung is larger than the master.
    """
    rungs = []
    for part in wanted.split(","):
        match = re.fullmatch(r"\s*(\d{1,5})\s*:\s*(\d{1,6})\s*", part)
        if match is None or not int(match[1]) or not int(match[2]):
            raise ConfigError(f"ladder: found {part.strip()!r}; expected {LADDER_HELP}")
        height, kbps = int(match[1]), int(match[2])
        # A height counts lines of a 16:9 screen: wide and upright pictures fit the same box.
        scale = scale_into(master, math.ceil(height * 16 / 9), height)
        if scale > 1 + 2 / height:
            raise ConfigError(
                f"ladder: rung {height}:{kbps} is larger than {master.name} "
                f"({master.width}x{master.height}); expected at most the master's size"
            )
        rungs.append(PlannedRung(*size_of(master, min(1.0, scale)), kbps * 1000))
    return check_rungs(rungs, where=f"ladder: {wanted[:80]!r}")
