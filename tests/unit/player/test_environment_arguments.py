"""What environments and their methods are given is refused in words, before it is played."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from gymnasium.error import ResetNeeded
from gymnasium.vector import AutoresetMode

from abr.errors import ArgumentError
from abr.media import constant_presentation
from abr.qoe import own, sabre
from abr.trace import Trace
from player.batch.run.environment import UNLIMITED, AbrEnv, AbrVectorEnv, PensieveEnv
from player.batch.run.environment import PensieveVectorEnv as Pensieves

TITLE = constant_presentation((3e5, 1e6, 3e6), segments=6, segment_s=4.0)
TRACES = [Trace.constant(2e6), Trace.from_periods([(5, 4e6), (5, 2e5)], name="uneven")]


def players(**given: Any) -> AbrVectorEnv:
    known = {"presentations": [TITLE], "traces": TRACES, "copies": 4}
    return AbrVectorEnv(**{**known, **given})


def pensieves(**given: Any) -> Pensieves:
    return Pensieves(**{"presentation": TITLE, "traces": TRACES, "copies": 4, **given})


@pytest.mark.parametrize("make", [players, pensieves])
@pytest.mark.parametrize(
    ("actions", "says"),
    [
        ([0, 1], r"actions of shape \(2,\); expected shape \(4,\)"),
        ([0] * 8, r"actions of shape \(8,\); expected shape \(4,\)"),
        (1, r"actions of shape \(\); expected shape \(4,\)"),
        (np.zeros((4, 2), dtype=np.int64), r"actions of shape \(4, 2\); expected shape \(4,\)"),
        ([0.0, 1.9, 0.0, 1.0], "expected whole numbers"),
        ([0.0, np.nan, 0.0, 1.0], "expected whole numbers"),
        ([0, [1], 2, 3], "expected whole numbers"),
        (None, "actions None; expected whole numbers"),
        ([0, 1, 2, 3], "action 0 to 3; expected 0 to 2"),
    ],
)
def test_actions_are_one_rung_per_copy(make: Any, actions: Any, says: str) -> None:
    """Compiled code does not look where arrays end."""
    env = make()
    env.reset(seed=1)
    with pytest.raises(ValueError, match=says):
        env.step(actions)
    rewards = env.step(np.array([0, 1, 2, 1]))[1]
    env.reset(seed=1)
    assert rewards.tolist() == env.step(np.array([0.0, 1.0, 2.0, 1.0]))[1].tolist()


@pytest.mark.parametrize("make", [AbrEnv, PensieveEnv])
@pytest.mark.parametrize("action", [1.7, "1", None, [1], [1, 2]])
def test_an_action_of_a_single_environment_is_one_rung(make: Any, action: Any) -> None:
    env = make([TITLE] if make is AbrEnv else TITLE, TRACES)
    env.reset(seed=1)
    with pytest.raises(ValueError, match=r"^action .*; expected (whole numbers|one number)"):
        env.step(action)
    assert env.step(np.array(2))[4]["now_s"] > 0


def test_actions_with_waits_are_pairs() -> None:
    env = players(waits_s=(0.0, 1.0))
    env.reset(seed=1)
    with pytest.raises(ValueError, match=r"of shape \(4,\); expected shape \(4, 2\)"):
        env.step(np.zeros(4, dtype=np.int64))


@pytest.mark.parametrize("found", ["no", 1, None, []])
def test_a_choice_of_two_is_no_other_value(found: Any) -> None:
    """Text such as ``"no"`` would be true."""
    with pytest.raises(ArgumentError, match=r"copy: found .*; expected True or False"):
        players(copy=found)
    with pytest.raises(ArgumentError, match=r"is_fixed: found .*; expected True or False"):
        pensieves(is_fixed=found)
    with pytest.raises(ArgumentError, match=r"'restart' of reset: .*; expected True or False"):
        players().reset(options={"restart": found})


@pytest.mark.parametrize(
    "found", [3, None, (1,), (1, 2, 3), (2, 1), (0, 1), "ab", TRACES, (1, 1e400)]
)
def test_noise_is_a_range(found: Any) -> None:
    with pytest.raises(
        ValueError, match=r"^noise .*; expected two numbers above 0, the lower first"
    ):
        pensieves(noise=found)


@pytest.mark.parametrize("make", [players, pensieves])
def test_a_reset_mask_is_a_boolean_per_copy(make: Any) -> None:
    env = make(autoreset_mode=AutoresetMode.DISABLED)
    some = {"reset_mask": np.array([True, False, False, False])}
    for begun in ({"seed": None}, {"seed": 3}, {"options": {"restart": True}}):
        options = {**begun.get("options", {}), **some}  # type: ignore[dict-item]  # a test's table
        with pytest.raises(ValueError, match="begin all copies anew; reset all, or leave"):
            env.reset(seed=begun.get("seed"), options=options)
    env.reset(seed=1, options={"reset_mask": np.ones(4, dtype=np.bool_)})
    for wrong in ([True], [True] * 8, [0, 2], [False] * 4, np.array([1, 0, 0, 1]), 1):
        with pytest.raises(ValueError, match=r"^reset_mask .*; expected 4 booleans"):
            env.reset(options={"reset_mask": wrong})
    env.step(np.zeros(4, dtype=np.int64))
    before = env.step([1] * 4)[4]
    after = env.reset(options=some)[1]
    assert (before["now_s"] > 0).all()
    assert after["_now_s"].tolist() == [True, False, False, False]
    assert (after["now_s"][1:] == 0).all()  # as Gymnasium's own leaves them, not told


@pytest.mark.parametrize("make", [players, pensieves])
def test_a_copy_whose_episode_is_over_takes_no_step_before_it_is_reset(make: Any) -> None:
    env = make(autoreset_mode=AutoresetMode.DISABLED)
    env.reset(seed=1)
    terminated = np.zeros(4, dtype=np.bool_)
    while not terminated.any():
        terminated = env.step([0] * 4)[2]
    with pytest.raises(ResetNeeded, match=r"episode of copy 0 is over; call reset\(options"):
        env.step([0] * 4)
    env.reset(options={"reset_mask": terminated})
    assert not env.step([0] * 4)[2].any()


@pytest.mark.parametrize("make", [players, pensieves])
@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"traces": TRACES[0]}, "traces: found a value of type Trace; expected a list"),
        ({"traces": ["train.csv"]}, r"traces\[0\]: found a value of type str; expected a list"),
        ({"options": None}, "options: found None; expected a value of .*Options"),
        ({"copies": 0}, "copies 0; expected 1 to 1000000"),
        ({"copies": 1.5}, "copies: found a value of type float; expected a whole number"),
        ({"autoreset_mode": "soon"}, "'soon'; expected one of AutoresetMode.NEXT_STEP"),
    ],
)
def test_what_makes_no_vector_environment(make: Any, wrong: dict[str, Any], says: str) -> None:
    with pytest.raises((ArgumentError, ValueError), match=says):
        make(**wrong)


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"presentations": TITLE}, "presentations: found a value of type Presentation; expected"),
        ({"order": "random"}, "order 'random'; expected listed, shuffled, or numbers"),
        ({"order": 3}, r"order of shape \(\); expected shape \(any,\)"),
        ({"order": [0.5]}, "order .*; expected whole numbers"),
        ({"episodes": [0, 1]}, r"episodes of shape \(2,\); expected shape \(any, 2\)"),
        ({"reward": "log"}, "reward: found 'log'; expected a QoE that is a sum over segments"),
        ({"reward": sabre()}, "reward: .*; expected a QoE that is a sum over segments"),
        ({"reward": own(lambda _: 1.0)}, "expected a QoE that is a sum over segments"),
        ({"waits_s": 1.0}, "waits_s 1.0; expected seconds, 0 or more, in a list"),
    ],
)
def test_what_our_own_player_does_not_take(wrong: dict[str, Any], says: str) -> None:
    with pytest.raises((ArgumentError, ValueError), match=says):
        players(**wrong)


def test_what_pensieves_player_does_not_take() -> None:
    with pytest.raises(ArgumentError, match="presentation: found a value of type list"):
        pensieves(presentation=[TITLE])
    with pytest.raises(ArgumentError, match=r"options: found .*pensieve\.Options"):
        pensieves(options=UNLIMITED)
    with pytest.raises(ValueError, match=r"noise 1.0; expected two numbers"):
        pensieves(noise=1.0)


@pytest.mark.parametrize("options", [["restart"], "restart", {"episode": 1.5}, {"episode": "x"}])
def test_options_of_reset_are_whole(options: Any) -> None:
    with pytest.raises((ArgumentError, ValueError), match=r"expected (a dict|whole numbers)"):
        AbrEnv([TITLE], TRACES).reset(options=options)
