"""Quality measured: a run of ffmpeg over a chunk, and its scores, checked."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from abr.errors import MediaError, ToolFailedError, ToolMissingError
from abr.media import FloatArray
from transcode.measuring import MeasureJob, measure_arguments
from transcode.quality import (
    FILTERS,
    METRICS,
    Metric,
    check_pairs,
    parse_scores,
    parse_times,
    settle_start,
)
from transcode.run.ffmpegtools import Tool, find
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
    program = measuring_tool(job.display.metric).path
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
    if not outcome.is_clean:
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
