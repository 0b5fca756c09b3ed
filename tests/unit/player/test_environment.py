"""Gymnasium environments: legal, repeatable, and the same playback as everywhere else."""

from __future__ import annotations

import importlib
import sys
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from numpy.typing import NDArray

from abr.decision import Decision, Observation
from abr.errors import QoEError, ToolMissingError
from abr.media import Presentation, constant_presentation
from abr.neural import fill_vector, vector_width
from abr.qoe import Additive, linear, log, vmaf
from abr.trace import Trace
from player.api import simulate
from player.batch.abrkit.simulator import ABRKIT
from player.batch.abrkit.timeline import Options
from player.batch.run.batch import Batch, run_batch
from player.batch.run.environment import UNLIMITED, AbrEnv, AbrVectorEnv, Reward

LADDER_BPS = (0.3e6, 1.2e6, 2.8e6, 6e6)
TRACES = [
    Trace.from_periods([(9.0, 4e6, 0.05), (6.0, 0.4e6, 0.2), (4.0, 0.0, 0.2), (14.0, 9e6, 0.01)]),
    Trace.from_periods([(31.0, 0.7e6, 0.1), (21.0, 2.2e6, 0.1), (5.0, 0.2e6, 0.1)]),
    Trace.from_periods([(50.0, 40e6, 0.02)]),
]


def presentation(segments: int = 20, segment_s: float = 4.0, seed: int = 5) -> Presentation:
    cost = np.random.default_rng(seed).uniform(0.7, 1.3, segments)
    return Presentation(
        bitrates_bps=np.array(LADDER_BPS),
        sizes_bytes=np.outer(np.array(LADDER_BPS) / 8 * segment_s, cost),
        durations_s=np.full(segments, segment_s),
    )


PRESENTATIONS = [presentation(), presentation(segments=12, segment_s=2.0, seed=6)]


class Listed:
    """Given rungs, one after the other; remembers what it saw."""

    def __init__(self, rungs: NDArray[np.int64]) -> None:
        self.rungs = rungs
        self.vectors: list[NDArray[np.float32]] = []
        self.buffers_s: list[float] = []

    def choose(self, seen: Observation) -> Decision:
        vector = np.zeros(vector_width(len(seen.ladder_bps)), dtype=np.float32)
        fill_vector(vector, seen)
        self.vectors.append(vector)
        self.buffers_s.append(seen.buffer_s)
        return Decision(int(self.rungs[seen.segment]))


def batch(what: Presentation, trace: Trace, listed: Listed, options: Options) -> Batch:
    return run_batch(
        ABRKIT, what, [trace], lambda: listed, options=options, engine="plain", keep_columns=True
    )


def qoe_lin(what: Presentation, played: Batch) -> float:
    mbps = what.bitrates_bps[played.rungs[0].astype(int)] / 1e6
    stall_s = float(played.total("stall_s")[0])
    return float(mbps.sum() - 4.3 * stall_s - np.abs(np.diff(mbps)).sum())


@pytest.mark.parametrize("trace", range(len(TRACES)))
@pytest.mark.parametrize("which", range(len(PRESENTATIONS)))
def test_an_episode_is_the_session_of_the_batch(which: int, trace: int) -> None:
    """The same rungs: what is seen and the buffers to the last bit, scores but for rounding."""
    what, options = PRESENTATIONS[which], UNLIMITED
    listed = Listed(np.random.default_rng(trace).integers(0, 4, what.segments))
    played = batch(what, TRACES[trace], listed, options)
    env = AbrEnv(PRESENTATIONS, TRACES, options=options)
    vector, info = env.reset(options={"episode": which * len(TRACES) + trace})
    vectors, buffers_s, rewards, stalls_s = [vector], [info["buffer_s"]], [], []
    for segment, rung in enumerate(listed.rungs):
        vector, reward, terminated, truncated, info = env.step(rung)
        rewards.append(reward)
        stalls_s.append(info["stall_s"])
        assert terminated == (segment == what.segments - 1)
        assert not truncated
        if not terminated:
            vectors.append(vector)
            buffers_s.append(info["buffer_s"])
    assert (info["presentation"], info["trace"]) == (which, trace)
    assert buffers_s == listed.buffers_s
    assert np.array_equal(np.array(vectors), np.array(listed.vectors))
    np.testing.assert_allclose(stalls_s, played.column("stall_s")[0], atol=1e-9)
    assert info["now_s"] == played.total("ended_s")[0]
    assert sum(rewards) == pytest.approx(qoe_lin(what, played), abs=1e-9)
    assert info["worth"] == pytest.approx(sum(rewards), abs=1e-9)


