"""What environments step: copies of one playback after another, without gymnasium's forms."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Literal, NamedTuple, Protocol

import numpy as np
from gymnasium import spaces
from gymnasium.vector import AutoresetMode
from numpy.typing import NDArray

from abr.errors import ArgumentError, ConfigError
from abr.media import Presentation
from abr.neural import MOST, vector_width
from abr.qoe import Additive, linear
from abr.trace import Trace
from player.batch.abrkit import copies as sessions
from player.batch.abrkit.copies import Course, Shown
from player.batch.abrkit.session import Options, link_for
from player.batch.abrkit.timeline import config_of
from player.batch.many import pack
from player.batch.run.batch import presentation_hooks
from player.batch.run.compiled import compiled
from player.batch.run.environment.given import as_list, check_kind, short, whole_numbers

Order = Literal["listed", "shuffled"] | Sequence[int]

UNLIMITED = Options(first_byte_limit_s=math.inf, idle_limit_s=math.inf, total_limit_s=math.inf)
"""Our own player, without limits in time."""

NEWS = ("stall_s", "buffer_s", "now_s", "worth")
"""What ``info`` holds in numbers, in the order of ``Copies.news``."""


class Reward(NamedTuple):
    """Weights of the linear QoE."""

    stall_weight: float = 4.3
    """Mbit/s lost per second stalled."""
    switch_weight: float = 1.0
    """Mbit/s lost per Mbit/s of change from the segment before."""
    startup_weight: float = 0.0
    """Mbit/s lost per second until the first picture."""


_AUTORESET = {
    AutoresetMode.NEXT_STEP: sessions.NEXT_STEP,
    AutoresetMode.SAME_STEP: sessions.SAME_STEP,
    AutoresetMode.DISABLED: sessions.DISABLED,
}


class Told(Protocol):
    """What a step tells, a row or cell per copy."""

    @property
    def vectors(self) -> NDArray[Any]:
        """Observations."""

    @property
    def last_vectors(self) -> NDArray[Any]:
        """The last observations of copies that were over and began again in the same step."""

    @property
    def rewards(self) -> NDArray[Any]:
        """Shape (n,)."""

    @property
    def terminated(self) -> NDArray[np.bool_]:
        """Shape (n,)."""

    @property
    def truncated(self) -> NDArray[np.bool_]:
        """Shape (n,)."""


class Stage(Protocol):
    """n copies of a player, each at some place of some episode."""

    @property
    def shown(self) -> Told:
        """What the newest step or reset tells; its arrays are written again by the next."""

    def spaces(self) -> tuple[Any, Any]:
        """What one copy shows and takes."""

    def seed(self, seed: int | None, rng: np.random.Generator) -> None:
        """Let chance begin anew, by ``seed`` if there is one."""

    def restart(self) -> None:
        """Forget everything: what comes next is the first episode."""

    def reset(self, which: NDArray[np.bool_]) -> None:
        """Begin the next episode of the copies of ``which``."""

    def reset_to(self, i: int, episode: int) -> None:
        """Begin ``episode`` in copy ``i``; it takes no place in the order."""

    def step(self, actions: NDArray[np.int64]) -> None:
        """Fetch a segment for each copy."""

    def is_over(self, i: int) -> bool:
        """Whether copy ``i`` needs a reset."""

    def news(self) -> dict[str, NDArray[Any]]:
        """What the info of a step says, one number per copy."""

    def last_news(self) -> dict[str, NDArray[Any]]:
        """The same of episodes that were over and began again in the same step."""


class PlayerStage:
    """Copies of our own player.

    Args:
        presentations: All with the same number of rungs.
        traces: The networks.
        episodes: Numbers of presentation and trace; None: every presentation over every
            trace, presentation by presentation.
        order: ``listed`` as they stand, ``shuffled`` by the seed of ``reset``, or the
            numbers of episodes one after the other. It is gone through again and again:
            the k-th episode of copy i of n is at place i + k n, whatever the others do.
        reward: A QoE that is a sum over segments, such as ``abr.qoe.linear()``, ``log()`` or
            ``vmaf()``; or weights of the linear one.
        options: How the player plays. A ceiling leaves out rungs of all presentations;
            ``reconsider_every_s`` has no use, since downloads are never abandoned.
        waits_s: Waits that an action may ask for; empty: actions are rungs only.
        copies: How many there are.
        autoreset: When a copy whose episode is over begins another.

    Raises:
        ArgumentError: an argument of the wrong type.
        ConfigError: options that are out of range.
        ValueError: presentations differ in rungs, numbers name nothing, or a wait is negative.
        QoEError: a presentation lacks what the QoE needs.
    """

    def __init__(
        self,
        presentations: Sequence[Presentation],
        traces: Sequence[Trace],
        *,
        episodes: Sequence[tuple[int, int]] | None,
        order: Order,
        reward: Reward | Additive,
        options: Options,
        waits_s: Sequence[float],
        copies: int,
        autoreset: AutoresetMode,
    ) -> None:
        presentations = as_list("presentations", presentations, Presentation)
        traces = as_list("traces", traces, Trace)
        check_kind("options", options, Options)
        check_player_options(options)
        if not traces:
            raise ValueError("no traces; give at least one")
        presentations = [
            each.up_to(options.max_bitrate_bps, options.max_height) for each in presentations
        ]
        self._presentations = sessions.presentation_tables_of(presentations)
        self._links = pack([link_for(trace, options) for trace in traces])
        every = [(f, k) for f in range(len(presentations)) for k in range(len(traces))]
        given = whole_numbers("episodes", every if episodes is None else episodes, None, 2)
        pairs = given.reshape(-1, 2)
        check_numbers("presentation", pairs[:, 0], len(presentations))
        check_numbers("trace", pairs[:, 1], len(traces))
        self._is_shuffled = isinstance(order, str) and order == "shuffled"
        self._course = Course(pairs[:, 0].copy(), pairs[:, 1].copy(), _listed(order, len(pairs)))
        qoe = linear(**reward._asdict()) if isinstance(reward, Reward) else reward
        if not isinstance(qoe, Additive):
            raise ArgumentError(
                f"reward: found {short(reward)}; expected a QoE that is a sum over segments, "
                "such as abr.qoe.linear(), log() or vmaf(), or a Reward of weights"
            )
        self._rewards = sessions.rewards_of([qoe.bind(each) for each in presentations])
        self._options = Options(*map(float, options))
        self._waits_s = _waits(waits_s)
        self._no_waits_s = np.zeros(copies)
        self._autoreset = _AUTORESET[autoreset]
        self._copies = sessions.room_for(copies)
        self._rungs = self._presentations.ladder_bps.shape[1]
        width = vector_width(self._rungs)
        self.shown = Shown(
            np.zeros((copies, width), dtype=np.float32),
            np.zeros((copies, width), dtype=np.float32),
            np.zeros((copies, 4)),
            np.zeros(copies, dtype=np.int64),
            np.zeros(copies),
            np.zeros(copies, dtype=np.bool_),
            np.zeros(copies, dtype=np.bool_),
        )
        # All presentations have the same, or making their tables would have failed.
        hooks = presentation_hooks(presentations[0])
        self._step = compiled(sessions.step_many, hooks)
        self._reset = compiled(sessions.reset_many, hooks)

    def __repr__(self) -> str:
        begun = int(self._copies.numbers[:, sessions.BEGUN].sum())
        return (
            f"<{len(self._copies.numbers)} copies, {begun} episodes begun of "
            f"{len(self._course.presentation)} in turn, {self._rungs} rungs>"
        )

    def spaces(self) -> tuple[Any, Any]:
        """What one copy shows and takes."""
        vector = spaces.Box(0.0, MOST, (vector_width(self._rungs),), np.float32)
        if len(self._waits_s):
            return vector, spaces.MultiDiscrete([self._rungs, len(self._waits_s)])
        return vector, spaces.Discrete(self._rungs)

    def seed(self, seed: int | None, rng: np.random.Generator) -> None:
        """Put the episodes in an order of chance, where that was asked for."""
        if self._is_shuffled:
            self._course.order[:] = rng.permutation(len(self._course.order))

    def restart(self) -> None:
        """Forget everything: what comes next is the first episode of the order."""
        self._copies.numbers[:, :] = 0.0
        for part in (self.shown.vectors, self.shown.last_vectors, self._copies.past):
            part[:] = 0.0

    def reset(self, which: NDArray[np.bool_]) -> None:
        """Begin the next episode of the copies of ``which``."""
        self._reset(
            self._presentations, self._course, self._options, self._copies, which, self.shown
        )

    def reset_to(self, i: int, episode: int) -> None:
        """Begin ``episode`` in copy ``i``; it takes no place in the order."""
        check_numbers("episode", np.array([episode]), len(self._course.presentation))
        which = np.arange(len(self._copies.numbers)) == i
        self.reset(which)
        self._copies.numbers[i, sessions.EPISODE] = episode
        self._copies.numbers[i, sessions.BEGUN] -= 1
        sessions.show(self._presentations, self._course, self._copies, i, self.shown.vectors[i])

    def step(self, actions: NDArray[np.int64]) -> None:
        """Fetch a segment for each copy; ``shown`` and ``news`` tell of it.

        Raises:
            ValueError: an action is no rung, or no wait.
        """
        rungs, waits_s = actions, self._no_waits_s
        if len(self._waits_s):
            rungs = np.ascontiguousarray(actions[:, 0])
            check_actions("wait", actions[:, 1], len(self._waits_s))
            waits_s = self._waits_s[actions[:, 1]]
        check_actions("action", rungs, self._rungs)
        self._step(
            self._presentations,
            self._links,
            self._course,
            self._options,
            self._rewards,
            self._copies,
            rungs,
            waits_s,
            self.shown,
            self._autoreset,
        )

    def is_over(self, i: int) -> bool:
        """Whether copy ``i`` needs a reset."""
        return bool(self._copies.numbers[i, sessions.IS_OVER] > 0)

    def news(self) -> dict[str, NDArray[Any]]:
        """What the info of a step says, one number per copy."""
        episodes = self._copies.numbers[:, sessions.EPISODE].astype(np.int64)
        return self._told(self._copies.news, episodes)

    def last_news(self) -> dict[str, NDArray[Any]]:
        """The same of episodes that were over and began again in the same step."""
        return self._told(self.shown.last_news, self.shown.last_episodes)

    def _told(
        self, news: NDArray[np.float64], episodes: NDArray[np.int64]
    ) -> dict[str, NDArray[Any]]:
        return {
            **{name: news[:, k].copy() for k, name in enumerate(NEWS)},
            "presentation": self._course.presentation[episodes],
            "trace": self._course.trace[episodes],
        }


def check_player_options(options: Options) -> None:
    """Refuse what is out of range for our own player, or not for environments.

    Raises:
        ConfigError, ValueError: saying which.
    """
    for name, value in options._asdict().items():
        if isinstance(value, bool) or not isinstance(value, int | float) or math.isnan(value):
            raise ConfigError(f"options: {name} is {value!r}; expected a number")
    if not options.max_play_s >= 0:
        raise ConfigError(f"options: max_play_s is {options.max_play_s}; expected 0 s or more")
    if math.isinf(options.overhead_bytes):
        raise ConfigError("options: overhead_bytes is infinite; expected a number of bytes")
    config_of(options)  # raises what a PlayerConfig does
    plain = Options()
    if (
        options.buffer_bytes
        or options.top_buffer_s
        or options.begins_listed
        or options.buffer_limit_s != plain.buffer_limit_s
        or options.long_top_buffer_s != plain.long_top_buffer_s
    ):
        raise ValueError(
            "options: buffer_bytes, buffer_limit_s, top_buffer_s, long_top_buffer_s and "
            "begins_listed are not for environments, which buffer max_buffer_s of every rung and "
            "begin with the lowest"
        )


def _listed(order: Order, count: int) -> NDArray[np.int64]:
    """The numbers of episodes, one after the other."""
    if isinstance(order, str):
        if order not in ("listed", "shuffled"):
            raise ValueError(f"order {order!r}; expected listed, shuffled, or numbers of episodes")
        return np.arange(count)
    listed = whole_numbers("order", order, None)
    check_numbers("episode", listed, count)
    return listed.copy()


def _waits(given: Sequence[float]) -> NDArray[np.float64]:
    try:
        waits_s = np.array(given, dtype=np.float64)
    except (TypeError, ValueError):
        waits_s = np.array(math.nan)
    if waits_s.ndim != 1 or not (np.isfinite(waits_s) & (waits_s >= 0)).all():
        raise ValueError(f"waits_s {given!r}; expected seconds, 0 or more, in a list")
    return waits_s


def check_actions(what: str, given: NDArray[np.int64], count: int) -> None:
    """Raise unless all of ``given`` are from 0 to ``count`` - 1.

    Raises:
        ValueError: one is not.
    """
    if len(given) and not (given.min() >= 0 and given.max() < count):
        raise ValueError(f"{what} {given.min()} to {given.max()}; expected 0 to {count - 1}")


def check_numbers(what: str, given: NDArray[np.int64], count: int) -> None:
    """Raise unless numbers name something.

    Raises:
        ValueError: there are none, or some name nothing.
    """
    if not len(given):
        raise ValueError(f"no {what} is named; expected numbers from 0 to {count - 1}")
    if given.min() < 0 or given.max() >= count:
        raise ValueError(
            f"{what} {given.min()} to {given.max()} named; expected numbers from 0 to {count - 1}"
        )
