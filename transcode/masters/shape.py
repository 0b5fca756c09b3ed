"""The shape of pictures as displayed: square pixels, rotation applied.

Source: ISO/IEC 14496-12, 6.2.2 for the rotation that a display matrix asks for.
"""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import Any

from abr.errors import MediaError
from transcode.masters.fields import fraction, whole

_INTERLACED = frozenset({"tt", "bb", "tb", "bt"})


def is_interlaced(video: Mapping[str, Any]) -> bool:
    """Whether pictures are fields in pairs."""
    return video.get("field_order") in _INTERLACED


def displayed_size(video: Mapping[str, Any], where: str) -> tuple[int, int]:
    """Width and height in square pixels, before rounding to even numbers.

    Raises:
        MediaError: they are impossible.
    """
    width, height = whole(video.get("width")), whole(video.get("height"))
    if not (0 < width <= 32768 and 0 < height <= 32768):
        raise MediaError(
            f"{where}: pictures of {width}x{height}; expected a video file with pictures"
        )
    aspect = fraction(str(video.get("sample_aspect_ratio", "1:1")).replace(":", "/"))
    if aspect is not None and aspect != 1 and Fraction(1, 20) < aspect < 20:
        # The shorter axis is stretched, so that no line or column is lost.
        if aspect > 1:
            width = round(width * aspect)
        else:
            height = round(height / aspect)
    return (height, width) if _is_turned(video) else (width, height)


def _is_turned(video: Mapping[str, Any]) -> bool:
    """Whether the display matrix rotates pictures by 90 or 270 degrees."""
    angles = [
        each["rotation"]
        for each in video.get("side_data_list") or ()
        if isinstance(each, dict) and each.get("rotation") is not None
    ]
    angles.append((video.get("tags") or {}).get("rotate", 0))
    try:
        return round(float(str(angles[0])) / 90) % 2 == 1
    except (ValueError, OverflowError):
        return False
