"""What is shed first when there is too much to do: what nobody waits for.

Browsers and players mark requests that they make in advance. Such a request is answered while there
is room, and refused when there is not, so that those of viewers who wait are served.

Sources: the ``Sec-Purpose`` field of the Fetch standard, ``Purpose`` of its forerunners, and state
``d`` (preloading) of CTA-5004-B.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from edge.parents.limit import Urgency

_PRELOADING = re.compile(r"(^|,)\s*sta=\"?d\"?(,|;|$)")
_PRELOADING_IN_QUERY = re.compile(
    r"[?&]CMCD=(?:[^&]*(?:,|%2C))?sta(?:=|%3D)d(?:,|%2C|&|$)", re.IGNORECASE
)


def urgency_of(fields: Mapping[str, str], target: str) -> Urgency:
    """Whether a viewer waits for what is asked.

    Args:
        fields: Of the request, by lower-case name.
        target: Path and query as received.
    """
    for name in ("sec-purpose", "purpose", "x-moz"):
        if name in fields and fields[name].split(";")[0].strip().lower() == "prefetch":
            return "prefetch"
    said = fields.get("cmcd-request", "")
    if (said and _PRELOADING.search(said)) or _PRELOADING_IN_QUERY.search(target):
        return "prefetch"
    return "playback"


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """How much an edge has to do."""

    fills: int
    """Fetches under way."""
    inside: int
    """Connections of clients."""
    most_inside: int
    """Most of them."""
    lag_s: float
    """How late the event loop is."""


MOST_FILLS = 16
"""With so many fetches under way, nothing more is fetched in advance."""
MOST_INSIDE_RATIO = 0.8
"""With so many of the connections taken, what is asked in advance is refused."""
MOST_LAG_S = 0.25
"""An event loop that is so late keeps viewers waiting already."""


def sheds(urgency: Urgency, load: Load, *, is_held: bool) -> bool:
    """Whether a request is refused, so that others are served."""
    if urgency == "playback":
        return False
    if load.inside > load.most_inside * MOST_INSIDE_RATIO or load.lag_s > MOST_LAG_S:
        return True
    return not is_held and load.fills >= MOST_FILLS
