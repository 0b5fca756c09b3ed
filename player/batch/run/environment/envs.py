"""Gymnasium's two forms over a ``Stage``, and our own player in both."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import gymnasium
import numpy as np
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space
from numpy.typing import NDArray

from abr.media import Presentation
from abr.qoe import Additive
from abr.trace import Trace
from player.batch.abrkit.session import Options
from player.batch.run.environment.given import (
    as_mode,
    check_copies,
    check_flag,
    check_mask,
    known_options,
    whole_numbers,
)
from player.batch.run.environment.stages import UNLIMITED, Order, PlayerStage, Reward, Stage

Vector = NDArray[np.float32]


class StageEnv(gymnasium.Env[Vector, Any]):
    """One copy of a stage, one episode after another."""

    metadata = {"render_modes": []}  # noqa: RUF012  # gymnasium's own form

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self.observation_space, self.action_space = stage.spaces()
        self._has_begun = False

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {self._stage!r}>"

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Vector, dict[str, Any]]:
        """Begin an episode."""
        super().reset(seed=seed)
        stage, wanted = self._stage, known_options(options, "restart", "episode")
        if seed is not None or not self._has_begun:
            stage.seed(seed, self.np_random)
        self._has_begun = True
        if seed is not None or wanted.get("restart"):
            stage.restart()
        if "episode" in wanted:
            stage.reset_to(0, int(whole_numbers("episode", wanted["episode"])))
        else:
            stage.reset(np.ones(1, dtype=np.bool_))
        return self._seen(), self._info()

    def step(self, action: Any) -> tuple[Vector, float, bool, bool, dict[str, Any]]:
        """Fetch the next segment.

        Args:
            action: Its rung, or rung and number of the wait before it.

        Raises:
            gymnasium.error.ResetNeeded: there is no next segment.
        """
        if not self._has_begun or self._stage.is_over(0):
            raise gymnasium.error.ResetNeeded("the episode is over, or none began; call reset()")
        shape = self.action_space.shape or ()
        self._stage.step(whole_numbers("action", action, *shape)[None])
        shown = self._stage.shown
        reward = float(shown.rewards[0])
        over = bool(shown.terminated[0]), bool(shown.truncated[0])
        return self._seen(), reward, *over, self._info()

    def _seen(self) -> Vector:
        seen: Vector = self._stage.shown.vectors[0].copy()
        return seen

    def _info(self) -> dict[str, Any]:
        return {name: values[0].item() for name, values in self._stage.news().items()}


class StageVectorEnv(VectorEnv[NDArray[np.float32], NDArray[np.int64], NDArray[Any]]):
    """All copies of a stage.

    ``reset`` begins an episode in every copy, with a seed or ``options={"restart": True}`` from
    the first of the order on; ``options={"reset_mask": mask}`` only in those of the mask. Copies
    whose episode is over begin the next one with the next step, whose action is not looked at
    and whose reward is 0 (``AutoresetMode.NEXT_STEP``); at once, with the last observation in
    ``info["final_obs"]`` and its info in ``info["final_info"]`` (``SAME_STEP``); or when they
    are told to (``DISABLED``). ``info`` is that of the single environment, an array each.
    """

    def __init__(
        self, stage: Stage, copies: int, autoreset_mode: AutoresetMode, *, copy: bool
    ) -> None:
        """Without ``copy`` every step writes into the same arrays."""
        self._stage = stage
        self.num_envs = copies
        self.metadata = {"autoreset_mode": autoreset_mode}
        self.single_observation_space, self.single_action_space = stage.spaces()
        self.observation_space = batch_space(self.single_observation_space, copies)
        self.action_space = batch_space(self.single_action_space, copies)
        self._copy = check_flag("copy", copy)
        self._all = np.ones(copies, dtype=np.bool_)
        self._is_over = np.zeros(copies, dtype=np.bool_)
        self._has_begun = False

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {self._stage!r}>"

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Vector, dict[str, Any]]:
        """Begin episodes.

        Raises:
            ArgumentError, ValueError: options that are none, or a mask of some copies where all
                begin anew.
        """
        wanted = known_options(options, "restart", "reset_mask")
        which = wanted.get("reset_mask")
        mask = self._all if which is None else check_mask(which, self.num_envs)
        is_anew = seed is not None or not self._has_begun or bool(wanted.get("restart"))
        if is_anew and not mask.all():
            raise ValueError(
                "reset_mask of some copies with a seed, with restart or before the first reset, "
                "which begin all copies anew; reset all, or leave these out"
            )
        super().reset(seed=seed)
        if seed is not None or not self._has_begun:
            self._stage.seed(seed, self.np_random)
        if is_anew:
            self._stage.restart()
        self._stage.reset(mask)
        self._has_begun = True
        self._is_over[mask] = False
        news = {name: np.where(mask, told, 0) for name, told in self._stage.news().items()}
        return self._handed(self._stage.shown.vectors), self._info(news, mask)

    def step(
        self, actions: NDArray[np.int64]
    ) -> tuple[Vector, NDArray[Any], NDArray[Any], NDArray[Any], dict[str, Any]]:
        """Fetch the next segment of every copy.

        Raises:
            gymnasium.error.ResetNeeded: before the first reset, or a copy whose episode is over was
                not reset (``DISABLED``).
            ValueError: not one action per copy, or one that is none.
        """
        if not self._has_begun:
            raise gymnasium.error.ResetNeeded("no episode began; call reset()")
        mode = self.metadata["autoreset_mode"]
        if mode == AutoresetMode.DISABLED and self._is_over.any():
            raise gymnasium.error.ResetNeeded(
                f"the episode of copy {int(self._is_over.argmax())} is over; call "
                'reset(options={"reset_mask": mask})'
            )
        stage = self._stage
        shape = self.action_space.shape or ()
        stage.step(whole_numbers("actions", actions, *shape))
        shown, info = stage.shown, self._info(stage.news(), self._all)
        over = self._is_over = shown.terminated | shown.truncated
        if mode == AutoresetMode.SAME_STEP and over.any():
            last = np.full(self.num_envs, None, dtype=object)
            for i in np.flatnonzero(over):
                last[i] = shown.last_vectors[i].copy()
            ends = {name: np.where(over, v, 0) for name, v in stage.last_news().items()}
            info.update(final_obs=last, _final_obs=over.copy())
            info.update(final_info=self._info(ends, over), _final_info=over.copy())
        return (
            self._handed(shown.vectors),
            self._handed(shown.rewards),
            self._handed(shown.terminated),
            self._handed(shown.truncated),
            info,
        )

    def _handed(self, array: NDArray[Any]) -> NDArray[Any]:
        return array.copy() if self._copy else array

    def _info(self, news: dict[str, NDArray[Any]], of: NDArray[np.bool_]) -> dict[str, Any]:
        info: dict[str, Any] = {}
        for name, values in news.items():
            info[name], info[f"_{name}"] = values, of.copy()
        return info


class AbrEnv(StageEnv):
    """One playback of our own player after another; see ``PlayerStage`` for the arguments.

    ``reset`` begins the next episode of the order; with a seed, or with
    ``options={"restart": True}``, the first one. ``options={"episode": 3}`` begins that
    one, out of order. ``info`` holds ``stall_s`` of the step, ``buffer_s``, ``now_s``,
    ``worth`` of the episode so far, and the numbers of ``presentation`` and ``trace``.
    """

    def __init__(
        self,
        presentations: Sequence[Presentation],
        traces: Sequence[Trace],
        *,
        episodes: Sequence[tuple[int, int]] | None = None,
        order: Order = "listed",
        reward: Reward | Additive = Reward(),  # noqa: B008  # a tuple
        options: Options = UNLIMITED,
        waits_s: Sequence[float] = (),
    ) -> None:
        super().__init__(
            PlayerStage(
                presentations,
                traces,
                episodes=episodes,
                order=order,
                reward=reward,
                options=options,
                waits_s=waits_s,
                copies=1,
                autoreset=AutoresetMode.DISABLED,
            )
        )


class AbrVectorEnv(StageVectorEnv):
    """Many playbacks of our own player at once; see ``PlayerStage`` for the arguments."""

    def __init__(
        self,
        presentations: Sequence[Presentation],
        traces: Sequence[Trace],
        *,
        copies: int,
        episodes: Sequence[tuple[int, int]] | None = None,
        order: Order = "listed",
        reward: Reward | Additive = Reward(),  # noqa: B008  # a tuple
        options: Options = UNLIMITED,
        waits_s: Sequence[float] = (),
        autoreset_mode: AutoresetMode = AutoresetMode.NEXT_STEP,
        copy: bool = True,
    ) -> None:
        """Without ``copy`` every step writes into the same arrays."""
        copies, autoreset_mode = check_copies(copies), as_mode(autoreset_mode)
        stage = PlayerStage(
            presentations,
            traces,
            episodes=episodes,
            order=order,
            reward=reward,
            options=options,
            waits_s=waits_s,
            copies=copies,
            autoreset=autoreset_mode,
        )
        super().__init__(stage, copies, autoreset_mode, copy=copy)
