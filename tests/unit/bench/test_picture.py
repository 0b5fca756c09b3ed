"""Charts of sessions as one file: an SVG whose parts lie below each other."""

from __future__ import annotations

from xml.etree import ElementTree as ET

import pytest
from jinja2 import UndefinedError

from abr.trace import Trace
from bench.reports.picture import HEADING_PX, KEY_PX, draw_picture
from bench.reports.session_charts import HEIGHT_PX
from bench.reports.sessions import report_data
from bench.reports.templating import template
from tests.fakes.logs import played_log

STEPS = Trace.from_periods([(5, 3e6), (5, 5e5)], name="<steps> & more")
SVG = "{http://www.w3.org/2000/svg}"


def drawn(*algorithms: str) -> ET.Element:
    """The picture, which must be well-formed XML."""
    logs = [played_log(algorithm=name, trace=STEPS) for name in algorithms]
    return ET.fromstring(draw_picture(report_data(logs, heading="-", traces=[STEPS]).sessions))


def test_each_session_has_a_heading_and_a_chart_of_the_same_height() -> None:
    picture = drawn("alpha", "beta")
    headings = [each for each in picture.iter(f"{SVG}text") if each.get("class") == "heading"]
    step_px = HEADING_PX + HEIGHT_PX
    assert [each.get("y") for each in headings] == [str(28), str(28 + step_px)]
    assert picture.get("height") == str(2 * step_px + KEY_PX)


def test_names_are_shown_as_they_are_and_never_become_markup() -> None:
    texts = [each.text for each in drawn("alpha").iter(f"{SVG}text")]
    assert "alpha over <steps> & more" in texts


def test_a_template_refuses_a_name_that_it_was_not_given() -> None:
    with pytest.raises(UndefinedError, match="charts"):
        template("picture.svg.j2").render(width_px=1, height_px=1)
