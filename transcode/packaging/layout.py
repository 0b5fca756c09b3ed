"""The package on disk: names of its files and folders.

Folder of one title::

    multivariant.m3u8   presentation.json   v0/ v1/ …   a0/
    v0/playlist.m3u8    v0/init.mp4         v0/00000.m4s …   v0/iframes.m3u8
    v0/00000.ts …                           transport streams instead, without init.mp4
    v0/00000.b.m4s …                        variants B of a watermarked title, of equal sizes
    s0/00000.vtt …      t0/00000.jpg …      see ``sidetracks``

What the files hold is in the ``index``; ``reader`` reads packages, ``package`` writes them.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Literal

from abr.errors import PackageError
from transcode.watermark.pattern import bit_of

MULTIVARIANT = "multivariant.m3u8"
INDEX = "presentation.json"
MANIFEST = "manifest.mpd"
PLAYLIST = "playlist.m3u8"
IFRAMES = "iframes.m3u8"
INIT = "init.mp4"
LICENCE = "licence"
"""Where keys of encrypted samples are asked for, beside the playlists; no file of the package."""
Container = Literal["fmp4", "ts"]
"""What segments are: fragments of MP4, or MPEG-2 transport streams."""
AUDIO_GROUP = "audio"
"""The group of renditions that every player can play: stereo AAC."""
REMEDY = "make the package again with `abr transcode MASTER OUT --force`"
MAX_TITLE_CHARS = 128
"""Longest title: it is part of URLs, cache keys and file names."""
_TITLE = re.compile(rf"[a-z0-9_-]{{1,{MAX_TITLE_CHARS}}}")


def video_folder(rung: int) -> str:
    """``v0``, ``v1``, …; rung 0 is the lowest."""
    return f"v{rung}"


def audio_folder(rendition: int) -> str:
    """``a0``, ``a1``, …."""
    return f"a{rendition}"


def segment_name(index: int, container: Container = "fmp4") -> str:
    """``00000.m4s``, ``00001.m4s``, …; of transport streams ``00000.ts``, …."""
    return f"{index:05d}.{'ts' if container == 'ts' else 'm4s'}"


def variant_b(name: str) -> str:
    """Name or path of variant B of a segment of video, whose variant A is ``name``."""
    return _with_variant(name, "b")


def variant_of(path: str, bit: int) -> str:
    """What ``chosen_variant`` makes of the path of a segment of video, for a bit."""
    return _with_variant(path, "ab"[bit])


def is_variant(path: str) -> bool:
    """Whether ``path`` ends in the name of one variant: no request may choose between them."""
    return _VARIANT.search(path) is not None


def segment_number(path: str) -> int | None:
    """Index of the segment of video at ``path``, of a title or of a version; None of all else."""
    found = _VIDEO_SEGMENT.fullmatch(path)
    return int(found[1]) if found else None


def chosen_variant(path: str, pattern: bytes) -> str:
    """What stands for ``path`` in a cache, to those whose watermark is ``pattern``.

    Segments of video get the name of the variant, A as well as B, so that nothing without a
    watermark is ever found under it. All else keeps its name.
    """
    number = segment_number(path)
    return path if number is None else _with_variant(path, "ab"[bit_of(pattern, number)])


def split_variant(path: str) -> tuple[str, int | None]:
    """What ``chosen_variant`` was given, and the bit that it chose; None where it chose none."""
    found = _VARIANT.search(path)
    if found is None:
        return path, None
    return f"{path[: found.start()]}.m4s", "ab".index(found[1].lower())


def _with_variant(name: str, variant: str) -> str:
    stem, dot, ending = name.rpartition(".")
    return f"{stem}.{variant}{dot}{ending}"


_VIDEO_SEGMENT = re.compile(r"(?:[^/]+/)?v\d+/(\d{5,9})\.m4s", re.ASCII)
_VARIANT = re.compile(r"\.([ab])\.m4s$", re.ASCII | re.IGNORECASE)


def is_title(text: str) -> bool:
    """Whether ``text`` can be a title: ``a-z``, ``0-9``, ``-`` and ``_``, and not too long."""
    return _TITLE.fullmatch(text) is not None


def title_of(name: str) -> str:
    """The title that the name of a folder gives: ``a-z``, ``0-9``, ``-`` and ``_`` only.

    Raises:
        PackageError: no such character is left, or too many are.
    """
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    slug = re.sub(r"[^a-z0-9_]+", "-", plain).strip("-")
    if not slug:
        raise PackageError(f"folder {name!r}: no letter or digit to name the title by; rename it")
    if not is_title(slug):
        raise PackageError(
            f"folder {name[:40]!r}…: {len(slug)} characters to name the title by; "
            f"expected at most {MAX_TITLE_CHARS}; rename it"
        )
    return slug