def test_the_weights_of_the_reward_are_ones_own() -> None:
    listed = Listed(np.array([0, 3] * 10))
    played = batch(PRESENTATIONS[0], TRACES[1], listed, UNLIMITED)
    env = AbrEnv(PRESENTATIONS[:1], TRACES[1:2], reward=Reward(2.0, 0.5, 3.0))
    env.reset()
    total = sum(env.step(rung)[1] for rung in listed.rungs)
    mbps = np.array(LADDER_BPS)[listed.rungs] / 1e6
    stall_s, startup_s = float(played.total("stall_s")[0]), float(played.total("startup_s")[0])
    lost = 2.0 * stall_s + 0.5 * np.abs(np.diff(mbps)).sum() + 3.0 * startup_s
    assert total == pytest.approx(mbps.sum() - lost, abs=1e-9)


@pytest.mark.parametrize(
    "qoe", [linear(), linear(startup_weight=2.0), log(), vmaf()], ids=lambda qoe: qoe.name
)
def test_the_reward_is_the_qoe_that_is_asked_for(qoe: Additive) -> None:
    """The mean over segments is its score of the session."""
    bare = PRESENTATIONS[0]
    what = Presentation(
        bitrates_bps=bare.bitrates_bps,
        sizes_bytes=bare.sizes_bytes,
        durations_s=bare.durations_s,
        quality=np.random.default_rng(3).uniform(40, 99, bare.sizes_bytes.shape),
        quality_metric="vmaf",
    )
    rungs = np.random.default_rng(9).integers(0, 3, what.segments)
    played = simulate(what, trace=TRACES[1], algorithm=lambda: Listed(rungs))
    env = AbrEnv([what], TRACES[1:2], reward=qoe)
    env.reset()
    steps = [env.step(rung) for rung in rungs]
    assert sum(step[4]["stall_s"] for step in steps) > 1.0
    assert np.mean([step[1] for step in steps]) == pytest.approx(qoe.score(played), abs=1e-9)


def test_a_qoe_that_lacks_what_it_needs_is_refused() -> None:
    with pytest.raises(QoEError, match="vmaf"):
        AbrEnv(PRESENTATIONS, TRACES, reward=vmaf())


def test_gymnasium_finds_nothing_wrong() -> None:
    check_env(AbrEnv(PRESENTATIONS, TRACES, order="shuffled"), skip_render_check=True)


def rollout(env: AbrEnv, rungs: list[int]) -> list[Any]:
    return [(v.tolist(), r, t) for v, r, t, _, _ in (env.step(rung) for rung in rungs)]


def test_a_reset_clears_everything() -> None:
    rungs = [0, 3, 1, 2, 3, 3, 0]
    env = AbrEnv(PRESENTATIONS[:1], TRACES[:1])
    first, _ = env.reset()
    fresh = rollout(env, rungs)
    for _ in range(2):
        again, info = env.reset()
        assert np.array_equal(first, again)
        assert info["now_s"] == info["buffer_s"] == info["worth"] == 0.0
        assert rollout(env, rungs) == fresh


def episodes(env: AbrEnv, count: int) -> list[tuple[int, int]]:
    infos = [env.reset()[1] for _ in range(count)]
    return [(info["presentation"], info["trace"]) for info in infos]


def test_episodes_come_in_the_order_that_is_given() -> None:
    assert episodes(AbrEnv(PRESENTATIONS, TRACES), 7) == [
        (0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2), (0, 0),
    ]  # fmt: skip
    chosen = AbrEnv(PRESENTATIONS, TRACES, episodes=[(1, 2), (0, 0)], order=[1, 1, 0])
    assert episodes(chosen, 4) == [(0, 0), (0, 0), (1, 2), (0, 0)]


