"""Where a playback begins in a title that is whole.

Source: RFC 8216bis, 4.4.2.2 (EXT-X-START).
"""

from __future__ import annotations

from player.playback.timeline import Timeline
from transcode.playlist import Start


def starting_s(timeline: Timeline, start: Start | None) -> float:
    """Media time of the first picture; what is before it is not fetched.

    An offset beyond either end means that end; at the last one the last segment is played.
    """
    if start is None:
        return 0.0
    offset_s = start.offset_s if start.offset_s >= 0 else timeline.end_s + start.offset_s
    offset_s = max(offset_s, 0.0)
    holds_it = next(s for s in reversed(timeline.segments) if s.start_s <= offset_s)
    is_inside = offset_s < holds_it.end_s
    # Unless it is precise, every picture of that segment is shown.
    return offset_s if start.is_precise and is_inside else holds_it.start_s
