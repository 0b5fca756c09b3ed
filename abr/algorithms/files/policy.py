"""A policy of one's own, from a file: a planner's numbers, or a network of plain arrays.

``policy:FILE`` is short for ``policy`` with ``weights=FILE``; ``abr.policytext`` says what
stands in the file. Both kinds compile.
"""

from __future__ import annotations

from abr.algorithms.policy import Params
from abr.decision import Rule
from abr.files.policies import read_policy_file


def make(
    weights: str,
    *,
    stall_weight: float = 4.3,
    switch_weight: float = 1.0,
    ahead_s: float = 20.0,
    may_abandon: bool = True,
    fingerprint: int = 0,
) -> Rule:
    """The algorithm of the file ``weights``; the rest is for planners only.

    Args:
        weights: The file.
        stall_weight: As all that follow, see ``abr.algorithms.policy.Params``.
        switch_weight: Likewise.
        ahead_s: Likewise.
        may_abandon: Likewise.
        fingerprint: Of the numbers that a recording was made with; 0: whatever they are.

    Raises:
        AlgorithmError: the file is missing, holds no policy, or another one than it did.
    """
    params = Params(stall_weight, switch_weight, ahead_s, may_abandon, fingerprint)
    return read_policy_file(weights).build_rule(f"policy:{weights}", params)
