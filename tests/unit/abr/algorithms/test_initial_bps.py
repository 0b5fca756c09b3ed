"""What is known before the first download: the same in every algorithm that measures."""

from __future__ import annotations

import pytest

from abr import registry
from abr.decision import Rule, begin
from tests.fakes.observations import PRESENTATION, make_download, seen

PLAYERS = ("dashjs", "hls-js", "l2a", "lol-plus", "shaka")
"""Their defaults are those of the players."""
OTHERS = (
    *("arbiter-plus", "bola-e", "bola-sabre", "dynamic", "dynamic-dash", "elastic", "fast-mpc"),
    *("festive", "hyb", "mpc", "panda", "puffer-mpc", "quetra", "rate", "robust-mpc", "soda"),
    *("sustainable", "throughput"),
)


def rule_of(name: str, **params: float) -> Rule:
    rule = registry.load(name, **params)
    assert isinstance(rule, Rule)
    return rule


def first_rung(name: str, initial_bps: float) -> int:
    rule = rule_of(name, initial_bps=initial_bps)
    return begin(rule, PRESENTATION).choose(seen(0.0, last_rung=-1, segment=0)).rung


def test_every_algorithm_that_measures_has_it() -> None:
    """Those that do not look at the buffer only, at the network beforehand, or at nothing."""
    known = {each.name for each in registry.describe() if "initial_bps" in each.params}
    assert known == {*PLAYERS, *OTHERS}


@pytest.mark.parametrize("name", [*PLAYERS, *OTHERS])
def test_the_first_segment_comes_at_the_highest_rung_within_it(name: str) -> None:
    """The ladder is 1, 2, 4 and 8 Mbit/s; 2.5 allow for what hls.js and Shaka keep in hand."""
    assert [first_rung(name, bps) for bps in (0.9e6, 2.5e6, 80e6)] == [0, 1, 3]


@pytest.mark.parametrize("name", OTHERS)
def test_without_it_the_lowest_rung_comes_first_and_downloads_count_alone(name: str) -> None:
    assert begin(rule_of(name), PRESENTATION).choose(seen(last_rung=-1, segment=0)).rung == 0
    download = make_download(3e6)
    after = []
    for initial_bps in (0.0, 80e6):
        running = begin(rule_of(name, initial_bps=initial_bps), PRESENTATION)
        looked = seen(12.0, last_rung=0, segment=1, downloads=[download])
        running.delivered(looked, download)
        after.append(running.choose(looked).rung)
    assert after[0] == after[1]


@pytest.mark.parametrize("name", ["rate", "bola-e", "soda"])
def test_it_cannot_be_negative(name: str) -> None:
    with pytest.raises(ValueError, match="initial_bps"):
        registry.load(name, initial_bps=-1.0)
