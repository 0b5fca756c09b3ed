"""A ceiling of the ladder, wherever something is played."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from abr import registry
from abr.errors import ConfigError
from abr.files.models import model
from abr.generators import generate
from abr.media import Presentation
from bench.experiments.presentations import builtin
from player import replay, simulate
from player.batch.run.batch import Engine, run_batch
from player.batch.run.environment import AbrEnv
from player.batch.simulators import load
from player.config import PlayerConfig

TRACES = [generate(model("lte-driving"), seed=seed, duration_s=400) for seed in range(2)]
TITLE = builtin("vbr-6")
CEILING_BPS = float(TITLE.bitrates_bps[2])


@pytest.mark.parametrize(
    ("preset", "engine"), [("abrkit", "compiled"), ("sabre", "plain"), ("pensieve", "plain")]
)
def test_a_ceiling_is_as_a_presentation_without_the_rungs_above(
    preset: str, engine: Engine
) -> None:
    simulator, rule = load(preset), registry.load("bba-0")
    limited = simulator.options(max_bitrate_bps=CEILING_BPS)
    kept = run_batch(simulator, TITLE, TRACES, rule, options=limited, engine=engine)
    cut = run_batch(simulator, TITLE.up_to(CEILING_BPS), TRACES, rule, engine="plain")
    free = run_batch(simulator, TITLE, TRACES, rule, engine="plain")
    assert kept.totals.tolist() == cut.totals.tolist() != free.totals.tolist()
    assert [kept.rungs.max(), free.rungs.max()] == [2, 5]


def test_the_player_keeps_to_it_and_so_does_a_replay() -> None:
    tall = Presentation(
        bitrates_bps=TITLE.bitrates_bps,
        sizes_bytes=TITLE.sizes_bytes,
        durations_s=TITLE.durations_s,
        heights=np.array([180, 240, 360, 540, 720, 1080]),
    )
    config = PlayerConfig(max_bitrate_bps=CEILING_BPS)
    log = simulate(tall, trace=TRACES[0], algorithm="bba-0", config=config)
    assert {record["rung"] for record in log.of("play")} == {0, 1, 2}
    assert log.provenance["ladder_bps"] == TITLE.bitrates_bps[:3].tolist()
    by_lines = simulate(
        tall,
        trace=TRACES[0],
        algorithm="bba-0",
        config=replace(config, max_bitrate_bps=0.0, max_height=360),
    )
    assert by_lines.records == log.records
    assert replay(by_lines).records == by_lines.records


def test_a_ceiling_in_lines_needs_a_presentation_that_says_them() -> None:
    config = PlayerConfig(max_height=360)
    with pytest.raises(ConfigError, match="set max_bitrate_bps instead"):
        simulate(TITLE, trace=TRACES[0], algorithm="bba-0", config=config)


def test_environments_have_as_many_actions_as_rungs_below_it() -> None:
    options = load("abrkit").options(max_bitrate_bps=CEILING_BPS)
    assert AbrEnv([TITLE], TRACES, options=options).action_space.n == 3  # type: ignore[attr-defined]
