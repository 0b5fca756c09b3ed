"""Names beside the points of a chart, and the marks that tell algorithms apart."""

from __future__ import annotations

import numpy as np
import pytest

from bench.reports.labels import LINE_PX, POINT_PX, Box, Label, place_labels
from bench.reports.marks import COLOURS, SHAPES, colour_of, dash_of, shape_of
from bench.reports.names import columns_of, in_columns, pad, shorten, width_px

Point = tuple[float, float]


def box(point: Point, label: Label, name: str) -> tuple[float, float, float, float]:
    near, length = point[0] + label.dx_px, width_px(name)
    left = near - length if label.is_left else near
    top = point[1] + label.dy_px - LINE_PX / 2
    return left, top, left + length, top + LINE_PX


def meet(a: tuple[float, ...], b: tuple[float, ...]) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]


@pytest.mark.parametrize("width_px", [300.0, 1000.0])
@pytest.mark.parametrize("seed", range(5))
def test_names_cover_no_name_and_no_point_and_stay_inside(width_px: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    points = [(float(x), float(y)) for x, y in rng.uniform([0, 0], [width_px, 380], (25, 2))]
    names = [f"algorithm-{'x' * k}"[: 4 + k % 10] for k in range(25)]
    labels = place_labels(points, names, width_px=width_px, height_px=380)
    boxes = [
        box(point, label, name)
        for point, label, name in zip(points, labels, names, strict=True)
        if label is not None
    ]
    assert len(boxes) >= 23
    dots = [(x - POINT_PX, y - POINT_PX, x + POINT_PX, y + POINT_PX) for x, y in points]
    for place, each in enumerate(boxes):
        assert 0 <= each[0] <= each[2] <= width_px
        assert 0 <= each[1] <= each[3] <= 380
        assert not any(meet(each, other) for other in boxes[place + 1 :] + dots)


def test_a_lonely_point_is_named_at_its_right_and_one_at_the_edge_at_its_left() -> None:
    first, second = place_labels([(50, 50), (295, 90)], ["a", "abc"], width_px=300, height_px=100)
    assert first is not None
    assert second is not None
    assert (first.is_left, first.dy_px, first.is_led) == (False, 0, False)
    assert (second.is_left, second.dx_px < 0) == (True, True)


def test_a_name_stays_clear_of_its_own_bars_where_there_is_room() -> None:
    """Beside its point it would lie over the bar across; above or below it does not."""
    bars = [[Box(20, 189, 280, 191), Box(149, 100, 151, 280)]]
    (label,) = place_labels([(150, 190)], ["name"], width_px=300, height_px=380, bars=bars)
    assert label is not None
    found = Box(*box((150, 190), label, "name"))
    assert not any(found.meets(bar) for bar in bars[0])


def test_a_name_lies_over_a_bar_rather_than_nowhere() -> None:
    bars = [[Box(0, 0, 100, 40)]]
    (label,) = place_labels([(50, 20)], ["name"], width_px=100, height_px=40, bars=bars)
    assert label is not None


def test_points_that_coincide_are_named_apart_with_a_line_to_those_farther_off() -> None:
    labels = place_labels([(150, 190)] * 12, ["same"] * 12, width_px=300, height_px=380)
    assert None not in labels
    assert len(set(labels)) == 12
    assert any(label is not None and label.is_led for label in labels)


def test_a_name_for_which_there_is_no_room_is_left_out() -> None:
    assert place_labels([(5, 5)], ["far too long"], width_px=20, height_px=20) == [None]


def test_each_of_64_algorithms_has_a_mark_and_a_line_of_its_own() -> None:
    most = COLOURS * len(SHAPES)
    assert most == 64
    assert len({(colour_of(k), shape_of(k)) for k in range(most)}) == most
    assert len({(colour_of(k), dash_of(k)) for k in range(most)}) == most
    assert all(shape_of(k) != shape_of(k + 1) for k in range(most - 1))


def test_a_long_name_is_cut_in_its_middle_and_a_short_one_is_whole() -> None:
    assert shorten("bola-sabre", 100.0) == "bola-sabre"
    cut = shorten("mpc horizon=5 stall_weight=4.3", 16, columns_of)
    assert cut == "mpc hori…ght=4.3"
    assert width_px(shorten("W" * 80, 150.0)) <= 150.0


def test_names_that_would_be_cut_to_the_same_stay_whole() -> None:
    one, other = (f"a rule of mine with rung={rung} and all the rest" for rung in (1, 2))
    assert in_columns([one, other, "bba-0"]) == {one: one, other: other, "bba-0": "bba-0"}
    assert in_columns([one])[one] == "a rule of mine… all the rest"


def test_names_in_any_script_end_at_the_same_column() -> None:
    for name in ("bba-0", "算法", "e\u0301tude", "🚀"):
        assert columns_of(pad(name, 8, is_left=True)) == 8
    assert pad("算法", 8, is_left=True) == "算法    "
    assert pad("e\u0301", 3, is_left=False) == "  e\u0301"
