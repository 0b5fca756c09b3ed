"""Ladders in a file of TOML, one ``[[rung]]`` each, lowest first.

    [[rung]]
    height = 360        # lines of a 16:9 screen, or width = 640 to set the width
    kbps = 600          # mean bit rate of the video

    [[rung]]
    height = 720
    crf = 23            # constant quality instead, with
    cap_kbps = 3500     # the most that a hard scene may take
    codec = "h264"

Text in, rungs out: whoever reads the file passes what it holds.
"""

from __future__ import annotations

import math
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NoReturn

from abr.errors import ConfigError
from transcode.ladders.rungs import CODECS, PlannedRung, check_rungs, suggest
from transcode.ladders.sizes import scale_into, size_of
from transcode.masters.master import Master

PEAK_RATIO = 1.5
"""With ``crf`` alone the mean is expected at the cap over this; it orders rungs only."""
_RANGES = {
    "width": (2, 16_384), "height": (2, 16_384), "kbps": (1, 999_999), "cap_kbps": (1, 999_999),
    "crf": (0, 63),
}  # fmt: skip
_KEYS = (*_RANGES, "codec")
_HEAD = re.compile(r"^[ \t]*\[\[[ \t]*rung[ \t]*\]\]", re.MULTILINE)


def parse_file(master: Master, text: str, *, where: str) -> tuple[PlannedRung, ...]:
    """The rungs that a ladder file lists.

    Args:
        master: What they are for: none is larger, and all keep its shape.
        text: The file's contents.
        where: Its path, for messages.

    Raises:
        ConfigError: it is not TOML, holds something else, or a rung cannot be; the message
            begins with path and line.
    """
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as exc:
        raise ConfigError(f"{where}: not TOML: {exc}") from exc
    for key in document:
        if key != "rung":
            line = _line_of(text, key, 0, len(text))
            raise ConfigError(
                f"{where}:{line}: found {key!r}; expected [[rung]] tables only"
                + suggest(key, ["rung"])
            )
    tables = document.get("rung")
    if not isinstance(tables, list) or not all(isinstance(each, dict) for each in tables):
        raise ConfigError(f"{where}: no [[rung]] table; expected one for each rung, lowest first")
    heads = [match.start() for match in _HEAD.finditer(text)]
    if len(heads) != len(tables):  # written as an inline array: only the file can be named
        heads = [0] * len(tables)
    ends = [*heads[1:], len(text)]
    rungs = [
        _Table(table, text, begin, max(begin, end) or len(text), where).rung(master)
        for table, begin, end in zip(tables, heads, ends, strict=True)
    ]
    return check_rungs(rungs, where=where)


@dataclass(frozen=True, slots=True)
class _Table:
    """One ``[[rung]]`` table and its place in the file."""

    values: Mapping[str, object]
    text: str
    begin: int
    end: int
    where: str

    def rung(self, master: Master) -> PlannedRung:
        """What it says of a rung for ``master``."""
        for key in self.values:
            if key not in _KEYS:
                self.fail(key, f"found {key!r}; expected {', '.join(_KEYS)}" + suggest(key, _KEYS))
        width, height = self._size(master)
        kbps, crf, cap = self.number("kbps"), self.number("crf"), self.number("cap_kbps")
        if (kbps is None) == (crf is None):
            self.fail("crf", f"found {'both' if crf is not None else 'neither'} of kbps and crf; "
                      "expected one of them")  # fmt: skip
        if crf is not None and cap is None:
            self.fail("crf", "crf without cap_kbps; expected the most that a hard scene may take")
        if kbps is not None and cap is not None and cap < kbps:
            self.fail("cap_kbps", f"a cap of {cap:g} is below kbps = {kbps:g}; expected it above")
        codec = self.values.get("codec", "h264")
        if codec not in CODECS:
            self.fail("codec", f"found {codec!r}; expected {', '.join(CODECS)}")
        mean = kbps if kbps is not None else (cap or 0.0) / PEAK_RATIO
        return PlannedRung(
            width,
            height,
            round(mean * 1000),
            crf=crf,
            cap_bps=None if cap is None else round(cap * 1000),
            codec=str(codec),
        )

    def _size(self, master: Master) -> tuple[int, int]:
        """The size in the master's shape that fits the width and the height given."""
        width, height = self.number("width"), self.number("height")
        if width is None and height is None:
            self.fail("height", "neither height nor width; expected one of them")
        # A height counts lines of a 16:9 screen: wide and upright pictures fit the same box.
        box_height = height if height is not None else math.inf
        box_width = width if width is not None else math.ceil((height or 0) * 16 / 9)
        scale = scale_into(master, box_width, box_height)
        if scale > 1 + 2 / min(box_width, box_height):
            self.fail(
                "height" if height is not None else "width",
                f"a rung of {'x'.join(f'{x:g}' for x in (width, height) if x is not None)} is "
                f"larger than {master.name} ({master.width}x{master.height}); expected at most "
                "the master's size",
            )
        return size_of(master, min(1.0, scale))

    def number(self, key: str) -> float | None:
        """A number of the table, in range; None where it is not given."""
        value = self.values.get(key)
        if value is None:
            return None
        least, most = _RANGES[key]
        if (
            isinstance(value, bool)
            or not isinstance(value, int | float)
            or not least <= value <= most
        ):
            self.fail(key, f"{key} = {value!r}; expected a number from {least} to {most}")
        return float(value)

    def fail(self, key: str, words: str) -> NoReturn:
        """Raise an error at the line of ``key``, or of the table where it has none."""
        line = _line_of(self.text, key, self.begin, self.end)
        raise ConfigError(f"{self.where}:{line}: {words}")


def _line_of(text: str, key: str, begin: int, end: int) -> int:
    """The line, from 1, on which ``key`` is set between two places, or of the first of them."""
    pattern = re.compile(rf"^[ \t]*[\"']?{re.escape(key)}[\"']?[ \t]*[=.]", re.MULTILINE)
    match = pattern.search(text, begin, end)
    at = match.start() if match else begin
    return text.count("\n", 0, at) + 1
