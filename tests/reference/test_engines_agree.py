"""One definition, two engines: compiled, plain and adapted for playback, the same answers.

Each rule plays two recorded sessions over networks that change, as the players do it,
through ``begin``. The questions of these sessions are then put to the rule's functions
as they are, and compiled: every answer is the same number.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from abr import registry
from abr.decision import Rule, begin, start_state
from abr.media import Presentation
from abr.trace import Trace
from player.batch import flatstate
from player.batch.run.batch import compiled_with, hooks_of, run_batch
from player.batch.run.compiled import linked
from player.batch.sabre import SABRE
from player.batch.tables import presentation_table_of
from tests.fakes import asking

TRACES = [
    Trace.from_periods([(9.0, 4e6, 0.05), (6.0, 0.4e6, 0.2), (2.0, 0.0, 0.2), (14.0, 9e6, 0.01)]),
    Trace.from_periods([(31.0, 0.7e6, 0.1), (21.0, 2.2e6, 0.1), (5.0, 0.2e6, 0.1)]),
]


def presentation(segments: int = 60) -> Presentation:
    rng = np.random.default_rng(5)
    rates = np.array([0.3e6, 0.75e6, 1.2e6, 1.85e6, 2.85e6, 4.3e6])
    sizes = np.outer(rates / 8 * 4, rng.uniform(0.7, 1.3, segments))
    return Presentation(bitrates_bps=rates, sizes_bytes=sizes, durations_s=np.full(segments, 4.0))


def rules() -> list[str]:
    return [each.name for each in registry.describe() if each.form == "rule"]


def recorded(rule: Rule, trace: Trace) -> asking.Witness:
    """A session of ``rule``, as the virtual player runs it, with all that was asked."""
    witness = asking.Witness(begin(rule, presentation(), trace))
    run_batch(SABRE, presentation(), [trace], lambda: witness, engine="plain")
    return witness


def answers(rule: Rule, witness: asking.Witness, trace: Trace, *, compile_it: bool) -> Any:
    state = start_state(rule, presentation(), trace)
    flat = flatstate.flatten(state)
    if compile_it:
        loop: Any = compiled_with(asking.ask_all, {"answer": asking.answer}, rule, state)
    else:
        parts = {
            "answer": asking.answer,
            "state_of": lambda row, fields: flatstate.unflatten(state, row, fields),
        }
        loop = linked(asking.ask_all, hooks_of(rule), parts=parts)
    history = np.array(witness.history, dtype=np.float64).T.copy()
    found = np.zeros((len(witness.rows), 3))
    loop(
        rule.params,
        flat.values,
        flat.fields,
        presentation_table_of(presentation()),
        history,
        witness.record(),
        found,
    )
    return found


@pytest.mark.timeout(400)  # compiles each rule twice
@pytest.mark.parametrize("name", rules())
def test_compiled_plain_and_adapted_answers_are_the_same(name: str) -> None:
    rule = registry.load(name)
    assert isinstance(rule, Rule)
    for trace in TRACES:
        witness = recorded(rule, trace)
        adapted = np.array(witness.answers)
        assert len(adapted) > 100
        for engine in (False, True):
            found = answers(rule, witness, trace, compile_it=engine)
            wrong = np.flatnonzero((found != adapted).any(axis=1))
            assert wrong.size == 0, (engine, wrong[:3], found[wrong[:3]], adapted[wrong[:3]])
