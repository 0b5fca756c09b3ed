"""The conformance kit passes the good and names what is wrong with the rest."""

from __future__ import annotations

import itertools
from typing import NamedTuple

import numpy as np
import pytest

from abr import registry
from abr.checks import check_algorithm
from abr.decision import Decision, Observation, Progress, Rule
from abr.errors import AlgorithmError
from abr.media import Presentation
from abr.trace import Trace

NAMES = ("bba-0", "bola-pensieve", "bola-sabre", "fixed", "throughput")


@pytest.mark.parametrize("name", NAMES)
def test_every_built_in_conforms(name: str) -> None:
    rule = registry.load(name)
    assert isinstance(rule, Rule)
    report = check_algorithm(rule, clock=itertools.count().__next__)
    assert report.name == name
    assert report.decisions > 1000
    assert report.s_per_decision is not None


def test_variants_conform_too() -> None:
    for name, params in (
        ("bola-sabre", {"oscillation": True}),
        ("bola-sabre", {"finite": False}),
        ("throughput", {"window": 3}),
        ("fixed", {"rung": -1}),
    ):
        rule = registry.load(name, **params)
        assert isinstance(rule, Rule)
        assert check_algorithm(rule).s_per_decision is None


class Good:
    """The least that an algorithm can be."""

    def choose(self, seen: Observation) -> int:
        return 0


class TooHigh:
    def choose(self, seen: Observation) -> int:
        return 1


class Waits:
    def choose(self, seen: Observation) -> Decision:
        return Decision(0, float("nan"))


class Random:
    numbers = itertools.count()

    def choose(self, seen: Observation) -> int:
        return next(self.numbers) % 3 % len(seen.ladder_bps)


class Meddles:
    def choose(self, seen: Observation) -> int:
        seen.sizes_bytes.flags.writeable = True
        seen.sizes_bytes[0, 0] += 1
        return 0


class Talks:
    def choose(self, seen: Observation) -> int:
        print("hello")
        return 0


class Fails:
    def choose(self, seen: Observation) -> int:
        return int(1 / np.float64(seen.buffer_s).item() > 0)


class GivesUpBadly:
    def choose(self, seen: Observation) -> int:
        return 0

    def reconsider(self, seen: Observation, progress: Progress) -> int:
        return -1


class Replaces:
    """Wants the segment before again, whether it was played or not."""

    def choose(self, seen: Observation) -> Decision:
        return Decision(0, 0.0, 0, seen.segment - 1)


class Patches:
    """Replaces what has not been played, and hears of waiting."""

    def __init__(self) -> None:
        self.waited_s = 0.0

    def waited(self, seen: Observation, wait_s: float) -> None:
        self.waited_s += wait_s

    def choose(self, seen: Observation) -> Decision:
        if seen.segment > 0 and seen.buffer_s > 0 and self.waited_s > 0:
            self.waited_s = 0.0
            return Decision(0, 0.0, 0, seen.segment - 1)
        return Decision(len(seen.ladder_bps) - 1)


class Empty(NamedTuple):
    """Nothing."""


def foresight(*known: object) -> Empty:
    """A start that must be told three things."""
    assert len(known) == 3
    assert isinstance(known[1], Presentation)
    assert isinstance(known[-1], Trace)
    return Empty()


def test_an_algorithm_that_needs_the_trace_is_given_it() -> None:
    rule = Rule(
        name="seer",
        params=Empty(),
        start=foresight,
        choose=lambda params, state, seen: Decision(0, 0.0, 0),
        needs_trace=True,
    )
    assert check_algorithm(rule).name == "seer"


def test_replacing_what_is_still_to_be_played_conforms() -> None:
    assert check_algorithm(Patches).name == "Patches"


def test_a_plain_object_conforms() -> None:
    assert check_algorithm(Good).name == "Good"


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (TooHigh, "answered rung 1; expected 0 to 0: at segment 0 of 1"),
        (Waits, "asked to wait nan"),
        (Random, "to equal observations"),
        (Meddles, "changed its observation"),
        (Talks, "printed 'hello"),
        (Fails, "raised ZeroDivisionError: .*buffer 0 of"),
        (GivesUpBadly, "reconsider.. answered rung -1"),
        (Replaces, "segment 5 again, which has been played: at segment 6 of"),
        (object, "has no choose"),
    ],
)
def test_what_is_wrong_is_named(make: type, says: str) -> None:
    with pytest.raises(AlgorithmError, match=says):
        check_algorithm(make)
