"""Draw the picture of the README: one simulated session over a generated trace.

docs/session.svg holds what this prints; a test compares the two. After a change of the
player, of the algorithm or of the charts:
``.venv/bin/python -m scripts.readme_picture > docs/session.svg``
"""

from __future__ import annotations

from abr.files.traces import resolve_trace
from bench.experiments.presentations import builtin
from bench.reports.picture import draw_picture
from bench.reports.sessions import report_data
from player import simulate

TRACE = "generate:3g-commute:21:180"
"""A commute over a 3G network."""
PLAY_S = 150.0


def draw() -> str:
    """The picture as SVG."""
    trace = resolve_trace(TRACE)
    log = simulate(builtin("vbr-6"), trace=trace, algorithm="bola-sabre", max_play_s=PLAY_S)
    return draw_picture(report_data([log], traces=[trace]).sessions)


if __name__ == "__main__":
    print(draw(), end="")
