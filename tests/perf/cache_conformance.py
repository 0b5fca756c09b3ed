"""How an open edge does in our table of HTTP caching, clause by clause.

python -m tests.perf.cache_conformance
"""

from __future__ import annotations

import asyncio
import sys

from tests.conformance.table import CASES, play


def main() -> None:
    """Play all cases, print the score of each clause and what is wrong."""
    played = asyncio.run(play(CASES))
    scores: dict[str, list[int]] = {}
    for case, faults in played:
        score = scores.setdefault(case.clause, [0, 0, 0, 0])
        at = 0 if case.must else 2
        score[at] += not faults
        score[at + 1] += 1
    print(f"{'clause':28} required   optimal")
    for clause, (musts, of_musts, shoulds, of_shoulds) in sorted(scores.items()):
        print(f"{clause:28} {musts:3} of {of_musts:<3} {shoulds:4} of {of_shoulds}")
    total = [sum(column) for column in zip(*scores.values(), strict=True)]
    print(f"{'all':28} {total[0]:3} of {total[1]:<3} {total[2]:4} of {total[3]}")
    for case, faults in played:
        for text in faults:
            print(f"{case.clause}, {case.says}: {text}")
    sys.exit(total[0] != total[1])


if __name__ == "__main__":
    main()
