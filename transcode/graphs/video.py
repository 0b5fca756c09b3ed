"""The graph of the pictures: constant frame rate, stated colours, one size for each rung.

The frame rate is made constant from time 0: a track that starts late or has holes is filled.
Colours are converted once for all rungs that have the same, before pictures are split.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

import ffmpeg

from transcode.graphs.clock import place_pictures
from transcode.graphs.colour import (
    CHANGE_NEEDS,
    TONEMAP_NEEDS,
    Step,
    convert,
    fill_tags,
    flatten,
    state,
    steady,
)
from transcode.graphs.scan import fit, steady_size, whole_pictures
from transcode.masters.colour import Colour
from transcode.planning.chunks import Chunk
from transcode.planning.plan import PicturePlan, VideoPlan


def decoder_options(plan: PicturePlan) -> dict[str, Any]:
    """Options of the input that choose how pictures are decoded."""
    decoder = plan.colour.decoder
    return {} if decoder is None else {f"c:{plan.index}": decoder}


def filters_needed(plan: PicturePlan, rungs: Sequence[VideoPlan]) -> tuple[str, ...]:
    """Filters that not every ffmpeg has."""
    is_hdr = plan.colour.colour.dynamic_range != "SDR"
    tone_maps = is_hdr and any(rung.colour.dynamic_range == "SDR" for rung in rungs)
    if tone_maps:
        return TONEMAP_NEEDS
    return CHANGE_NEEDS if plan.colour.changes else ()


def pictures(
    plan: PicturePlan, chunk: Chunk, rungs: Sequence[VideoPlan], source: Any, marks: Any = None
) -> list[Any]:
    """The decoded pictures of a chunk, once for each rung, at its size and in its colours.

    Args:
        plan: What the rungs share.
        chunk: Which part of the film.
        rungs: What is wanted; two variants of a rung are scaled once.
        source: The master as an input.
        marks: An input with a mark for each segment of the chunk; None where none is marked.
    """
    if marks is None:
        return _pictures(plan, chunk, rungs, source)
    plain = list(dict.fromkeys(replace(rung, variant="") for rung in rungs))
    scaled = _pictures(plan, chunk, plain, source)
    shared = [
        [number for number, rung in enumerate(rungs) if replace(rung, variant="") == each]
        for each in plain
    ]
    found: dict[int, Any] = {}
    timed = _timed(marks, plan)
    for numbers, picture, mark in zip(shared, scaled, _split(timed, len(plain)), strict=True):
        sized = _sized(mark, rungs[numbers[0]])
        branches = zip(_split(picture, len(numbers)), _split(sized, len(numbers)), strict=True)
        for number, (branch, own) in zip(numbers, branches, strict=True):
            found[number] = _marked(branch, own, rungs[number])
    return [found[number] for number in range(len(rungs))]


def _timed(marks: Any, plan: PicturePlan) -> Any:
    """The marks at the times of their segments, exactly."""
    grid = f"{plan.frame_rate.denominator}/{plan.frame_rate.numerator}"
    return marks.filter("settb", grid).filter("setpts", f"N*{plan.segment_frames}")


def _sized(mark: Any, rung: VideoPlan) -> Any:
    """A mark drawn soft at the size of a rung; it holds changes of brightness, no brightness."""
    drawn = mark.filter("scale", rung.width, rung.height, flags="bicubic", in_range="tv",
                        out_range="tv")  # fmt: skip
    return _apply(drawn.filter("setsar", 1).filter("format", rung.pixels), state(rung.colour))


def _marked(picture: Any, mark: Any, rung: VideoPlan) -> Any:
    """The pictures with the mark of their segment added to them, or taken off."""
    mode = {"a": "grainmerge", "b": "grainextract"}[rung.variant]
    return ffmpeg.filter([picture, mark], "blend", c0_mode=mode, eof_action="repeat")


def _pictures(
    plan: PicturePlan, chunk: Chunk, rungs: Sequence[VideoPlan], source: Any
) -> list[Any]:
    # Tags first: any filter that finds none may make up its own.
    stream = _apply(source[str(plan.index)], fill_tags(plan.colour))
    size = plan.frame_size
    if plan.changes_shape:
        size = (0, 0)  # all have one now
        largest = max(rungs, key=lambda rung: rung.width * rung.height)
        stream = _apply(stream, fit(largest.width, largest.height))
    if plan.colour.changes and not plan.colour.has_alpha:
        stream = _apply(stream, steady(plan.colour, size))
        size = (0, 0)
    stream = _apply(stream, whole_pictures(plan.scan, size))
    stream = place_pictures(stream, plan.clock, plan.frame_rate, chunk)
    is_scalable = plan.colour.colour.matrix != "ycgco"  # which the filter "scale" does not know
    if plan.scan.kind == "progressive" and is_scalable and _is_converted(plan, rungs):
        stream = _apply(stream, steady_size(size))
    if plan.colour.has_alpha:
        stream = _flatten(stream, plan.background)
    found: dict[int, Any] = {}
    spaces = list(dict.fromkeys(rung.colour for rung in rungs))
    for space, branch in zip(spaces, _split(stream, len(spaces)), strict=True):
        wanted = [number for number, rung in enumerate(rungs) if rung.colour == space]
        converted = _convert(branch, plan, space, [rungs[number] for number in wanted])
        for number, picture in zip(wanted, _split(converted, len(wanted)), strict=True):
            found[number] = _scale(picture, rungs[number])
    return [found[number] for number in range(len(rungs))]


def _is_converted(plan: PicturePlan, rungs: Sequence[VideoPlan]) -> bool:
    """Whether filters are used that cannot follow a change of size in mid-file."""
    return plan.colour.has_alpha or any(convert(plan.colour, rung.colour) for rung in rungs)


def _convert(stream: Any, plan: PicturePlan, target: Colour, rungs: Sequence[VideoPlan]) -> Any:
    steps = convert(plan.colour, target)
    if plan.colour.colour.dynamic_range != target.dynamic_range:
        # Tone mapping works on floating-point pictures: the fewer pixels, the better.
        largest = max(rungs, key=lambda rung: rung.width * rung.height)
        stream = stream.filter("scale", largest.width, largest.height, flags="bicubic")
    return _apply(stream, steps)


def _flatten(stream: Any, background: str) -> Any:
    before, fill, after = flatten(background)
    below, above = _split(_apply(stream, before), 2)
    (name, options), *rest = after
    joined = ffmpeg.filter([_apply(below, [fill]), above], name, **options)
    return _apply(joined, rest)


def _scale(stream: Any, rung: VideoPlan) -> Any:
    scaled = (
        stream.filter(
            "scale",
            rung.width,
            rung.height,
            flags="bicubic",
            # Nothing is left to convert, but where a master changes its colours in mid-file.
            out_color_matrix=rung.colour.matrix,
            out_range="tv",
        )
        .filter("setsar", 1)
        .filter("format", rung.pixels)
    )
    return _apply(scaled, state(rung.colour))


def _split(stream: Any, count: int) -> list[Any]:
    if count == 1:
        return [stream]
    split = stream.filter_multi_output("split", count)
    return [split[number] for number in range(count)]


def _apply(stream: Any, steps: Iterable[Step]) -> Any:
    for name, options in steps:
        stream = stream.filter(name, **options)
    return stream
