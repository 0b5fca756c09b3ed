"""A log summed up against the loop's own row."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings

from abr import registry
from player import simulate
from player.batch.abrkit.simulator import ABRKIT
from player.batch.abrkit.timeline import options_of
from player.batch.logrows import fill
from player.batch.run.batch import run_batch
from player.batch.tables import Out, Totals, presentation_table_of
from tests.fakes.playbacks import Case, cases


@settings(max_examples=60, deadline=None)
@given(case=cases)
def test_a_log_gives_the_row_that_the_loop_makes(case: Case) -> None:
    """Every total and every column, but for the last bits of sums."""
    rule = registry.load("throughput")
    batch = run_batch(
        ABRKIT,
        case.presentation,
        [case.trace],
        rule,
        options=options_of(case.config, max_play_s=case.max_play_s),
        engine="plain",
        keep_columns=True,
    )
    log = simulate(
        case.presentation,
        trace=case.trace,
        algorithm=rule,
        config=case.config,
        max_play_s=case.max_play_s,
    )
    out = Out(
        np.zeros(case.presentation.segments),
        np.zeros(batch.columns.shape[1:]),
        Totals(),
        np.zeros((6, 0)),
    )
    totals = fill(log, presentation_table_of(case.presentation), out)
    np.testing.assert_array_equal(out.rungs, batch.rungs[0])
    for name, row in zip(batch.column_names, out.columns, strict=True):
        np.testing.assert_allclose(row, batch.column(name)[0], 1e-9, 1e-9, err_msg=name)
    for name, value in vars(totals).items():
        # What came of a download when the viewer left is in the log as of the last alarm.
        if name in ("downloaded_bytes", "wasted_bytes") and any(log.of("stop")):
            continue
        np.testing.assert_allclose(value, batch.total(name)[0], 1e-9, 1e-6, err_msg=name)
