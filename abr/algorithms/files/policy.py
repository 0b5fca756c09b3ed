"""A learned policy from a file: the weights of a planner, or a neural network of plain arrays.

``policy:FILE`` is short for ``policy`` with ``weights=FILE``; ``abr.policytext`` describes
the format. Both kinds can be compiled.
"""

from __future__ import annotations

from abr.algorithms.policy import Params
from abr.decision import Rule
from abr.files.policies import read_policy_file


def make(
    weights: str,
    *,
    stall_weight: float = 0.0,
    switch_weight: float = 1.0,
    ahead_s: float = 20.0,
    may_abandon: bool = True,
    fingerprint: int = 0,
    initial_bps: float = 0.0,
) -> Rule:
    """Create the algorithm from the file ``weights``.

    A neural network takes none of the other parameters but ``fingerprint`` and ``initial_bps``.

    Args:
        weights: Path of the file.
        stall_weight: See ``abr.algorithms.policy.Params``, as for those that follow.
        switch_weight: Likewise.
        ahead_s: Likewise.
        may_abandon: Likewise.
        fingerprint: Checksum of the numbers that a recording was made with; 0 accepts any.
        initial_bps: Throughput taken for granted before the first download.

    Raises:
        AlgorithmError: the file is missing or not a policy, or has another fingerprint; or it is
            a neural network, which has no such parameter.
        ValueError: a parameter is out of range.
    """
    params = Params(stall_weight, switch_weight, ahead_s, may_abandon, fingerprint, initial_bps)
    return read_policy_file(weights).build_rule(f"policy:{weights}", params)
