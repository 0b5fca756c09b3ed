"""A ladder for one title: look at the film, try, measure, choose.

The film is decoded twice on this machine, once small to see its shots and once for the samples,
which become a *reel*. Trials encode and measure the reel as chunks are encoded and measured, by
the same workers into the same cache.
"""

from __future__ import annotations

import asyncio
import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from abr.errors import MediaError
from transcode.config import TranscodeConfig
from transcode.graphs.video import filters_needed
from transcode.ladders.pertitle import Limits, Sample, Trial, choose_rungs
from transcode.ladders.presets import MOST_OF_MASTER
from transcode.ladders.rungs import PlannedRung
from transcode.ladders.shots import Surveyor, choose_samples
from transcode.masters.master import Master
from transcode.measuring.comparing import Display, MeasureJob, display_of
from transcode.measuring.trials import (
    FACTORS,
    read_frame_bytes,
    read_trial,
    reel_arguments,
    reel_pictures,
    survey_arguments,
    trial_jobs,
    trial_rungs,
    trial_sizes,
)
from transcode.media.fragments import Demuxer
from transcode.planning.jobs import ProductName, VideoJob
from transcode.planning.plan import EncodePlan, VideoPlan, plan_encode
from transcode.quality import Metric
from transcode.run.cache import Cache
from transcode.run.encode import Source, build_of, tool_for
from transcode.run.ffmpegtools import find
from transcode.run.process import run_ffmpeg
from transcode.run.schedule import do_all, look_up, order_of, tasks_of
from transcode.run.scoring import measure_all
from transcode.run.threads import in_thread
from transcode.verify import fault_of

_PIECE_BYTES = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Study:
    """What was found out about one title."""

    samples: tuple[Sample, ...]
    trials: tuple[Trial, ...]
    rungs: tuple[PlannedRung, ...]
    """The ladder, lowest first."""
    display: Display
    """How pictures were compared."""


async def study_title(
    master: Path,
    facts: Master,
    config: TranscodeConfig,
    cache: Cache,
    metric: Metric,
    *,
    most_samples: int | None = None,
    sizes: Sequence[tuple[int, int]] = (),
    factors: Sequence[float] = FACTORS,
) -> Study:
    """Find the ladder that ``master`` needs.

    Args:
        master: The master.
        facts: What was measured of it.
        config: Preset, lengths and limits of the encode that the ladder is for; executor.
        cache: Where the samples are made, up to some hundred megabytes, and trials are kept.
        metric: What quality is measured in.
        most_samples: How many groups of pictures are tried; None suits the length.
        sizes: Sizes to try, width and height; empty: those that may be of use.
        factors: Constant rate factors to try.

    Raises:
        MediaError: the master is damaged.
        ToolMissingError, ToolFailedError: ffmpeg.
        AbrError: workers; see ``do_all``.
    """
    sizes = list(sizes) or trial_sizes(facts)
    display = display_of(facts, sizes, metric)
    film = plan_encode(facts, config, rungs=_ends(sizes))
    largest = replace(film.rungs[-1], width=display.width, height=display.height)
    samples = await _choose_samples(master, facts, film, largest, most_samples, config)
    jobs = trial_jobs(
        reel_pictures(film.pictures, largest),
        sum(sample.frames for sample in samples),
        [trial_rungs(facts, config, size, factors) for size in sizes],
    )
    with cache.workspace() as folder:
        reel = await _make_reel(master, facts, film, largest, samples, folder, config)
        source = Source.of(reel, f"samples of {facts.where}")
        trials = await _try(jobs, samples, source, display, config, cache)
    chosen = choose_rungs(trials, samples, metric, _limits(facts, film, config))
    return Study(samples=samples, trials=tuple(trials), rungs=chosen, display=display)


