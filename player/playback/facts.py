"""What is known of a request beside the request: for those who tell others of a playback."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from player.playback.actions import Want
from player.playback.agenda import Agenda
from player.playback.codecnames import picture_family, sound_families
from player.playback.ladder import Rung
from player.playback.source import Source
from player.playback.timeline import SegmentRef

Contents = Literal["", "a", "v", "av"]
"""Sound, pictures, or both within one segment; empty: the playlists do not say."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """Where one request belongs, and where playback stands when it goes out."""

    now_s: float = 0.0
    """When it goes out."""
    is_live: bool | None = None
    """More may be added to what is played; None before that is known."""
    contents: Contents = ""
    """Of the segments of the video track."""
    has_audio_apart: bool = False
    """The video's sound is another track."""
    buffered_s: float = 0.0
    """Media ahead of the playhead of the track that is asked for."""
    segment: SegmentRef | None = None
    """The segment that is asked for; None for everything else."""
    following: SegmentRef | None = None
    """The segment behind it in its playlist."""
    peak_rates_bps: tuple[float, ...] = ()
    """By rung, as the multivariant playlist declares them, sound included; empty: it does not."""


def facts_about(
    want: Want, source: Source, agenda: Agenda, *, playhead_s: float, now_s: float
) -> Facts:
    """What is known of the request for ``want``, with the playhead at ``playhead_s``."""
    if not agenda.has_begun:
        return Facts(now_s=now_s)
    grid = source.grid
    track = next((t for t in agenda.tracks() if t.name == want.track), agenda.track("video"))
    rung = want.rung if want.track == "video" and want.rung >= 0 else agenda.asked_rung
    segment, following = _listed(want, source, rung)
    rungs = source.ladder
    has_rates = all(each.peak_bps > 0 for each in rungs)
    return Facts(
        now_s=now_s,
        is_live=None if grid is None else not grid.is_ended,
        contents=_contents(rungs[rung]),
        has_audio_apart=source.has_audio(rung),
        buffered_s=max(track.ready_s - playhead_s, 0.0),
        segment=segment,
        following=following,
        peak_rates_bps=tuple(each.peak_bps for each in rungs) if has_rates else (),
    )


def _listed(want: Want, source: Source, rung: int) -> tuple[SegmentRef | None, SegmentRef | None]:
    """The segment that is asked for and the one behind it in its playlist."""
    timeline = source.timeline(want.track, rung) if want.kind == "segment" else None
    if timeline is None:
        return None, None
    behind = timeline.first_from(want.end_s)
    following = timeline.segments[behind] if behind < len(timeline.segments) else None
    return (timeline.segments[behind - 1] if behind else None), following


def _contents(rung: Rung) -> Contents:
    """By the names of its codecs."""
    has_sound = bool(sound_families(rung.codecs))
    if picture_family(rung.codecs):
        return "av" if has_sound else "v"
    return "a" if has_sound else ""
