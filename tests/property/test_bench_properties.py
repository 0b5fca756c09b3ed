"""Invariants of experiments: order, pairing and text."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.analysis.compare import compare
from bench.analysis.standings import bench_report
from bench.analysis.stats import measure
from bench.experiments.results import compact, print_results, read_results
from tests.fakes.results import results, row

RATES = st.lists(st.floats(1e3, 1e9), min_size=2, max_size=12)
FIGURES = st.fixed_dictionaries(
    {
        "mean_bitrate_bps": st.floats(0, 1e9),
        "stall_s": st.floats(0, 1e4),
        "played_s": st.one_of(st.just(0.0), st.floats(1e-3, 1e4)),
        "startup_s": st.one_of(st.none(), st.floats(0, 1e3)),
        "qoe_lin": st.floats(-1e4, 1e3),
        "stall_events": st.integers(0, 1000),
    }
)


@given(st.lists(FIGURES, min_size=1, max_size=6))
def test_rows_survive_printing(figures: list[dict[str, object]]) -> None:
    rows = [row("a", k, **each) for k, each in enumerate(figures)]
    data = print_results({}, [f"{compact(each)}\n".encode() for each in rows])
    assert list(read_results(data.decode(), name="x").rows) == rows


@given(st.lists(FIGURES, min_size=2, max_size=8), st.randoms())
@settings(max_examples=25, deadline=None)
def test_a_report_does_not_depend_on_the_order_of_one_algorithms_rows(
    figures: list[dict[str, object]], chance: object
) -> None:
    """Rows of the second algorithm are shuffled; the first's order is the plan's."""
    # Both played the first network at least.
    first = [row("a", 0), *(row("a", k, **each) for k, each in enumerate(figures, 1))]
    second = [row("b", 0), *(row("b", k, **each) for k, each in enumerate(reversed(figures), 1))]
    shuffled = second.copy()
    chance.shuffle(shuffled)  # type: ignore[attr-defined]  # a random.Random
    said = [
        str(
            bench_report(results(first + rows), rng=np.random.default_rng(1), seed=1, resamples=100)
        )
        for rows in (second, shuffled)
    ]
    assert said[0] == said[1]


@given(RATES)
@settings(max_examples=25, deadline=None)
def test_whatever_it_is_it_is_not_worse_than_itself(rates: list[float]) -> None:
    same = results([row("a", k, mean_bitrate_bps=bps) for k, bps in enumerate(rates)])
    findings = compare(same, same).findings
    assert all(each.is_proven and not each.is_worse for each in findings)


@given(RATES, st.floats(0.1, 10))
@settings(max_examples=25, deadline=None)
def test_intervals_scale_with_the_figures(rates: list[float], factor: float) -> None:
    top = np.array(rates)[None, None, :]
    ones = np.ones_like(top)
    plain = measure(top, ones).estimate(0, 0)
    scaled = measure(factor * top, ones).estimate(0, 0)
    assert np.allclose([scaled.low, scaled.high], [factor * plain.low, factor * plain.high])
    assert plain.low <= plain.value * (1 + 1e-9)
    assert plain.value * (1 - 1e-9) <= plain.high
