"""All parents of an edge, as one thing to ask: the order, the permits, and what was learned.

The shell asks ``choose`` for an order, ``begin`` for each attempt, and ends every attempt once.
Everything that decides whether a parent is asked (preference, health, breaker, room) meets here.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal

from edge.parents.budget import RetryBudget
from edge.parents.health import Health, HealthRules
from edge.parents.limit import ConcurrencyLimit, LimitRules, Urgency
from edge.parents.ring import preference
from origin.breaker import BreakerRules, CircuitBreaker, Permit, State
from origin.outcomes import Waits

Why = Literal["content", "health", "other"]
"""Why a miss is asked where it is: ``content``: at the key's own parent, which is simply where
what we do not hold is had; ``health``: that one is not well; ``other``: it has no room."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parent:
    """One parent as it is configured."""

    name: str
    """Where it is, as ``scheme://host:port``; what it is told apart by."""
    weight: float = 1.0
    """Share of keys, relative to other parents."""
    backup: bool = False
    """Asked only when none of the others can be, such as the origin behind a lost tier."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ParentRules:
    """How parents are chosen and protected."""

    breaker: BreakerRules = field(default_factory=BreakerRules)
    limit: LimitRules = field(default_factory=LimitRules)
    health: HealthRules = field(default_factory=HealthRules)
    retry_share: float = 0.2
    """Second requests (retries and hedges) per first request."""
    hedge_quantile: float = 0.95
    """A second parent is asked when the first takes longer than this share of its requests."""
    hedge_least_s: float = 0.05
    """A hedge is never sent earlier than this."""
    hedge_unknown_s: float = 0.2
    """When a hedge is sent to back a parent of which too little is known."""
    hedge_samples: int = 20
    """Fewer waits say too little."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """Whom to ask, in this order."""

    names: tuple[str, ...]
    """Empty when nobody may be asked now."""
    why: Why
    retry_after_s: float = 0.0
    """With no names: when the first breaker lets a probe pass."""
    is_full: bool = False
    """With no names: some parent may be asked as soon as it has room."""


class Attempt:
    """One request to one parent; ended once by one of its methods."""

    __slots__ = ("_begun_s", "_is_in_flight", "_one", "_parents", "_permit", "name")

    def __init__(self, parents: Parents, name: str, permit: Permit, begun_s: float) -> None:
        self.name = name
        self._parents, self._permit, self._begun_s = parents, permit, begun_s
        self._one = parents.one(name)
        self._is_in_flight = True
        self._one.limit.enter()

    def __repr__(self) -> str:
        return f"<Attempt at {self.name}, {self._permit!r}>"

    def answered(self, status: int, now_s: float) -> None:
        """The head of an answer arrived.

        The 5xx of a gateway or of an overloaded server is a failure where another parent could
        do better. One that is left alone and answers is alive, whatever it says of one object:
        else one that fails everywhere would close the way to all others.
        """
        failed = status in FAILED_STATUSES and self._parents.has_other(self.name, now_s)
        self._end(now_s, failed=failed, learn=True)

    def failed(self, now_s: float) -> None:
        """No answer came: it could not be reached, broke off or was too slow."""
        self._end(now_s, failed=True, learn=True)

    def overtaken(self, now_s: float) -> None:
        """Another parent that was asked later answered first: as bad as no answer."""
        self._end(now_s, failed=True, learn=False, was_late=True)

    def give_up(self) -> None:
        """Nobody waits for it any more; says nothing about the parent."""
        if self._is_in_flight:
            self._is_in_flight = False
            self._one.limit.leave()
            self._one.breaker.give_up(self._permit)

    def _end(self, now_s: float, *, failed: bool, learn: bool, was_late: bool = False) -> None:
        if not self._is_in_flight:
            return
        self._is_in_flight = False
        one, wait_s = self._one, max(0.0, now_s - self._begun_s)
        one.limit.leave()
        if learn:
            one.limit.learn(wait_s, failed=failed)
        if not failed:
            one.waits.add(wait_s)
        one.breaker.record(
            self._permit, failed=failed, wait_s=wait_s, now_s=now_s, was_late=was_late
        )
        self._parents.health.note_request(self.name, failed=failed, now_s=now_s)


FAILED_STATUSES = frozenset({502, 503, 504})
"""Statuses that speak of the parent's condition and not of the object."""


@dataclass(slots=True)
class One:
    """What is known of one parent."""

    parent: Parent
    breaker: CircuitBreaker
    limit: ConcurrencyLimit
    waits: Waits = field(default_factory=Waits)


