"""Figures of traces as text."""

from __future__ import annotations

from abr.trace import Trace
from abr.tracestats import trace_stats
from bench.traces.table import stats_text

STEPS = trace_stats(Trace.from_periods([(1, 4e6), (2, 1e6), (1, 0), (4, 12.345e6)], name="steps"))


def test_one_trace_is_shown_in_full() -> None:
    text = stats_text([STEPS])
    assert text.splitlines()[0] == "steps"
    assert "8.000 s in 4 periods" in text
    assert "5 %: 0.000" in text
    assert "95 %: 12.35" in text
    assert "1, 1.0 s in all, the longest 1.0 s: 12.5 % of the time" in text
    assert "8 s: –" in text  # eight seconds have no lag of eight


def test_several_traces_are_a_table_with_all_together_below() -> None:
    long = trace_stats(Trace.constant(2e9, name="a-very-long-name-" * 4 + "end"))
    lines = stats_text([STEPS, long]).splitlines()
    assert len({len(line) for line in lines[2:3] + lines[5:6]}) == 1
    assert lines[0].split()[:3] == ["trace", "duration", "periods"]
    assert lines[3].split()[:4] == ["steps", "8.0", "4", "6.923"]
    assert lines[4].startswith("a-very-long-name-")
    assert "…" in lines[4]
    assert "end " in lines[4]
    assert lines[6].split()[:4] == ["2", "traces", "9.0", "5"]


def test_absurd_rates_do_not_fill_the_screen() -> None:
    assert "1e+200" in stats_text([trace_stats(Trace.constant(1e206))])
