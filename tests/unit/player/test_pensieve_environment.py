"""The environment of Pensieve: its session, state, reward and chance."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from gymnasium.vector import AutoresetMode
from numpy.typing import NDArray

from abr.decision import Decision, Observation
from abr.media import Presentation, constant_presentation
from abr.trace import Trace
from player.batch.pensieve import PENSIEVE, Options
from player.batch.run.batch import run_batch
from player.batch.run.environment import PensieveEnv, PensieveVectorEnv

LADDER_BPS = np.array([3e5, 7.5e5, 1.2e6, 1.85e6, 2.85e6, 4.3e6])
MBPS = LADDER_BPS / 1e6
PRESENTATION = Presentation(
    bitrates_bps=LADDER_BPS,
    sizes_bytes=np.round(np.outer(LADDER_BPS / 2, np.random.default_rng(4).uniform(0.7, 1.3, 48))),
    durations_s=np.full(48, 4.0),
)
TRACES = [
    Trace.from_periods([(9.0, 4e6, 0.0), (6.0, 0.4e6, 0.0), (31.0, 1.5e6, 0.0), (14.0, 9e6, 0.0)]),
    Trace.from_periods([(31.0, 0.7e6, 0.0), (21.0, 2.2e6, 0.0), (5.0, 0.2e6, 0.0)]),
    Trace.from_periods([(50.0, 20e6, 0.0), (3.0, 1e6, 0.0)]),
]
RUNGS = np.random.default_rng(7).integers(0, 6, 200)


class Listed:
    """Given rungs, one after the other; segment 0 is not asked for."""

    def choose(self, seen: Observation) -> Decision:
        return Decision(int(RUNGS[seen.segment - 1]))


@pytest.mark.parametrize("trace", range(len(TRACES)))
def test_without_chance_it_is_the_session_of_the_preset(trace: int) -> None:
    played = run_batch(
        PENSIEVE,
        PRESENTATION,
        [TRACES[trace]],
        Listed,
        options=Options(cover_s=0.0),
        engine="plain",
        keep_columns=True,
    )
    env = PensieveEnv(PRESENTATION, TRACES, is_fixed=True)
    _, info = env.reset(options={"episode": trace})
    infos, over = [info], False
    rewards: list[float] = []
    while not over:
        _, reward, over, is_cut, info = env.step(RUNGS[len(rewards)])
        assert not is_cut
        infos.append(info)
        rewards.append(reward)
    assert len(rewards) == 47
    for name in ("delay_ms", "sleep_ms", "buffer_s", "stall_s"):
        assert [each[name] for each in infos] == played.column(name)[0].tolist(), name
    assert rewards == played.column("qoe_lin")[0].tolist()[1:]
    assert info["worth"] == pytest.approx(sum(rewards), abs=1e-9)


def test_the_state_is_that_of_the_family() -> None:
    env = PensieveEnv(PRESENTATION, TRACES, is_fixed=True)
    sizes = PRESENTATION.sizes_bytes
    state, info = env.reset()
    expected = np.zeros((6, 8))
    played = [1, *RUNGS[:2].tolist()]
    for k, rung in enumerate(played):
        if k:
            state, *_, info = env.step(rung)
        expected = np.roll(expected, -1, axis=1)
        delay_s, size = info["delay_ms"] / 1e3, sizes[rung, k]
        now = [MBPS[rung] / MBPS[-1], info["buffer_s"] / 10, size / delay_s / 1e6, delay_s / 10]
        expected[:4, -1], expected[5, -1] = now, (47 - k) / 48
        expected[4, :6] = sizes[:, k + 1] / 1e6
        np.testing.assert_allclose(state, expected, rtol=1e-6)
    assert state in env.observation_space


def episode(env: PensieveEnv, seed: int | None) -> tuple[list[float], list[int]]:
    """Delays of segments, and the trace."""
    _, info = env.reset(seed=seed)
    infos = [info] + [env.step(rung)[4] for rung in RUNGS[:47]]
    return [each["delay_ms"] for each in infos], [info["trace"]]


def test_chance_is_drawn_as_the_family_draws_it() -> None:
    """Trace, place in it, and one noise per segment, of one old generator; then the next."""
    drawn = np.random.RandomState(11)  # what the family's program draws from
    env = PensieveEnv(PRESENTATION, TRACES)
    quiet = PensieveEnv(PRESENTATION, TRACES, noise=(1.0, 1.0))
    for seed in (11, None):
        trace, place = drawn.randint(3), 0
        place = drawn.randint(1, len(TRACES[trace].capacity_bps) + 1)
        delays_ms, traces = episode(env, seed)
        bare_ms, _ = episode(quiet, seed)
        assert traces == [trace]
        # Buffers fill later where noise was more: only the first download begins alike.
        noises = [drawn.uniform(0.9, 1.1) for _ in range(48)]
        assert delays_ms[0] == pytest.approx(noises[0] * bare_ms[0], rel=1e-12)
        begin_s = float(TRACES[trace].times_s[place - 1])
        assert bare_ms[0] == pytest.approx(first_delay_ms(TRACES[trace], begin_s), rel=1e-9)


def first_delay_ms(trace: Trace, begin_s: float) -> float:
    bits = 8 * float(PRESENTATION.sizes_bytes[1, 0]) / 0.95
    lasts_s, low_s, high_s = float(trace.times_s[-1]), 0.0, 1000.0

    def by(at_s: float) -> float:
        rounds, rest_s = divmod(at_s, lasts_s)
        return rounds * float(trace.bits_by(lasts_s)) + float(trace.bits_by(rest_s))

    for _ in range(100):
        middle_s = (low_s + high_s) / 2
        low_s, high_s = (
            (middle_s, high_s) if by(begin_s + middle_s) - by(begin_s) < bits else (low_s, middle_s)
        )
    return 1000 * low_s + 80.0


def test_a_seed_repeats_an_episode() -> None:
    env = PensieveEnv(PRESENTATION, TRACES)
    assert episode(env, 3) == episode(env, 3) != episode(env, 4)
    assert episode(env, 3) != episode(env, None)


@pytest.mark.parametrize("mode", [AutoresetMode.NEXT_STEP, AutoresetMode.SAME_STEP])
def test_copies_are_single_environments(mode: AutoresetMode) -> None:
    """Copy i is the single environment of the next seed but i - 1."""
    copies, steps = 3, 120
    actions = RUNGS[:steps, None] * np.ones(copies, dtype=np.int64)
    many = PensieveVectorEnv(PRESENTATION, TRACES, copies=copies, autoreset_mode=mode)
    seen, _ = many.reset(seed=20)
    shown: list[Any] = [(seen, np.zeros(copies), np.zeros(copies, dtype=bool), {})]
    for each in actions:
        seen, rewards, over, _, info = many.step(each)
        shown.append((seen, rewards, over, info))
    for i in range(copies):
        for k, (vector, reward, over, last, ends) in enumerate(one_by_one(20 + i, mode, steps)):
            assert np.array_equal(shown[k][0][i], vector)
            assert (shown[k][1][i], shown[k][2][i]) == (reward, over)
            if last is not None:
                final = shown[k][3]["final_info"]
                assert np.array_equal(shown[k][3]["final_obs"][i], last)
                assert {name: final[name][i] for name in ends} == ends


def one_by_one(seed: int, mode: AutoresetMode, steps: int) -> list[Any]:
    env = PensieveEnv(PRESENTATION, TRACES)
    vector, _ = env.reset(seed=seed)
    found: list[Any] = [(vector, 0.0, False, None, {})]
    over = False
    for k in range(steps):
        last: NDArray[Any] | None = None
        if over and mode == AutoresetMode.NEXT_STEP:
            vector, ends = env.reset()
            reward, over = 0.0, False
        else:
            vector, reward, over, _, ends = env.step(RUNGS[k])
            if over and mode == AutoresetMode.SAME_STEP:
                last = vector
                vector, _ = env.reset()
        found.append((vector, reward, over, last, ends))
    return found


def test_fixed_traces_come_in_turn() -> None:
    env = PensieveEnv(PRESENTATION, TRACES, is_fixed=True)
    assert [env.reset()[1]["trace"] for _ in range(4)] == [0, 1, 2, 0]
    assert env.reset(options={"restart": True})[1]["trace"] == 0


def test_gymnasium_finds_nothing_wrong() -> None:
    with pytest.warns(UserWarning, match="infinity"):
        check_env(PensieveEnv(PRESENTATION, TRACES), skip_render_check=True)


def test_what_makes_no_environment() -> None:
    wide = constant_presentation(tuple(1e5 * k for k in range(1, 10)), segments=3, segment_s=4.0)
    with pytest.raises(ValueError, match="9 rungs; the state of Pensieve has room"):
        PensieveEnv(wide, TRACES)
    with pytest.raises(ValueError, match="no traces"):
        PensieveEnv(PRESENTATION, [])
    with pytest.raises(ValueError, match="the lower first"):
        PensieveEnv(PRESENTATION, TRACES, noise=(1.1, 0.9))
    env = PensieveEnv(PRESENTATION, TRACES)
    env.reset(seed=1)
    with pytest.raises(ValueError, match="action 6 to 6; expected 0 to 5"):
        env.step(6)