async def _try(
    jobs: Sequence[VideoJob],
    samples: Sequence[Sample],
    reel: Source,
    display: Display,
    config: TranscodeConfig,
    cache: Cache,
) -> list[Trial]:
    """Encode the reel as each rung of ``jobs``, and measure it.

    A reel is a master like any other, so trials are products like any others.
    """
    order = order_of(
        jobs,
        source=await asyncio.to_thread(_sha256, Path(reel.path)),
        build=build_of(tool_for(jobs), cache),
    )
    with cache.in_use(order.addresses.values()):
        todo = await in_thread(lambda check: look_up(order, cache, check))
        await do_all(tasks_of(order, todo, reel, config, cache), config, cache)
        comparisons = [
            MeasureJob(pictures=job.pictures, chunk=job.chunk, rungs=job.rungs, display=display)
            for job in jobs
        ]
        scores = await measure_all(comparisons, order.addresses, reel, config, cache)
        return [
            read_trial(
                rung,
                frame_bytes_of(cache.path_of(order.addresses[ProductName(track)])),
                found[track],
                samples,
            )
            for job, found in zip(jobs, scores, strict=True)
            for track, rung in job.rungs
        ]


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _limits(facts: Master, film: EncodePlan, config: TranscodeConfig) -> Limits:
    useful_bps = MOST_OF_MASTER.get(facts.codec, math.inf) * facts.bit_rate_bps
    return Limits(
        sample_rate_fps=float(film.pictures.frame_rate),
        peak_ratio=config.peak_ratio,
        highest_bps=useful_bps or math.inf,
    )


def _ends(sizes: Sequence[tuple[int, int]]) -> list[PlannedRung]:
    """Rungs that stand for sizes where only the size matters."""
    return [PlannedRung(width, height, number + 1) for number, (width, height) in enumerate(sizes)]


async def _choose_samples(
    master: Path,
    facts: Master,
    film: EncodePlan,
    rung: VideoPlan,
    most: int | None,
    config: TranscodeConfig,
) -> tuple[Sample, ...]:
    surveyor, listed = Surveyor(), bytearray()
    program = find("ffmpeg", filters_needed(film.pictures, [rung])).path
    outcome = await run_ffmpeg(
        lambda outputs: survey_arguments(
            film, rung, str(master.absolute()), outputs, program=program
        ),
        [surveyor.feed, listed.extend],
        stall_limit_s=config.stall_limit_s,
    )
    if not (outcome.is_complete if film.pictures.is_damaged else outcome.is_clean):
        raise fault_of(facts.where, outcome.reason())
    survey = surveyor.close(read_frame_bytes(listed.decode("ascii", "replace")))
    if not len(survey.motion):
        raise MediaError(f"{facts.where}: no picture; expected at least one")
    return choose_samples(survey, film.pictures.gop_frames, most=most)


async def _make_reel(
    master: Path,
    facts: Master,
    film: EncodePlan,
    rung: VideoPlan,
    samples: Sequence[Sample],
    folder: Path,
    config: TranscodeConfig,
) -> Path:
    path = folder / "reel.nut"
    program = find("ffmpeg", filters_needed(film.pictures, [rung])).path
    with path.open("wb") as file:

        def write(data: bytes) -> None:
            file.write(data)

        outcome = await run_ffmpeg(
            lambda outputs: reel_arguments(
                film, rung, samples, str(master.absolute()), outputs[0], program=program
            ),
            [write],
            stall_limit_s=config.stall_limit_s,
        )
    if not (outcome.is_complete if film.pictures.is_damaged else outcome.is_clean):
        raise fault_of(facts.where, outcome.reason())
    return path


def frame_bytes_of(product: Path) -> list[int]:
    """Size of every frame of a product, in coded order."""
    demuxer = Demuxer()
    sizes: list[int] = []
    with product.open("rb") as file:
        while data := file.read(_PIECE_BYTES):
            sizes += [len(sample.data) for sample in demuxer.feed(data)]
    demuxer.close()
    return sizes
