"""Gymnasium environments over the compiled player: one playback, or many at once.

``AbrEnv`` is a ``gymnasium.Env``, ``AbrVectorEnv`` a ``gymnasium.vector.VectorEnv``; both
play as our own player's simulator does, on a link of their own.

* An episode is one presentation over one trace, from asking to play until the last
  segment is here. Which, and in which order, is given; ``episodes`` pairs them.
* An action is the rung of the next segment. The player then fetches it, and waits until
  the segment after it fits the buffer; downloads are never abandoned.
* The observation is the vector of ``abr.neural``, float32.
* The reward of a segment is its rate in Mbit/s, less ``stall_weight`` per second stalled,
  ``switch_weight`` per Mbit/s of change from the segment before, and ``startup_weight``
  per second until the first picture. With the defaults an episode's sum over its segments
  is ``qoe_lin``.
* An episode terminates with its last segment. Limits in time are off unless ``options``
  say otherwise; where one is met the episode is truncated.

Needs the extra ``gym``. Steps are compiled, in one thread: a step is too short to be worth
waking another.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from abr.errors import ToolMissingError
from abr.media import Presentation
from abr.neural import MOST, vector_width
from abr.trace import Trace
from player.batch.abrkit import copies as sessions
from player.batch.abrkit.copies import Course, Reward, Shown
from player.batch.abrkit.session import Options, link_for
from player.batch.many import pack
from player.batch.run.batch import presentation_hooks
from player.batch.run.compiled import compiled

try:
    import gymnasium
    from gymnasium import spaces
    from gymnasium.vector import AutoresetMode, VectorEnv
    from gymnasium.vector.utils import batch_space
except ImportError as exc:
    raise ToolMissingError(
        "gymnasium is not installed, which environments need: pip install 'abrkit[gym]'"
    ) from exc

Order = Literal["listed", "shuffled"] | Sequence[int]
Vector = NDArray[np.float32]

UNLIMITED = Options(first_byte_limit_s=math.inf, idle_limit_s=math.inf, total_limit_s=math.inf)
"""Our own player, without limits in time."""

NEWS = ("stall_s", "buffer_s", "now_s", "worth")
"""What ``info`` holds in numbers, in the order of ``Copies.news``."""

_AUTORESET = {
    AutoresetMode.NEXT_STEP: sessions.NEXT_STEP,
    AutoresetMode.SAME_STEP: sessions.SAME_STEP,
    AutoresetMode.DISABLED: sessions.DISABLED,
}


class Stage:
    """Copies of one playback after another, without gymnasium: what both environments share.

    Args:
        presentations: All with the same number of rungs.
        traces: The networks.
        episodes: Numbers of presentation and trace; None: every presentation over every
            trace, presentation by presentation.
        order: ``listed`` as they stand, ``shuffled`` by the seed of ``reset``, or the
            numbers of episodes one after the other. It is gone through again and again:
            the k-th episode of copy i of n is at place i + k n, whatever the others do.
        reward: Weights of the reward.
        options: How the player plays.
        copies: How many there are.
        autoreset: When a copy whose episode is over begins another.

    Raises:
        ValueError: presentations differ in rungs, or numbers name nothing.
    """

    def __init__(
        self,
        presentations: Sequence[Presentation],
        traces: Sequence[Trace],
        *,
        episodes: Sequence[tuple[int, int]] | None,
        order: Order,
        reward: Reward,
        options: Options,
        copies: int,
        autoreset: AutoresetMode,
    ) -> None:
        if not traces:
            raise ValueError("no traces; give at least one")
        if options.buffer_bytes or options.top_buffer_s or options.begins_listed:
            raise ValueError(
                "options: buffer_bytes, top_buffer_s and begins_listed are not for environments, "
                "which buffer max_buffer_s of every rung and begin with the lowest"
            )
        self.presentations = sessions.presentation_tables_of(list(presentations))
        self.links = pack([link_for(trace, options) for trace in traces])
        every = [(f, k) for f in range(len(presentations)) for k in range(len(traces))]
        pairs = every if episodes is None else list(episodes)
        _check_numbers("presentation", [f for f, _ in pairs], len(presentations))
        _check_numbers("trace", [k for _, k in pairs], len(traces))
        self.is_shuffled = isinstance(order, str) and order == "shuffled"
        listed = range(len(pairs)) if isinstance(order, str) else list(order)
        _check_numbers("episode", listed, len(pairs))
        self.course = Course(
            np.array([f for f, _ in pairs], dtype=np.int64),
            np.array([k for _, k in pairs], dtype=np.int64),
            np.array(listed, dtype=np.int64),
        )
        self.reward = Reward(*map(float, reward))
        self.options = Options(*map(float, options))
        self.autoreset = _AUTORESET[autoreset]
        self.copies = sessions.room_for(copies)
        self.rungs = self.presentations.ladder_bps.shape[1]
        width = vector_width(self.rungs)
        self.shown = Shown(
            np.zeros((copies, width), dtype=np.float32),
            np.zeros((copies, width), dtype=np.float32),
            np.zeros((copies, 4)),
            np.zeros(copies),
            np.zeros(copies, dtype=np.bool_),
            np.zeros(copies, dtype=np.bool_),
        )
        # All presentations have the same, or making their tables would have failed.
        hooks = presentation_hooks(presentations[0])
        self._step = compiled(sessions.step_many, hooks)
        self._reset = compiled(sessions.reset_many, hooks)

    def __repr__(self) -> str:
        begun = int(self.copies.numbers[:, sessions.BEGUN].sum())
        return (
            f"<{len(self.copies.numbers)} copies, {begun} episodes begun of "
            f"{len(self.course.presentation)} in turn, {self.rungs} rungs>"
        )

    def shuffle(self, rng: np.random.Generator) -> None:
        """Put the episodes in an order of chance, where that was asked for."""
        if self.is_shuffled:
            self.course.order[:] = rng.permutation(len(self.course.order))

    def restart(self) -> None:
        """Forget everything: what comes next is the first episode of the order."""
        self.copies.numbers[:, :] = 0.0
        for part in (self.shown.vectors, self.shown.last_vectors, self.copies.past):
            part[:] = 0.0

    def reset(self, which: NDArray[np.bool_]) -> None:
        """Begin the next episode of the copies of ``which``."""
        self._reset(self.presentations, self.course, self.options, self.copies, which, self.shown)

    def step(self, actions: NDArray[np.int64]) -> None:
        """Fetch a segment for each copy; ``shown`` and ``copies`` tell of it.

        Raises:
            ValueError: an action is no rung.
        """
        if len(actions) and not (actions.min() >= 0 and actions.max() < self.rungs):
            raise ValueError(
                f"action {actions.min()} to {actions.max()}; expected 0 to {self.rungs - 1}"
            )
        self._step(
            self.presentations,
            self.links,
            self.course,
            self.options,
            self.reward,
            self.copies,
            actions,
            self.shown,
            self.autoreset,
        )

    def space(self) -> tuple[Any, Any]:
        """What one copy shows and takes."""
        width = vector_width(self.rungs)
        return spaces.Box(0.0, MOST, (width,), np.float32), spaces.Discrete(self.rungs)

    def news(self) -> dict[str, NDArray[Any]]:
        """What the info of a step says, one number per copy."""
        numbers, news = self.copies.numbers, self.copies.news
        episode = numbers[:, sessions.EPISODE].astype(np.int64)
        return {
            **{name: news[:, k].copy() for k, name in enumerate(NEWS)},
            "presentation": self.course.presentation[episode],
            "trace": self.course.trace[episode],
        }


class AbrEnv(gymnasium.Env[Vector, np.int64]):
    """One playback after another; see the module and ``Stage`` for what is what.

    ``reset`` begins the next episode of the order; with a seed, or with
    ``options={"restart": True}``, the first one. ``options={"episode": 3}`` begins that
    one, out of order. ``info`` holds ``stall_s`` of the step, ``buffer_s``, ``now_s``,
    ``worth`` of the episode so far, and the numbers of ``presentation`` and ``trace``.
    """

    metadata = {"render_modes": []}  # noqa: RUF012  # gymnasium's own form

    def __init__(
        self,
        presentations: Sequence[Presentation],
        traces: Sequence[Trace],
        *,
        episodes: Sequence[tuple[int, int]] | None = None,
        order: Order = "listed",
        reward: Reward = Reward(),  # noqa: B008  # a tuple
        options: Options = UNLIMITED,
    ) -> None:
        self._stage = Stage(
            presentations,
            traces,
            episodes=episodes,
            order=order,
            reward=reward,
            options=options,
            copies=1,
            autoreset=AutoresetMode.DISABLED,
        )
        self.observation_space, self.action_space = self._stage.space()
        self._has_begun = False

    def __repr__(self) -> str:
        return f"<AbrEnv of {self._stage!r}>"

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Vector, dict[str, Any]]:
        """Begin an episode."""
        super().reset(seed=seed)
        stage, wanted = self._stage, options or {}
        if seed is not None or not self._has_begun:
            stage.shuffle(self.np_random)
        self._has_begun = True
        if seed is not None or wanted.get("restart"):
            stage.restart()
        stage.reset(np.ones(1, dtype=np.bool_))
        if "episode" in wanted:
            _check_numbers("episode", [int(wanted["episode"])], len(stage.course.presentation))
            stage.copies.numbers[0, sessions.EPISODE] = int(wanted["episode"])
            stage.copies.numbers[0, sessions.BEGUN] -= 1
            self._look()
        return self._seen(), self._info()

    def step(self, action: Any) -> tuple[Vector, float, bool, bool, dict[str, Any]]:
        """Fetch the next segment at rung ``action``.

        Raises:
            gymnasium.error.ResetNeeded: there is no next segment.
        """
        numbers = self._stage.copies.numbers[0]
        if not self._has_begun or numbers[sessions.IS_OVER] > 0:
            raise gymnasium.error.ResetNeeded("the episode is over, or none began; call reset()")
        self._stage.step(np.array([int(action)], dtype=np.int64))
        shown = self._stage.shown
        reward = float(shown.rewards[0])
        over = bool(shown.terminated[0]), bool(shown.truncated[0])
        return self._seen(), reward, *over, self._info()

    def _look(self) -> None:
        stage = self._stage
        sessions.show(stage.presentations, stage.course, stage.copies, 0, stage.shown.vectors[0])

    def _seen(self) -> Vector:
        seen: Vector = self._stage.shown.vectors[0].copy()
        return seen

    def _info(self) -> dict[str, Any]:
        return {name: values[0].item() for name, values in self._stage.news().items()}


class AbrVectorEnv(VectorEnv[NDArray[np.float32], NDArray[np.int64], NDArray[Any]]):
    """Many playbacks at once; see the module and ``Stage`` for what is what.

    ``reset`` begins an episode in every copy, with a seed from the first of the order on;
    ``options={"reset_mask": mask}`` only in those of the mask. Copies whose episode is over
    begin the next one with the next step, whose action is not looked at and whose reward is
    0 (``AutoresetMode.NEXT_STEP``); at once, with the last observation in
    ``info["final_obs"]`` and its info in ``info["final_info"]`` (``SAME_STEP``); or when they
    are told to (``DISABLED``). ``info`` is that of ``AbrEnv``, an array each.
    """

    def __init__(
        self,
        presentations: Sequence[Presentation],
        traces: Sequence[Trace],
        *,
        copies: int,
        episodes: Sequence[tuple[int, int]] | None = None,
        order: Order = "listed",
        reward: Reward = Reward(),  # noqa: B008  # a tuple
        options: Options = UNLIMITED,
        autoreset_mode: AutoresetMode = AutoresetMode.NEXT_STEP,
        copy: bool = True,
    ) -> None:
        """See ``Stage``; without ``copy`` every step writes into the same arrays."""
        self._stage = Stage(
            presentations,
            traces,
            episodes=episodes,
            order=order,
            reward=reward,
            options=options,
            copies=copies,
            autoreset=autoreset_mode,
        )
        self.num_envs = copies
        self.metadata = {"autoreset_mode": autoreset_mode}
        self.single_observation_space, self.single_action_space = self._stage.space()
        self.observation_space = batch_space(self.single_observation_space, copies)
        self.action_space = batch_space(self.single_action_space, copies)
        self._copy = copy
        self._all = np.ones(copies, dtype=np.bool_)
        self._has_begun = False

    def __repr__(self) -> str:
        return f"<AbrVectorEnv of {self._stage!r}>"

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Vector, dict[str, Any]]:
        """Begin episodes."""
        super().reset(seed=seed)
        which = (options or {}).get("reset_mask")
        if seed is not None or not self._has_begun:
            self._stage.shuffle(self.np_random)
            self._stage.restart()
        self._stage.reset(self._all if which is None else np.asarray(which, dtype=np.bool_))
        self._has_begun = True
        return self._handed(self._stage.shown.vectors), self._info()

    def step(
        self, actions: NDArray[np.int64]
    ) -> tuple[Vector, NDArray[Any], NDArray[Any], NDArray[Any], dict[str, Any]]:
        """Fetch the next segment of every copy.

        Raises:
            gymnasium.error.ResetNeeded: before the first reset.
        """
        if not self._has_begun:
            raise gymnasium.error.ResetNeeded("no episode began; call reset()")
        stage = self._stage
        stage.step(np.asarray(actions, dtype=np.int64))
        shown, info = stage.shown, self._info()
        if stage.autoreset == sessions.SAME_STEP:
            over = shown.terminated | shown.truncated
            if over.any():
                last = np.full(self.num_envs, None, dtype=object)
                for i in np.flatnonzero(over):
                    last[i] = shown.last_vectors[i].copy()
                ends = {name: shown.last_news[:, k].copy() for k, name in enumerate(NEWS)}
                info.update(final_obs=last, _final_obs=over, final_info=ends, _final_info=over)
        return (
            self._handed(shown.vectors),
            self._handed(shown.rewards),
            self._handed(shown.terminated),
            self._handed(shown.truncated),
            info,
        )

    def _handed(self, array: NDArray[Any]) -> NDArray[Any]:
        return array.copy() if self._copy else array

    def _info(self) -> dict[str, Any]:
        info: dict[str, Any] = {}
        for name, values in self._stage.news().items():
            info[name], info[f"_{name}"] = values, self._all
        return info


def _check_numbers(what: str, given: Sequence[int], count: int) -> None:
    if not len(given):
        raise ValueError(f"no {what} is named; expected numbers from 0 to {count - 1}")
    if min(given) < 0 or max(given) >= count:
        raise ValueError(
            f"{what} {min(given)} to {max(given)} named; expected numbers from 0 to {count - 1}"
        )
