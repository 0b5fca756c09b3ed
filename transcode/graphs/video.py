"""The graph of the pictures: constant frame rate, standard colour, one size for each rung.

The frame rate is made constant from time 0: a track that starts late or has holes is filled.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from transcode.plan import Chunk, PicturePlan, VideoPlan

_TONEMAP = (
    ("zscale", {"transfer": "linear", "npl": 100}),
    ("format", {"pix_fmts": "gbrpf32le"}),
    ("zscale", {"primaries": "bt709"}),
    ("tonemap", {"tonemap": "hable", "desat": 0}),
    ("zscale", {"transfer": "bt709", "matrix": "bt709", "range": "tv"}),
)
TONEMAP_NEEDS = ("zscale", "tonemap")
"""Filters that a master of high dynamic range needs."""


def pictures(plan: PicturePlan, chunk: Chunk, rungs: Sequence[VideoPlan], source: Any) -> list[Any]:
    """The decoded pictures of a chunk, once for each rung, at its size."""
    rate = f"{plan.frame_rate.numerator}/{plan.frame_rate.denominator}"
    stream = source[str(plan.index)]
    if plan.deinterlace:
        stream = stream.filter("bwdif", mode="send_frame")
    stream = stream.filter("fps", fps=rate, start_time=0)
    if plan.tonemap:
        for name, options in _TONEMAP:
            stream = stream.filter(name, **options)
    split = stream.filter_multi_output("split", len(rungs))
    return [_scale(split[number], rung) for number, rung in enumerate(rungs)]


def _scale(stream: Any, rung: VideoPlan) -> Any:
    return (
        stream.filter("scale", rung.width, rung.height, flags="bicubic", out_range="tv")
        .filter("setsar", 1)
        .filter("format", "yuv420p")
    )
