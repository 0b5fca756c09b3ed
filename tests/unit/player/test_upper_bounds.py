"""``optimal`` and ``clairvoyant`` in the player whose network they know."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from abr import registry
from abr.algorithms import clairvoyant, optimal
from abr.decision import Observation, Rule, begin
from abr.log import SessionLog
from abr.media import FloatArray, Presentation, SideFiles, frozen_array
from abr.planning.model import Problem, Weights, problem_of, score_of
from abr.planning.search import best_plan
from abr.qoe import summary
from abr.trace import Trace
from player import simulate
from player.batch.abrkit.simulator import ABRKIT
from player.batch.run.batch import run_batch
from player.config import PlayerConfig

RATES = np.array([0.3e6, 0.75e6, 1.2e6, 1.85e6, 2.85e6, 4.3e6])


WEIGHTS = Weights(4.3, 4.3, 1.0)


def presentation(
    segments: int = 25, *, has_audio: bool = False, has_side_files: bool = False
) -> Presentation:
    rng = np.random.default_rng(5)
    sizes = RATES[:, None] / 2 * rng.uniform(0.7, 1.4, (1, segments))
    audio = 4 * 16_000 * rng.uniform(0.9, 1.1, segments) if has_audio else None
    return Presentation(
        bitrates_bps=RATES,
        sizes_bytes=sizes,
        durations_s=np.full(segments, 4.0),
        audio_sizes_bytes=audio,
        side_files=side_files(sizes) if has_side_files else None,
    )


def side_files(sizes: FloatArray) -> SideFiles:
    """Playlists, initialisation sections, and a new key for every five segments."""
    return SideFiles(
        multivariant_bytes=900.0,
        listed_sizes_bytes=np.rint(sizes / 1000) * 1000,
        listed_rates_bps=RATES,
        playlist_bytes=np.linspace(3000.0, 8000.0, len(sizes)),
        init_bytes=np.linspace(700.0, 900.0, len(sizes)),
        audio_playlist_bytes=4000.0,
        audio_init_bytes=600.0,
        keys=frozen_array(np.arange(sizes.shape[1]) // 5),
        init_key=0,
    )


def problem(shown: Presentation, trace: Trace, config: PlayerConfig) -> Problem:
    return problem_of(
        shown,
        trace,
        rtt_s=config.rtt_s,
        overhead_bytes=config.response_overhead_bytes,
        server_s=config.server_s,
        weights=WEIGHTS,
        max_buffer_s=config.max_buffer_s,
    )


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


@pytest.mark.parametrize(
    ("has_audio", "has_side_files"), [(False, False), (True, False), (True, True)]
)
@pytest.mark.parametrize("seed", range(3))
def test_the_plan_scores_in_the_player_what_the_model_says(
    seed: int, has_audio: bool, has_side_files: bool
) -> None:
    """Also with other settings of the player, of which the rule is told."""
    for config in (PlayerConfig(), PlayerConfig(max_buffer_s=13, server_s=0.1)):
        shown = presentation(has_audio=has_audio, has_side_files=has_side_files)
        trace = network(seed)
        known = problem(shown, trace, config)
        plan, expected = best_plan(known, 40)
        assert score_of(plan, known) == pytest.approx(expected, abs=1e-6)
        played = simulate(
            shown, trace=trace, algorithm="optimal", params={"width": 40}, config=config
        )
        assert score(played) == pytest.approx(expected, abs=1e-6)
        assert played.provenance["params"]["max_buffer_s"] == config.max_buffer_s


class Follow:
    """Plays a plan."""

    def __init__(self, rungs: FloatArray) -> None:
        self._rungs = rungs

    def choose(self, seen: Observation) -> int:
        return int(self._rungs[seen.segment])


@pytest.mark.parametrize("has_side_files", [False, True])
@pytest.mark.parametrize("seed", range(4))
def test_any_plan_scores_in_the_player_what_the_model_says(seed: int, has_side_files: bool) -> None:
    """With audio; also where the lowest rung comes later than others."""
    shown = presentation(12, has_audio=True, has_side_files=has_side_files)
    plan = np.random.default_rng(seed).integers(0, shown.rungs, shown.segments).astype(np.float64)
    plan[0], plan[-1] = shown.rungs - 1, 0
    played = simulate(shown, trace=network(seed), algorithm=lambda: Follow(plan))
    expected = score_of(plan, problem(shown, network(seed), PlayerConfig()))
    assert score(played) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("has_audio", [False, True])
@pytest.mark.parametrize("seed", range(3))
def test_with_side_files_the_first_segment_comes_when_the_model_says(
    seed: int, has_audio: bool
) -> None:
    """Whatever its rung; they must be counted, or startup would be far shorter."""
    shown = presentation(2, has_audio=has_audio, has_side_files=True)
    config, bare = PlayerConfig(), presentation(2, has_audio=has_audio)
    known = problem(shown, network(seed), config)
    for rung in range(shown.rungs):
        log = simulate(shown, trace=network(seed), algorithm="fixed", params={"rung": rung})
        assert known.first_s[rung] == pytest.approx(summary(log).startup_s, abs=1e-9)
    assert (known.first_s > problem(bare, network(seed), config).first_s + 0.02).all()


@pytest.mark.parametrize("seed", range(3))
def test_audio_that_ends_some_milliseconds_off_its_video_costs_no_more_than_those(
    seed: int,
) -> None:
    """Boundaries up to 20 ms apart: that much more or less is waited in all."""
    rng, even = np.random.default_rng(seed), presentation(has_audio=True)
    ends_s = np.cumsum(even.durations_s) + rng.uniform(-0.02, 0.02, even.segments)
    shown = replace(even, audio_durations_s=np.diff(ends_s, prepend=0.0))
    _, expected = best_plan(problem(shown, network(seed), PlayerConfig()), 40)
    log = simulate(shown, trace=network(seed), algorithm="optimal", params={"width": 40})
    assert score(log) == pytest.approx(expected, abs=4.3 * 0.02 + 1e-6)


@pytest.mark.parametrize("has_side_files", [False, True])
@pytest.mark.parametrize("seed", range(4))
def test_nobody_scores_more_than_the_optimum_with_audio(seed: int, has_side_files: bool) -> None:
    shown = presentation(has_audio=True, has_side_files=has_side_files)
    best = score(simulate(shown, trace=network(seed), algorithm="optimal"))
    for name in ("clairvoyant", "bola-sabre", "robust-mpc", "throughput"):
        assert score(simulate(shown, trace=network(seed), algorithm=name)) <= best + 1e-9


@pytest.mark.parametrize("seed", range(3))
def test_nobody_scores_more_than_the_optimum(seed: int) -> None:
    shown, trace = presentation(), network(seed)
    best = score(simulate(shown, trace=trace, algorithm="optimal"))
    for name in ("clairvoyant", "bola-sabre", "throughput", "bba-0"):
        assert score(simulate(shown, trace=trace, algorithm=name)) <= best + 1e-9


@pytest.mark.parametrize("has_audio", [False, True])
def test_clairvoyant_over_the_whole_presentation_is_the_optimum(has_audio: bool) -> None:
    """With a horizon of all six segments, the plan is that of the search."""
    shown, trace = presentation(6, has_audio=has_audio), network(1)
    rule = registry.load("clairvoyant", horizon=6)
    ahead = score(simulate(shown, trace=trace, algorithm=rule))
    assert ahead == pytest.approx(
        score(simulate(shown, trace=trace, algorithm="optimal")), abs=1e-6
    )


def test_clairvoyant_plays_on_where_the_link_ends() -> None:
    """What never comes counts as coming in a billion seconds."""
    ends = Trace.from_periods([(3.0, 1e6)], end="end")
    log = simulate(presentation(6), trace=ends, algorithm="clairvoyant", max_play_s=40.0)
    assert [record["why"] for record in log.of("ended")] == ["stopped"]


@pytest.mark.parametrize("name", ["optimal", "clairvoyant"])
def test_batches_and_the_player_decide_the_same(name: str) -> None:
    """Both tell the algorithm of the audio, of side files and of the true sizes."""
    shown, trace = presentation(8, has_audio=True, has_side_files=True), network(2)
    log = simulate(shown, trace=trace, algorithm=name)
    batch = run_batch(ABRKIT, shown, [trace], registry.load(name), engine="plain")
    assert batch.rungs is not None
    assert batch.rungs[0].tolist() == [record["rung"] for record in log.of("decision")]


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
