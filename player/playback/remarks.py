"""What is told of the faults of a playlist that was read all the same."""

from __future__ import annotations

from transcode.playlist import Playlist

MOST_REMARKS = 10
"""Of one playlist, that are told; one of thousands of odd lines has thousands."""


def remarks_of(playlist: Playlist, shown: str) -> list[str]:
    """The first remarks, and how many there are more; ``shown`` is the playlist's name."""
    more = len(playlist.remarks) - MOST_REMARKS
    told = list(playlist.remarks[:MOST_REMARKS])
    return [*told, f"{shown}: {more} remarks more"] if more > 0 else told
