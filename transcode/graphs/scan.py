"""Filters that make whole pictures of fields.

Interlaced pictures keep their rate: one of two fields is kept, and its missing lines are made with
the help of fields around it. Telecined films get their own pictures back, four for each five.
"""

from __future__ import annotations

from transcode.graphs.colour import Step
from transcode.masters.scan import Scan


def whole_pictures(scan: Scan, size: tuple[int, int]) -> list[Step]:
    """Filters for pictures of this kind; none for progressive ones.

    Args:
        scan: How lines make up pictures.
        size: Width and height of the frames.
    """
    if scan.kind == "progressive":
        return []
    order = "tff" if scan.top_first else "bff"
    # Not by the frames' own flags, which may be wrong.
    fields = {"parity": order, "deint": "all"}
    if scan.kind == "telecined":
        steps: list[Step] = [
            ("fieldmatch", {"order": order, "combmatch": "full"}),
            ("bwdif", {"mode": "send_frame", "parity": order, "deint": "interlaced"}),
            ("decimate", {}),
        ]
    else:
        steps = [("bwdif", {"mode": "send_frame", **fields})]
    return [*steady_size(size), *steps]


def steady_size(size: tuple[int, int]) -> list[Step]:
    """Bring frames of another size, after a change in mid-file, to the size of the first.

    The other frames pass untouched.
    """
    width, height = size
    return [("scale", {"width": width, "height": height})] if width else []


def fit(width: int, height: int) -> list[Step]:
    """Bring frames of any shape into one size: with borders where their shape differs by 3 %."""
    shape = f"{width}/{height}"
    alike = f"lt(abs(dar-{shape}),0.03*{shape})"
    wide = f"if({alike},{width},min({width},2*round({height}*dar/2)))"
    high = f"if({alike},{height},min({height},2*round({width}/dar/2)))"
    return [
        ("scale", {"width": wide, "height": high, "eval": "frame", "flags": "bicubic"}),
        ("pad", {"width": width, "height": height, "x": -1, "y": -1, "eval": "frame"}),
        ("setsar", {"sar": 1}),
    ]
