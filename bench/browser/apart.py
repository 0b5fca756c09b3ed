"""How far our player is from a browser's: the same playback, two sides, and their bounds.

A browser repeats itself only within a spread of its own, so each of its runs is a side by
itself, and what two of its runs differ by is shown beside what ours differ by.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

from abr.log import SessionLog
from abr.qoe import Interval, stalls, summary
from bench.browser.record import Watched, noticeable

STALLS_BOUND = 1
"""Difference in the number of stalls."""
STALLED_BOUND = 0.10
"""Relative difference of the stalled time, to the browser's."""
STALLED_FLOOR_S = 0.5
"""The same in seconds, where a tenth is less."""
STARTUP_BOUND_S = 0.25
"""Difference of the startup, once the machine's own share is calibrated."""
RUNGS_BOUND = 0.9
"""Fraction of segments on the same rung, where the player chooses."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """One playback, wherever it took place."""

    source: str
    """Such as ``hls.js``, ``abr play`` or ``abr simulate``."""
    startup_s: float | None
    """None when no picture came."""
    stalls: tuple[Interval, ...]
    """The noticeable ones."""
    rungs: tuple[int, ...]
    """Of each segment that was fetched, from the first."""
    is_overloaded: bool = False
    """The machine was too busy; its figures are not to be trusted."""

    @property
    def stall_s(self) -> float:
        """Stalled in all."""
        return sum(stall.length_s for stall in self.stalls)


@dataclass(frozen=True, slots=True, kw_only=True)
class Apart:
    """One side of ours against one run of a browser."""

    browser: Side
    ours: Side
    chooses: bool
    """Whether the player chose its rungs; they count then."""

    @property
    def stall_events(self) -> int:
        """Stalls of ours less those of the browser."""
        return len(self.ours.stalls) - len(self.browser.stalls)

    @property
    def stalled_s(self) -> float:
        """Stalled time of ours less that of the browser."""
        return self.ours.stall_s - self.browser.stall_s

    @property
    def startup_s(self) -> float | None:
        """Startup of ours less that of the browser; None when one never began."""
        if self.ours.startup_s is None or self.browser.startup_s is None:
            return None
        return self.ours.startup_s - self.browser.startup_s

    @property
    def same_rungs(self) -> float:
        """Fraction of segments on the same rung, of those that both have; 1 without any."""
        pairs = list(zip(self.browser.rungs, self.ours.rungs, strict=False))
        return sum(a == b for a, b in pairs) / len(pairs) if pairs else 1.0

    @property
    def faults(self) -> tuple[str, ...]:
        """Which bounds are broken, by name."""
        stalled_bound_s = max(STALLED_FLOOR_S, STALLED_BOUND * self.browser.stall_s)
        # Two that never began agree in nothing.
        begins = self.startup_s is not None and abs(self.startup_s) <= STARTUP_BOUND_S
        held = {
            "startup": begins,
            "stalls": abs(self.stall_events) <= STALLS_BOUND,
            "stalled": self.chooses or abs(self.stalled_s) <= stalled_bound_s,
            "rungs": not self.chooses or self.same_rungs >= RUNGS_BOUND,
        }
        return tuple(name for name, is_held in held.items() if not is_held)


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One trace and one way to choose, played by a browser (several times) and by ours."""

    package: str
    player: str
    trace: str
    pinned_rung: int
    """-1 where the player chooses."""
    browser: tuple[Side, ...]
    ours: tuple[Side, ...]

    @property
    def chooses(self) -> bool:
        """Whether the player chose its rungs."""
        return self.pinned_rung < 0

    def apart(self, source: str) -> tuple[Apart, ...]:
        """Our playback of that name against each run of the browser."""
        return tuple(
            Apart(browser=each, ours=side, chooses=self.chooses)
            for side in self.ours
            if side.source == source
            for each in self.browser
        )

    @property
    def spread(self) -> tuple[Apart, ...]:
        """Each two runs of the browser against each other."""
        pairs = combinations(self.browser, 2)
        return tuple(Apart(browser=a, ours=b, chooses=self.chooses) for a, b in pairs)


def side_of_browser(watched: Watched) -> Side:
    """A playback in a browser as one side."""
    return Side(
        source=watched.player,
        startup_s=watched.startup_s,
        stalls=watched.stalls,
        rungs=watched.rungs,
        is_overloaded=watched.is_overloaded,
    )


def side_of_log(log: SessionLog, source: str) -> Side:
    """A playback of ours as one side."""
    got = {str(record["id"]) for record in log.of("finished")}
    video: dict[int, int] = {}
    for record in log.of("fetch"):
        is_video = record["kind"] == "segment" and record["track"] == "video"
        if is_video and str(record["id"]) in got:
            video[int(record["segment"])] = int(record["rung"])
    return Side(
        source=source,
        startup_s=summary(log).startup_s,
        stalls=noticeable(stalls(log)),
        rungs=tuple(rung for _, rung in sorted(video.items())),
        is_overloaded=bool(log.provenance.get("shaper", {}).get("is_overloaded", False)),
    )


def share_within(cases: Sequence[Case], source: str) -> tuple[int, int]:
    """How many pairs of a browser's run and ours keep all bounds, and how many there are."""
    pairs = [apart for case in cases for apart in case.apart(source)]
    return sum(not apart.faults for apart in pairs), len(pairs)
