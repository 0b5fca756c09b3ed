"""Vector environments as stable-baselines3 takes them.

That library has a form of its own, older than Gymnasium's vector environments: no seed or
options in ``reset``, an info per copy, copies that begin again in the same step, and a last
observation in the info. ``StableVecEnv`` is that form over an environment of this package,
or any other vector environment of Gymnasium that resets in the same step.

Needs stable-baselines3, of the extra ``learn-sb3``.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from gymnasium.vector import AutoresetMode, VectorEnv
from numpy.typing import NDArray

from abr.errors import ToolMissingError

try:
    from stable_baselines3.common.vec_env import VecEnv
except ImportError as exc:
    raise ToolMissingError(
        "stable-baselines3 is not installed, which this adapter is for: "
        "pip install 'abrkit[learn-sb3]'"
    ) from exc


class StableVecEnv(VecEnv):  # type: ignore[misc]  # of an optional package
    """A vector environment of Gymnasium in the form of stable-baselines3.

    ``seed`` and ``set_options`` are for the next ``reset``, as in that library. Of the seeds
    that it gives, one per copy, the environment takes the first.

    Raises:
        ValueError: the environment does not reset in the same step.
    """

    def __init__(self, env: VectorEnv[Any, Any, Any]) -> None:
        mode = env.metadata.get("autoreset_mode")
        if mode != AutoresetMode.SAME_STEP:
            raise ValueError(
                f"an environment with autoreset_mode {mode}; stable-baselines3 needs one made "
                "with autoreset_mode=AutoresetMode.SAME_STEP"
            )
        self.env = env
        self._actions: Any = None
        super().__init__(env.num_envs, env.single_observation_space, env.single_action_space)

    def __repr__(self) -> str:
        return f"<StableVecEnv of {self.env!r}>"

    def reset(self) -> Any:
        """Begin an episode in every copy."""
        if any(each != self._options[0] for each in self._options):
            raise ValueError(
                "options differ between copies; a vector environment takes one for all"
            )
        seen, info = self.env.reset(seed=self._seeds[0], options=self._options[0] or None)
        self.reset_infos = self._split(info)
        self._reset_seeds()
        self._reset_options()
        return seen

    def step_async(self, actions: NDArray[Any]) -> None:
        """Take the actions of the next step."""
        self._actions = actions

    def step_wait(self) -> tuple[Any, NDArray[Any], NDArray[np.bool_], list[dict[str, Any]]]:
        """Step, with the infos of episodes that are over where the copy began again."""
        seen, rewards, terminated, truncated, info = self.env.step(self._actions)
        over = np.flatnonzero(terminated | truncated).tolist()
        last = info.pop("final_obs", None)
        ends = info.pop("final_info", {})
        infos = self._split(info)
        for i in over:
            self.reset_infos[i] = infos[i]
            infos[i] = {name: ends[name][i] for name in ends if not name.startswith("_")}
            infos[i]["terminal_observation"] = last[i]
        for i in range(self.num_envs):
            infos[i]["TimeLimit.truncated"] = bool(truncated[i] and not terminated[i])
        return seen, rewards.astype(np.float32), terminated | truncated, infos

    def close(self) -> None:
        """Close the environment."""
        self.env.close()

    def get_attr(self, attr_name: str, indices: int | Iterable[int] | None = None) -> list[Any]:
        """An attribute of the vector environment, which copies have in common."""
        return [getattr(self.env, attr_name) for _ in self._listed(indices)]

    def set_attr(
        self, attr_name: str, value: Any, indices: int | Iterable[int] | None = None
    ) -> None:
        """Refuse: copies are rows of arrays.

        Raises:
            NotImplementedError: always.
        """
        raise NotImplementedError(
            f"copies have no attribute {attr_name!r} of their own; make another environment"
        )

    def env_method(
        self,
        method_name: str,
        *method_args: Any,
        indices: int | Iterable[int] | None = None,
        **method_kwargs: Any,
    ) -> list[Any]:
        """Refuse: copies are rows of arrays.

        Raises:
            NotImplementedError: always.
        """
        raise NotImplementedError(
            f"copies have no method {method_name!r} of their own; call that of .env"
        )

    def env_is_wrapped(
        self, wrapper_class: type[Any], indices: int | Iterable[int] | None = None
    ) -> list[bool]:
        """No copy is wrapped on its own."""
        return [False for _ in self._listed(indices)]

    def _listed(self, indices: int | Iterable[int] | None) -> Sequence[int]:
        if indices is None:
            return range(self.num_envs)
        return [indices] if isinstance(indices, int) else list(indices)

    def _split(self, info: dict[str, Any]) -> list[dict[str, Any]]:
        """The info of each copy."""
        names = [name for name in info if not name.startswith("_")]
        rows = zip(*(info[name].tolist() for name in names), strict=True)
        found = [dict(zip(names, row, strict=True)) for row in rows]
        return found or [{} for _ in range(self.num_envs)]
