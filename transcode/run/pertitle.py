"""A ladder for one title: look at the film, try, measure, choose.

The film is decoded twice, once small to see its shots and once for the samples. Everything
else is done on the samples, in a folder that the caller removes.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from abr.errors import MediaError
from transcode.config import TranscodeConfig
from transcode.encoders.video import VIDEO_ENCODERS
from transcode.ffmpeg import encode_arguments
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
    trial_job,
    trial_rungs,
    trial_sizes,
)
from transcode.media.fragments import Demuxer
from transcode.planning.jobs import VideoJob
from transcode.planning.plan import EncodePlan, VideoPlan, plan_encode
from transcode.quality import Metric
from transcode.run.ffmpegtools import find
from transcode.run.process import run_ffmpeg
from transcode.run.scoring import measure
from transcode.verify import fault_of

_PIECE_BYTES = 1 << 20

Tell = Callable[[float], None]
"""Called with the part that is done, from 0 to 1."""


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
    folder: Path,
    metric: Metric,
    *,
    most_samples: int | None = None,
    sizes: Sequence[tuple[int, int]] = (),
    factors: Sequence[float] = FACTORS,
    tell: Tell | None = None,
) -> Study:
    """Find the ladder that ``master`` needs.

    Args:
        master: The master.
        facts: What was measured of it.
        config: Preset, lengths and limits of the encode that the ladder is for.
        folder: For the samples and the trials; up to some hundred megabytes.
        metric: What quality is measured in.
        most_samples: How many groups of pictures are tried; None suits the length.
        sizes: Sizes to try, width and height; empty: those that may be of use.
        factors: Constant rate factors to try.
        tell: Called with the progress.

    Raises:
        MediaError: the master is damaged.
        ToolMissingError, ToolFailedError: ffmpeg.
    """
    sizes = list(sizes) or trial_sizes(facts)
    display = display_of(facts, sizes, metric)
    film = plan_encode(facts, config, rungs=_ends(sizes))
    largest = replace(film.rungs[-1], width=display.width, height=display.height)
    samples = await _choose_samples(master, facts, film, largest, most_samples, config)
    reel = await _make_reel(master, facts, film, largest, samples, folder, config)
    pictures = reel_pictures(film.pictures, largest)
    trials: list[Trial] = []
    for number, size in enumerate(sizes):
        rungs = trial_rungs(facts, config, size, factors)
        job = trial_job(pictures, sum(sample.frames for sample in samples), rungs)
        trials += await _try(job, factors, samples, reel, display, config)
        if tell is not None:
            tell((number + 1) / len(sizes))
    reel.unlink()
    chosen = choose_rungs(trials, samples, metric, _limits(facts, film, config))
    return Study(samples=samples, trials=tuple(trials), rungs=chosen, display=display)


async def _try(
    job: VideoJob,
    factors: Sequence[float],
    samples: Sequence[Sample],
    reel: Path,
    display: Display,
    config: TranscodeConfig,
) -> list[Trial]:
    """Encode the reel as each rung of ``job``, and measure it."""
    needs = [VIDEO_ENCODERS[rung.codec].name for _, rung in job.rungs]
    program = find("ffmpeg", list(dict.fromkeys(needs))).path
    paths = [reel.with_name(f"{track}.mp4") for track, _ in job.rungs]
    outcome = await run_ffmpeg(
        lambda _outputs: encode_arguments(
            job, str(reel), [f"file:{path}" for path in paths], program=program
        ),
        stall_limit_s=config.stall_limit_s,
    )
    if not outcome.is_clean:
        raise fault_of(str(reel), outcome.reason())
    scores = await measure(
        MeasureJob(pictures=job.pictures, chunk=job.chunk, rungs=job.rungs, display=display),
        reel,
        paths,
        expected_frames=job.chunk.frames,
        stall_limit_s=config.stall_limit_s,
    )
    trials = [
        read_trial(rung, crf, frame_bytes_of(path), scores[track], samples)
        for (track, rung), crf, path in zip(job.rungs, factors, paths, strict=True)
    ]
    for path in paths:
        path.unlink()
    return trials


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
