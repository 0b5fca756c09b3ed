"""Charts of sessions as one SVG file of its own, readable in light and dark."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from bench.reports.session_charts import HEIGHT_PX, draw_parts, find_scale
from bench.reports.sessions import Session
from bench.reports.templating import template
from bench.reports.wording import describe_experience

WIDTH_PX = 840
HEADING_PX = 62
"""Above each chart, for its name and a sentence."""
KEY_PX = 34
"""Below all charts, for what the marks mean."""


def draw_picture(sessions: Sequence[Session]) -> str:
    """The charts of ``sessions``, one below the other on shared axes."""
    scale = find_scale(sessions)
    step_px = HEADING_PX + HEIGHT_PX
    charts = [
        {
            "top_px": place * step_px,
            "heading": f"{session.label} over {session.trace}",
            "sentence": describe_experience(session),
            # Safe: draw_parts escapes its texts.
            "parts": Markup("\n".join(draw_parts(session, scale))),  # noqa: S704
        }
        for place, session in enumerate(sessions)
    ]
    return template("picture.svg.j2").render(
        charts=charts,
        width_px=WIDTH_PX,
        heading_px=HEADING_PX,
        chart_px=HEIGHT_PX,
        height_px=step_px * len(sessions) + KEY_PX,
    )
