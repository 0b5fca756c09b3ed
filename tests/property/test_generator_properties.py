"""What must hold for whatever is drawn, and for whatever a model file is turned into."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from abr.errors import ModelError
from abr.files.models import model, names
from abr.generators import KINDS, Kind, fit, generate, read_model, write_model

NAMES = st.sampled_from(names())
KIND: st.SearchStrategy[Kind] = st.sampled_from(KINDS)
SEEDS = st.integers(0, 2**70)
MODELS = {name: model(name) for name in names()}
TEXT = write_model(MODELS["3g-commute"])


@settings(max_examples=150, deadline=None)
@given(NAMES, KIND, SEEDS, st.floats(0.001, 900))
def test_any_seed_and_duration_give_a_usable_trace(
    name: str, kind: Kind, seed: int, duration_s: float
) -> None:
    """Exactly as long as asked, whole bits per second, some of them; the same again."""
    trace = generate(MODELS[name], seed=seed, duration_s=duration_s, kind=kind)
    assert trace.duration_s == duration_s
    assert (trace.capacity_bps == np.rint(trace.capacity_bps)).all()
    assert trace.mean_bps > 0
    lengths = np.diff(trace.times_s)
    assert lengths.min() > 0
    assert lengths.max() <= MODELS[name].period_s * (1 + 1e-6)
    again = generate(MODELS[name], seed=seed, duration_s=duration_s, kind=kind)
    assert again.digest() == trace.digest()


@settings(max_examples=30, deadline=None)
@given(NAMES, SEEDS, st.integers(1, 100), st.integers(1, 100))
def test_a_copula_trace_begins_every_longer_one(name: str, seed: int, a: int, b: int) -> None:
    """Unless the shorter one was nothing but outage and had to be drawn again."""
    held = MODELS[name]
    short, long = (
        generate(held, seed=seed, duration_s=n * held.period_s, kind="copula").capacity_bps
        for n in sorted((a, b))
    )
    assert not long[: len(short)].any() or long[: len(short)].tolist() == short.tolist()


@settings(max_examples=15, deadline=None)
@given(st.lists(st.tuples(NAMES, SEEDS), min_size=1, max_size=4), st.sampled_from([0.5, 1.0, 3.0]))
def test_whatever_is_drawn_can_be_fitted_and_drawn_again(
    drawn: list[tuple[str, int]], period_s: float
) -> None:
    traces = [generate(MODELS[name], seed=seed, duration_s=200) for name, seed in drawn]
    own = fit(traces, name="own", period_s=period_s)
    assert read_model(write_model(own), name="own") == own
    for kind in KINDS:
        assert generate(own, seed=1, duration_s=60, kind=kind).mean_bps > 0


@settings(max_examples=400, deadline=None)
@given(st.integers(0, len(TEXT) - 1), st.integers(0, 6), st.text(max_size=4))
def test_a_damaged_file_parses_or_raises_our_error(at: int, cut: int, put: str) -> None:
    try:
        held = read_model(TEXT[:at] + put + TEXT[at + cut :], name="m")
    except ModelError as exc:
        assert "\n" not in str(exc)
    else:
        assert read_model(write_model(held), name="m") == held


@pytest.mark.parametrize("name", names())
def test_half_a_minute_is_enough_to_deliver(name: str) -> None:
    for kind in KINDS:
        for seed in range(50):
            assert generate(MODELS[name], seed=seed, duration_s=30, kind=kind).mean_bps > 0
