"""Traces drawn from models: the same bytes for a seed, always usable, shaped as asked."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from abr.errors import ModelError
from abr.files.models import model, names
from abr.generators import KINDS, Chain, Kind, Model, Quantiles, draw, generate, generate_many

PINNED: dict[str, dict[Kind, str]] = json.loads(
    (Path(__file__).parents[2] / "golden/generated_traces.json").read_text(encoding="utf-8")
)
"""Digests of seed 7, 120 s; ``tests/golden/make_generated_traces.py`` makes them anew."""


def flat(value: float) -> Quantiles:
    """Every trace, or every period, has this value."""
    return Quantiles(levels=(0.0, 1.0), values=(value, value))


def mostly_out(stays: float) -> Model:
    """A chain of one regime of 1 Mbit/s that is in an outage for a share ``stays`` of time."""
    held = model("lte-driving")
    chain = Chain(
        mean_bps=flat(1e6),
        outage_bps=0.0,
        initial=(stays, 1 - stays),
        transition=((stays, 1 - stays), (stays, 1 - stays)),
        log_ratio_mean=(0.0,),
        log_ratio_sigma=(0.0,),
        within_phi=0.0,
    )
    return replace(held, chain=chain, default_kind="chain")


def test_every_model_that_comes_along_is_pinned() -> None:
    assert set(PINNED) == set(names())


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", sorted(PINNED))
def test_a_seed_gives_the_same_bytes_everywhere(name: str, kind: Kind) -> None:
    trace = generate(model(name), seed=7, duration_s=120, kind=kind)
    assert trace.digest() == PINNED[name][kind]


def test_seeds_and_kinds_give_other_traces() -> None:
    held = model("lte-walking")
    drawn = [generate(held, seed=seed, kind=kind).digest() for seed in range(5) for kind in KINDS]
    assert len(set(drawn)) == len(drawn)


def test_no_kind_means_the_models_own() -> None:
    held = replace(model("lte-walking"), default_kind="chain")
    assert generate(held, seed=1).digest() == generate(held, seed=1, kind="chain").digest()


def test_periods_are_the_models_and_the_last_is_cut() -> None:
    trace = generate(model("fcc-home"), seed=1, duration_s=12.0)
    assert trace.times_s.tolist() == [0, 5, 10, 12]


@pytest.mark.parametrize(("duration_s", "periods"), [(1.1, 11), (0.7, 7), (0.75, 8), (0.05, 1)])
def test_a_rounded_quotient_makes_no_sliver_of_a_period(duration_s: float, periods: int) -> None:
    held = replace(model("lte-walking"), period_s=0.1)
    trace = generate(held, seed=1, duration_s=duration_s)
    assert len(trace.capacity_bps) == periods
    assert trace.duration_s == duration_s


def test_the_name_says_model_kind_and_seed() -> None:
    trace = generate(model("puffer-home"), seed=12, duration_s=60)
    assert (trace.name, trace.end) == ("puffer-home-copula-12", "loop")


def test_a_shorter_copula_trace_begins_a_longer_one() -> None:
    short, long = (
        generate(model("lte-walking"), seed=3, duration_s=s, kind="copula").capacity_bps
        for s in (50, 500)
    )
    assert long[:50].tolist() == short.tolist()


def test_the_delivering_periods_of_a_chain_have_the_mean_drawn() -> None:
    held = mostly_out(0.5)
    capacity = generate(held, seed=1, duration_s=200).capacity_bps
    assert set(capacity.tolist()) == {0.0, 1e6}
    assert 0.35 < float(np.mean(capacity == 0)) < 0.65


@pytest.mark.parametrize("seed", range(20))
def test_a_draw_of_nothing_but_outage_is_drawn_again(seed: int) -> None:
    """Three periods are all outage in 73 % of draws, and none that is handed out is."""
    held = mostly_out(0.9)
    trace = generate(held, seed=seed, duration_s=3)
    assert trace.capacity_bps.max() == 1e6
    assert trace.digest() == generate(held, seed=seed, duration_s=3).digest()


def test_a_model_of_outages_only_is_named() -> None:
    with pytest.raises(ModelError, match="100 draws of 60 s were nothing but outage"):
        generate(mostly_out(1.0), seed=1, duration_s=60)


@pytest.mark.parametrize(
    "wrong",
    [
        {"seed": -1},
        {"seed": 1.5},
        {"seed": True},
        {"duration_s": 0},
        {"duration_s": -3},
        {"duration_s": math.nan},
        {"duration_s": math.inf},
        {"kind": "markov"},
    ],
)
def test_misuse_is_refused(wrong: dict[str, Any]) -> None:
    asked: dict[str, Any] = {"seed": 1, "duration_s": 10.0} | wrong
    with pytest.raises(ValueError, match="expected"):
        generate(model("lte-walking"), **asked)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", ["3g-commute", "fcc-home"])
def test_many_are_those_drawn_one_by_one(
    name: str, kind: Kind, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A short draw is an outage now and then, and drawn again."""
    monkeypatch.setattr(draw, "_MOST_AT_ONCE", 50)
    held = model(name)
    for length_s in (1.0, 33.3):
        many = generate_many(held, seeds=range(40, 80), duration_s=length_s, kind=kind)
        for seed, trace in zip(range(40, 80), many, strict=True):
            one = generate(held, seed=seed, duration_s=length_s, kind=kind)
            assert (trace.digest(), trace.name) == (one.digest(), one.name)


def test_no_seed_no_trace() -> None:
    assert generate_many(model("3g-commute"), seeds=[]) == []
    with pytest.raises(ValueError, match="seed is -1"):
        generate_many(model("3g-commute"), seeds=[0, -1])
