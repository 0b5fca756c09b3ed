"""Rules over numbers and dates of segments: the same in every playlist, and going on."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from transcode.inspection.facts import MediaFacts, PackageFacts
from transcode.inspection.rules.rule import Breach, Rule, at_line

_SLACK_S = 0.25
"""Clocks of live encoders are set right in steps; playlists are dated one after the other."""


def _numbers(package: PackageFacts) -> Iterator[Breach]:
    # A live playlist's window may begin elsewhere than another's.
    finished = [m for m in package.audio_video() if m.listed.has_end and m.listed.segments]
    for media in finished[1:]:
        first = finished[0]
        if media.listed.first_sequence != first.listed.first_sequence:
            yield Breach(
                file=media.name,
                place=at_line(media.listed.line("#EXT-X-MEDIA-SEQUENCE")),
                measured=f"begins with number {media.listed.first_sequence}",
                allowed=f"{first.listed.first_sequence}, as in {first.name}",
            )


def _jumps(package: PackageFacts) -> Iterator[Breach]:
    for media in package.media():
        dated = [(n, s) for n, s in enumerate(media.listed.segments) if s.date_s is not None]
        for (number, before), (following, after) in pairwise(dated):
            between = media.listed.segments[number:following]
            if any(s.discontinuity for s in media.listed.segments[number + 1 : following + 1]):
                continue
            expected_s = (before.date_s or 0.0) + sum(segment.duration_s for segment in between)
            apart_s = (after.date_s or 0.0) - expected_s
            if abs(apart_s) > _SLACK_S:
                yield Breach(
                    file=media.name,
                    place=media.place(following),
                    measured=f"its date is {apart_s:+.3f} s off the segments since the date before",
                    allowed="dates that go on as EXTINF do, but at discontinuities",
                )
                break


def _same(package: PackageFacts) -> Iterator[Breach]:
    if package.multivariant is None:
        return
    media = [each for each in package.media() if each.role != "iframes"]
    with_dates = [each for each in media if _is_dated(each)]
    if not with_dates:
        return
    first = with_dates[0]
    for each in media:
        if not _is_dated(each) and each.role != "subtitles":
            yield Breach(
                file=each.name,
                measured="no EXT-X-PROGRAM-DATE-TIME",
                allowed=f"dates in all playlists, as in {first.name}",
            )
    reference = _clock_s(first)
    for each in with_dates[1:]:
        own = _clock_s(each)
        if own is not None and reference is not None and abs(own - reference) > _SLACK_S:
            yield Breach(
                file=each.name,
                place=at_line(each.listed.line("#EXT-X-PROGRAM-DATE-TIME")),
                measured=f"dates {own - reference:+.3f} s against {first.name} at the same time",
                allowed="the same date for the same time of the media",
            )


def _is_dated(media: MediaFacts) -> bool:
    return any(segment.date_s is not None for segment in media.listed.segments)


def _clock_s(media: MediaFacts) -> float | None:
    """The date of time 0 of the media, by the first segment that has a date and was read."""
    for number, stretch in media.stretches(media.main_kind):
        date_s = media.listed.segments[number].date_s
        if date_s is not None:
            return date_s - stretch.first_shown_s
    return None


def _start(package: PackageFacts) -> Iterator[Breach]:
    for media in package.media():
        offset_s = media.listed.start_s
        if offset_s is not None and media.listed.has_end and abs(offset_s) > media.duration_s:
            yield Breach(
                file=media.name,
                place=at_line(media.listed.line("#EXT-X-START")),
                measured=f"TIME-OFFSET {offset_s:g} s of {media.duration_s:.3f} s",
                allowed="a time inside the playlist",
            )


RULES = (
    Rule(
        id="sequence-same",
        clauses=("ours",),
        severity="warning",
        text="The playlists of a finished title begin with the same media sequence number.",
        remedy="number segments alike; players that switch by number load the wrong ones",
        needs="playlists",
        check=_numbers,
    ),
    Rule(
        id="dates-go-on",
        clauses=("RFC 4.4.4.6",),
        severity="warning",
        text="EXT-X-PROGRAM-DATE-TIME goes on as the segments do, but at discontinuities.",
        remedy="correct the dates, or mark the break with EXT-X-DISCONTINUITY",
        needs="playlists",
        check=_jumps,
    ),
    Rule(
        id="dates-same",
        clauses=("RFC 6.2.4",),
        severity="violation",
        text="Where one playlist has dates all have, and the same time has the same date in each.",
        remedy="write the dates of all playlists from one clock",
        needs="media",
        check=_same,
    ),
    Rule(
        id="start-inside",
        clauses=("RFC 4.4.2.2",),
        severity="warning",
        text="EXT-X-START points into the playlist.",
        remedy="correct TIME-OFFSET; players begin at an end of the playlist",
        needs="playlists",
        check=_start,
    ),
)
