"""Which parents are well: active probes, failures seen in passing, and ejection of outliers.

A parent is *down* after ``fall`` failed probes in a row and up again after ``rise`` good ones.
Independently, one whose requests fail far more often than those of its siblings is *ejected*
for a while, longer each time; but never more than ``most_ejected`` of all, since when everybody
seems ill the fault is likely elsewhere.

Source: the public documentation of Envoy (outlier detection: consecutive failures, success rate,
base ejection time, max ejection percent; active health checking: healthy and unhealthy
thresholds).
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field

from origin.outcomes import Window


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthRules:
    """When a parent is down or ejected."""

    fall: int = 2
    """Failed probes in a row that make it down."""
    rise: int = 2
    """Good probes in a row that make it up again."""
    window_s: float = 10.0
    """Failure shares are taken over this long."""
    volume: int = 10
    """Fewer requests in the window say nothing."""
    excess: float = 0.3
    """It is ejected when its failure share is this much above the median of its siblings."""
    ejection_s: float = 5.0
    """How long it is ejected the first time; twice as long each further time."""
    longest_ejection_s: float = 120.0
    most_ejected: float = 0.5
    """Largest share of parents that may be ejected at a time; always fewer than all."""


@dataclass(slots=True)
class _Facts:
    window: Window
    probes_failed: int = 0
    probes_good: int = 0
    is_down: bool = False
    ejections: int = 0
    ejected_until_s: float = field(default=float("-inf"))


class Health:
    """The health of all parents of one edge."""

    def __init__(self, parents: Iterable[str], rules: HealthRules) -> None:
        self.rules = rules
        self._facts = {name: _Facts(Window(rules.window_s)) for name in parents}

    def __repr__(self) -> str:
        down = sorted(name for name, facts in self._facts.items() if facts.is_down)
        return f"<Health of {len(self._facts)} parents, down: {', '.join(down) or 'none'}>"

    def set_parents(self, parents: Iterable[str]) -> None:
        """Keep what is known of those that stay; forget the others."""
        rules = self.rules
        self._facts = {
            name: self._facts.get(name) or _Facts(Window(rules.window_s)) for name in parents
        }

    def is_well(self, name: str, now_s: float) -> bool:
        """Neither down nor ejected; an unknown parent is not well."""
        facts = self._facts.get(name)
        return facts is not None and not facts.is_down and now_s >= facts.ejected_until_s

    def is_down(self, name: str) -> bool:
        """Probes found it down."""
        facts = self._facts.get(name)
        return facts is None or facts.is_down

    def note_probe(self, name: str, *, good: bool) -> None:
        """Note the outcome of an active check."""
        facts = self._facts.get(name)
        if facts is None:
            return
        facts.probes_good = facts.probes_good + 1 if good else 0
        facts.probes_failed = 0 if good else facts.probes_failed + 1
        if facts.probes_failed >= self.rules.fall:
            facts.is_down = True
        elif facts.probes_good >= self.rules.rise:
            facts.is_down = False

    def note_request(self, name: str, *, failed: bool, now_s: float) -> None:
        """Note the outcome of a request, and eject the parent if it is an outlier."""
        facts = self._facts.get(name)
        if facts is None:
            return
        facts.window.add(now_s=now_s, failed=failed, slow=False)
        if failed and self._is_outlier(name, now_s) and self._may_eject(now_s):
            sleep_s = self.rules.ejection_s * 2.0**facts.ejections
            facts.ejected_until_s = now_s + min(sleep_s, self.rules.longest_ejection_s)
            facts.ejections = min(facts.ejections + 1, 30)
            facts.window.clear()
        elif (
            not failed
            and facts.ejections
            and facts.window.tally(now_s).ended >= (self.rules.volume)
        ):
            facts.ejections -= 1
            facts.window.clear()

    def _is_outlier(self, name: str, now_s: float) -> bool:
        own = self._facts[name].window.tally(now_s)
        if own.ended < self.rules.volume:
            return False
        others = sorted(
            facts.window.tally(now_s).failed_share
            for other, facts in self._facts.items()
            if other != name
        )
        usual = others[len(others) // 2] if others else 0.0
        return own.failed_share - usual >= self.rules.excess

    def _may_eject(self, now_s: float) -> bool:
        count = len(self._facts)
        out = sum(1 for facts in self._facts.values() if now_s < facts.ejected_until_s)
        most = min(count - 1, math.floor(count * self.rules.most_ejected))
        return out < most
