"""Two small traces for demonstrations, so that no corpus is needed.

Both are scaled to the ladder that is played: on a fixed network a presentation with low
rates would never stall, and one with high rates always. They are illustrations, not
measurements; do not base published results on them.
"""

from __future__ import annotations

from abr.trace import Trace

_COMMUTE = (
    # Seconds, fraction of the top rung's rate: good at the station, a tunnel, a crowded cell.
    (6.0, 1.6),
    (5.0, 0.7),
    (4.0, 0.3),
    (8.0, 0.0),
    (4.0, 0.4),
    (8.0, 1.2),
    (6.0, 0.15),
    (9.0, 0.9),
)
_HOME = (
    # A home line in the evening: ample, with occasional downloads by a neighbour.
    (8.0, 1.5),
    (6.0, 0.8),
    (10.0, 1.7),
    (5.0, 0.55),
    (9.0, 1.4),
)


def demo_traces(top_bps: float) -> tuple[Trace, Trace]:
    """``commute`` (with an outage) and ``home``, for a ladder whose top rung is ``top_bps``."""
    return (
        Trace.from_periods([(s, share * top_bps) for s, share in _COMMUTE], name="commute"),
        Trace.from_periods([(s, share * top_bps) for s, share in _HOME], name="home"),
    )
