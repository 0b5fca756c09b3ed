"""Which stream of a master is the picture.

Covers, thumbnails, stills, streams without pictures or with an unknown codec are out. Of the
rest, step by step: what is no extra, such as a preview or a sign-language view; at least
half as long as the longest; at least a tenth of the most pictures; the largest; marked as
default; the first.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from abr.errors import MediaError
from transcode.masters.stream import Sieve, Stream

EXPECTED = "expected a video file"
_IMAGE_CODECS = frozenset(
    {"mjpeg", "png", "apng", "bmp", "gif", "tiff", "webp", "ppm", "pgm", "targa", "jpegxl",
     "jpeg2000", "jpegls", "psd", "exr", "svg", "pcx", "sgi"}
)  # fmt: skip
"""What covers and stills are coded with; a film in one of them has more than one picture."""
_IMAGE_BRANDS = frozenset({"avif", "avis", "heic", "heix", "hevc", "hevx", "mif1", "msf1"})
"""Major brands of image files: ISO/IEC 23008-12, 10 and annex B; AV1 image file format, 6."""
_NOT_THE_PICTURE = {
    "attached_pic": "a cover picture",
    "timed_thumbnails": "thumbnails",
    "still_image": "a still picture",
    "dependent": "a part of another picture",
}
_EXTRAS = frozenset({"comment", "hearing_impaired", "visual_impaired", "metadata"})
_EXTRA_TITLE = re.compile(
    r"preview|thumb|storyboard|trailer|poster|\bcover\b|sign.?lang|vorschau|\bproxy\b",
    re.IGNORECASE,
)
_LEAST_LENGTH, _LEAST_PICTURES = 1 / 2, 1 / 10


def choose_picture(
    streams: Sequence[Stream], shown: Mapping[str, Any], sieve: Sieve, where: str
) -> Stream:
    """The picture, by the rule.

    Args:
        streams: All of the master.
        shown: ffprobe's ``-show_format``.
        sieve: Takes the reasons for those that are left out.
        where: What messages call the master.

    Raises:
        MediaError: there is none.
    """
    videos = [each for each in streams if each.kind == "video"]
    form = str(shown.get("format_name", ""))
    if videos and (form.endswith("_pipe") or form in ("image2", "tty")):
        # ffprobe reads a still picture as a video of one frame, and any text as a terminal.
        more = ""
        if form == "webp_pipe":
            more = (
                "; an animated WebP has to become another file first: `ffmpeg -i IN -c:v ffv1 "
                "OUT.mkv` with ffmpeg 9 or later"
            )
        elif form.endswith("_pipe") and any((each.packets or 0) > 1 for each in videos):
            more = (
                "; a row of pictures states no rate: `ffmpeg -framerate RATE -i IN -c copy "
                "OUT.mkv` gives it one"
            )
        raise MediaError(f"{where}: found a still picture or text; {EXPECTED}{more}")
    brand = str((shown.get("tags") or {}).get("major_brand", "")).strip()
    able = sieve.drop(videos, lambda each: _fault(each, brand))
    if not able:
        raise MediaError(f"{where}: {_nothing(streams, sieve)}")
    able = sieve.prefer(able, lambda each: "one picture only" if each.packets == 1 else "")
    able = sieve.prefer(able, _extra)
    longest_s = max(each.seconds for each in able)
    able = sieve.prefer(able, lambda each: _shortness(each, longest_s))
    most = max(each.packets or 0 for each in able)
    able = sieve.prefer(able, lambda each: _sparseness(each, most))
    largest = max(each.width * each.height for each in able)
    able = sieve.drop(
        able, lambda each: "a smaller picture" if each.width * each.height < largest else ""
    )
    used = max(able, key=lambda each: each.is_default)
    sieve.drop(able, lambda each: "" if each is used else "another picture of that size")
    return used


def _fault(stream: Stream, brand: str) -> str:
    """Why it cannot be a film; empty when it can."""
    for disposition, reason in _NOT_THE_PICTURE.items():
        if disposition in stream.dispositions:
            return reason
    if not stream.codec:
        return "a codec that ffmpeg does not know"
    if stream.packets == 0:
        return "a stream without pictures"
    is_image = stream.codec in _IMAGE_CODECS or brand in _IMAGE_BRANDS
    if stream.is_image or (stream.packets == 1 and is_image):
        return "a still picture"
    return ""


def _extra(stream: Stream) -> str:
    marks = sorted(_EXTRAS & stream.dispositions)
    if marks:
        return f"marked {marks[0]}"
    return "an extra by its title" if _EXTRA_TITLE.search(stream.title) else ""


def _shortness(stream: Stream, longest_s: float) -> str:
    if stream.seconds >= longest_s * _LEAST_LENGTH:
        return ""
    return f"lasts {stream.seconds:.3g} s, another {longest_s:.4g} s"


def _sparseness(stream: Stream, most: int) -> str:
    if stream.packets is None or stream.packets >= most * _LEAST_PICTURES:
        return ""
    return f"holds {stream.packets} pictures, another {most}"


def _nothing(streams: Sequence[Stream], sieve: Sieve) -> str:
    """What was found instead of a film."""
    reasons = [sieve.left[each.index] for each in streams if each.index in sieve.left]
    has_sound = any(each.kind == "audio" for each in streams)
    if not reasons:
        return (
            f"found audio only; {EXPECTED} with pictures"
            if has_sound
            else (f"found no video; {EXPECTED}")
        )
    if not has_sound:
        return f"found {reasons[0]}; {EXPECTED}"
    found = f"found audio only, with {reasons[0]}; {EXPECTED}"
    can_show = "a cover" in reasons[0] or "a still" in reasons[0]
    return f"{found}, or give --video N to show that picture" if can_show else found