def test_a_seed_decides_the_shuffled_order() -> None:
    env, orders = AbrEnv(PRESENTATIONS, TRACES, order="shuffled"), []
    for seed in (1, 1, 2):
        _, info = env.reset(seed=seed)
        orders.append([(info["presentation"], info["trace"]), *episodes(env, 5)])
    assert orders[0] == orders[1] != orders[2]
    assert len(set(orders[0])) == 6


def test_a_seed_or_a_restart_begins_with_the_first_episode() -> None:
    env = AbrEnv(PRESENTATIONS, TRACES)
    assert episodes(env, 2) == [(0, 0), (0, 1)]
    assert env.reset(options={"restart": True})[1]["trace"] == 0
    assert env.reset()[1]["trace"] == 1
    assert env.reset(options={"episode": 5})[1] | {"presentation": 1, "trace": 2} == env._info()
    assert env.reset()[1]["trace"] == 2  # what came out of order took no place in it
    assert env.reset(seed=4)[1]["trace"] == 0


def test_options_of_reset_are_known_ones() -> None:
    with pytest.raises(ValueError, match="option 'trace' of reset; expected restart or episode"):
        AbrEnv(PRESENTATIONS, TRACES).reset(options={"trace": 2})
    many = AbrVectorEnv(PRESENTATIONS, TRACES, copies=2)
    with pytest.raises(ValueError, match="option 'episode' of reset; expected restart or reset_m"):
        many.reset(options={"episode": 2})
    firsts = [many.reset(options=each)[1]["trace"].tolist() for each in ({}, {}, {"restart": True})]
    assert firsts == [[0, 1], [2, 0], [0, 1]]


def test_steps_need_an_episode() -> None:
    env = AbrEnv([presentation(segments=1)], TRACES)
    with pytest.raises(gymnasium.error.ResetNeeded):
        env.step(0)
    env.reset()
    assert env.step(0)[2]
    with pytest.raises(gymnasium.error.ResetNeeded):
        env.step(0)
    env.reset()
    with pytest.raises(ValueError, match="expected 0 to 3"):
        env.step(4)
    with pytest.raises(gymnasium.error.ResetNeeded):
        AbrVectorEnv(PRESENTATIONS, TRACES, copies=2).step(np.zeros(2, dtype=np.int64))


def test_a_limit_in_time_cuts_the_episode_short() -> None:
    slow = Trace.from_periods([(10.0, 5e4, 0.05)])
    env = AbrEnv(PRESENTATIONS, [slow], options=UNLIMITED._replace(total_limit_s=10.0))
    env.reset()
    _, reward, terminated, truncated, _ = env.step(3)
    assert (reward, terminated, truncated) == (0.0, False, True)


def test_audio_of_its_own_is_fetched_too() -> None:
    bare = presentation(segments=5)
    with_audio = Presentation(
        bitrates_bps=bare.bitrates_bps,
        sizes_bytes=bare.sizes_bytes,
        durations_s=bare.durations_s,
        audio_sizes_bytes=np.full(5, 64e3),
    )
    listed = Listed(np.array([0, 1, 2, 3, 0]))
    played = batch(with_audio, TRACES[1], listed, UNLIMITED)
    env = AbrEnv([with_audio], TRACES[1:2])
    env.reset()
    steps = [env.step(rung) for rung in listed.rungs]
    assert steps[-1][4]["now_s"] == played.total("ended_s")[0]
    with pytest.raises(ValueError, match="audio"):
        AbrEnv([with_audio, bare], TRACES)


def one_by_one(copies: int, steps: int, actions: NDArray[np.int64]) -> Any:
    """What a vector environment must show, by single environments."""
    shown = np.zeros((steps, copies, vector_width(4)), dtype=np.float32)
    rewards, over = np.zeros((steps, copies)), np.zeros((steps, copies), dtype=bool)
    for i in range(copies):
        env, begun, is_over = AbrEnv(PRESENTATIONS, TRACES), 0, True
        for k in range(-1, steps):
            if is_over:
                vector, _ = env.reset(options={"episode": (i + begun * copies) % 6})
                begun, is_over, reward = begun + 1, False, 0.0
            else:
                vector, reward, is_over, _, _ = env.step(actions[k, i])
            if k >= 0:
                shown[k, i], rewards[k, i], over[k, i] = vector, reward, is_over
    return shown, rewards, over


