"""Rules over subtitles."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import accumulate

from transcode.inspection.facts import MediaFacts, PackageFacts, TextFacts
from transcode.inspection.rules.rule import Breach, Rule, at_line
from transcode.inspection.rules.times import frame_s

_WRAP_S = 2**33 / 90_000
"""Time stamps of MPEG-2 systems start over after so long."""
_OFF_S = 0.1
"""Text that is early by less is hardly seen."""
_LOOSE_S = 0.5
"""Cues may stand so far outside their segment: offsets of the video's start."""


def _texts(package: PackageFacts) -> Iterator[tuple[MediaFacts, int, TextFacts]]:
    for media in package.media():
        if media.role == "subtitles":
            for number, segment in enumerate(media.segments):
                if segment.text is not None:
                    yield media, number, segment.text


def _header(package: PackageFacts) -> Iterator[Breach]:
    for media, number, text in _texts(package):
        if not text.has_header:
            yield Breach(
                file=media.name,
                place=media.place(number),
                measured="another first line",
                allowed="WEBVTT, the mark of a subtitle file",
            )


def _base_s(package: PackageFacts) -> float:
    """When the first picture is shown, on the media's own clock."""
    rung = next(package.rungs(), None)
    starts = [s.first_shown_s for _, s in rung.stretches("video")] if rung else []
    return starts[0] if starts else 0.0


def _early(package: PackageFacts) -> Iterator[Breach]:
    base_s = _base_s(package)
    if base_s <= _OFF_S:
        return
    told: set[str] = set()
    for media, number, text in _texts(package):
        if text.has_header and text.offset_s is None and text.cues and media.name not in told:
            told.add(media.name)
            yield Breach(
                file=media.name,
                place=media.place(number),
                measured=f"no X-TIMESTAMP-MAP, and pictures begin at {base_s:.3f} s: text is "
                "shown so much early",
                allowed=f"X-TIMESTAMP-MAP=MPEGTS:{round(90_000 * base_s)},LOCAL:00:00:00.000",
            )


def _map(package: PackageFacts) -> Iterator[Breach]:
    told: set[str] = set()
    for media, number, text in _texts(package):
        if text.has_header and text.offset_s is None and media.name not in told:
            told.add(media.name)
            yield Breach(
                file=media.name,
                place=media.place(number),
                measured="no X-TIMESTAMP-MAP",
                allowed="X-TIMESTAMP-MAP=MPEGTS:...,LOCAL:... in every segment",
            )


def _length(package: PackageFacts) -> Iterator[Breach]:
    rung = next(package.rungs(), None)
    if rung is None or not rung.listed.has_end:
        return
    allowed_s = frame_s(package) + 0.05
    for media in package.media():
        if media.role == "subtitles":
            apart_s = media.duration_s - rung.duration_s
            if abs(apart_s) > allowed_s:
                yield Breach(
                    file=media.name,
                    measured=f"{media.duration_s:.3f} s",
                    allowed=f"{rung.duration_s:.3f} s, as long as the title",
                )


def _inside(package: PackageFacts) -> Iterator[Breach]:
    base_s = _base_s(package)
    told: set[str] = set()
    starts: dict[str, list[float]] = {}
    for media, number, text in _texts(package):
        durations = [segment.duration_s for segment in media.listed.segments]
        start_s = starts.setdefault(media.name, list(accumulate(durations, initial=0.0)))[number]
        end_s = start_s + durations[number]
        for cue in text.cues:
            # RFC 8216bis, 3.1.4: without a map, time 0 of the text is time stamp 0 of the media.
            first_s = _unwrapped(cue.start_s + (text.offset_s or 0.0) - base_s)
            last_s = first_s + cue.end_s - cue.start_s
            outside = last_s < start_s - _LOOSE_S or first_s > end_s + _LOOSE_S
            if outside and media.name not in told:
                told.add(media.name)
                yield Breach(
                    file=media.name,
                    place=media.place(number),
                    measured=f"a cue of {first_s:.3f} to {last_s:.3f} s",
                    allowed=f"cues that are shown between {start_s:.3f} and {end_s:.3f} s",
                )


