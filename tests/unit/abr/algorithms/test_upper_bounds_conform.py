"""Algorithms that know the network beforehand pass the conformance kit too."""

from __future__ import annotations

import pytest

from abr import registry
from abr.checks import check_algorithm
from abr.decision import Rule


@pytest.mark.parametrize(
    ("name", "params"), [("optimal", {"width": 4}), ("clairvoyant", {"horizon": 3})]
)
def test_the_rule_conforms(name: str, params: dict[str, int]) -> None:
    rule = registry.load(name, **params)
    assert isinstance(rule, Rule)
    assert check_algorithm(rule).name == name
