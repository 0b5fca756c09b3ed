"""A media playlist that may still grow: what a newer version brings, and when to ask for one.

Versions are compared by media sequence numbers, and by URIs where a server has begun to count
anew. This module knows nothing of requests or buffers, and never reads a clock.

Parts of segments (low latency) and requests that the server holds until there is news are not
used: whole segments are followed by asking from time to time, as every server allows.

Source: RFC 8216bis, 6.2.2 (what servers may change), 6.2.5.1 (delta updates), 6.3.3 (where to
begin) and 6.3.4 (when to ask again).
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Literal, NamedTuple

from player.playback.placing import dates_s, file_name, target_s
from transcode.playlist import MediaPlaylist, Segment

HOLD_BACK_TARGETS = 3.0
"""Target durations from the end at which to play, where the server does not say (6.3.3)."""

LATEST_WITHIN = 0.5
"""Share of a segment that playback may leave out where it joins."""

SKIP_DIRECTIVE = "_HLS_skip=YES"
"""What asks for a delta update, as a parameter of the URL (6.2.5.1)."""

OLDEST_FOR_DELTA = 0.5
"""Share of CAN-SKIP-UNTIL: an older version cannot be brought up to date by a delta (6.3.7)."""

GROWING_TARGETS = 3.0
"""Target durations between two versions within which news show that a playlist grows by itself."""

Kind = Literal["first", "grown", "same", "older", "moved", "restarted", "unfit"]
"""grown: more segments, or the end. older: a version from before the known one, as a cache may
send. moved: so much newer that segments between the two were never seen. restarted: the server
counts anew, as after a crash. unfit: a delta update that leaves out what is not known."""


class News(NamedTuple):
    """What a version of a playlist brought."""

    kind: Kind
    missed: int = 0
    """Segments that were listed between two versions and never seen."""


class Joined(NamedTuple):
    """Where a playback enters a playlist."""

    at: int
    """Index of the segment in the playlist."""
    offset_s: float
    """Into that segment."""


def may_grow(playlist: MediaPlaylist) -> bool:
    """Whether it is one of a live stream, which may have no segment yet."""
    # 4.4.3.5: one of type VOD never changes, though the tag of its end was forgotten.
    is_finished = playlist.endlist or playlist.playlist_type == "VOD"
    return not is_finished and bool(playlist.segments or not playlist.remarks)


def hold_back_s(playlist: MediaPlaylist, wished_s: float = 0.0) -> float:
    """Least distance from the end of the playlist at which to play: as wished, else as it says."""
    if wished_s > 0:
        return max(wished_s, target_s(playlist))
    stated = playlist.control.hold_back_s if playlist.control else None
    return HOLD_BACK_TARGETS * target_s(playlist) if stated is None else stated


def end_sequence(playlist: MediaPlaylist) -> int:
    """The number that the next segment will have."""
    return playlist.media_sequence + playlist.skipped + len(playlist.segments)


def join(
    playlist: MediaPlaylist,
    *,
    ahead_s: float = 0.0,
    delay_s: float = 0.0,
    passed: float = -math.inf,
) -> Joined:
    """Where to begin: at EXT-X-START, else at the hold-back of what grows, else at the start.

    Nearer to the end than the hold-back the next segment may come too late.

    Args:
        playlist: A whole version.
        ahead_s: What is played before: so much nearer to the end, and no EXT-X-START.
        delay_s: In place of the hold-back, and of EXT-X-START; 0: as the playlist says.
        passed: The highest media sequence number that playback has left behind.
    """
    joined = _join(playlist, ahead_s, delay_s)
    if not playlist.segments or playlist.segments[joined.at].sequence > passed:
        return joined
    new = (n for n, each in enumerate(playlist.segments) if each.sequence > passed)
    return Joined(next(new, joined.at), 0.0)


def _join(playlist: MediaPlaylist, ahead_s: float, delay_s: float) -> Joined:
    total_s = playlist.duration_s
    if playlist.start is not None and not ahead_s and not (delay_s and may_grow(playlist)):
        offset_s = playlist.start.offset_s
        at_s = offset_s if offset_s >= 0 else total_s + offset_s
        latest_s = total_s if playlist.endlist else total_s - target_s(playlist)
        return _at(playlist, min(at_s, latest_s))
    held_s = max(hold_back_s(playlist, delay_s) - ahead_s, target_s(playlist))
    return _at(playlist, 0.0 if playlist.endlist else total_s - held_s)


def _at(playlist: MediaPlaylist, at_s: float) -> Joined:
    start_s = 0.0
    for index, segment in enumerate(playlist.segments):
        if at_s < start_s + segment.duration_s:
            # With what is left of a segment near its end, the next one would come too late.
            latest_s = LATEST_WITHIN * segment.duration_s
            return Joined(index, min(max(at_s - start_s, 0.0), latest_s))
        start_s += segment.duration_s
    return Joined(max(len(playlist.segments) - 1, 0), 0.0)


# --- versions ------------------------------------------------------------------------------


def fill_in(update: MediaPlaylist, known: MediaPlaylist | None) -> MediaPlaylist | None:
    """``update`` with the segments that it leaves out, which are those of the ``known`` version.

    None when they are not known.
    """
    if not update.skipped:
        return update
    first = update.media_sequence
    wanted = range(first, first + update.skipped)
    known_by = {} if known is None else {s.sequence: s for s in known.segments}
    if any(sequence not in known_by for sequence in wanted):
        return None
    skipped = [known_by[sequence] for sequence in wanted]
    listed = _with_state(update.segments, known_by)
    return replace(update, segments=(*skipped, *listed), skipped=0)


def _with_state(segments: tuple[Segment, ...], known: dict[int, Segment]) -> list[Segment]:
    """Listed segments with the keys and maps whose tags stood before the first of them."""
    if not segments or (first := known.get(segments[0].sequence)) is None:
        return list(segments)
    section = first.map if segments[0].map is None else None
    key = first.key if segments[0].key is None else None
    found = []
    for segment in segments:
        section = None if segment.map is not None else section
        key = None if segment.key is not None else key
        found.append(
            known.get(segment.sequence)
            or replace(segment, map=segment.map or section, key=segment.key or key)
        )
    return found


def compare(known: MediaPlaylist | None, newer: MediaPlaylist) -> News:
    """What ``newer``, a whole version, brings beside the ``known`` one."""
    if known is None or not known.segments:
        return News("first" if newer.segments else "same")
    end, was = end_sequence(newer), end_sequence(known)
    common = _common(known, newer)
    if common:
        if not any(_is_same(old, new) for old, new in common):
            return News("restarted")
        if end < was:
            return News("older")
        return News("grown" if end > was or _ends(known, newer) else "same")
    if not newer.segments and newer.media_sequence >= was:
        return News("grown" if _ends(known, newer) else "same")
    if newer.media_sequence >= was:
        missed = newer.media_sequence - was
        return News("moved", missed) if missed else News("grown")
    return News("older" if not newer.segments or _is_earlier(newer, known) else "restarted")


def _ends(known: MediaPlaylist, newer: MediaPlaylist) -> bool:
    return newer.endlist and not known.endlist


def _common(known: MediaPlaylist, newer: MediaPlaylist) -> list[tuple[Segment, Segment]]:
    """Segments of the same numbers."""
    by_number = {segment.sequence: segment for segment in known.segments}
    return [(by_number[s.sequence], s) for s in newer.segments if s.sequence in by_number]


def _is_same(old: Segment, new: Segment) -> bool:
    """Whether two versions list the same file.

    Its folder and its query may be signed anew in each version.
    """
    return old.byte_range == new.byte_range and file_name(old.uri) == file_name(new.uri)


def _is_earlier(newer: MediaPlaylist, known: MediaPlaylist) -> bool:
    """Whether dates show that a version with lower numbers is one from long ago."""
    dates, known_dates = dates_s(newer), dates_s(known)
    return bool(dates and known_dates) and max(dates.values()) < max(known_dates.values())


# --- one playlist in time ------------------------------------------------------------------


class Follower:
    """One media playlist from version to version, and when to ask for the next."""

    def __init__(self) -> None:
        self.playlist: MediaPlaylist | None = None
        """The newest version, whole; None before the first."""
        self._asked_s = -math.inf
        self._arrived_s = -math.inf
        self._changed_s = -math.inf
        self._has_news = False
        self._is_asked = False
        self._may_skip = True
        self.is_growing = False
        """Whether the newest version had news beside one that was not much older."""

    def __repr__(self) -> str:
        end = "nothing" if self.playlist is None else f"up to {end_sequence(self.playlist)}"
        return f"<Follower {end}, changed at {self._changed_s:.3f} s>"

    @property
    def has_ended(self) -> bool:
        """Nothing more will come."""
        return self.playlist is not None and self.playlist.endlist

    @property
    def changed_s(self) -> float:
        """When the newest version that had news arrived."""
        return self._changed_s

    @property
    def arrived_s(self) -> float:
        """When the newest version arrived."""
        return self._arrived_s

    @property
    def target_s(self) -> float:
        """The target duration; one second before the first version."""
        return 1.0 if self.playlist is None else target_s(self.playlist)

    @property
    def due_s(self) -> float:
        """When to ask again (6.3.4); inf when it has ended, or is being asked for."""
        if self.has_ended or self._is_asked:
            return math.inf
        return self._asked_s + self.target_s * (1.0 if self._has_news else 0.5)

    @property
    def hopes_until_s(self) -> float:
        """How long to wait for the version that is being asked for; -inf: none is."""
        return self._asked_s + self.target_s if self._is_asked else -math.inf

    def ask(self, now_s: float) -> bool:
        """It is being asked for from now on; returns whether a delta update will do."""
        self._is_asked = True
        self._asked_s = now_s
        skip_s = None
        if self.playlist is not None and self.playlist.control is not None:
            skip_s = self.playlist.control.can_skip_until_s
        if skip_s is None or not self._may_skip:
            return False
        return now_s - self._arrived_s <= OLDEST_FOR_DELTA * skip_s

    def take(self, version: MediaPlaylist, *, asked_s: float, now_s: float) -> News:
        """A version has arrived that was asked for at ``asked_s``."""
        self._is_asked = False
        self._asked_s = asked_s
        whole = fill_in(version, self.playlist)
        if whole is None:
            self._may_skip = self._has_news = False
            return News("unfit")
        news = compare(self.playlist, whole)
        self._has_news = news.kind not in ("same", "older")
        age_s = now_s - self._arrived_s
        self.is_growing = self._has_news and age_s < GROWING_TARGETS * target_s(whole)
        if news.kind != "older":
            self._arrived_s = now_s
            self.playlist = whole
        if self._has_news or math.isinf(self._changed_s):
            self._changed_s = now_s
        return news

    def fail(self, now_s: float) -> None:
        """It could not be had: as if it had brought nothing new."""
        self._is_asked = self._has_news = False
        self._asked_s = now_s
