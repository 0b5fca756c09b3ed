"""Tracks of a package beside picture and sound: subtitles and thumbnails, as its index has them.

Their folders are ``s0``, ``s1``, … and ``t0``. Subtitles have as many segments as the video, of the
same durations, so only sizes are recorded.

Source: RFC 8216bis, 3.1.4 and 4.4.6.1 for subtitles; the Image Media Playlist proposal (Disney,
Warner, Roku; version 0.4) for thumbnails.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from transcode.subtitles.cues import Cue
from transcode.subtitles.webvtt import print_webvtt

PLAYLIST = "playlist.m3u8"
WHOLE_TEXT = "subtitles.vtt"
"""All cues in one file, for DASH and for pages without a player of segments."""
THUMBNAILS = "thumbnails.vtt"
SPOKEN = "public.accessibility.transcribes-spoken-dialog"
HEARD = "public.accessibility.describes-music-and-sound"


@dataclass(frozen=True, slots=True, kw_only=True)
class TextTrack:
    """Subtitles in one language, as segments of WebVTT."""

    folder: str
    name: str
    """Shown in a player's menu; no other subtitles have it."""
    sizes_bytes: tuple[int, ...]
    """Of the segments."""
    whole_bytes: int
    """Of the file with all cues."""
    language: str | None = None
    """RFC 5646 tag."""
    forced: bool = False
    """Shown to everybody: what is foreign to the film's own language."""
    hearing_impaired: bool = False
    """Sounds are described as well."""

    @property
    def size_bytes(self) -> int:
        """Of all its files."""
        return sum(self.sizes_bytes) + self.whole_bytes

    @property
    def characteristics(self) -> str | None:
        """CHARACTERISTICS of its rendition."""
        return f"{SPOKEN},{HEARD}" if self.hearing_impaired else None


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageTrack:
    """Thumbnails at equal distances, joined to larger images."""

    folder: str
    width: int
    """Pixels of one thumbnail."""
    height: int
    columns: int
    rows: int
    interval_s: float
    """From one thumbnail to the next."""
    count: int
    """Thumbnails in all; the last image may have room left."""
    sizes_bytes: tuple[int, ...]
    """Of the images."""

    @property
    def per_image(self) -> int:
        """Thumbnails of a full image."""
        return self.columns * self.rows


def text_folder(number: int) -> str:
    """``s0``, ``s1``, …."""
    return f"s{number}"


def image_folder(number: int) -> str:
    """``t0``, ``t1``, …."""
    return f"t{number}"


def text_name(index: int) -> str:
    """``00000.vtt``, ``00001.vtt``, …."""
    return f"{index:05d}.vtt"


def image_name(index: int) -> str:
    """``00000.jpg``, ``00001.jpg``, …."""
    return f"{index:05d}.jpg"


def files_of_text(track: TextTrack) -> Iterator[tuple[str, int | None]]:
    """Relative paths and sizes; None where none is recorded."""
    yield f"{track.folder}/{PLAYLIST}", None
    yield f"{track.folder}/{WHOLE_TEXT}", track.whole_bytes
    for number, size in enumerate(track.sizes_bytes):
        yield f"{track.folder}/{text_name(number)}", size


def files_of_images(track: ImageTrack) -> Iterator[tuple[str, int | None]]:
    """Relative paths and sizes; None where none is recorded."""
    yield f"{track.folder}/{PLAYLIST}", None
    yield f"{track.folder}/{THUMBNAILS}", None
    for number, size in enumerate(track.sizes_bytes):
        yield f"{track.folder}/{image_name(number)}", size


def image_interval_s(duration_s: float, gop_s: float) -> float:
    """Seconds between thumbnails: whole groups of pictures, 2 s or more, 300 pictures or so.

    A thumbnail that is no key frame would have to be decoded through those before it.
    """
    wanted_s = max(2.0, duration_s / 300)
    return gop_s * max(1, math.ceil(wanted_s / gop_s - 1e-6))


def thumbnail_texts(track: ImageTrack, duration_s: float) -> str:
    """WebVTT whose cues name an image and a place in it, such as ``00000.jpg#xywh=0,0,160,90``.

    Source: W3C Media Fragments URI 1.0, 4.2.2 (spatial dimension).
    """
    cues = []
    for number in range(track.count):
        image, place = divmod(number, track.per_image)
        row, column = divmod(place, track.columns)
        x, y = column * track.width, row * track.height
        start_ms = round(1000 * number * track.interval_s)
        end_ms = min(round(1000 * (number + 1) * track.interval_s), round(1000 * duration_s))
        text = f"{image_name(image)}#xywh={x},{y},{track.width},{track.height}"
        cues.append(Cue(start_ms=start_ms, end_ms=max(end_ms, start_ms + 1), text=text))
    return print_webvtt(cues)


def thumbnail_size(width: int, height: int) -> tuple[int, int]:
    """Even width and height of a thumbnail: the shape of the picture, the area of 160x90."""
    scale = min(1.0, math.sqrt(160 * 90 / (width * height)))
    return (max(2, 2 * round(width * scale / 2)), max(2, 2 * round(height * scale / 2)))


def tile_layout(width: int, height: int, count: int) -> tuple[int, int]:
    """Columns and rows of thumbnails in an image of 720 pixels at most each way.

    DASH-IF IOP 4.3, 6.2.6: small devices take no larger images.
    """
    columns = min(count, max(1, 720 // width))
    rows = min(-(-count // columns), max(1, 720 // height))
    return columns, rows


def nearest_frames(times_s: Sequence[float], interval_s: float, count: int) -> list[int]:
    """For each thumbnail, the number of the key frame nearest to where its time begins."""
    chosen = []
    for number in range(count):
        at_s = number * interval_s
        after = bisect_left(times_s, at_s)
        near = [place for place in (after - 1, after) if 0 <= place < len(times_s)]
        chosen.append(min(near, key=lambda place: abs(times_s[place] - at_s)))
    return chosen
