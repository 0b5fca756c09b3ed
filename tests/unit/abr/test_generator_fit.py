"""A model fitted to traces draws traces like them."""

from __future__ import annotations

import numpy as np
import pytest

from abr.errors import ModelError
from abr.files.models import model
from abr.generators import Kind, fit, generate, read_model, write_model
from abr.generators.latent import two_time_scales
from abr.generators.measures import autocorrelation, ks_distance, outage_ratio, resample
from abr.trace import Trace

TRACES = 50
PERIODS = 400


@pytest.mark.parametrize("kind", ["chain", "copula"])
@pytest.mark.parametrize("name", ["3g-commute", "5g-mmwave-driving", "puffer-home"])
def test_a_fit_recovers_what_it_was_drawn_from(name: str, kind: Kind) -> None:
    """Distance of capacities and the first lags, refitted against original."""
    held = model(name)
    length_s = PERIODS * held.period_s
    given = [generate(held, seed=k, duration_s=length_s, kind=kind) for k in range(TRACES)]
    own = fit(given, name="own", period_s=held.period_s)
    back = [generate(own, seed=900 + k, duration_s=length_s, kind=kind) for k in range(TRACES)]
    first, second = ([trace.capacity_bps for trace in some] for some in (given, back))
    assert ks_distance(np.concatenate(first), np.concatenate(second)) < 0.1
    was, became = autocorrelation(first, 5), autocorrelation(second, 5)
    assert became[0] == pytest.approx(was[0], abs=0.07)
    assert became[4] == pytest.approx(was[4], abs=0.15)
    limit = held.chain.outage_bps
    assert outage_ratio(second, limit) == pytest.approx(outage_ratio(first, limit), abs=0.03)


def test_a_fit_states_its_goodness_and_survives_its_file() -> None:
    given = [generate(model("lte-driving"), seed=k, duration_s=120) for k in range(12)]
    own = fit(given, name="mine", source="my own drive")
    assert read_model(write_model(own), name="mine.json") == own
    assert set(own.goodness) == {"chain", "copula"}
    assert own.goodness["copula"].ks < 0.15
    assert len(own.goodness["copula"].acf_real) == 10
    assert (own.fitted_traces, own.fitted_s, own.source) == (12, 1440, "my own drive")
    assert own.goodness_of == "the traces it was fitted to"


def test_a_fit_is_the_same_each_time() -> None:
    given = [generate(model("lte-driving"), seed=k, duration_s=120) for k in range(3)]
    assert write_model(fit(given, name="a")) == write_model(fit(given, name="a"))


def test_few_traces_are_said_to_be_few() -> None:
    own = fit([generate(model("lte-driving"), seed=1, duration_s=120)], name="one")
    assert own.caution == "fitted to only 1 traces"


def test_a_constant_link_is_fitted_as_one() -> None:
    own = fit([Trace.from_periods([(100, 2e6)])], name="flat")
    for kind in own.goodness:
        assert set(generate(own, seed=4, kind=kind).capacity_bps.tolist()) == {2e6}
    assert own.goodness["chain"].acf_real == ()


def test_an_outage_in_every_trace_is_in_the_draws() -> None:
    rows = [(1.0, 0.0 if k % 20 < 5 else 4e6 + 1e5 * (k % 7)) for k in range(200)]
    own = fit([Trace.from_periods(rows)] * 3, name="holes")
    for kind in own.goodness:
        drawn = [generate(own, seed=k, duration_s=200, kind=kind).capacity_bps for k in range(20)]
        assert outage_ratio(drawn, 1e4) == pytest.approx(0.25, abs=0.08)


@pytest.mark.parametrize(
    ("traces", "asked", "says"),
    [
        ([], {}, "0 periods of 1 s in 0 traces"),
        ([Trace.from_periods([(30, 1e6)])], {}, "30 periods of 1 s in 1 traces"),
        ([Trace.from_periods([(5, 1e6)])] * 30, {}, "0 periods of 1 s in 0 traces"),
        ([Trace.from_periods([(90, 1e6)])], {"period_s": 0.0}, "period_s is 0"),
        ([Trace.from_periods([(90, 1e6)])], {"outage_bps": 1e7}, "no period reaches 1e"),
        ([Trace.from_periods([(90, 1e6)])], {"name": "a b"}, "name is 'a b'"),
    ],
)
def test_what_cannot_be_fitted_is_refused(
    traces: list[Trace], asked: dict[str, float], says: str
) -> None:
    with pytest.raises(ModelError, match=says):
        fit(traces, **{"name": "own", **asked})  # type: ignore[arg-type]  # a table of cases


def test_resampling_keeps_the_bits_and_drops_the_rest() -> None:
    """4 Mbit in the first second, 2 + 3 in the second, half a second left over."""
    trace = Trace.from_periods([(1, 4e6), (0.5, 4e6), (0, 9e9), (1.0, 6e6)])
    assert resample(trace, 1.0).tolist() == pytest.approx([4e6, 5e6])
    assert resample(trace, 5.0).tolist() == []


def test_distance_and_autocorrelation_of_known_series() -> None:
    one, two = np.array([1.0, 2.0, 3.0, 4.0]), np.array([3.0, 4.0, 5.0, 6.0])
    assert ks_distance(one, two) == 0.5
    assert ks_distance(one, one) == 0.0
    # about their mean: 1 -1 1 -1 1 -1; five products of -1 over six squares
    swing = np.array([2.0, 0.0, 2.0, 0.0, 2.0, 0.0])
    assert autocorrelation([swing], 1) == pytest.approx((-5 / 6,))
    assert np.isnan(autocorrelation([np.ones(20)], 2)).all()


def test_two_time_scales_are_found_in_their_own_sum() -> None:
    lags = np.arange(1.0, 61)
    found = two_time_scales(0.6 * 0.97**lags + 0.3 * 0.5**lags)
    assert (found.slow_weight, found.slow_phi) == pytest.approx((0.6, 0.97), abs=0.02)
    assert (found.fast_weight, found.fast_phi) == pytest.approx((0.3, 0.5), abs=0.03)
