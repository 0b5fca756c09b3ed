"""One segment at a time against the whole session."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from hypothesis import given, settings

from abr.decision import Decision, Observation
from player.batch.abrkit.simulator import ABRKIT
from player.batch.abrkit.stepping import PLACES, Stepped, reset, step
from player.batch.abrkit.timeline import options_of
from player.batch.run.batch import presentation_hooks, run_batch
from player.batch.run.compiled import linked
from player.batch.tables import BEYOND, TOTALS, Totals, make_room, presentation_table_of
from tests.fakes.playbacks import Case, cases

SUMS_OVER_RUNGS = {
    "bitrate_time_bits",
    "mean_bitrate_bps",
    "bitrate_change_bps",
    "utility_time_s",
    "utility_change",
    "switches",
    "shown",
    "wasted_bytes",
    "downloaded_bytes",
}


class Wayward:
    """Any rung, after any wait or none, and never another."""

    def __init__(self, seed: int) -> None:
        self._rng = np.random.default_rng(seed)
        self.asked: list[tuple[float, float]] = []

    def answer(self, rungs: int) -> tuple[int, float]:
        return int(self._rng.integers(rungs)), float(self._rng.choice((0.0, 0.0, 0.7, 5.0)))

    def choose(self, seen: Observation) -> Decision:
        self.asked.append((seen.now_s, seen.buffer_s))
        return Decision(*self.answer(len(seen.ladder_bps)))


def stepped(case: Case) -> tuple[list[Stepped], list[tuple[float, float]], dict[str, float]]:
    """The session in steps: each step, when each was asked for, the totals."""
    options = options_of(case.config, max_play_s=case.max_play_s)
    table = presentation_table_of(case.presentation)
    link = ABRKIT.link_table(case.trace, options)
    place, totals = np.zeros(len(PLACES)), Totals()
    step_linked = linked(step, presentation_hooks(case.presentation))
    room, wayward = make_room(), Wayward(case.seed)
    reset(place, totals, options)
    steps: list[Stepped] = []
    asked = [(0.0, 0.0)]
    while not (steps and steps[-1].is_over):
        steps.append(
            step_linked(
                table, link, options, place, totals, room, *wayward.answer(case.presentation.rungs)
            )
        )
        asked.append((float(place[0]), steps[-1].buffer_s))
    return steps, asked[:-1], vars(totals)


@settings(max_examples=150, deadline=None)
@given(case=cases)
def test_steps_add_up_to_the_session(case: Case) -> None:
    """Times, buffer levels, stalls and totals are those of a rule that answers so."""
    # Steps know one goal, and begin with the lowest rung.
    alike = replace(case.config, buffer_bytes=0.0, top_buffer_s=0.0, begins_with="lowest")
    case = case._replace(config=alike)
    steps, asked, totals = stepped(case)
    if totals["outcome"] == BEYOND:  # a batch lets the player itself play these
        return
    made: list[Wayward] = []

    def make() -> Wayward:
        made.append(Wayward(case.seed))
        return made[-1]

    batch = run_batch(
        ABRKIT,
        case.presentation,
        [case.trace],
        make,
        options=options_of(case.config, max_play_s=case.max_play_s),
        engine="plain",
        keep_columns=True,
    )
    if case.presentation.side_files is None:
        assert asked[0] == made[-1].asked[0]
    # With side files the first segment is asked for once playlists are here.
    assert asked[1:] == made[-1].asked[1:]
    for name in set(TOTALS) - SUMS_OVER_RUNGS:
        np.testing.assert_equal(totals[name], batch.total(name)[0], err_msg=name)
    for k, each in enumerate(steps):
        if batch.rungs[0, k] < 0 or np.isnan(each.end_s):
            assert k == len(steps) - 1
            break
        for name in ("start_s", "first_byte_s", "end_s"):
            assert getattr(each, name) == batch.column(name)[0, k]
        # A session sums what is reported at its alarms.
        np.testing.assert_allclose(each.size_bytes, batch.column("size_bytes")[0, k], rtol=1e-12)
    total_s = sum(each.stall_s for each in steps)
    np.testing.assert_allclose(total_s, totals["stall_s"], rtol=1e-9, atol=1e-9)
