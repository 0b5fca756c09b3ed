"""Every option of an environment has an effect, or is refused with what to do."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from abr import registry
from abr.errors import ConfigError
from abr.trace import Trace
from bench.experiments.presentations import builtin
from player.batch.abrkit.timeline import Options as PlayerOptions
from player.batch.pensieve import PENSIEVE
from player.batch.pensieve import Options as PensieveOptions
from player.batch.run.batch import run_batch
from player.batch.run.environment import (
    UNLIMITED,
    AbrEnv,
    AbrVectorEnv,
    PensieveEnv,
    PensieveVectorEnv,
)
from player.batch.sabre import SABRE
from player.batch.sabre import Options as SabreOptions

FILM = replace(builtin("vbr-6", seed=1), heights=np.array([144.0, 240, 360, 480, 720, 1080]))
NETWORK = Trace(
    times_s=np.array([0.0, 30.0, 50.0, 50.4, 75.0]), capacity_bps=np.array([3e6, 3e5, 0.0, 6e6])
)
OTHERS: dict[str, Any] = {
    "max_buffer_s": 20.0, "startup_buffer_s": 8.0, "resume_buffer_s": 8.0, "resume_growth": 2.0,
    "resume_max_s": 1.0, "render_delay_s": 0.5, "reconsider_every_s": 1.0, "rtt_s": 0.3,
    "overhead_bytes": 5000.0, "server_s": 0.2, "first_byte_limit_s": 0.01, "idle_limit_s": 0.2,
    "total_limit_s": 3.0, "max_play_s": 40.0, "begins_listed": 1.0, "overshoot": 1.0,
    "buffer_bytes": 1e6, "buffer_limit_s": 10.0, "top_buffer_s": 10.0, "long_top_buffer_s": 5.0,
    "max_bitrate_bps": 2e6, "max_height": 480.0, "quantum_s": 0.25, "payload": 0.5, "first_rung": 0,
    "stall_weight": 9.0, "switch_weight": 3.0, "segments": 20, "segment_s": 2.0, "cover_s": 100.0,
}  # fmt: skip
WITHOUT_EFFECT = ("reconsider_every_s",)
"""Downloads of an environment are never abandoned."""


def played(env: Any) -> list[tuple[Any, ...]]:
    """Rewards and times of an episode; the top rung first, then rungs of chance."""
    chance, told = np.random.default_rng(1), []
    env.reset(seed=3)
    rung, top = env.action_space.n - 1, env.action_space.n
    for _ in range(200):
        _, reward, over, cut, info = env.step(int(rung))
        told.append((reward, info["buffer_s"], info["now_s"], over, cut))
        if over or cut:
            break
        rung = chance.integers(top)
    return told


@pytest.mark.parametrize("name", PlayerOptions._fields)
def test_an_option_of_the_player_has_an_effect_or_is_refused(name: str) -> None:
    # Thresholds that one segment of 4 s does not reach.
    growth = 1.0 if name == "resume_growth" else 3.0
    base = UNLIMITED._replace(resume_buffer_s=3.0, resume_growth=growth, resume_max_s=20.0)
    try:
        env = AbrEnv([FILM], [NETWORK], options=base._replace(**{name: OTHERS[name]}))
    except ValueError as exc:
        assert f"{name}" in str(exc)
        return
    is_same = played(env) == played(AbrEnv([FILM], [NETWORK], options=base))
    assert is_same == (name in WITHOUT_EFFECT)


@pytest.mark.parametrize("name", PensieveOptions._fields)
def test_an_option_of_pensieve_has_an_effect_or_is_refused(name: str) -> None:
    options = PensieveOptions()._replace(**{name: OTHERS[name]})
    if name == "cover_s":
        with pytest.raises(ConfigError, match=r"cover_s is 100.*leave it out"):
            PensieveEnv(FILM, [NETWORK], options=options)
        return
    assert played(PensieveEnv(FILM, [NETWORK], options=options)) != played(
        PensieveEnv(FILM, [NETWORK])
    )


@pytest.mark.parametrize("ceiling", [{"max_bitrate_bps": 2e6}, {"max_height": 480.0}])
def test_a_ceiling_leaves_as_many_actions_in_every_environment(ceiling: dict[str, Any]) -> None:
    of_player = UNLIMITED._replace(**ceiling)
    of_pensieve = PensieveOptions()._replace(**ceiling)
    envs: list[Any] = [
        AbrEnv([FILM], [NETWORK], options=of_player),
        AbrVectorEnv([FILM], [NETWORK], copies=2, options=of_player),
        PensieveEnv(FILM, [NETWORK], options=of_pensieve),
        PensieveVectorEnv(FILM, [NETWORK], copies=2, options=of_pensieve),
    ]
    for env in envs:
        space = getattr(env, "single_action_space", env.action_space)
        assert space.n == 4
    state, _ = envs[2].reset(seed=1)
    assert (state[4] > 0).sum() == 4  # as many sizes
    assert state[0, -1] == np.float32(FILM.bitrates_bps[1] / FILM.bitrates_bps[3])


@pytest.mark.parametrize(
    "wrong",
    [
        {"payload": 0.0}, {"payload": -1.0}, {"quantum_s": 0.0}, {"max_buffer_s": -1.0},
        {"max_buffer_s": "x"}, {"rtt_s": math.nan}, {"rtt_s": math.inf}, {"segments": -3},
        {"segments": 2.5}, {"segment_s": -1.0}, {"first_rung": -2}, {"first_rung": True},
        {"stall_weight": None}, {"max_bitrate_bps": -1.0},
    ],
)  # fmt: skip
def test_what_pensieve_cannot_play_with_is_refused_before_compiled_code_sees_it(
    wrong: dict[str, Any],
) -> None:
    """A payload of 0 would never end."""
    options = PensieveOptions()._replace(**wrong)
    (name,) = wrong
    with pytest.raises(ConfigError, match=rf"{name} is .*; .*\w"):
        PensieveEnv(FILM, [NETWORK], options=options)
    with pytest.raises(ConfigError, match=rf"{name} is .*; .*\w"):
        run_batch(PENSIEVE, FILM, [NETWORK], registry.load("rate"), options=options, engine="plain")


def test_segment_0_is_not_asked_for() -> None:
    with pytest.raises(ConfigError, match=r"first_rung is -1; expected 0 or more"):
        PensieveEnv(FILM, [NETWORK], options=PensieveOptions(first_rung=-1))


@pytest.mark.parametrize(
    "wrong",
    [{"question_s": 0.0}, {"max_buffer_s": math.nan}, {"abandon": 2}, {"first_rung": 0.5}],
)
def test_what_sabre_cannot_play_with_is_refused(wrong: dict[str, Any]) -> None:
    options = SabreOptions()._replace(**wrong)
    with pytest.raises(ConfigError, match=rf"{next(iter(wrong))} is .*; expected"):
        run_batch(SABRE, FILM, [NETWORK], registry.load("rate"), options=options, engine="plain")


@pytest.mark.parametrize(
    "wrong",
    [
        {"max_buffer_s": "x"}, {"max_buffer_s": -1.0}, {"rtt_s": math.nan}, {"server_s": -1.0},
        {"max_play_s": -1.0}, {"overhead_bytes": math.inf},
    ],
)  # fmt: skip
def test_what_the_player_cannot_play_with_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=r"\w+ is .*; .*\w"):
        AbrEnv([FILM], [NETWORK], options=UNLIMITED._replace(**wrong))