class Parents:
    """The parents of one edge.

    Raises:
        ValueError: there is none, or one is listed twice.
    """

    def __init__(self, parents: Iterable[Parent], rules: ParentRules | None = None) -> None:
        self.rules = rules or ParentRules()
        self.budget = RetryBudget(share=self.rules.retry_share)
        self.health = Health((), self.rules.health)
        self._ones: dict[str, One] = {}
        self.set_parents(parents)

    def __repr__(self) -> str:
        return f"<Parents {', '.join(self._ones)}>"

    @property
    def names(self) -> tuple[str, ...]:
        """All parents."""
        return tuple(self._ones)

    def one(self, name: str) -> One:
        """What is known of a parent."""
        return self._ones[name]

    def has_other(self, name: str, now_s: float) -> bool:
        """Whether a parent other than ``name`` may be asked freely."""
        return any(
            each != name and one.breaker.state(now_s) == "closed"
            for each, one in self._ones.items()
        )

    def set_parents(self, parents: Iterable[Parent]) -> None:
        """Replace the list; what is known of those that stay is kept."""
        listed = list(parents)
        if not listed or len({each.name for each in listed}) != len(listed):
            raise ValueError("expected at least one parent, and each once")
        known = self._ones
        self._ones = {}
        for each in listed:
            one = known.get(each.name) or One(
                each, CircuitBreaker(self.rules.breaker), ConcurrencyLimit(self.rules.limit)
            )
            one.parent = each
            self._ones[each.name] = one
        self.health.set_parents(self._ones)

    def choose(self, key: str, *, now_s: float, urgency: Urgency = "playback") -> Choice:
        """Whom to ask for ``key``: those that are well first, each group in the key's order.

        A parent with an open breaker, or without room, is left out. One that probes found down
        or that is ejected comes last: when all are, asking is better than refusing.
        """
        order = self._order(key)
        open_ones = [name for name in order if self._ones[name].breaker.would_allow(now_s)]
        if not open_ones:
            # All were late and none failed: they are busy, or this machine is. Asking them is
            # better than refusing everybody.
            open_ones = [name for name in order if self._ones[name].breaker.is_soft]
        if not open_ones:
            sleep_s = min(self._ones[name].breaker.opens_in_s(now_s) for name in order)
            return Choice(names=(), why="health", retry_after_s=sleep_s)
        roomy = [name for name in open_ones if self._ones[name].limit.has_room(urgency)]
        well = [name for name in roomy if self.health.is_well(name, now_s)]
        ill = [name for name in roomy if name not in well]
        names = (*well, *ill)
        return Choice(names=names, why=self._why(order[0], names, now_s), is_full=not names)

    def begin(self, name: str, now_s: float) -> Attempt | None:
        """Start a request to ``name``; None when its breaker no longer allows it."""
        breaker = self._ones[name].breaker
        permit = breaker.allow(now_s)
        if permit is None and breaker.is_soft and not self._others_are_asked(name, now_s):
            permit = breaker.insist(now_s)
        return None if permit is None else Attempt(self, name, permit, now_s)

    def _others_are_asked(self, name: str, now_s: float) -> bool:
        return any(
            one.breaker.would_allow(now_s) for other, one in self._ones.items() if other != name
        )

    def hedge_after_s(self, name: str) -> float:
        """How long to wait for ``name`` before another parent is asked as well."""
        rules, waits = self.rules, self._ones[name].waits
        usual_s = waits.quantile_s(rules.hedge_quantile)
        if usual_s is None or len(waits) < rules.hedge_samples:
            return rules.hedge_unknown_s
        return max(rules.hedge_least_s, usual_s)

    def states(self, now_s: float) -> dict[str, State]:
        """The breaker of each parent, for metrics and logs."""
        return {name: one.breaker.state(now_s) for name, one in self._ones.items()}

    def _order(self, key: str) -> tuple[str, ...]:
        if len(self._ones) == 1:
            return tuple(self._ones)
        weights = {name: one.parent.weight for name, one in self._ones.items()}
        first = [name for name, one in self._ones.items() if not one.parent.backup]
        last = [name for name, one in self._ones.items() if one.parent.backup]
        return (*preference(key, first, weights), *preference(key, last, weights))

    def _why(self, home: str, names: tuple[str, ...], now_s: float) -> Why:
        if names[:1] == (home,):
            return "content"
        one = self._ones[home]
        if not self.health.is_well(home, now_s) or not one.breaker.would_allow(now_s):
            return "health"
        return "other"
