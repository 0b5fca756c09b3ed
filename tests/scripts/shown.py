"""How much picture a session can have shown: what its log says it was told of and got."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Sequence
from itertools import pairwise

from abr.errors import AbrError
from abr.log import SessionLog
from player.playback.timeline import LOOKUP_TOLERANCE_S, SAME_BOUNDARY_S
from transcode.playlist import MediaPlaylist, parse

File = tuple[str, tuple[int, ...]]
"""Name, and range of bytes; empty: all of it."""


def got_s(log: SessionLog) -> float:
    """Seconds of the pictures that were fetched, each file once, as long as its playlist says.

    With them what the player may pass over as being nearly there: boundaries that differ by
    little, and the rest of a segment where it goes on in another playlist.
    """
    lengths_s = _listed(log)
    fetched = list(dict.fromkeys(_fetched(log)))
    playlists = [_playlist_of(file) for file in fetched]
    switches = sum(one != other for one, other in pairwise(playlists))
    near_s = SAME_BOUNDARY_S * len(fetched) + LOOKUP_TOLERANCE_S * switches
    return sum(lengths_s[file] for file in fetched) + near_s


def _fetched(log: SessionLog) -> Iterator[File]:
    """Files of pictures that came whole, one after the other."""
    asked: dict[int, File] = {}
    for record in log.of("fetch", "finished"):
        if record["e"] == "fetch":
            if record["kind"] == "segment" and record["track"] == "video":
                asked[record["id"]] = _file(record["uri"], record.get("byte_range"))
        elif record["id"] in asked:
            yield asked[record["id"]]


def _listed(log: SessionLog) -> dict[File, float]:
    """How long each file is, as the playlists say that arrived."""
    lengths_s: dict[File, float] = {}
    for record in log.of("finished"):
        try:
            playlist = parse(record.get("text", ""), uri="")
        except AbrError:
            continue
        if isinstance(playlist, MediaPlaylist):
            for segment in playlist.segments:
                file = _file(segment.uri, segment.byte_range)
                lengths_s[file] = max(segment.duration_s, lengths_s.get(file, 0.0))
    return lengths_s


def _file(uri: str, byte_range: Sequence[int] | None) -> File:
    """The same of all hosts."""
    return posixpath.basename(uri), tuple(byte_range or ())


def _playlist_of(file: File) -> str:
    return file[0].partition(".")[0]
