"""The bundled policy: a learned planner over five scenarios of throughput.

See ``abr.algorithms.policy`` for what it does and how it was trained.
"""

from __future__ import annotations

from abr.algorithms.policy import NAME, Params
from abr.decision import Rule
from abr.files.policies import read_bundled_policy


def make(**params: float) -> Rule:
    """Create the algorithm with the given parameters; see ``abr.algorithms.policy.Params``.

    Raises:
        ValueError: a parameter is out of range.
    """
    return read_bundled_policy().build_rule(NAME, Params(**params))  # type: ignore[arg-type]  # the registry checked the types
