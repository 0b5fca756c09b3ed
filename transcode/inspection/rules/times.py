"""Rules over time: lengths, boundaries, starts, and that all tracks agree."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import accumulate, pairwise

from transcode.inspection.facts import MediaFacts, PackageFacts, Stretch
from transcode.inspection.rules.rule import Breach, Rule

ROUNDING_S = 0.002
"""Clocks of 90 kHz or milliseconds, and EXTINF of three digits."""
USUAL_FRAME_S = 1 / 24
AUDIO_FRAME_S = 2048 / 44_100
"""The longest frame of AAC in use: HE-AAC at 44.1 kHz."""


def frame_s(package: PackageFacts) -> float:
    """The longest frame of video in the package, or a usual one."""
    rates = [rate for media in package.rungs() if (rate := media.frame_rate)]
    stated = [rate for variant in package.variants if (rate := variant.listed.frame_rate)]
    return 1 / min(rates or stated or [1 / USUAL_FRAME_S])


def _audio_frame_s(media: MediaFacts) -> float:
    lengths = [s.frame_s for _, s in media.stretches("audio") if s.frame_s]
    return max(lengths, default=AUDIO_FRAME_S)


def _own_frame_s(media: MediaFacts, video_s: float) -> float:
    """What one unit of a playlist's media lasts: a picture, or a frame of sound."""
    is_sound = media.role == "audio" or media.main_kind == "audio"
    return max(video_s, _audio_frame_s(media)) if is_sound else video_s


def _extinf(package: PackageFacts) -> Iterator[Breach]:
    video_s = frame_s(package)
    for media in package.audio_video():
        allowed_s = _own_frame_s(media, video_s) + ROUNDING_S
        for run in _runs(media):
            drift = list(_drifts(media, run))
            worst = max(drift, key=lambda each: abs(each[1]), default=None)
            spread = max((d for _, d in drift), default=0.0) - min(
                (d for _, d in drift), default=0.0
            )
            if worst is not None and spread > allowed_s:
                yield Breach(
                    file=media.name,
                    place=media.place(worst[0]),
                    measured=f"EXTINF up to its end are {worst[1]:+.3f} s off the media's time",
                    allowed=f"one frame, {allowed_s:.3f} s, over any run of segments",
                )
                break


def _runs(media: MediaFacts) -> list[list[tuple[int, Stretch]]]:
    """Segments with media, split at discontinuities and where some are unknown."""
    runs: list[list[tuple[int, Stretch]]] = []
    last = -2
    for number, stretch in media.stretches(media.main_kind):
        if number != last + 1 or media.listed.segments[number].discontinuity:
            runs.append([])
        runs[-1].append((number, stretch))
        last = number
    return runs


def _drifts(media: MediaFacts, run: Sequence[tuple[int, Stretch]]) -> Iterator[tuple[int, float]]:
    """What EXTINF says less what the media say, at the end of every segment of a run."""
    listed_s, start_s = 0.0, run[0][1].start_s if run else 0.0
    yield from ((run[0][0], 0.0) for _ in run[:1])
    for (number, stretch), following in zip(run, [*run[1:], None], strict=True):
        if following is None and not stretch.frame_s:
            return
        listed_s += media.listed.segments[number].duration_s
        end_s = following[1].start_s if following else stretch.end_s
        yield number, listed_s - (end_s - start_s)


def _continuous(package: PackageFacts) -> Iterator[Breach]:
    for media in package.audio_video():
        for kind in ("video", "audio"):
            yield from _jumps(media, kind)


def _jumps(media: MediaFacts, kind: str) -> Iterator[Breach]:
    for number, stretch in media.stretches(kind):
        if abs(stretch.jump_s) > ROUNDING_S:
            yield Breach(
                file=media.name,
                place=media.place(number),
                measured=f"a step of {stretch.jump_s:+.3f} s between two of its fragments ({kind})",
                allowed="decoding times that go on where the last fragment ends",
            )
    for (number, before), (following, after) in pairwise(media.stretches(kind)):
        if following != number + 1 or media.listed.segments[following].discontinuity:
            continue
        if not before.frame_s:
            continue
        is_ts = media.segments[following].container == "ts"
        allowed_s = ROUNDING_S + (before.frame_s / 2 if is_ts else 0.0)
        gap_s = after.start_s - before.end_s
        if abs(gap_s) > allowed_s:
            yield Breach(
                file=media.name,
                place=media.place(following),
                measured=f"{kind} begins at {after.start_s:.3f} s; the segment before it ends "
                f"at {before.end_s:.3f} s",
                allowed="the same time",
            )


