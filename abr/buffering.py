"""Room in a player's buffer: one rule for the player and for those who plan for it."""

from __future__ import annotations

from abr.compilable import capped


def room_at_s(empty_s: float, next_s: float, max_buffer_s: float) -> float:
    """When ``next_s`` more media fit a buffer that runs out at ``empty_s``.

    Args:
        empty_s: When the buffer is played out. Counted from now it is the buffer's level,
            and the answer how long to wait; 0 or less when there is room.
        next_s: Length of the segment to be fetched.
        max_buffer_s: Most media ahead of the playhead. A segment longer than that is
            fetched when the buffer is empty.
    """
    return capped(empty_s + next_s - max_buffer_s, empty_s)
