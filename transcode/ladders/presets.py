"""Ladders that come from a table and the master's size.

No rung is larger than the master; all keep its aspect ratio. A size of a table stands for its
number of pixels: a very wide, square or upright master gets the same number in its own shape,
because that is what bit rates go by.

Source: Apple's HLS authoring specification, table of initial variants for H.264; items
1.32, 1.33 and 9.10. deviation: rungs up to a quarter larger than the master are kept at the
master's size; no rung asks for much more than the master's own bit rate. Apple lists sizes above
1920x1080 for HEVC only; their rates for H.264 here continue those below, which rise with the
0.75th power of the number of pixels.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

from transcode.ladders.rungs import PlannedRung
from transcode.ladders.sizes import scale_into, scale_to_area, size_of
from transcode.masters.master import Master

TEMPLATE: tuple[tuple[int, int, int], ...] = (
    (416, 234, 145_000),
    (640, 360, 365_000),
    (768, 432, 730_000),
    (768, 432, 1_100_000),
    (960, 540, 2_000_000),
    (1280, 720, 3_000_000),
    (1280, 720, 4_500_000),
    (1920, 1080, 6_000_000),
    (1920, 1080, 7_800_000),
    (2560, 1440, 9_600_000),
    (2560, 1440, 12_000_000),
    (3840, 2160, 16_000_000),
    (3840, 2160, 22_000_000),
)
"""Width and height, whose product counts, and target bits per second."""
SMALL: tuple[tuple[int, int, int], ...] = (
    (416, 234, 145_000),
    (640, 360, 600_000),
    (960, 540, 1_800_000),
    (1280, 720, 3_500_000),
)
"""The same for a ladder of few rungs, each at two to four times the rate of the one below."""
MOST_OF_MASTER = {"hevc": 3.0, "vp9": 3.0, "av1": 4.0, "h264": 2.0, "mpeg2video": 1.0}
"""Highest bit rate of an H.264 rung as a multiple of the master's, by the master's codec.

More would not show: newer codecs need fewer bits for the same picture than H.264 does."""
_NEARLY, _NEARLY_IN_BOX = 1.25, 1.4
"""How much larger than the master a size of the table may be, by its pixels; and when the master
is as wide or as high."""
_SAME = 0.95
"""From there on the master's own size is kept."""
_LEAST_BPS = 60_000
HD_AREA = 0.7 * 1280 * 720
"""Pixels from which a picture counts as high definition."""


def auto(master: Master) -> tuple[PlannedRung, ...]:
    """Apple's table, fitted to the master's size and bit rate."""
    rungs = _fitting(master, TEMPLATE)
    top = size_of(master, 1.0)
    return _at_least_two(_limit_to_master(master, _from_master(rungs, top)))


def apple(master: Master) -> tuple[PlannedRung, ...]:
    """Apple's table as it is, up to the master's size; its bit rate is not looked at."""
    return _at_least_two(_fitting(master, TEMPLATE))


def small(master: Master) -> tuple[PlannedRung, ...]:
    """Few rungs far apart, up to the master's size: quick to make, for trials and drafts."""
    return _at_least_two(_fitting(master, SMALL))


PRESETS: Mapping[str, Callable[[Master], tuple[PlannedRung, ...]]] = {
    "auto": auto,
    "apple": apple,
    "small": small,
}


def _fitting(master: Master, table: Sequence[tuple[int, int, int]]) -> list[PlannedRung]:
    """The rungs of a table that are not much larger than the master; at least one."""
    rungs: list[PlannedRung] = []
    for box_width, box_height, bitrate_bps in table:
        scale = scale_to_area(master, box_width, box_height)
        in_box = scale_into(master, box_width, box_height)
        if scale <= _NEARLY or (in_box <= _NEARLY and scale <= _NEARLY_IN_BOX):
            whole = 1.0 if scale > _SAME else scale
            rungs.append(PlannedRung(*size_of(master, whole), bitrate_bps))
    if not rungs:
        top = size_of(master, 1.0)
        rungs = [PlannedRung(*top, max(_LEAST_BPS, _power_law_bps(*top)))]
    return rungs


def _from_master(rungs: list[PlannedRung], top: tuple[int, int]) -> list[PlannedRung]:
    """Add the master's size when that lies between two of the table, below its largest."""
    last, area = rungs[-1], top[0] * top[1]
    largest = TEMPLATE[-1][0] * TEMPLATE[-1][1]
    if area <= 1.1 * last.width * last.height or area > largest:
        return rungs
    ratio = (area / (last.width * last.height)) ** 0.75
    best = PlannedRung(*top, int(round(last.bitrate_bps * ratio, -4)))
    if area < HD_AREA:
        return [*rungs, best]
    # Apple's item 9.10: two variants at the largest size when that is high definition.
    second_bps = max(last.bitrate_bps, int(round(0.8 * best.bitrate_bps, -4)))
    below = [rung for rung in rungs if rung.bitrate_bps <= 0.9 * second_bps]
    return [*below, PlannedRung(*top, second_bps), best]


def _limit_to_master(master: Master, rungs: list[PlannedRung]) -> list[PlannedRung]:
    """Drop rungs whose bit rate could show nothing more than the master holds; keep its size."""
    top = rungs[-1]
    useful_bps = MOST_OF_MASTER.get(master.codec, math.inf) * master.bit_rate_bps or math.inf
    most = max(useful_bps, rungs[min(1, len(rungs) - 1)].bitrate_bps)
    if top.bitrate_bps <= most:
        return rungs
    best = PlannedRung(top.width, top.height, int(round(most, -4)) or int(most))
    below = [rung for rung in rungs if rung.bitrate_bps <= 0.7 * best.bitrate_bps]
    is_hd = top.width * top.height >= HD_AREA
    if is_hd and not any(rung.height == top.height for rung in below):
        # Apple's item 9.10: two variants at the largest size when that is high definition.
        second = PlannedRung(top.width, top.height, int(round(0.6 * most, -4)))
        below = [rung for rung in below if rung.bitrate_bps <= 0.7 * second.bitrate_bps] + [second]
    return [*below, best]


def _at_least_two(rungs: list[PlannedRung]) -> tuple[PlannedRung, ...]:
    if len(rungs) == 1:
        only = rungs[0]
        rungs.insert(0, PlannedRung(only.width, only.height, only.bitrate_bps // 2))
    return tuple(rungs)


def _power_law_bps(width: int, height: int) -> int:
    """Bits per second for sizes below the table; they fall more slowly than the area does."""
    box_width, box_height, bitrate_bps = TEMPLATE[0]
    ratio = float(width * height) / (box_width * box_height)
    return 1000 * round(bitrate_bps * math.pow(ratio, 0.75) / 1000)
