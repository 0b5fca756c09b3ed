"""All cases, and how to play them."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from pathlib import Path

from tests.conformance import cases_freshness, cases_storing, cases_using
from tests.conformance.exchange import Case, bench, faults_of

CASES = (*cases_freshness.CASES, *cases_storing.CASES, *cases_using.CASES)


def by_clause() -> dict[str, list[Case]]:
    """The cases of each clause."""
    found: dict[str, list[Case]] = {}
    for case in CASES:
        found.setdefault(case.clause, []).append(case)
    return found


async def play(cases: Iterable[Case]) -> list[tuple[Case, list[str]]]:
    """Each case with what is wrong, those of equal settings against one edge."""
    groups: dict[str, list[Case]] = {}
    for case in cases:
        groups.setdefault(repr(case.settings), []).append(case)
    found = []
    for group in groups.values():
        with tempfile.TemporaryDirectory() as folder:
            async with bench(Path(folder), **group[0].settings) as at:
                for number, case in enumerate(group):
                    found.append((case, await faults_of(case, at, f"/{number}")))
    return found
