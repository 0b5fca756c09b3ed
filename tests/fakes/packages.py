"""Packages of a few bytes, and a key store that holds its keys in memory.

The files are named and indexed as real ones; their content is arbitrary bytes.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from abr.errors import KeyStoreError
from transcode.indexfile import print_index
from transcode.layout import (
    INDEX,
    Encryption,
    PresentationIndex,
    SegmentFacts,
    SourceFacts,
    Track,
    files_of,
)

KID = "00112233445566778899aabbccddeeff"


class MemoryKeys:
    """A key store with one content key for each title, ``KID``, and a fixed signing key."""

    def __init__(self, *titles: str, seed: int = 1) -> None:
        self._keys = {title: hashlib.sha256(title.encode()).digest()[:16] for title in titles}
        self._signing = Ed25519PrivateKey.from_private_bytes(bytes([seed]) * 32)

    def key(self, title: str, kid: str) -> bytes:
        """The content key of ``title``."""
        if kid != KID or title not in self._keys:
            raise KeyStoreError(f"memory: title {title!r} has no key {kid}")
        return self._keys[title]

    def signing_key(self) -> tuple[str, Ed25519PrivateKey]:
        """Id and private key that sign tokens."""
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
) -> PresentationIndex:
    """Write a package of ``rungs`` rungs; rung r has segments of (r + 1) times the sizes."""
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
    )
    for path, size in files_of(index).items():
        file = folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        if size is None:
            file.write_text(f"#EXTM3U\n## {path}\n")
        else:
            number = int(file.stem) if file.stem.isdigit() else -1
            file.write_bytes(segment_bytes(file.parent.name, number, size))
    (folder / INDEX).write_text(print_index(index))
    return index