def test_copies_are_single_environments() -> None:
    """Copies begin again with the step after the last, whose action is not looked at."""
    copies, steps = 5, 60
    actions = np.random.default_rng(1).integers(0, 4, (steps, copies))
    env = AbrVectorEnv(PRESENTATIONS, TRACES, copies=copies)
    env.reset()
    shown, rewards, over = one_by_one(copies, steps, actions)
    assert over.sum() > copies
    for k in range(steps):
        vectors, reward, terminated, truncated, _ = env.step(actions[k])
        assert np.array_equal(vectors, shown[k])
        assert np.array_equal(reward, rewards[k])
        assert np.array_equal(terminated, over[k])
        assert not truncated.any()
    env.close()


def test_copies_may_begin_again_at_once() -> None:
    copies, steps = 3, 45
    actions = np.random.default_rng(2).integers(0, 4, (steps, copies))
    at_once = AbrVectorEnv(
        PRESENTATIONS, TRACES, copies=copies, autoreset_mode=AutoresetMode.SAME_STEP
    )
    told = AbrVectorEnv(PRESENTATIONS, TRACES, copies=copies, autoreset_mode=AutoresetMode.DISABLED)
    at_once.reset(seed=1)
    told.reset(seed=1)
    count = 0
    for k in range(steps):
        vectors, reward, terminated, _, info = at_once.step(actions[k])
        last, same, over, _, ends = told.step(actions[k])
        assert np.array_equal(reward, same)
        assert np.array_equal(terminated, over)
        if over.any():
            count += 1
            assert np.array_equal(info["_final_obs"], over)
            for i in np.flatnonzero(over):
                assert np.array_equal(info["final_obs"][i], last[i])
                assert info["final_info"]["worth"][i] == ends["worth"][i]
            last, _ = told.reset(options={"reset_mask": over})
        assert np.array_equal(vectors, last)
    assert count > 1


def assert_same(ours: dict[str, Any], theirs: dict[str, Any]) -> None:
    """Every key and mask, and every value that a mask says is there."""
    assert set(ours) == set(theirs)
    for name, values in theirs.items():
        mask = theirs.get(f"_{name}")
        if isinstance(values, dict):
            assert_same(ours[name], values)
        elif mask is None:
            assert np.array_equal(ours[name], values), name
        elif name == "final_obs":
            assert [x is None for x in ours[name]] == [x is None for x in values]
            assert all(np.array_equal(ours[name][i], values[i]) for i in np.flatnonzero(mask))
        else:
            assert np.array_equal(ours[name][mask], values[mask]), name
            assert ours[name].dtype == values.dtype, name


@pytest.mark.parametrize("mode", list(AutoresetMode))
def test_infos_are_those_of_gymnasiums_own_vector_environment(mode: AutoresetMode) -> None:
    """Of single environments side by side, each with the episodes of its copy."""
    copies, steps = 4, 50
    actions = np.random.default_rng(5).integers(0, 4, (steps, copies))

    def single(i: int) -> AbrEnv:
        return AbrEnv(PRESENTATIONS, TRACES, order=[(i + k * copies) % 6 for k in range(9)])

    makers = [lambda i=i: single(i) for i in range(copies)]
    theirs = SyncVectorEnv(makers, autoreset_mode=mode)
    ours = AbrVectorEnv(PRESENTATIONS, TRACES, copies=copies, autoreset_mode=mode)
    assert_same(ours.reset(seed=1)[1], theirs.reset(seed=1)[1])
    ends = 0
    for k in range(steps):
        mine, other = ours.step(actions[k]), theirs.step(actions[k])
        for a, b in zip(mine[:4], other[:4], strict=True):
            assert np.array_equal(a, b)
        assert_same(mine[4], other[4])
        over = mine[2] | mine[3]
        ends += int(over.sum())
        if over.any() and mode == AutoresetMode.DISABLED:
            again = [each.reset(options={"reset_mask": over.copy()}) for each in (ours, theirs)]
            assert np.array_equal(again[0][0], again[1][0])
            assert_same(again[0][1], again[1][1])
    assert ends > copies


