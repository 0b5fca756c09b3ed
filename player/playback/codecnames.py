"""Names of codecs in CODECS, by the family that a player can switch within.

Source: RFC 6381 and the registries it names; ISO/IEC 14496-15 (avc1 and avc3 differ in where
parameter sets are); RFC 8216bis, 4.4.6.2 (CODECS).
"""

from __future__ import annotations

from collections.abc import Mapping

PICTURES: Mapping[str, str] = {
    "avc1": "avc",
    "avc2": "avc",
    "avc3": "avc",
    "avc4": "avc",
    "hvc1": "hevc",
    "hev1": "hevc",
    "dvh1": "dolby-vision",
    "dvhe": "dolby-vision",
    "dva1": "dolby-vision",
    "dvav": "dolby-vision",
    "dav1": "dolby-vision",
    "av01": "av1",
    "vp08": "vp8",
    "vp8": "vp8",
    "vp09": "vp9",
    "vp9": "vp9",
    "vvc1": "vvc",
    "vvi1": "vvc",
    "mp4v": "mpeg-4",
}
"""Families of pictures by the name before the first dot."""

SOUNDS: Mapping[str, str] = {
    "mp4a": "aac",
    "ac-3": "ac-3",
    "ac3": "ac-3",
    "ec-3": "ec-3",
    "ec3": "ec-3",
    "ac-4": "ac-4",
    "opus": "opus",
    "flac": "flac",
    "alac": "alac",
    "vorbis": "vorbis",
    "mp3": "mp3",
    "mha1": "mpeg-h",
    "mhm1": "mpeg-h",
    "dtsc": "dts",
    "dtse": "dts",
    "dtsh": "dts",
    "dtsl": "dts",
    "dtsx": "dts",
    "iamf": "iamf",
    "apac": "apac",
}
"""Families of sound, likewise."""

_MP4A: Mapping[str, str] = {
    "mp4a.40.34": "mp3",
    "mp4a.69": "mp3",
    "mp4a.6b": "mp3",
    "mp4a.a5": "ac-3",
    "mp4a.a6": "ec-3",
}
_TEXTS = frozenset(["wvtt", "stpp", "tx3g", "c608", "c708"])


def picture_family(codecs: str) -> str:
    """Family of the picture, such as ``avc``; a name that is not known is one; empty: none."""
    for name in _names(codecs):
        kind = name.partition(".")[0]
        if kind not in SOUNDS and kind not in _TEXTS:
            return PICTURES.get(kind, kind)
    return ""


def sound_families(codecs: str) -> frozenset[str]:
    """Families of the sounds."""
    kinds = ((name, name.partition(".")[0]) for name in _names(codecs))
    return frozenset(_MP4A.get(name, SOUNDS[kind]) for name, kind in kinds if kind in SOUNDS)


def family_of(name: str) -> str:
    """What somebody means by ``name``: a family, or the name of a codec in one."""
    wanted = name.strip().lower()
    plain = {"h264": "avc", "h.264": "avc", "h265": "hevc", "h.265": "hevc"}.get(wanted, wanted)
    return picture_family(plain) or next(iter(sound_families(plain)), plain)


def _names(codecs: str) -> list[str]:
    return [name for each in codecs.lower().split(",") if (name := each.strip())]
