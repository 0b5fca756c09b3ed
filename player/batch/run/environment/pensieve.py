"""The environment of Pensieve, as a preset: its player, state, reward, starts and noise.

``PensieveEnv`` plays as the family's ``env.py`` does: a trace of chance from a place of
chance, every delay times noise between 0.9 and 1.1, segment 0 at rung 1 without asking, 48
segments, at most 60 s of buffer. The state is that of its ``multi_agent.py``, 6 rows of 8;
see ``player.batch.pensieve_copies``. The reward is its linear one: Mbit/s of the segment, less
4.3 per second of rebuffering and 1 per Mbit/s of change; other weights are in ``options``.
The wait for segment 0, which no action decides, is not rewarded: an episode has 47 steps.

A seed draws what NumPy's ``RandomState`` of that seed draws, in the family's order, so the
same seed, traces and actions give the same episodes as its program gives; copy i of a vector
environment has seed + i, as agent i has there. With ``is_fixed`` traces come in turn from
their beginning, without noise, as in ``fixed_env.py``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from gymnasium import spaces
from gymnasium.vector import AutoresetMode
from numpy.typing import NDArray

from abr.errors import ConfigError
from abr.media import Presentation
from abr.trace import Trace
from player.batch import pensieve_copies as sessions
from player.batch.cooked import cooked_rows, link_of_rows, whole_bytes
from player.batch.many import pack
from player.batch.pensieve import Options
from player.batch.ranges import check_options
from player.batch.run.batch import presentation_hooks
from player.batch.run.compiled import compiled
from player.batch.run.environment.envs import StageEnv, StageVectorEnv
from player.batch.run.environment.given import (
    as_list,
    as_mode,
    check_copies,
    check_flag,
    check_kind,
    check_range,
)
from player.batch.run.environment.stages import check_actions, check_numbers

NEWS = ("stall_s", "buffer_s", "now_s", "worth", "delay_ms", "sleep_ms")
"""What ``info`` holds in numbers, in the order of ``PensieveCopies.news``."""


class PensieveStage:
    """Copies of the Pensieve family's player.

    Args:
        presentation: Of at most 8 rungs.
        traces: The networks; each begins again when it is over.
        options: How the player plays, and the weights of the reward. A ceiling leaves out rungs
            of the presentation, so that there are as many actions less; ``cover_s`` has no use,
            since traces begin again, and ``first_rung`` is 0 or more, since nothing is asked.
        noise: Range that every delay is multiplied by a number of.
        is_fixed: Traces in turn, from their beginning and without noise.
        copies: How many there are.
        autoreset: When a copy whose episode is over begins another.

    Raises:
        ArgumentError: an argument of the wrong type.
        ConfigError: options that are out of range, or without effect here.
        ValueError: there is no trace, there are too many rungs, or the noise is no range.
    """

    def __init__(
        self,
        presentation: Presentation,
        traces: Sequence[Trace],
        *,
        options: Options,
        noise: tuple[float, float],
        is_fixed: bool,
        copies: int,
        autoreset: AutoresetMode,
    ) -> None:
        check_kind("presentation", presentation, Presentation)
        traces = as_list("traces", traces, Trace)
        check_kind("options", options, Options)
        _check(options)
        if not traces:
            raise ValueError("no traces; give at least one")
        presentation = presentation.up_to(options.max_bitrate_bps, options.max_height)
        if presentation.rungs > sessions.PAST:
            raise ValueError(
                f"{presentation.rungs} rungs; the state of Pensieve has room for the sizes of "
                f"{sessions.PAST}: leave some out, or take AbrEnv"
            )
        noise, is_fixed = check_range("noise", noise), check_flag("is_fixed", is_fixed)
        self._table = whole_bytes(
            presentation, segments=options.segments, segment_s=options.segment_s
        )
        rows = [cooked_rows(trace, cover_s=0.0) for trace in traces]
        self._starts = [len(times_s) for times_s, _ in rows]
        self._links = pack([link_of_rows(*each) for each in rows])
        self._options, self._noise, self._is_fixed = options, noise, is_fixed
        self._autoreset, self._rungs = autoreset, presentation.rungs
        self._first_rung = min(options.first_rung, presentation.rungs - 1)
        self._rngs: list[np.random.RandomState] = []
        self._begun = np.zeros(copies, dtype=np.int64)
        self._copies = sessions.PensieveCopies(
            np.zeros((copies, 7)), np.zeros(copies, dtype=np.int64), np.zeros((copies, 6))
        )
        state = (copies, sessions.ROWS, sessions.PAST)
        self.shown = sessions.PensieveShown(
            np.zeros(state, dtype=np.float32),
            np.zeros(state, dtype=np.float32),
            np.zeros((copies, 6)),
            np.zeros(copies, dtype=np.int64),
            np.zeros(copies),
            np.zeros(copies, dtype=np.bool_),
            np.zeros(copies, dtype=np.bool_),
        )
        self._fetch = compiled(sessions.fetch_many, presentation_hooks(None))

    def __repr__(self) -> str:
        return (
            f"<{len(self._begun)} copies, {int(self._begun.sum())} episodes begun over "
            f"{len(self._starts)} traces, {self._rungs} rungs>"
        )

    def spaces(self) -> tuple[Any, Any]:
        """What one copy shows and takes."""
        shape = (sessions.ROWS, sessions.PAST)
        return spaces.Box(0.0, np.inf, shape, np.float32), spaces.Discrete(self._rungs)

    def seed(self, seed: int | None, rng: np.random.Generator) -> None:
        """Let chance begin anew, copy i by ``seed`` + i."""
        first = int(rng.integers(2**31)) if seed is None else seed
        # The family's program draws from this old generator, whose streams NumPy keeps as they are.
        self._rngs = [np.random.RandomState((first + i) % 2**32) for i in range(len(self._begun))]

    def restart(self) -> None:
        """Forget everything: with ``is_fixed`` the first trace comes next."""
        self._begun[:] = 0

    def reset(self, which: NDArray[np.bool_]) -> None:
        """Begin the next episode of the copies of ``which``, and fetch its segment 0."""
        for i in np.flatnonzero(which).tolist():
            if self._is_fixed:
                self._begin(i, (i + int(self._begun[i]) * len(which)) % len(self._starts))
            else:
                self._begin(i, self._rngs[i].randint(len(self._starts)))
        self._fetch_first(which)

    def reset_to(self, i: int, episode: int) -> None:
        """Begin an episode on trace ``episode`` in copy ``i``; it takes no place in the order."""
        check_numbers("episode", np.array([episode]), len(self._starts))
        self._begin(i, episode)
        self._begun[i] -= 1
        self._fetch_first(np.arange(len(self._begun)) == i)

    def _begin(self, i: int, trace: int) -> None:
        place, first = self._copies.places[i], self._links.first[trace]
        period = 0 if self._is_fixed else self._rngs[i].randint(1, self._starts[trace]) - 1
        place[:] = 0.0
        # Before each trace in the tables is one time more, that of its end.
        place[sessions.PERIOD] = period
        place[sessions.CLOCK] = self._links.times_s[first + trace + period]
        self._copies.traces[i] = trace
        self._copies.news[i] = 0.0
        self._begun[i] += 1

    def _fetch_first(self, which: NDArray[np.bool_]) -> None:
        self.shown.vectors[which] = 0.0
        self._fetch_of(which, np.full(len(which), self._first_rung))
        self._copies.news[which, sessions.RETURN] = 0.0

    def _fetch_of(self, which: NDArray[np.bool_], rungs: NDArray[np.int64]) -> None:
        noises = np.ones(len(which))
        if not self._is_fixed:
            for i in np.flatnonzero(which):
                noises[i] = self._rngs[i].uniform(*self._noise)
        self._fetch(
            self._table, self._links, self._options, self._copies, which, rungs, noises, self.shown
        )

    def step(self, actions: NDArray[np.int64]) -> None:
        """Fetch a segment for each copy.

        Raises:
            ValueError: an action is no rung.
        """
        check_actions("action", actions, self._rungs)
        shown, was_over = self.shown, self._copies.places[:, sessions.IS_OVER] > 0
        shown.rewards[:], shown.terminated[:] = 0.0, False
        self._fetch_of(~was_over, actions)
        begins = was_over if self._autoreset == AutoresetMode.NEXT_STEP else None
        if self._autoreset == AutoresetMode.SAME_STEP:
            begins = shown.terminated.copy()
            shown.last_vectors[begins] = shown.vectors[begins]
            shown.last_news[begins] = self._copies.news[begins]
            shown.last_traces[begins] = self._copies.traces[begins]
        if begins is not None and begins.any():
            rewards, terminated = shown.rewards.copy(), shown.terminated.copy()
            self.reset(begins)
            shown.rewards[:], shown.terminated[:] = rewards, terminated

    def is_over(self, i: int) -> bool:
        """Whether copy ``i`` needs a reset."""
        return bool(self._copies.places[i, sessions.IS_OVER] > 0)

    def news(self) -> dict[str, NDArray[Any]]:
        """What the info of a step says, one number per copy."""
        return _told(self._copies.news, self._copies.traces)

    def last_news(self) -> dict[str, NDArray[Any]]:
        """The same of episodes that were over and began again in the same step."""
        return _told(self.shown.last_news, self.shown.last_traces)


def _check(options: Options) -> None:
    check_options(options)
    if options.first_rung < 0:
        raise ConfigError(
            f"options: first_rung is {options.first_rung}; expected 0 or more: no action decides "
            "on segment 0 in the environment of Pensieve"
        )
    if options.cover_s != Options().cover_s:
        raise ConfigError(
            f"options: cover_s is {options.cover_s}; leave it out: traces of the environment of "
            "Pensieve begin again when they are over"
        )


def _told(news: NDArray[np.float64], traces: NDArray[np.int64]) -> dict[str, NDArray[Any]]:
    return {**{name: news[:, k].copy() for k, name in enumerate(NEWS)}, "trace": traces.copy()}


class PensieveEnv(StageEnv):
    """One playback of Pensieve's environment after another; see ``PensieveStage``.

    ``reset`` begins an episode; ``options={"episode": 3}`` one on trace 3. ``info`` holds
    ``stall_s`` of the step, ``buffer_s``, ``now_s``, ``worth`` of the episode so far,
    ``delay_ms`` and ``sleep_ms`` of the segment, and the number of the ``trace``.
    """

    def __init__(
        self,
        presentation: Presentation,
        traces: Sequence[Trace],
        *,
        options: Options = Options(),  # noqa: B008  # a tuple
        noise: tuple[float, float] = (0.9, 1.1),
        is_fixed: bool = False,
    ) -> None:
        super().__init__(
            PensieveStage(
                presentation,
                traces,
                options=options,
                noise=noise,
                is_fixed=is_fixed,
                copies=1,
                autoreset=AutoresetMode.DISABLED,
            )
        )


class PensieveVectorEnv(StageVectorEnv):
    """Many playbacks of Pensieve's environment at once; see ``PensieveStage``."""

    def __init__(
        self,
        presentation: Presentation,
        traces: Sequence[Trace],
        *,
        copies: int,
        options: Options = Options(),  # noqa: B008  # a tuple
        noise: tuple[float, float] = (0.9, 1.1),
        is_fixed: bool = False,
        autoreset_mode: AutoresetMode = AutoresetMode.NEXT_STEP,
        copy: bool = True,
    ) -> None:
        """Without ``copy`` every step writes into the same arrays."""
        copies, autoreset_mode = check_copies(copies), as_mode(autoreset_mode)
        stage = PensieveStage(
            presentation,
            traces,
            options=options,
            noise=noise,
            is_fixed=is_fixed,
            copies=copies,
            autoreset=autoreset_mode,
        )
        super().__init__(stage, copies, autoreset_mode, copy=copy)
