"""The rules of the buffer-based and rate-based literature pass the conformance kit."""

from __future__ import annotations

import pytest

from abr import registry
from abr.checks import check_algorithm
from abr.decision import Rule

NAMES = (
    "arbiter-plus",
    "bba-1",
    "bba-2",
    "elastic",
    "festive",
    "lowest",
    "panda",
    "soda",
    "sustainable",
)


@pytest.mark.parametrize("name", NAMES)
def test_the_rule_conforms(name: str) -> None:
    rule = registry.load(name)
    assert isinstance(rule, Rule)
    assert check_algorithm(rule).name == name
