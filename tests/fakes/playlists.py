"""Playlists of a few lines."""

from __future__ import annotations

from transcode.playlist import MediaPlaylist, MultivariantPlaylist, parse

PLAYLIST_URL = "http://edge.test/film/x.m3u8"


def multivariant(*lines: str) -> MultivariantPlaylist:
    """One that begins as it must."""
    playlist = parse("\n".join(["#EXTM3U", *lines]) + "\n", uri="x")
    assert isinstance(playlist, MultivariantPlaylist)
    return playlist


def stream(bandwidth: int, uri: str, more: str = "") -> list[str]:
    """A variant."""
    return [f"#EXT-X-STREAM-INF:BANDWIDTH={bandwidth}{more}", uri]


def media(*lines: str, end: str = "#EXT-X-ENDLIST") -> MediaPlaylist:
    """One that begins as it must, and ends unless ``end`` is empty."""
    playlist = parse("\n".join(["#EXTM3U", "#EXT-X-TARGETDURATION:9", *lines, end]), uri="x")
    assert isinstance(playlist, MediaPlaylist)
    return playlist
