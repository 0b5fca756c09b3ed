"""HLS playlists: text to values and back.

``parse`` is liberal: it reads what other packagers print and ignores what it does not
know. ``print_multivariant`` and ``print_media`` are strict. ``parse(print(p)) == p``.
"""

from transcode.playlist.model import (
    CLEAR_KEY,
    IDENTITY,
    ByteRange,
    Key,
    Map,
    MediaPlaylist,
    MultivariantPlaylist,
    Playlist,
    Rendition,
    Segment,
    ServerControl,
    Start,
    Steering,
    Tiles,
    TrickPlayVariant,
    Variant,
    needed_version,
    target_duration_s,
    vod_playlist,
)
from transcode.playlist.read import parse
from transcode.playlist.resolving import resolve, resolver
from transcode.playlist.write import print_media, print_multivariant

__all__ = [
    "CLEAR_KEY",
    "IDENTITY",
    "ByteRange",
    "Key",
    "Map",
    "MediaPlaylist",
    "MultivariantPlaylist",
    "Playlist",
    "Rendition",
    "Segment",
    "ServerControl",
    "Start",
    "Steering",
    "Tiles",
    "TrickPlayVariant",
    "Variant",
    "needed_version",
    "parse",
    "print_media",
    "print_multivariant",
    "resolve",
    "resolver",
    "target_duration_s",
    "vod_playlist",
]