def _boundaries(package: PackageFacts) -> Iterator[Breach]:
    rungs = list(package.rungs())
    if len(rungs) < 2:
        return
    allowed_s = frame_s(package) + ROUNDING_S
    first = rungs[0]
    reference = _ends_s(first)
    for media in rungs[1:]:
        if not media.listed.has_end and not package.is_stored:
            continue
        ends = _ends_s(media)
        if len(ends) != len(reference):
            yield Breach(
                file=media.name,
                measured=f"{len(ends)} segments",
                allowed=f"{len(reference)}, as in {first.name}",
            )
            continue
        for number, (own_s, other_s) in enumerate(zip(ends, reference, strict=True)):
            if abs(own_s - other_s) > allowed_s:
                yield Breach(
                    file=media.name,
                    place=media.place(number),
                    measured=f"ends at {own_s:.3f} s",
                    allowed=f"{other_s:.3f} s, as in {first.name}",
                )
                break


def _ends_s(media: MediaFacts) -> list[float]:
    return list(accumulate(segment.duration_s for segment in media.listed.segments))


def _audio_boundaries(package: PackageFacts) -> Iterator[Breach]:
    rung = next(package.rungs(), None)
    if rung is None:
        return
    reference = _ends_s(rung)
    for media in package.audio_video():
        if media.role != "audio":
            continue
        allowed_s = _audio_frame_s(media) + frame_s(package) + ROUNDING_S
        ends = _ends_s(media)[: len(reference)]
        for number, (own_s, other_s) in enumerate(zip(ends, reference, strict=False)):
            if abs(own_s - other_s) > allowed_s:
                yield Breach(
                    file=media.name,
                    place=media.place(number),
                    measured=f"ends at {own_s:.3f} s",
                    allowed=f"{other_s:.3f} s, as in {rung.name}, within a frame of sound",
                )
                break


def _durations(package: PackageFacts) -> Iterator[Breach]:
    rung = next(package.rungs(), None)
    if rung is None:
        return
    video_s = frame_s(package)
    for media in package.audio_video():
        if media is rung or not (media.listed.has_end and rung.listed.has_end):
            continue
        allowed_s = video_s + ROUNDING_S
        if media.role == "audio":
            allowed_s += _audio_frame_s(media)
        apart_s = media.duration_s - rung.duration_s
        if abs(apart_s) > allowed_s:
            yield Breach(
                file=media.name,
                measured=f"{media.duration_s:.3f} s, {apart_s:+.3f} s against {rung.name}",
                allowed=f"{rung.duration_s:.3f} s, within {allowed_s:.3f} s",
            )


def _ranges(package: PackageFacts) -> Iterator[Breach]:
    rungs = [m for m in package.rungs() if m.main_kind == "video"]
    if not rungs:
        return
    rung, video_s = rungs[0], frame_s(package)
    reference = _range(rung, "video")
    for media in package.audio_video():
        for kind in ("video", "audio"):
            own = _range(media, kind)
            if own is None or reference is None or (media is rung and kind == "video"):
                continue
            allowed_s = video_s + ROUNDING_S
            if kind == "audio":
                allowed_s += _audio_frame_s(media)
            yield from _apart(media, kind, own, reference, allowed_s, rung.name)


def _range(media: MediaFacts, kind: str) -> tuple[float, float] | None:
    """First and last moment shown, when first and last segment are known."""
    found = dict(media.stretches(kind))
    last = len(media.segments) - 1
    if any(segment.discontinuity for segment in media.listed.segments[1:]):
        return None
    # The window of a live playlist begins and ends where it may, and each playlist's own.
    if 0 not in found or not media.listed.has_end:
        return None
    # A last segment may hold only the other track's tail.
    end = found.get(last) or found.get(last - 1)
    return (found[0].first_shown_s, end.shown_end_s) if end and end.frame_s else None


