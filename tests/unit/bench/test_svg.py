"""Charts put values where they belong, at round ticks, and leave no text unescaped."""

from __future__ import annotations

import re
from itertools import pairwise
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.reports.svg import (
    Axis,
    Panel,
    draw_chart,
    draw_path,
    draw_words,
    format_number,
    simplify,
)

PANEL = Panel(x=Axis(0, 10), y=Axis(0, 4), top_px=20, height_px=100)


@pytest.mark.parametrize(
    ("axis", "most", "ticks"),
    [
        (Axis(0, 10), 5, [0, 2, 4, 6, 8, 10]),
        (Axis(0, 5.3), 5, [0, 2, 4]),
        (Axis(-0.5, 0.3), 4, [-0.4, -0.2, 0, 0.2]),
        (Axis(0, 0.0007), 4, [0, 0.0002, 0.0004, 0.0006]),
    ],
)
def test_ticks_are_round_and_within_the_axis(axis: Axis, most: int, ticks: list[float]) -> None:
    assert axis.ticks(most) == pytest.approx(ticks)


@given(st.floats(-1e6, 1e6), st.floats(1e-3, 1e6), st.integers(2, 10))
def test_there_are_few_ticks_however_wide_the_axis_is(low: float, span: float, most: int) -> None:
    axis = Axis(low, low + span)
    ticks = axis.ticks(most)
    assert len(ticks) <= most + 1
    assert all(low - 1e-6 * span <= tick <= axis.high + 1e-6 * span for tick in ticks)


def test_a_value_beyond_the_axis_is_held_at_its_end() -> None:
    assert [Axis(0, 4).share(value) for value in (-1, 1, 9)] == [0, 0.25, 1]
    assert Axis(4, 0).share(1) == 0.75


def test_places_are_percent_across_and_pixels_down() -> None:
    assert (PANEL.place_x(2.5), PANEL.place_y(1)) == ("25%", "95")
    dot = ET.fromstring(PANEL.draw_dot((2.5, 1), radius_px=3, title="a < b"))
    assert (dot.attrib["cx"], dot.attrib["cy"]) == ("25%", "95")
    assert dot[0].text == "a < b"


def test_a_filled_line_begins_and_ends_at_the_low_end() -> None:
    text = PANEL.draw_line([[(0, 4), (5, 4), (5, 1), (10, 1)]], kind="x", is_filled=True)
    (drawn,) = re.findall(r' d="([^"]+)"', text)
    assert drawn == "M0 100V0H500V75H1000V100"
    assert 'preserveAspectRatio="none"' in text


def test_a_path_is_written_as_short_as_it_can_be() -> None:
    assert draw_path([(0, 0), (10, 0), (10, 5.55), (20, 7)]) == "M0 0H10V5.5L20 7"
    assert draw_path([]) == ""


@pytest.mark.parametrize(
    ("value", "text"), [(1.04, "1"), (-0.01, "0"), (100.0, "100"), (2.55, "2.5"), (0.25, "0.2")]
)
def test_numbers_have_no_noughts_that_say_nothing(value: float, text: str) -> None:
    assert format_number(value) == text


def test_points_on_a_straight_line_are_left_out() -> None:
    points = [(float(k), 2.0 * k) for k in range(100)]
    assert simplify(points, 0.1) == [points[0], points[-1]]
    bent = [*points, (120.0, 0.0)]
    assert simplify(bent, 0.1) == [bent[0], bent[99], bent[100]]
    assert simplify(points[:1], 0.1) == points[:1]


@given(st.lists(st.floats(-100, 100), min_size=1, max_size=60), st.floats(0.1, 10, allow_nan=False))
def test_no_point_is_farther_from_the_simpler_line_than_was_allowed(
    values: list[float], tolerance: float
) -> None:
    points = [(float(k), value) for k, value in enumerate(values)]
    kept = simplify(points, tolerance)
    assert kept[0] == points[0]
    assert kept[-1] == points[-1]
    ends = [complex(*point) for point in kept]
    for point in points:
        at = complex(*point)
        apart = [abs(at - ends[0])]
        for start, end in pairwise(ends):
            share = ((at - start) / (end - start)).real
            apart.append(abs(at - start - min(max(share, 0.0), 1.0) * (end - start)))
        assert min(apart) <= tolerance * (1 + 1e-9)


def test_text_from_outside_stays_text() -> None:
    evil = '<script>alert("1")</script>'
    drawn = draw_chart([draw_words(evil, "0", 10)], height_px=20, label=evil)
    root = ET.fromstring(drawn)
    assert root.attrib["aria-label"] == evil
    assert root[0].text == evil
    assert len(list(root.iter())) == 2
