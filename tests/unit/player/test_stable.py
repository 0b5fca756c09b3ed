"""Vector environments in the form of stable-baselines3, with that library or its bare form."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from gymnasium.vector import AutoresetMode

from abr.errors import ToolMissingError
from abr.media import constant_presentation
from abr.trace import Trace
from player.batch.run.environment import UNLIMITED, AbrEnv, AbrVectorEnv

IS_INSTALLED = importlib.util.find_spec("stable_baselines3") is not None
NAME = "player.batch.run.environment.stable"
PRESENTATIONS = [
    constant_presentation((1e6, 2e6, 4e6), segments=segments, segment_s=4.0) for segments in (5, 8)
]
TRACES = [
    Trace.from_periods([(9.0, 4e6, 0.05), (6.0, 0.4e6, 0.2)]),
    Trace.from_periods([(31.0, 0.7e6, 0.1)]),
]


class BareVecEnv:
    """What the library's ``VecEnv`` does for those that derive from it."""

    def __init__(self, num_envs: int, observation_space: Any, action_space: Any) -> None:
        self.num_envs = num_envs
        self.observation_space, self.action_space = observation_space, action_space
        self.reset_infos: list[dict[str, Any]] = [{} for _ in range(num_envs)]
        self._reset_seeds()
        self._reset_options()
        self.render_mode = self.get_attr("render_mode")[0]

    def get_attr(self, attr_name: str) -> list[Any]:
        raise NotImplementedError

    def _reset_seeds(self) -> None:
        self._seeds: list[int | None] = [None] * self.num_envs

    def _reset_options(self) -> None:
        self._options: list[dict[str, Any]] = [{} for _ in range(self.num_envs)]

    def seed(self, seed: int) -> None:
        self._seeds = [seed + i for i in range(self.num_envs)]

    def set_options(self, options: Any) -> None:
        given = [options] * self.num_envs if isinstance(options, dict) else options
        self._options = given

    def step(self, actions: Any) -> Any:
        self.step_async(actions)  # type: ignore[attr-defined]  # the adapter's
        return self.step_wait()  # type: ignore[attr-defined]


@pytest.fixture(name="stable")
def stable_(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The adapter's module."""
    if IS_INSTALLED:
        yield importlib.import_module(NAME)
        return
    for name in ("stable_baselines3", "stable_baselines3.common"):
        monkeypatch.setitem(sys.modules, name, ModuleType(name))
    made: Any = ModuleType("stable_baselines3.common.vec_env")
    made.VecEnv = BareVecEnv
    monkeypatch.setitem(sys.modules, made.__name__, made)
    monkeypatch.delitem(sys.modules, NAME, raising=False)
    yield importlib.import_module(NAME)
    sys.modules.pop(NAME, None)


def same_step(**settings: Any) -> AbrVectorEnv:
    return AbrVectorEnv(
        PRESENTATIONS, TRACES, copies=3, autoreset_mode=AutoresetMode.SAME_STEP, **settings
    )


def test_steps_and_infos_are_those_of_the_environment(stable: Any) -> None:
    adapter, env = stable.StableVecEnv(same_step()), same_step()
    assert (adapter.num_envs, adapter.action_space) == (3, env.single_action_space)
    assert adapter.observation_space == env.single_observation_space
    adapter.seed(5)
    assert np.array_equal(adapter.reset(), env.reset(seed=5)[0])
    ends = 0
    for rungs in np.random.default_rng(1).integers(0, 3, (30, 3)):
        seen, rewards, over, infos = adapter.step(rungs)
        vectors, gained, terminated, _, info = env.step(rungs)
        assert np.array_equal(seen, vectors)
        assert np.array_equal(rewards, gained.astype(np.float32))
        assert np.array_equal(over, terminated)
        for i in range(3):
            assert infos[i]["TimeLimit.truncated"] is False
            told = info["final_info"] if over[i] else info
            assert infos[i]["worth"] == told["worth"][i]
            assert infos[i]["trace"] == told["trace"][i]
            assert ("terminal_observation" in infos[i]) == over[i]
            if over[i]:
                ends += 1
                assert np.array_equal(infos[i]["terminal_observation"], info["final_obs"][i])
                assert adapter.reset_infos[i]["presentation"] == info["presentation"][i]
    assert ends > 6
    adapter.close()


def test_an_episode_cut_short_is_told_as_such(stable: Any) -> None:
    slow = [Trace.from_periods([(10.0, 5e4, 0.05)])]
    env = AbrVectorEnv(
        PRESENTATIONS,
        slow,
        copies=1,
        options=UNLIMITED._replace(total_limit_s=10.0),
        autoreset_mode=AutoresetMode.SAME_STEP,
    )
    adapter = stable.StableVecEnv(env)
    adapter.reset()
    _, _, over, infos = adapter.step(np.array([2]))
    assert over[0]
    assert infos[0]["TimeLimit.truncated"] is True
    assert infos[0]["terminal_observation"] in env.single_observation_space


def test_a_seed_and_options_are_for_the_next_reset(stable: Any) -> None:
    adapter = stable.StableVecEnv(same_step(order="shuffled"))
    firsts = []
    for seed in (1, 1, 2, 3, 4):
        adapter.seed(seed)
        adapter.reset()
        firsts.append([(each["presentation"], each["trace"]) for each in adapter.reset_infos])
    assert firsts[0] == firsts[1]
    assert any(each != firsts[0] for each in firsts)
    adapter.step(np.array([0, 1, 2]))
    adapter.set_options({"reset_mask": [True, False, False]})
    seen = adapter.reset()
    assert (seen[:, 0] > 0).tolist() == [False, True, True]
    assert (adapter.reset()[:, 0] == 0).all()
    adapter.set_options([{"a": 1}, {}, {}])
    with pytest.raises(ValueError, match="options differ between copies"):
        adapter.reset()


def test_what_copies_do_not_have_is_refused(stable: Any) -> None:
    adapter = stable.StableVecEnv(same_step())
    assert adapter.get_attr("num_envs", [0, 2]) == [3, 3]
    assert adapter.env_is_wrapped(AbrEnv) == [False] * 3
    assert adapter.env_is_wrapped(AbrEnv, 1) == [False]
    with pytest.raises(NotImplementedError, match="make another environment"):
        adapter.set_attr("x", 1)
    with pytest.raises(NotImplementedError, match=r"call that of \.env"):
        adapter.env_method("x")
    with pytest.raises(ValueError, match=r"autoreset_mode=AutoresetMode\.SAME_STEP"):
        stable.StableVecEnv(AbrVectorEnv(PRESENTATIONS, TRACES, copies=2))


@pytest.mark.skipif(IS_INSTALLED, reason="stable-baselines3 is installed")
def test_the_extra_is_named_where_it_is_missing() -> None:
    with pytest.raises(ToolMissingError, match=r"abrkit\[learn-sb3\]"):
        importlib.import_module(NAME)
