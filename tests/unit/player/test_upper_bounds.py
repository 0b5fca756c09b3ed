"""``optimal`` and ``clairvoyant`` in the player whose network they know."""

from __future__ import annotations

import numpy as np
import pytest

from abr import registry
from abr.algorithms import clairvoyant, optimal
from abr.decision import Rule, begin
from abr.log import SessionLog
from abr.media import Presentation
from abr.planning.model import Problem, Weights, known_link
from abr.planning.search import best_plan
from abr.qoe import summary
from abr.trace import Trace
from player import simulate
from player.config import PlayerConfig

RATES = np.array([0.3e6, 0.75e6, 1.2e6, 1.85e6, 2.85e6, 4.3e6])


def presentation(segments: int = 25) -> Presentation:
    rng = np.random.default_rng(5)
    sizes = RATES[:, None] / 2 * rng.uniform(0.7, 1.4, (1, segments))
    return Presentation(bitrates_bps=RATES, sizes_bytes=sizes, durations_s=np.full(segments, 4.0))


def network(seed: int) -> Trace:
    rng = np.random.default_rng(seed)
    return Trace.from_periods(
        [(rng.uniform(2, 9), rng.uniform(0.1e6, 5e6), rng.uniform(0.01, 0.2)) for _ in range(9)]
    )


def score(log: SessionLog) -> float:
    """QoE lin, with startup as stall."""
    rates = RATES[[record["rung"] for record in log.of("decision")]] / 1e6
    got = summary(log)
    assert got.startup_s is not None
    late_s = got.startup_s + got.stall_s
    return float(rates.sum() - np.abs(np.diff(rates)).sum() - 4.3 * late_s)


@pytest.mark.parametrize("seed", range(3))
def test_the_plan_scores_in_the_player_what_the_model_says(seed: int) -> None:
    """Also with other settings of the player, of which the rule is told."""
    for config in (PlayerConfig(), PlayerConfig(max_buffer_s=13, server_s=0.1)):
        shown, trace = presentation(), network(seed)
        link = known_link(
            trace,
            rtt_s=config.rtt_s,
            overhead_bytes=config.response_overhead_bytes,
            server_s=config.server_s,
        )
        problem = Problem(
            shown.bitrates_bps / 1e6, shown.sizes_bytes, shown.durations_s, link,
            Weights(4.3, 4.3, 1.0), config.max_buffer_s,
        )  # fmt: skip
        _, expected = best_plan(problem, 40)
        played = simulate(
            shown, trace=trace, algorithm="optimal", params={"width": 40}, config=config
        )
        assert score(played) == pytest.approx(expected, abs=1e-6)
        assert played.provenance["params"]["max_buffer_s"] == config.max_buffer_s


@pytest.mark.parametrize("seed", range(3))
def test_nobody_scores_more_than_the_optimum(seed: int) -> None:
    shown, trace = presentation(), network(seed)
    best = score(simulate(shown, trace=trace, algorithm="optimal"))
    for name in ("clairvoyant", "bola-sabre", "throughput", "bba-0"):
        assert score(simulate(shown, trace=trace, algorithm=name)) <= best + 1e-9


def test_clairvoyant_over_the_whole_presentation_is_the_optimum() -> None:
    """With a horizon of all six segments, the plan is that of the search."""
    shown, trace = presentation(6), network(1)
    rule = registry.load("clairvoyant", horizon=6)
    ahead = score(simulate(shown, trace=trace, algorithm=rule))
    assert ahead == pytest.approx(
        score(simulate(shown, trace=trace, algorithm="optimal")), abs=1e-6
    )


def test_defaults_are_those_of_the_player() -> None:
    config = PlayerConfig()
    for params in (optimal.Params(), clairvoyant.Params()):
        for name in ("max_buffer_s", "rtt_s", "response_overhead_bytes", "server_s"):
            if name in params._fields:
                assert getattr(params, name) == getattr(config, name)


def test_what_is_out_of_range_is_refused() -> None:
    with pytest.raises(ValueError, match="width"):
        optimal.make(width=0)
    with pytest.raises(ValueError, match="horizon"):
        clairvoyant.make(horizon=0)
    rule = optimal.make(width=4)
    assert isinstance(rule, Rule)
    assert begin(rule, presentation(3), network(0)).name == "optimal"
