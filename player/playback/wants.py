"""What is asked for, made from what playlists list: segments, what they need, playlists."""

from __future__ import annotations

from collections.abc import Iterator

from player.playback.actions import KeyUse, Resource, TrackName, Want
from player.playback.timeline import SegmentRef


def needs_of(ref: SegmentRef, track: TrackName, rung: int, *, playlist: str) -> Iterator[Want]:
    """What must be here before ``ref`` can be played: keys, initialisation section."""
    init = ref.init
    keys: list[KeyUse | None] = [init.key if init else None, ref.key]
    for key in keys:
        if key is not None:
            kind, url, _, kid = key.resource
            yield Want(kind=kind, url=url, track=track, rung=rung, kid=kid, playlist=playlist)
    if init is not None:
        yield Want(
            kind="init",
            url=init.url,
            byte_range=init.byte_range,
            track=track,
            rung=rung,
            key=init.key,
            playlist=playlist,
        )


def segment_want(
    ref: SegmentRef, track: TrackName, segment: int, rung: int, *, playlist: str
) -> Want:
    """The segment itself."""
    needs = needs_of(ref, track, rung, playlist=playlist)
    return Want(
        kind="segment",
        url=ref.url,
        byte_range=ref.byte_range,
        track=track,
        segment=segment,
        rung=rung,
        key=ref.key,
        init=Resource("init", ref.init.url, ref.init.byte_range) if ref.init else None,
        end_s=ref.end_s,
        duration_s=ref.duration_s,
        needs=frozenset(need.resource for need in needs),
        playlist=playlist,
    )


def media_want(track: TrackName, url: str, rung: int) -> Want:
    """The media playlist at ``url``."""
    # An audio playlist belongs to a group, not to a rung.
    number = rung if track == "video" else -1
    return Want(kind="media", url=url, track=track, rung=number, playlist=url)


def with_directives(url: str, directives: str) -> str:
    """``url`` with further parameters."""
    return f"{url}{'&' if '?' in url else '?'}{directives}" if directives else url
