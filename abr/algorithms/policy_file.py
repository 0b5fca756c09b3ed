"""A policy of one's own, from a file: a planner's numbers, or a network of plain arrays.

``policy:FILE`` is short for ``policy`` with ``weights=FILE``; ``abr.policytext`` says what
stands in the file. Both kinds compile.
"""

from __future__ import annotations

from abr.decision import Rule
from abr.policyfiles import read_policy_file


def make(weights: str) -> Rule:
    """The algorithm of the file ``weights``.

    Raises:
        AlgorithmError: the file is missing or holds no policy.
    """
    return read_policy_file(weights).rule(f"policy:{weights}")
