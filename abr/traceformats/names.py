"""Names of the traces of a set, no two alike."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import PurePath


def distinguish(names: Sequence[str], places: Sequence[str]) -> list[str]:
    """Names of traces, with as many folders in front as tell equal ones apart.

    Args:
        names: As the traces are called.
        places: The file of each; ``places[k]`` is where ``names[k]`` comes from.

    Returns:
        The names in the same order. What its folders cannot tell apart either gets a number.
    """
    told = list(names)
    folders = [PurePath(place).parts[:-1] for place in places]
    for depth in range(1, max(map(len, folders), default=0) + 1):
        counts = Counter(told)
        alike = [k for k, name in enumerate(told) if counts[name] > 1]
        if not alike:
            return told
        for k in alike:
            told[k] = "/".join([*folders[k][-depth:], names[k]])
    taken: set[str] = set()
    for k, name in enumerate(told):
        number, free = 1, name
        while free in taken:
            number += 1
            free = f"{name}-{number}"
        taken.add(free)
        told[k] = free
    return told
