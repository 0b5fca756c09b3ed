"""The shape of pictures: what of a coded frame is shown, which way up, how wide its pixels are.

Source: ISO/IEC 14496-12, 6.2.2 for the rotation that a display matrix asks for, 12.1.4.1 for
clean apertures. ffmpeg crops and turns frames itself before the filter graph; what the graph
gets is computed here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from abr.errors import MediaError
from transcode.masters.fields import fraction, whole
from transcode.masters.scan import Scan

# ffprobe's names: the field that is coded first, then the one that is shown first.
_FIELD_ORDERS = {"tt": True, "bb": False, "tb": False, "bt": True}
_WIDEST_PIXEL = 4
"""Wider or narrower pixels than anyone has used are a mistake: the widest known are 32:11."""
_CROPS = (("crop_left", "crop_right"), ("crop_top", "crop_bottom"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """Sizes of pictures, rotation applied."""

    width: int
    """In square pixels, before rounding to even numbers."""
    height: int
    frame_width: int
    """Pixels of a frame as the filter graph gets it."""
    frame_height: int
    note: str | None = None
    """What the user should know, in words."""


def flagged_scan(video: Mapping[str, Any]) -> Scan:
    """Whether the stream says that its pictures are fields in pairs."""
    top_first = _FIELD_ORDERS.get(str(video.get("field_order")))
    return Scan() if top_first is None else Scan("interlaced", top_first)


def shape_of(video: Mapping[str, Any], where: str) -> Shape:
    """The shape of a video stream, as ffprobe describes it.

    Raises:
        MediaError: its size is impossible.
    """
    width, height = whole(video.get("width")), whole(video.get("height"))
    if not (0 < width <= 32768 and 0 < height <= 32768):
        raise MediaError(
            f"{where}: pictures of {width}x{height}; expected a video file with pictures"
        )
    width, height = _crop(video, width, height)
    shown_width, shown_height, note = width, height, None
    aspect = fraction(str(video.get("sample_aspect_ratio", "1:1")).replace(":", "/"))
    if aspect is not None and not Fraction(1, _WIDEST_PIXEL) <= aspect <= _WIDEST_PIXEL:
        note = f"pixels {float(aspect):.3g} times as wide as high are taken for square ones"
    elif aspect is not None and aspect > 1:
        # The shorter axis is stretched, so that no line or column is lost.
        shown_width = round(width * aspect)
    elif aspect is not None:
        shown_height = round(height / aspect)
    if _is_turned(video):
        width, height = height, width
        shown_width, shown_height = shown_height, shown_width
    return Shape(
        width=shown_width,
        height=shown_height,
        frame_width=width,
        frame_height=height,
        note=note,
    )


def _crop(video: Mapping[str, Any], width: int, height: int) -> tuple[int, int]:
    """Without the edges that the container says are not to be shown."""
    for data in _side_data(video):
        left_right, top_bottom = (sum(whole(data.get(name)) for name in names) for names in _CROPS)
        if left_right < width and top_bottom < height:
            width, height = width - left_right, height - top_bottom
    return width, height


def _side_data(video: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [each for each in video.get("side_data_list") or () if isinstance(each, dict)]


def _is_turned(video: Mapping[str, Any]) -> bool:
    """Whether the display matrix rotates pictures by 90 or 270 degrees."""
    angles = [each["rotation"] for each in _side_data(video) if each.get("rotation") is not None]
    angles.append((video.get("tags") or {}).get("rotate", 0))
    try:
        return round(float(str(angles[0])) / 90) % 2 == 1
    except (ValueError, OverflowError):
        return False