class Patient(Listed):
    """Given rungs after given waits."""

    def __init__(self, rungs: NDArray[np.int64], waits_s: NDArray[np.float64]) -> None:
        super().__init__(rungs)
        self.waits_s = waits_s

    def choose(self, seen: Observation) -> Decision:
        return Decision(super().choose(seen).rung, float(self.waits_s[seen.segment]))


def test_an_action_may_ask_for_a_wait() -> None:
    """The session is that of an algorithm with the same rungs and waits."""
    what, waits_s, rng = PRESENTATIONS[0], np.array([0.0, 0.5, 6.0]), np.random.default_rng(8)
    actions = np.stack([rng.integers(0, 4, 20), rng.integers(0, 3, 20)], axis=1)
    patient = Patient(actions[:, 0], waits_s[actions[:, 1]])
    played = batch(what, TRACES[0], patient, UNLIMITED)
    env = AbrEnv([what], TRACES[:1], waits_s=tuple(waits_s))
    assert actions[3] in env.action_space
    check_env(env, skip_render_check=True)
    env.reset(options={"restart": True})
    steps = [env.step(each) for each in actions]
    stalls_s = [info["stall_s"] for *_, info in steps]
    assert steps[-1][4]["now_s"] == played.total("ended_s")[0]
    assert played.total("idle_s")[0] > 6.0
    assert sum(stalls_s) == pytest.approx(played.total("stall_s")[0], abs=1e-9)
    assert [x[4]["buffer_s"] for x in steps[:-1]] == patient.buffers_s[1:]
    many = AbrVectorEnv([what], TRACES[:1], copies=2, waits_s=tuple(waits_s))
    many.reset()
    both = [many.step(np.stack([each, each])) for each in actions]
    assert [x[1][1] for x in both] == [x[1] for x in steps]
    env.reset()
    with pytest.raises(ValueError, match="wait 3 to 3; expected 0 to 2"):
        env.step((0, 3))


def test_a_seed_repeats_a_vector_environment() -> None:
    env = AbrVectorEnv(PRESENTATIONS, TRACES, copies=4, order="shuffled", copy=False)
    actions, runs = np.random.default_rng(3).integers(0, 4, (30, 4)), []
    for seed in (7, 7, 8):
        env.reset(seed=seed)
        runs.append([env.step(a)[0].copy() for a in actions])
    assert np.array_equal(runs[0], runs[1])
    assert not np.array_equal(runs[0], runs[2])


def test_spaces_hold_what_is_shown() -> None:
    env = AbrVectorEnv(PRESENTATIONS, TRACES, copies=3)
    vectors, info = env.reset(seed=1)
    assert vectors in env.observation_space
    assert env.action_space.sample() in env.action_space
    assert env.step(env.action_space.sample())[0] in env.observation_space
    assert info["_stall_s"].all()


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"presentations": []}, "no presentations"),
        ({"traces": []}, "no traces"),
        ({"episodes": [(0, 3)]}, "trace 3 to 3 named; expected numbers from 0 to 2"),
        ({"episodes": []}, "no presentation is named"),
        ({"order": [6]}, "episode 6 to 6 named"),
        ({"waits_s": [0.0, -1.0]}, "expected seconds, 0 or more"),
        (
            {
                "presentations": [
                    presentation(),
                    constant_presentation((1e6,), segments=2, segment_s=2.0),
                ]
            },
            "has 1 rungs, the first one 4",
        ),
    ],
)
def test_what_makes_no_environment(wrong: dict[str, Any], says: str) -> None:
    right: dict[str, Any] = {"presentations": PRESENTATIONS, "traces": TRACES}
    with pytest.raises(ValueError, match=says):
        AbrEnv(**(right | wrong))


def test_the_extra_is_named_where_it_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "gymnasium", None)
    monkeypatch.delitem(sys.modules, "player.batch.run.environment")
    with pytest.raises(ToolMissingError, match=r"abrkit\[gym\]"):
        importlib.import_module("player.batch.run.environment")
    monkeypatch.undo()
