"""Scores of encoded chunks: a run of ffmpeg for each, and what it found, checked and kept."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from abr.errors import MediaError, ToolFailedError, ToolMissingError
from abr.media import FloatArray
from abr.shell import cause_of
from transcode.graphs.video import filters_needed
from transcode.measuring.comparing import Display, MeasureJob, measure_arguments
from transcode.packaging.layout import video_folder
from transcode.planning.chunks import Chunk
from transcode.planning.jobs import ProductName
from transcode.planning.plan import EncodePlan
from transcode.quality import (
    FILTERS,
    METRICS,
    Metric,
    QualityFacts,
    check_pairs,
    parse_scores,
    parse_times,
    segment_frames,
    settle_start,
    track_quality,
)
from transcode.run.ffmpegtools import Tool, find
from transcode.run.findings import address_of, keep, recall
from transcode.run.process import Tick, run_ffmpeg


def measuring_tool(metric: Metric) -> Tool:
    """An ffmpeg that can measure ``metric``.

    Raises:
        ToolMissingError: there is none; the message names a metric that can be measured.
    """
    try:
        return find("ffmpeg", [FILTERS[metric]])
    except ToolMissingError as exc:
        other = next((each for each in METRICS if each != metric and _can_measure(each)), None)
        remedy = f", or give --quality {other}" if other else ""
        raise ToolMissingError(f"{exc}{remedy}") from exc


def best_metric() -> Metric:
    """VMAF where it can be measured, else XPSNR or SSIM.

    Raises:
        ToolMissingError: nothing can be measured.
    """
    for metric in METRICS:
        if _can_measure(metric):
            return metric
    find("ffmpeg", [FILTERS[METRICS[-1]]])
    raise AssertionError("a metric that was missing is there")


def _can_measure(metric: Metric) -> bool:
    try:
        find("ffmpeg", [FILTERS[metric]])
    except ToolMissingError:
        return False
    return True


async def measure(
    job: MeasureJob,
    master: Path,
    products: Sequence[Path],
    *,
    expected_frames: int | None = None,
    on_tick: Callable[[Tick], None] | None = None,
    stall_limit_s: float = 60.0,
) -> Mapping[str, FloatArray]:
    """Scores of every frame of every rung of a chunk, by the name of the track's folder.

    Args:
        job: What to measure.
        master: The master.
        products: The encoded chunk of each rung.
        expected_frames: Frames that the chunk has; None: as many as the master gives.
        on_tick: Called with the progress about twice a second.
        stall_limit_s: Most seconds without any progress.

    Raises:
        MediaError: frames are missing, repeated or late, so no figure would be true.
        ToolMissingError, ToolFailedError: ffmpeg.
    """
    rungs = [rung for _, rung in job.rungs]
    needs = [FILTERS[job.display.metric], *filters_needed(job.pictures, rungs)]
    program = find("ffmpeg", needs).path
    texts = [bytearray() for _ in range(len(job.rungs) + 1)]
    outcome = await run_ffmpeg(
        lambda pipes: measure_arguments(
            job,
            str(master.absolute()),
            [str(product.absolute()) for product in products],
            # Filters open their logs as files, not as ffmpeg's URLs.
            [pipes[0], *(pipe.replace("pipe:", "/dev/fd/") for pipe in pipes[1:])],
            program=program,
        ),
        [text.extend for text in texts],
        on_tick=on_tick,
        stall_limit_s=stall_limit_s,
    )
    if not (outcome.is_complete if job.pictures.is_damaged else outcome.is_clean):
        raise ToolFailedError(
            f"measuring {job.display.metric} of {', '.join(map(str, products[:1]))}: "
            f"{outcome.reason()}; `abr doctor` shows which ffmpeg ran"
        )
    return _read_scores(job, [text.decode("utf-8", "replace") for text in texts], expected_frames)


def _read_scores(
    job: MeasureJob, texts: Sequence[str], expected_frames: int | None
) -> Mapping[str, FloatArray]:
    times = parse_times(texts[0])
    if len(times) != len(job.rungs) + 1:
        raise MediaError(f"{len(times)} streams were listed; expected {len(job.rungs) + 1}")
    scores: dict[str, FloatArray] = {}
    for (track, _), text, own in zip(job.rungs, texts[1:], times[1:], strict=True):
        found = parse_scores(job.display.metric, text)
        check_pairs(times[0], own, len(found), expected=expected_frames, where=track)
        scores[track] = settle_start(found) if job.display.metric == "vmaf" else found
    return scores


async def measure_tracks(
    plan: EncodePlan,
    master: Path,
    products: Mapping[ProductName, Product],
    frames: Sequence[int],
    display: Display,
    findings: Path,
    *,
    tell: Callable[[float], None] | None = None,
    stall_limit_s: float = 60.0,
) -> QualityFacts:
    """Quality of every rung of a plan that was encoded.

    Chunks are measured side by side as far as there are cores, and what was measured before is
    not measured again.

    Args:
        plan: What was encoded.
        master: The master.
        products: What came of it.
        frames: How many frames each rung's track has.
        display: Where pictures are compared.
        findings: Folder in which scores are kept.
        tell: Called with the part that is done, from 0 to 1.
        stall_limit_s: Most seconds without any progress.

    Raises:
        MediaError: frames are missing, repeated or late, so no figure would be true.
        ToolMissingError, ToolFailedError: ffmpeg.
    """
    at_a_time = asyncio.Semaphore(max(1, len(os.sched_getaffinity(0)) // (len(plan.rungs) + 1)))
    named = tuple((video_folder(number), rung) for number, rung in enumerate(plan.rungs))
    done: list[int] = []

    async def measure_chunk(chunk: Chunk) -> Mapping[str, FloatArray]:
        job = MeasureJob(pictures=plan.pictures, chunk=chunk, rungs=named, display=display)
        own = [products[ProductName(track, chunk.index)] for track, _ in named]
        async with at_a_time:
            found = await _measure_once(job, master, own, findings, stall_limit_s)
        done.append(chunk.index)
        if tell is not None:
            tell(len(done) / len(plan.chunks))
        return found

    try:
        async with asyncio.TaskGroup() as tasks:
            chunks = [tasks.create_task(measure_chunk(chunk)) for chunk in plan.chunks]
    except BaseExceptionGroup as group:
        raise cause_of(group) from group
    tracks = []
    for (track, rung), total in zip(named, frames, strict=True):
        scores = np.concatenate([each.result()[track] for each in chunks])
        segments = segment_frames(total, plan.pictures.segment_frames)
        tracks.append(track_quality(track, scores, segments, target=rung.target))
    return QualityFacts(
        metric=display.metric,
        model=display.model,
        width=display.width,
        height=display.height,
        tracks=tuple(tracks),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Product:
    """An encoded chunk of one rung."""

    path: Path
    address: str
    """What stands for its bytes, and for the master they were made from."""


async def _measure_once(
    job: MeasureJob,
    master: Path,
    products: Sequence[Product],
    findings: Path,
    stall_limit_s: float,
) -> Mapping[str, FloatArray]:
    """Scores of a chunk: those found before, and those of the other rungs measured now."""
    tool = measuring_tool(job.display.metric)
    told = [tool.path, tool.version, repr(job.pictures), repr(job.chunk), repr(job.display)]
    addresses = {
        track: address_of(["scores", product.address, *told])
        for (track, _), product in zip(job.rungs, products, strict=True)
    }
    known = {track: _known_scores(recall(findings, at)) for track, at in addresses.items()}
    missing = [number for number, (track, _) in enumerate(job.rungs) if known[track] is None]
    found: dict[str, FloatArray] = {
        track: scores for track, scores in known.items() if scores is not None
    }
    if missing:
        fresh = await measure(
            replace(job, rungs=tuple(job.rungs[number] for number in missing)),
            master,
            [products[number].path for number in missing],
            expected_frames=job.chunk.frames,
            stall_limit_s=stall_limit_s,
        )
        for track, scores in fresh.items():
            keep(findings, addresses[track], {"scores": scores.tolist()})
        found |= fresh
    return found


def _known_scores(value: Any) -> FloatArray | None:
    try:
        return None if value is None else np.array(value["scores"], dtype=np.float64)
    except (KeyError, TypeError, ValueError):
        return None
