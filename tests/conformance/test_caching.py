"""An open edge does what the standards of HTTP caching say, clause by clause."""

from __future__ import annotations

import pytest

from tests.conformance.table import by_clause, play


@pytest.mark.parametrize("clause", sorted(by_clause()))
async def test_each_case_of_a_clause_holds(clause: str) -> None:
    played = await play(by_clause()[clause])
    wrong = [f"{case.says}: {text}" for case, faults in played for text in faults]
    assert wrong == []


def test_no_two_cases_say_the_same() -> None:
    for clause, cases in by_clause().items():
        stated = [(case.says, case.steps) for case in cases]
        assert len({repr(each) for each in stated}) == len(stated), clause