def _unwrapped(time_s: float) -> float:
    return (time_s + _WRAP_S / 2) % _WRAP_S - _WRAP_S / 2


def _repeated(package: PackageFacts) -> Iterator[Breach]:
    by_media: dict[str, tuple[MediaFacts, dict[int, TextFacts]]] = {}
    for media, number, text in _texts(package):
        by_media.setdefault(media.name, (media, {}))[1][number] = text
    for media, texts in by_media.values():
        end_s = 0.0
        for number, segment in enumerate(media.listed.segments):
            end_s += segment.duration_s
            own, following = texts.get(number), texts.get(number + 1)
            if own is None or following is None or not following.has_header:
                continue
            cut = [c for c in own.cues if c.start_s < end_s - 0.1 and c.end_s > end_s + 0.1]
            ends = {round(c.end_s, 1) for c in following.cues}
            if own.offset_s == following.offset_s and any(
                round(c.end_s, 1) not in ends for c in cut
            ):
                yield Breach(
                    file=media.name,
                    place=media.place(number + 1),
                    measured="a cue that crosses into this segment is not repeated in it",
                    allowed="the cue in both: viewers who seek here miss it",
                )
                break


def _forced(package: PackageFacts) -> Iterator[Breach]:
    for rendition in package.multivariant.renditions if package.multivariant else ():
        if rendition.says("FORCED") and not rendition.says("AUTOSELECT"):
            yield Breach(
                file=package.name,
                place=at_line(rendition.line),
                measured=f"forced subtitles {rendition.name!r} without AUTOSELECT=YES",
                allowed="AUTOSELECT=YES",
            )


RULES = (
    Rule(
        id="webvtt-header",
        clauses=("Apple 5.2", "RFC 3.1.4"),
        severity="violation",
        text="Every segment of WebVTT begins with WEBVTT.",
        remedy="write the header into every segment, also where there is no cue",
        needs="media",
        check=_header,
    ),
    Rule(
        id="text-in-step",
        clauses=("RFC 3.1.4", "Apple 5.3"),
        severity="violation",
        text="Text without X-TIMESTAMP-MAP goes with media whose time stamps begin at 0.",
        remedy="add X-TIMESTAMP-MAP=MPEGTS:<video's first time stamp>,LOCAL:00:00:00.000",
        needs="media",
        check=_early,
    ),
    Rule(
        id="timestamp-map",
        clauses=("Apple 5.3", "RFC 3.1.4"),
        severity="warning",
        text="Every segment of WebVTT has an X-TIMESTAMP-MAP.",
        remedy="add X-TIMESTAMP-MAP=MPEGTS:<video's first time stamp>,LOCAL:00:00:00.000",
        needs="media",
        check=_map,
    ),
    Rule(
        id="subtitles-length",
        clauses=("Apple 5.5", "Apple 8.7"),
        severity="violation",
        text="A playlist of subtitles is as long as the title.",
        remedy="add empty segments up to the end",
        needs="playlists",
        check=_length,
    ),
    Rule(
        id="cues-in-segment",
        clauses=("RFC 3.1.4",),
        severity="violation",
        text="Every cue is shown while its segment lasts.",
        remedy="put each cue into the segments in which it is shown, with the right map",
        needs="media",
        check=_inside,
    ),
    Rule(
        id="cues-repeated",
        clauses=("RFC 3.1.4",),
        severity="warning",
        text="A cue that crosses a boundary stands in both segments.",
        remedy="repeat the cue in every segment in which it is shown",
        needs="media",
        check=_repeated,
    ),
    Rule(
        id="forced-autoselect",
        clauses=("Apple 5.11",),
        severity="warning",
        text="Forced subtitles can be selected without the viewer's choice.",
        remedy="write AUTOSELECT=YES",
        needs="playlists",
        check=_forced,
    ),
)
