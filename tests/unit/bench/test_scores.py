"""QoEs of results: many at once, each as if alone."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from abr.errors import QoEError
from abr.qoe import QOE_LIN, Additive, Model, Viewing, linear, log, own, sabre, vmaf
from abr.trace import Trace
from bench.analysis.scores import default_models, models_of, score, viewing_of_row
from bench.experiments.results import Results, ResultsError, Row, results_of
from tests.fakes.results import PRESENTATION, results, row
from tests.unit.bench.test_engine import PRESENTATION as FILM
from tests.unit.bench.test_engine import rows as rows_played
from tests.unit.bench.test_engine import run_of

MEASURED = {
    "title": "measured",
    "digest": "e" * 64,
    "ladder_bps": [1e6, 2e6, 16e6],
    "durations_s": [4.0, 4.0, 2.0],
    "quality_metric": "vmaf",
    "quality": [[50.0, 60.0, 70.0], [60.0, 70.0, 80.0], [90.0, 95.0, 99.0]],
}

FALLS = Trace.from_periods([(9.0, 4e6), (19.0, 1e5), (15.0, 1e6)], name="falls")
STEADY = Trace.constant(2e6, name="steady")


def of_two() -> Results:
    """Sessions of two presentations, mixed, one of them failed."""
    rows: list[Row] = []
    for k in range(6):
        more: dict[str, Any] = {
            "stall_s": 0.5 * k,
            "stalls": [[4.0, 0.5 * k]],
            "startup_s": 0.1 * k,
        }
        rows.append(row("a", k, **more, rungs=[k % 2, 1], played_s=8.0 - (k == 5)))
        other = {"presentation": "measured", "presentation_digest": "e" * 64, "played_s": 10.0}
        rows.append(row("a", k, **more, **other, rungs=[2, k % 3, 1]))
    rows[4] |= {"ended": "error: gone"}
    header = {**results(rows).header, "presentations": [PRESENTATION, MEASURED]}
    return results_of(header, rows, name="made up")


def bare(found: Results) -> Results:
    """Without the presentation that was not measured."""
    rows = [each for each in found.rows if each["presentation"] == "measured"]
    return results_of(found.header, rows, name="made up")


@pytest.mark.parametrize("model", [linear(), linear(startup_weight=2), log(), sabre()])
def test_many_are_scored_as_one_is(model: Model) -> None:
    """Whatever the order of presentations; a failed session has no score."""
    found, _ = score(of_two(), [model])
    known = {each["title"]: each for each in (PRESENTATION, MEASURED)}
    for k, each in enumerate(found.rows):
        got = found.numbers[f"score {model.name}"][k]
        if k == 4:
            assert np.isnan(got)
        else:
            alone = model.score(viewing_of_row(each, known[each["presentation"]]))
            assert got == pytest.approx(alone, abs=1e-12)


def test_quality_comes_from_the_header() -> None:
    found, _ = score(bare(of_two()), [vmaf()])
    viewing = viewing_of_row(bare(of_two()).rows[0], MEASURED)
    assert viewing.quality is not None
    assert viewing.quality.tolist() == [90.0, 60.0, 80.0]
    assert found.numbers["score vmaf"][0] == pytest.approx(vmaf().score(viewing))
    with pytest.raises(QoEError, match="film has none"):
        score(of_two(), [vmaf()])


def test_a_function_sees_each_session_once() -> None:
    seen: list[Viewing] = []

    def count(viewing: Viewing) -> float:
        seen.append(viewing)
        return float(viewing.segments)

    found, metrics = score(of_two(), [own(count)])
    assert len(seen) == 11  # of 12, one failed
    assert np.nansum(found.numbers["score count"]) == 5 * 2 + 6 * 3
    assert [metric.name for metric in metrics][:3] == ["bitrate_bps", "stall_ratio", "count"]


def test_the_formula_has_the_weights_of_every_ladder() -> None:
    _, (_, _, metric, *_) = score(of_two(), [linear()])
    assert "− 2 · stalled s" in metric.formula
    assert metric.formula.count("for film; ") == 1
    assert "− 16 · stalled s" in metric.formula
    assert metric.formula.endswith("for measured")


def test_results_that_name_no_qoe_have_one_that_fits_their_ladder() -> None:
    """QoE_lin as published on ladders like that it was published for; else the top rung."""
    assert default_models([[0.3e6, 4.3e6], [0.23e6, 6e6]]) == (QOE_LIN,)
    for ladder in ([20e6, 160e6], [0.1e6, 1e6]):
        (found,) = default_models([[0.3e6, 4.3e6], ladder])
        assert found.name == "linear"
    assert models_of(of_two())[0].name == "linear"


def test_names_are_told_apart() -> None:
    for models in ([log(), log()], [log(), _labelled("log")]):
        with pytest.raises(QoEError, match="QoE 'log' twice"):
            score(of_two(), models)


def _labelled(label: str) -> Additive:
    return replace(linear(), label=label)


def test_a_header_without_the_presentation_is_refused() -> None:
    found = of_two()
    lacking = results_of({**found.header, "presentations": [MEASURED]}, found.rows, name="r")
    with pytest.raises(ResultsError, match="no presentation 'film' in the header"):
        score(lacking, [log()])


@pytest.mark.parametrize("preset", ["abrkit", "sabre", "pensieve"])
def test_rows_of_every_simulator_hold_what_their_own_score_is_made_of(preset: str) -> None:
    """Linear with the published weight is the ``qoe_lin`` that the simulator's run wrote."""
    made = rows_played(run_of(preset=preset, name="rate"), FALLS, STEADY)
    title = {
        "title": "film",
        "digest": made[0]["presentation_digest"],
        "ladder_bps": FILM.bitrates_bps.tolist(),
        "durations_s": FILM.durations_s.tolist(),
    }
    assert made[0]["stall_s"] > 0
    found, _ = score(results_of({"presentations": [title]}, made, name="r"), [published()])
    assert found.numbers["score published"] == pytest.approx(found.numbers["qoe_lin"], abs=1e-12)


def published() -> Additive:
    return replace(QOE_LIN, name="published", label="published")
