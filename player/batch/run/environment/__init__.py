"""Gymnasium environments over compiled players: one playback, or many at once.

``AbrEnv`` is a ``gymnasium.Env``, ``AbrVectorEnv`` a ``gymnasium.vector.VectorEnv``; both
play as our own player's simulator does, on a link of their own. ``PensieveEnv`` and
``PensieveVectorEnv`` are the environment of Pensieve; see ``pensieve``.

* An episode is one presentation over one trace, from asking to play until the last
  segment is here. Which, and in which order, is given; ``episodes`` pairs them.
* An action is the rung of the next segment; with ``waits_s``, the rung and the number of a
  wait before it is asked for. The player then fetches it, and waits until the segment
  after it fits the buffer; downloads are never abandoned.
* The observation is the vector of ``abr.neural``, float32.
* The reward of a segment is what it adds to a QoE of ``abr.qoe`` that is a sum over segments:
  the mean over an episode's segments is the score of the session. By default it is the linear
  one of Pensieve, ``QOE_LIN``, with 4.3 per second stalled.
* An episode terminates with its last segment. Limits in time are off unless ``options``
  say otherwise; where one is met the episode is truncated.

Needs the extra ``gym``. Steps are compiled, in one thread: a step is too short to be worth
waking another. ``stable`` shows the vector environments to stable-baselines3.
"""

from __future__ import annotations

from abr.errors import ToolMissingError

try:
    import gymnasium as _gymnasium  # noqa: F401  # so that the remedy is told before all else
except ImportError as exc:
    raise ToolMissingError(
        "gymnasium is not installed, which environments need: pip install 'abrkit[gym]'"
    ) from exc

from player.batch.run.environment.envs import AbrEnv, AbrVectorEnv
from player.batch.run.environment.pensieve import PensieveEnv, PensieveVectorEnv
from player.batch.run.environment.stages import UNLIMITED, Reward

__all__ = [
    "UNLIMITED",
    "AbrEnv",
    "AbrVectorEnv",
    "PensieveEnv",
    "PensieveVectorEnv",
    "Reward",
]
