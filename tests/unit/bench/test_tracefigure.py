"""Pictures of traces: the right curves, whole files, no library no picture."""

from __future__ import annotations

import io
import sys
import xml.etree.ElementTree as ET

import numpy as np
import pytest
from PIL import Image

from abr.errors import ToolMissingError
from abr.trace import Trace
from bench.traces.figure import (
    MOST_STEPS,
    are_far_apart,
    columns_for,
    picture,
    shared_top_bps,
    steps_of,
)

STEPS = Trace.from_periods([(1, 4e6), (2, 0), (1, 2e6)], name="steps_$x$ <&>")


def test_few_periods_are_drawn_as_they_are() -> None:
    assert steps_of(STEPS).bps.tolist() == [4e6, 0, 2e6]
    assert steps_of(STEPS, mean_over_s=2).bps.tolist() == [2e6, 1e6]


def test_many_periods_are_drawn_as_means() -> None:
    """A million packets do not make a million strokes, and nothing is lost."""
    trace = Trace.from_periods([(0.001, 12e6), (0.002, 0)] * 5000)
    drawn = steps_of(trace, mean_over_s=1e-4)
    assert len(drawn.bps) == MOST_STEPS
    assert float(np.diff(drawn.bounds_s) @ drawn.bps) == pytest.approx(trace.mean_bps * 15)


def test_a_rare_peak_does_not_rule_the_axis() -> None:
    """0.5 % of the time at 100 Mbit/s: the axis ends a quarter above what is usual."""
    calm = steps_of(Trace.from_periods([(199, 4e6), (1, 100e6)]))
    assert shared_top_bps([calm]) == 5e6
    assert shared_top_bps([calm, steps_of(Trace.constant(8e6))]) == 10e6
    assert shared_top_bps([steps_of(STEPS)]) == 4e6


def test_a_trace_that_is_nearly_always_out_still_has_an_axis() -> None:
    out = steps_of(Trace.from_periods([(999, 0), (1, 3e6)]))
    assert shared_top_bps([out]) == 3e6


def test_panels_make_a_grid() -> None:
    assert [columns_for(n) for n in (1, 2, 4, 9, 16, 100)] == [1, 2, 2, 3, 4, 5]


def test_traces_far_apart_are_noticed() -> None:
    fast, slow = Trace.constant(100e6), Trace.constant(1e6)
    assert are_far_apart([fast, slow])
    assert not are_far_apart([fast, Trace.constant(10e6)])


@pytest.mark.parametrize("is_log", [False, True])
@pytest.mark.parametrize("has_own_axes", [False, True])
def test_an_svg_is_one_document_and_the_same_every_time(is_log: bool, has_own_axes: bool) -> None:
    """Names with signs of mathematics or XML are just names."""
    traces = [STEPS, Trace.constant(1e6, name="日本"), STEPS]
    first = picture(traces, "svg", is_log=is_log, has_own_axes=has_own_axes)
    assert ET.fromstring(first).tag.endswith("svg")
    assert first == picture(traces, "svg", is_log=is_log, has_own_axes=has_own_axes)


def test_a_png_has_a_size_and_some_ink() -> None:
    image = Image.open(io.BytesIO(picture([STEPS], "png", dpi=50)))
    assert image.width > 400
    assert len(set(image.convert("L").tobytes())) > 3


def test_without_matplotlib_it_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ToolMissingError, match=r"pip install 'abrkit\[plot\]'"):
        picture([STEPS], "png")
