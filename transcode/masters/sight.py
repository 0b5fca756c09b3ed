"""What decoded frames say of themselves: the truth, where headers say something else.

ffprobe knows no more than the container and the first bytes of a stream, and the ffprobe of a wheel
cannot decode all that the encoding ffmpeg can.

Source: ffmpeg's documentation, filter ``showinfo``; the format of its lines is that of 8.1 and 9.0.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from transcode.masters.colour import SCREEN_FIELDS
from transcode.masters.scan import Scan

_FRAME = re.compile(r"fmt:(\S+) .*?sar:(\d+)/(\d+) s:(\d+)x(\d+) i:(.)")
_TAGS = re.compile(r"color_range:(\S+) color_space:(\S+) color_primaries:(\S+) color_trc:(\S+)")
_TURN = re.compile(r"displaymatrix: rotation of (-?\d+(?:\.\d+)?) degrees")
_TAG_NAMES = ("color_range", "color_space", "color_primaries", "color_transfer")
_SCREEN = re.compile(
    r"Mastering display metadata: has_primaries:1 has_luminance:1 "
    r"r\(([\d.]+),\s*([\d.]+)\) g\(([\d.]+),\s*([\d.]+)\) b\(([\d.]+),?\s*([\d.]+)\) "
    r"wp\(([\d.]+),\s*([\d.]+)\) min_luminance=([\d.]+), max_luminance=([\d.]+)"
)
_CONTENT = re.compile(r"Content light level metadata: MaxCLL=(\d+), MaxFALL=(\d+)")
# What Dolby Vision calls its own colour space: profile 5.
_IPT = re.compile(r"signal_color_space=2\b")


@dataclass(frozen=True, slots=True, kw_only=True)
class Sight:
    """The first decoded frame."""

    pixels: str
    width: int
    height: int
    scan: Scan
    """As the frame is flagged."""
    rotation: float = 0.0
    """Degrees by which it is to be turned, as H.264 and HEVC can say in each frame."""
    tags: Mapping[str, str] = field(default_factory=dict)
    """Of its colour, by ffprobe's names; only those that it states."""
    is_dolby: bool = False
    """Whether its colours are Dolby Vision's own."""
    light: tuple[Mapping[str, str], ...] = ()
    """Side data of its light, by ffprobe's names."""

    def over(self, video: Mapping[str, Any]) -> dict[str, Any]:
        """A stream as ffprobe describes it, corrected by what the frame says."""
        corrected = {**video, **self.tags, "pix_fmt": self.pixels}
        known = video.get("side_data_list") or []
        if self.rotation and not any("rotation" in each for each in known):
            known = [*known, {"rotation": self.rotation}]
        kinds = {each.get("side_data_type") for each in known}
        known = [*known, *(each for each in self.light if each["side_data_type"] not in kinds)]
        if known:
            corrected["side_data_list"] = known
        if self.is_dolby:
            corrected["color_space"] = "ipt-c2"
        return corrected


@dataclass(frozen=True, slots=True)
class Seen:
    """What a short decode found."""

    sight: Sight
    scan: Scan
    """As measured."""
    is_changing: bool = False
    """Whether frames say different things of their colours."""
    alpha_is_empty: bool = False
    """Whether there is alpha, and nothing was opaque in it."""


def colours_in(log: str) -> frozenset[tuple[str, ...]]:
    """What frames that ``showinfo`` logged say of their colours, each once."""
    return frozenset(match.groups() for match in _TAGS.finditer(log))


def read_sight(log: str) -> Sight | None:
    """The first frame that ``showinfo`` logged; None when there is none."""
    frame = _FRAME.search(log)
    if frame is None:
        return None
    pixels, _, _, width, height, fields = frame.groups()
    stated = _TAGS.search(log, frame.end())
    found = zip(_TAG_NAMES, stated.groups() if stated else (), strict=False)
    return Sight(
        pixels=pixels,
        width=int(width),
        height=int(height),
        scan={"T": Scan("interlaced", True), "B": Scan("interlaced", False)}.get(fields, Scan()),
        tags={name: value for name, value in found if value not in ("unknown", "reserved")},
        rotation=float(turn[1]) if (turn := _TURN.search(log)) else 0.0,
        is_dolby=_IPT.search(log) is not None,
        light=tuple(_light(log)),
    )


def _light(log: str) -> Iterator[Mapping[str, str]]:
    if screen := _SCREEN.search(log):
        given = dict(zip(SCREEN_FIELDS, screen.groups(), strict=True))
        yield {"side_data_type": "Mastering display metadata", **given}
    if content := _CONTENT.search(log):
        most, mean = content.groups()
        yield {
            "side_data_type": "Content light level metadata",
            "max_content": most,
            "max_average": mean,
        }
