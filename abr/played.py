"""What was played, summed up: once for session logs and for all simulators.

Plain Python and compiled code share the function, so a mean bit rate is the same number,
to the last bit, wherever it is asked for.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from abr.capacity import Column
from abr.compilable import natural


class Played(NamedTuple):
    """Sums over the segments that were shown."""

    time_s: float
    """Media seconds played."""
    bitrate_time_bits: float
    """Nominal bit rate times seconds played."""
    mean_bitrate_bps: float
    """The second over the first; 0 when nothing was played."""
    switches: int
    """Changes of rung between neighbours."""
    bitrate_change_bps: float
    """Absolute changes of nominal bit rate between neighbours."""
    utility_time_s: float
    """Utility ``ln(rate / lowest rate)`` times seconds played."""
    utility_change: float
    """Absolute changes of utility between neighbours."""


class Utilities(NamedTuple):
    """Logarithms of the rates of R rungs; the rates are more than 0."""

    of_rung: Column
    """``ln(rate / lowest rate)``, shape (R,)."""
    changes: Column
    """``|ln(rate / rate before)|`` at place R times the rung before plus the rung, (R*R,)."""


def utilities_of(ladder_bps: Column) -> Utilities:
    """The utilities of a ladder."""
    rates_bps = [float(rate_bps) for rate_bps in ladder_bps]
    return Utilities(
        [math.log(rate_bps / rates_bps[0]) for rate_bps in rates_bps],
        [abs(math.log(rate / before)) for before in rates_bps for rate in rates_bps],
    )


def part_played_s(played_s: float, before_s: float, duration_s: float) -> float:
    """How much was played of the last segment, when ``before_s`` was of those before it."""
    return min(max(played_s - before_s, 0.0), duration_s)


def sum_played(
    ladder_bps: Column,
    utilities: Utilities,
    durations_s: Column,
    rungs: Column,
    count: int,
    played_s: float,
) -> Played:
    """Sum up the first ``count`` segments.

    Args:
        ladder_bps: Nominal bit rate per rung.
        utilities: Of this ladder.
        durations_s: Seconds per segment.
        rungs: Rung of each segment.
        count: Segments of which something was shown.
        played_s: Media seconds played in all: the last segment may have been shown in
            part, all others were shown whole. inf: it was too.
    """
    time_s = bits = change_bps = utility_s = utility_change = 0.0
    switches, before, rungs_in_all = 0, int(rungs[0]) if count > 0 else 0, len(ladder_bps)
    for k in range(count):
        rung, plays_s = natural(int(rungs[k])), float(durations_s[k])
        if k == count - 1:
            plays_s = part_played_s(played_s, time_s, plays_s)
        rate_bps = ladder_bps[rung]
        time_s += plays_s
        bits += rate_bps * plays_s
        # Of a rung that is kept, all changes are 0.
        switches += rung != before
        change_bps += abs(rate_bps - ladder_bps[natural(before)])
        utility_change += utilities.changes[natural(before) * rungs_in_all + rung]
        utility_s += utilities.of_rung[rung] * plays_s
        before = rung
    mean_bps = bits / time_s if time_s > 0 else 0.0
    return Played(time_s, bits, mean_bps, switches, change_bps, utility_s, utility_change)
