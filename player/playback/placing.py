"""Where one playlist of a live stream lies beside another on the media timeline.

Numbers of two playlists need not agree, so dates, files and discontinuities are looked at first.
This module knows nothing of requests or buffers, and never reads a clock.

Source: RFC 8216bis, 6.2.2 and 6.3.3 (playlists beside each other), 4.4.4.6 (dates).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from itertools import accumulate
from typing import Literal, NamedTuple

from transcode.playlist import MediaPlaylist

SAME_LENGTH = 0.5
"""Segments of one number are the same media if their lengths differ by less than this share."""

MOST_APART_S = 60.0
"""Numbers are of one count if so much at most lies between them, which nobody has seen."""

By = Literal["date", "file", "discontinuity", "sequence", "distance", "end"]

SURE: tuple[By, ...] = ("date", "file", "discontinuity", "sequence")
"""What playlists have in common."""

COUNTED: tuple[By, ...] = ("discontinuity", "sequence", "distance")
"""What tells nothing once a server has counted anew."""


class Placed(NamedTuple):
    """Where a playlist lies on the media timeline."""

    start_s: float
    """Of its first segment."""
    by: By
    """What the two playlists have in common."""


def place(
    playlist: MediaPlaylist,
    beside: MediaPlaylist,
    beside_starts_s: Sequence[float],
    *,
    rules: Sequence[By],
    count_together: bool = True,
) -> Placed | None:
    """Put ``playlist`` on the timeline on which the segments ``beside`` it lie.

    Numbers of two playlists need not agree (6.2.2 speaks of dates and discontinuities), so they
    are looked at last, and only if the segments of equal numbers are equally long.

    Args:
        playlist: A whole version.
        beside: Another playlist of the same stream, with a segment at least.
        beside_starts_s: Where each of its segments starts.
        rules: What is looked at, first to last. ``distance``: how many numbers are between the
            two. ``end``: both are of now, so that they end at about the same time.
        count_together: Their server has not counted anew between the two.

    Returns:
        None when nothing tells.
    """
    offsets = [0.0, *accumulate(s.duration_s for s in playlist.segments)]
    end_s = beside_starts_s[-1] + beside.segments[-1].duration_s
    slack_s = max(target_s(playlist), target_s(beside))
    for by in rules:
        if by in COUNTED and not count_together:
            continue
        found = _RULES[by](playlist, beside, beside_starts_s)
        if found is None:
            continue
        index, start_s = found
        first_s = start_s - offsets[index]
        # Clocks of two packagers may be hours apart; then the next rule knows better.
        ends_too_early = first_s + offsets[-1] < beside_starts_s[0] - slack_s
        if by == "distance" or (first_s <= end_s + slack_s and not ends_too_early):
            return Placed(first_s, by)
    return None


def dates_s(playlist: MediaPlaylist) -> dict[int, float]:
    """The date of every segment for which one follows from what is stated, by index."""
    found: dict[int, float] = {}
    segments = playlist.segments
    date_s: float | None = None
    for index, segment in enumerate(segments):
        if segment.date_s is not None:
            date_s = segment.date_s
        elif segment.discontinuity:
            date_s = None
        if date_s is not None:
            found[index] = date_s
            date_s += segment.duration_s
    for index in range(len(segments) - 2, -1, -1):
        if index not in found and index + 1 in found and not segments[index + 1].discontinuity:
            found[index] = found[index + 1] - segments[index].duration_s
    return found


def renumbered_by(known: MediaPlaylist, newer: MediaPlaylist) -> int | None:
    """By how much numbers are lower in ``newer``, of a server that has begun to count anew.

    None when no file tells: none is in both, or one that is listed more than once.
    """
    common = _common_files(known, newer)
    return None if common is None else common[0] - common[1]


def file_name(uri: str) -> str:
    """What is the same wherever a file comes from: its folder and its query may be signed anew."""
    return uri.partition("?")[0].rpartition("/")[2]


def _common_files(one: MediaPlaylist, other: MediaPlaylist) -> tuple[int, int] | None:
    """The numbers of a file in both; None when none is, or they do not agree on which it is."""
    ours, theirs = _numbers(one), _numbers(other)
    pairs = {(number, theirs[file]) for file, number in ours.items() if file in theirs}
    shifts = {number - their_number for number, their_number in pairs}
    return max(pairs) if len(shifts) == 1 else None


def _numbers(playlist: MediaPlaylist) -> dict[tuple[object, ...], int]:
    """The number of each file that is listed once."""
    files = [(file_name(s.uri), s.byte_range, s.duration_s) for s in playlist.segments]
    times = Counter(files)
    numbered = zip(files, playlist.segments, strict=True)
    return {file: segment.sequence for file, segment in numbered if times[file] == 1}


def _by_date(
    playlist: MediaPlaylist, beside: MediaPlaylist, starts_s: Sequence[float]
) -> tuple[int, float] | None:
    """Index of a segment and where it starts."""
    ours, theirs = dates_s(playlist), dates_s(beside)
    if not ours or not theirs:
        return None
    i = max(ours)
    j = min(theirs, key=lambda index: abs(theirs[index] - ours[i]))
    return i, starts_s[j] + ours[i] - theirs[j]


def _by_file(
    playlist: MediaPlaylist, beside: MediaPlaylist, starts_s: Sequence[float]
) -> tuple[int, float] | None:
    common = _common_files(playlist, beside)
    if common is None:
        return None
    our_first, their_first = playlist.segments[0].sequence, beside.segments[0].sequence
    return common[0] - our_first, starts_s[common[1] - their_first]


def _by_discontinuity(
    playlist: MediaPlaylist, beside: MediaPlaylist, starts_s: Sequence[float]
) -> tuple[int, float] | None:
    ours, theirs = _discontinuities(playlist), _discontinuities(beside)
    common = ours.keys() & theirs.keys()
    if not common:
        return None
    return ours[max(common)], starts_s[theirs[max(common)]]


def _discontinuities(playlist: MediaPlaylist) -> dict[int, int]:
    """Where discontinuities are seen: by their number, the index of the segment after each."""
    found, number = {}, playlist.discontinuity_sequence
    for index, segment in enumerate(playlist.segments):
        if segment.discontinuity:
            # A tag before the first segment counts only once it has left the playlist (6.2.2).
            number += 1
            found[number] = index
    return found


def _by_sequence(
    playlist: MediaPlaylist, beside: MediaPlaylist, starts_s: Sequence[float]
) -> tuple[int, float] | None:
    by_number = {segment.sequence: index for index, segment in enumerate(beside.segments)}
    found = None
    for index, segment in enumerate(playlist.segments):
        at = by_number.get(segment.sequence)
        if at is None:
            continue
        if not _are_alike(segment.duration_s, beside.segments[at].duration_s):
            return None
        found = (index, starts_s[at])
    return found


def _by_distance(
    playlist: MediaPlaylist, beside: MediaPlaylist, starts_s: Sequence[float]
) -> tuple[int, float] | None:
    if not _are_alike(target_s(playlist), target_s(beside)):
        return None
    ours, theirs = playlist.segments, beside.segments
    ends_s = starts_s[-1] + theirs[-1].duration_s
    usual_s = (ends_s - starts_s[0]) / len(theirs)
    later_s = (ours[0].sequence - theirs[-1].sequence - 1) * usual_s
    earlier_s = (theirs[0].sequence - ours[-1].sequence - 1) * usual_s
    if not 0 <= max(later_s, earlier_s) <= MOST_APART_S:
        return None
    return (0, ends_s + later_s) if later_s >= 0 else (len(ours), starts_s[0] - earlier_s)


def _by_end(
    playlist: MediaPlaylist, beside: MediaPlaylist, starts_s: Sequence[float]
) -> tuple[int, float] | None:
    return len(playlist.segments), starts_s[-1] + beside.segments[-1].duration_s


def _are_alike(one_s: float, other_s: float) -> bool:
    return abs(one_s - other_s) < SAME_LENGTH * min(one_s, other_s)


_RULES: dict[
    By, Callable[[MediaPlaylist, MediaPlaylist, Sequence[float]], tuple[int, float] | None]
]
_RULES = {
    "date": _by_date,
    "file": _by_file,
    "discontinuity": _by_discontinuity,
    "sequence": _by_sequence,
    "distance": _by_distance,
    "end": _by_end,
}


def target_s(playlist: MediaPlaylist) -> float:
    """The target duration; a server that states 0 is not asked without a pause."""
    return float(max(playlist.target_duration_s, 1))
