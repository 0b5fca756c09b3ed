"""Scores of encoded chunks: a run of ffmpeg for each, and what it found, checked and kept."""

from __future__ import annotations

import socket
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from abr.errors import MediaError, MissingFileError, ToolFailedError, ToolMissingError
from abr.media import FloatArray
from transcode.config import TranscodeConfig
from transcode.graphs.video import filters_needed
from transcode.measuring.comparing import Display, MeasureJob, measure_arguments
from transcode.packaging.layout import video_folder
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
from transcode.run.cache import Cache
from transcode.run.encode import Source, build_of, check_build, reaching
from transcode.run.ffmpegtools import Tool, find
from transcode.run.findings import address_of, put, recall
from transcode.run.process import Tick, run_ffmpeg
from transcode.run.schedule import do_all


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


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreTask:
    """A chunk to measure, with everything that a worker needs for it."""

    job: MeasureJob
    products: tuple[Path, ...]
    """The encoded chunk of each rung."""
    addresses: tuple[str, ...]
    """Of the scores of each rung, among the cache's findings."""
    source: Source
    cache: Cache
    build: str
    """Digest of the ffmpeg that the addresses stand for."""
    stall_limit_s: float

    async def do(
        self,
        on_tick: Callable[[Tick], None] | None = None,
        on_eased: Callable[[], None] = lambda: None,
    ) -> None:
        """Measure; the scores are in the cache afterwards. See ``Task``.

        Raises:
            MediaError: frames are missing, repeated or late, so no figure would be true.
            MissingFileError: the master, the cache or a product is not to be found here.
            ToolMissingError, ToolFailedError: ffmpeg.
            DiskFullError: no room in the cache.
        """
        self.source.check()
        check_build(measuring_tool(self.job.display.metric), self.build, self.cache)
        for product in self.products:
            if not product.is_file():
                raise MissingFileError(
                    f"{product}: not found on {socket.gethostname()}; expected what was encoded "
                    "in the cache, at the same path wherever workers run"
                )
        scores = await measure(
            self.job,
            Path(self.source.path),
            self.products,
            expected_frames=self.job.chunk.frames,
            on_tick=on_tick,
            stall_limit_s=self.stall_limit_s,
        )
        with reaching(self.cache):
            for (track, _), address in zip(self.job.rungs, self.addresses, strict=True):
                put(self.cache.findings, address, {"scores": scores[track].tolist()})


async def measure_all(
    jobs: Sequence[MeasureJob],
    addresses: Mapping[ProductName, str],
    source: Source,
    config: TranscodeConfig,
    cache: Cache,
    *,
    tell: Callable[[float], None] = lambda _part: None,
) -> list[Mapping[str, FloatArray]]:
    """Scores of every frame of every rung of each job, by the name of the track's folder.

    What was measured before is not measured again; the rest is given to workers.

    Args:
        jobs: What to measure, all in one metric; at least one.
        addresses: Of the products, which are in the cache.
        source: The master that products are compared with.
        config: Executor, workers and limits.
        cache: Where products are and scores are kept.
        tell: Called with the part that is done, from 0 to 1.

    Raises:
        MediaError: frames are missing, repeated or late, so no figure would be true.
        ToolMissingError, ToolFailedError: ffmpeg.
        AbrError: workers; see ``do_all``.
    """
    build = build_of(measuring_tool(jobs[0].display.metric), cache)
    tasks = []
    for job in jobs:
        # Two rungs may be one product, which ffmpeg-python would take for one input.
        every = {_scores_at(job, each[0], addresses, build): each for each in job.rungs}
        lacking = [each for address, each in every.items() if _known(address, cache) is None]
        if lacking:
            left = replace(job, rungs=tuple(lacking))
            tasks.append(_task(left, addresses, source, config, cache, build))
    done = len(jobs) - len(tasks)

    def on_done(_job: MeasureJob) -> None:
        nonlocal done
        done += 1
        tell(done / len(jobs))

    await do_all(tasks, config, cache, on_done=on_done)
    return [
        {track: _found(_scores_at(job, track, addresses, build), cache) for track, _ in job.rungs}
        for job in jobs
    ]


def _task(
    job: MeasureJob,
    addresses: Mapping[ProductName, str],
    source: Source,
    config: TranscodeConfig,
    cache: Cache,
    build: str,
) -> ScoreTask:
    names = [ProductName(track, job.chunk.index) for track, _ in job.rungs]
    return ScoreTask(
        job=job,
        products=tuple(cache.path_of(addresses[name]) for name in names),
        addresses=tuple(_scores_at(job, name.track, addresses, build) for name in names),
        source=source,
        cache=cache,
        build=build,
        stall_limit_s=config.stall_limit_s,
    )


def _scores_at(
    job: MeasureJob, track: str, addresses: Mapping[ProductName, str], build: str
) -> str:
    """Address of the scores of one rung: everything that they depend on."""
    product = addresses[ProductName(track, job.chunk.index)]
    told = [build, repr(job.pictures), repr(job.chunk), repr(job.display)]
    return address_of(["scores", product, *told])


def _known(address: str, cache: Cache) -> FloatArray | None:
    """Scores that were found before."""
    value = recall(cache.findings, address)
    try:
        return None if value is None else np.array(value["scores"], dtype=np.float64)
    except (KeyError, TypeError, ValueError):
        return None


def _found(address: str, cache: Cache) -> FloatArray:
    """Scores that were found by now."""
    scores = _known(address, cache)
    if scores is None:
        raise MissingFileError(
            f"{cache.findings / address}.json: not there, though it was measured; expected the "
            "same cache wherever workers run"
        )
    return scores


async def measure_tracks(
    plan: EncodePlan,
    addresses: Mapping[ProductName, str],
    display: Display,
    source: Source,
    config: TranscodeConfig,
    cache: Cache,
    *,
    tell: Callable[[float], None] = lambda _part: None,
) -> QualityFacts:
    """Quality of every rung of a plan that was encoded.

    Args:
        plan: What was encoded.
        addresses: Of what came of it, in the cache.
        display: Where pictures are compared.
        source: The master.
        config: Executor, workers and limits.
        cache: Where products are and scores are kept.
        tell: Called with the part that is done, from 0 to 1.

    Raises:
        MediaError: frames are missing, repeated or late, so no figure would be true.
        ToolMissingError, ToolFailedError: ffmpeg.
        AbrError: workers; see ``do_all``.
    """
    named = tuple((video_folder(number), rung) for number, rung in enumerate(plan.rungs))
    jobs = [
        MeasureJob(pictures=plan.pictures, chunk=chunk, rungs=named, display=display)
        for chunk in plan.chunks
    ]
    chunks = await measure_all(jobs, addresses, source, config, cache, tell=tell)
    tracks = []
    for track, rung in named:
        scores = np.concatenate([each[track] for each in chunks])
        segments = segment_frames(len(scores), plan.pictures.segment_frames)
        tracks.append(track_quality(track, scores, segments, target=rung.target))
    return QualityFacts(
        metric=display.metric,
        model=display.model,
        width=display.width,
        height=display.height,
        tracks=tuple(tracks),
    )
