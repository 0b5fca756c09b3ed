"""The policy that comes along: a learned planner over five throughputs that may come.

See ``abr.algorithms.policy`` for what it does and how it was learned.
"""

from __future__ import annotations

from abr.algorithms.policy import NAME, Params
from abr.decision import Rule
from abr.files.policies import read_bundled_policy


def make(**params: float) -> Rule:
    """The algorithm with the given parameters; see ``abr.algorithms.policy.Params``.

    Raises:
        ValueError: a parameter out of range.
    """
    return read_bundled_policy().build_rule(NAME, Params(**params))  # type: ignore[arg-type]  # the registry checked the types