def _apart(
    media: MediaFacts,
    kind: str,
    own: tuple[float, float],
    reference: tuple[float, float],
    allowed_s: float,
    name: str,
) -> Iterator[Breach]:
    for word, own_s, other_s in zip(("begins", "ends"), own, reference, strict=True):
        if abs(own_s - other_s) > allowed_s:
            yield Breach(
                file=media.name,
                place=f"{kind} {word}",
                measured=f"at {own_s:.3f} s, {own_s - other_s:+.3f} s against {name}",
                allowed=f"{other_s:.3f} s, within {allowed_s:.3f} s",
            )


def _aligned(package: PackageFacts) -> Iterator[Breach]:
    rungs = [m for m in package.rungs() if m.main_kind == "video"]
    if len(rungs) < 2:
        return
    first, allowed_s = rungs[0], frame_s(package) + ROUNDING_S
    reference = dict(first.stretches("video"))
    for media in rungs[1:]:
        for number, stretch in media.stretches("video"):
            other = reference.get(number)
            if other is None or abs(stretch.first_shown_s - other.first_shown_s) <= allowed_s:
                continue
            yield Breach(
                file=media.name,
                place=media.place(number),
                measured=f"its first picture is shown at {stretch.first_shown_s:.3f} s",
                allowed=f"{other.first_shown_s:.3f} s, as in {first.name}",
            )
            break


def _empty_edit(package: PackageFacts) -> Iterator[Breach]:
    for media in package.audio_video():
        for track in media.tracks():
            if track.empty_edit_s > 0.001:
                yield Breach(
                    file=media.name,
                    place=f"{track.kind} track",
                    measured=f"an edit list that shows nothing for {track.empty_edit_s:.3f} s",
                    allowed="none: browsers ignore it, and sound and picture move apart",
                )
                break


RULES = (
    Rule(
        id="extinf-accurate",
        clauses=("Apple 8.1", "RFC 4.4.4.1"),
        severity="violation",
        text="EXTINF of any run of segments add up to the media's time, within one frame.",
        remedy="write the measured lengths of segments",
        needs="media",
        check=_extinf,
    ),
    Rule(
        id="times-continuous",
        clauses=("Apple 7.1", "Apple 7.3"),
        severity="violation",
        text="Each segment's media begin where those of the segment before it end.",
        remedy="package again without gaps, or mark the break with EXT-X-DISCONTINUITY",
        needs="media",
        check=_continuous,
    ),
    Rule(
        id="rungs-same-boundaries",
        clauses=("Apple 8.22",),
        severity="violation",
        text="All video variants have their segment boundaries at the same times.",
        remedy="fix key frames in time in every rung (ffmpeg: -force_key_frames)",
        needs="playlists",
        check=_boundaries,
    ),
    Rule(
        id="audio-same-boundaries",
        clauses=("Apple 8.22",),
        severity="warning",
        text="Audio segments end where video segments do, within a frame of each.",
        remedy="cut the sound at the video's boundaries",
        needs="playlists",
        check=_audio_boundaries,
    ),
    Rule(
        id="same-duration",
        clauses=("Apple 8.3", "Apple 8.7"),
        severity="violation",
        text="All audio and video playlists last equally long, within a frame of each.",
        remedy="pad the sound with silence, or cut what is longer",
        needs="playlists",
        check=_durations,
    ),
    Rule(
        id="same-range",
        clauses=("Apple 8.7", "RFC 6.2.4"),
        severity="violation",
        text="All tracks begin and end at the same time, edit lists obeyed, within a frame.",
        remedy="shift or pad the track, so that sound and picture stay in step",
        needs="media",
        check=_ranges,
    ),
    Rule(
        id="rungs-in-step",
        clauses=("RFC 6.2.4",),
        severity="violation",
        text="The same content has the same time stamps in every variant, within a frame.",
        remedy="encode all rungs from one decode, with one time base",
        needs="media",
        check=_aligned,
    ),
    Rule(
        id="no-empty-edit",
        clauses=("ours",),
        severity="warning",
        text="No track begins with an empty edit.",
        remedy="shift time stamps instead; Chromium plays such a track early",
        needs="media",
        check=_empty_edit,
    ),
)
