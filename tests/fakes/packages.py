"""Packages of a few bytes, and a key store that holds its keys in memory.

The files are named and indexed as real ones; their content is arbitrary bytes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import numpy as np

from abr.errors import KeyStoreError
from transcode.packaging.index import (
    Encryption,
    PresentationIndex,
    SegmentFacts,
    SourceFacts,
    Track,
    files_of,
)
from transcode.packaging.indexfile import print_index
from transcode.packaging.layout import INDEX, MULTIVARIANT, PLAYLIST
from transcode.packaging.listing import media_playlist_of, multivariant_of
from transcode.packaging.sidetracks import ImageTrack, TextTrack
from transcode.playlist import print_media, print_multivariant

KID = "00112233445566778899aabbccddeeff"


IMAGES = ImageTrack(
    folder="t0", width=160, height=90, columns=2, rows=1, interval_s=2.0, count=2, sizes_bytes=(70,)
)


def text_track(segments: int) -> TextTrack:
    """German subtitles."""
    return TextTrack(
        folder="s0", name="Deutsch", language="de", sizes_bytes=(60,) * segments, whole_bytes=90
    )


class MemoryKeys:
    """A key store with one content key for each title, ``KID``, and a fixed signing key."""

    def __init__(self, *titles: str, seed: int = 1) -> None:
        self._keys = {title: hashlib.sha256(title.encode()).digest()[:16] for title in titles}
        self._signing = bytes([seed]) * 32

    def key(self, title: str, kid: str) -> bytes:
        """The content key of ``title``."""
        if kid != KID or title not in self._keys:
            raise KeyStoreError(f"memory: title {title!r} has no key {kid}")
        return self._keys[title]

    def secret(self, _name: str, _make: Callable[[], tuple[str, bytes]]) -> tuple[str, bytes]:
        """The key that signs tokens, the only secret of an origin."""
        return "memory", self._signing


def segment_bytes(folder: str, number: int, size: int) -> bytes:
    """The content of a segment: different for each, the same every time."""
    seed = hashlib.sha256(f"{folder}/{number}".encode()).digest()
    return (seed * (size // 32 + 1))[:size]


def write_package(
    folder: Path,
    *,
    title: str | None = None,
    segment_sizes: tuple[int, ...] = (1000, 2000),
    rungs: int = 2,
    encrypted: bool = False,
    sides: bool = False,
    watermarked: bool = False,
) -> PresentationIndex:
    """Write a package of ``rungs`` rungs; rung r has segments of (r + 1) times the sizes.

    With ``sides`` it has subtitles and thumbnails, and a DASH manifest unless it is encrypted.

    Its playlists are only marked as such; ``write_playable`` writes real ones.
    """
    tracks = tuple(
        Track(
            folder=f"v{rung}",
            kind="video",
            codecs="avc1.42c00d",
            init_bytes=40,
            segments=tuple(
                SegmentFacts(size_bytes=size * (rung + 1), duration_s=4.0) for size in segment_sizes
            ),
            width=160 * (rung + 1),
            height=90 * (rung + 1),
            frame_rate=25.0,
        )
        for rung in range(rungs)
    )
    index = PresentationIndex(
        title=title or folder.name,
        source=SourceFacts(
            name="made up",
            duration_s=4.0 * len(segment_sizes),
            width=320,
            height=180,
            frame_rate=25.0,
        ),
        video=tracks,
        encryption=Encryption(method="AES-128", kids=(KID,)) if encrypted else None,
        text=(text_track(len(segment_sizes)),) if sides else (),
        images=(IMAGES,) if sides else (),
        dash=sides and not encrypted,
        watermarked=watermarked,
    )
    for path, size in files_of(index).items():
        file = folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        if size is None:
            leads_to = f"v0/{PLAYLIST}\n" if path == MULTIVARIANT else ""
            file.write_text(f"#EXTM3U\n## {path}\n{leads_to}")
        else:
            stem, dot, variant = file.stem.partition(".")
            number = int(stem) if stem.isdigit() else -1
            file.write_bytes(segment_bytes(f"{file.parent.name}{dot}{variant}", number, size))
    (folder / INDEX).write_text(print_index(index))
    return index


def write_playable(
    folder: Path,
    rng: np.random.Generator,
    *,
    rungs: int = 3,
    segments: int = 12,
    audio_shift_s: float = 0.01,
    audio_segments: int | None = None,
    rotate_every: int | None = None,
) -> PresentationIndex:
    """Write a package with audio, real playlists, and sizes drawn by ``rng``.

    Args:
        folder: Where.
        rng: Draws sizes and lengths.
        rungs: How many.
        segments: Of the video.
        audio_shift_s: Audio segments end up to this much off those of the video.
        audio_segments: Of the audio; None: as many.
        rotate_every: Segments to a key; 0: one key; None: nothing is encrypted.
    """
    lengths = rng.choice([2.0, 3.0, 4.2], segments)
    ends = np.cumsum(lengths)[: audio_segments or segments]
    ends = ends + rng.uniform(-audio_shift_s, audio_shift_s, len(ends))
    video = tuple(
        Track(
            folder=f"v{rung}",
            kind="video",
            codecs="avc1.42c00d",
            init_bytes=int(rng.integers(600, 900)),
            segments=tuple(
                SegmentFacts(
                    size_bytes=int(2e4 * 1.8**rung * length * rng.uniform(0.5, 1.6)),
                    duration_s=float(length),
                )
                for length in lengths
            ),
            width=160 * (rung + 1),
            height=90 * (rung + 1),
            frame_rate=25.0,
        )
        for rung in range(rungs)
    )
    sound = Track(
        folder="a0",
        kind="audio",
        codecs="mp4a.40.2",
        init_bytes=int(rng.integers(500, 700)),
        segments=tuple(
            SegmentFacts(size_bytes=int(8000 * length), duration_s=float(length))
            for length in np.diff(ends, prepend=0.0)
        ),
        channels=2,
    )
    periods = 1 + (segments - 1) // rotate_every if rotate_every else 1
    encryption = Encryption(
        method="AES-128",
        kids=tuple(f"{number:032x}" for number in range(periods)),
        rotate_every=rotate_every or 0,
        seals_init=True,
    )
    index = PresentationIndex(
        title=folder.name,
        source=SourceFacts(
            name="made up", duration_s=float(lengths.sum()), width=480, height=270, frame_rate=25.0
        ),
        video=video,
        audio=(sound,),
        encryption=None if rotate_every is None else encryption,
    )
    playlists = {f"{t.folder}/{PLAYLIST}": media_playlist_of(index, t) for t in index.tracks}
    for path, size in files_of(index).items():
        file = folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        if size is not None:
            file.write_bytes(bytes(size))
        elif path == MULTIVARIANT:
            file.write_text(print_multivariant(multivariant_of(index)))
        else:
            file.write_text(print_media(playlists[path]))
    (folder / INDEX).write_text(print_index(index))
    return index
