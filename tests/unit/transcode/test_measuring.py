"""What is compared with what, and which trials are made."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from transcode.config import TranscodeConfig
from transcode.ladders.pertitle import Sample
from transcode.masters.master import Master
from transcode.measuring.comparing import Display, MeasureJob, display_of, measure_arguments
from transcode.measuring.trials import (
    read_trial,
    reel_arguments,
    reel_pictures,
    trial_jobs,
    trial_rungs,
    trial_sizes,
)
from transcode.planning.plan import EncodePlan, plan_encode
from transcode.quality import Metric


def master(width: int = 1280, height: int = 720) -> Master:
    return Master(
        name="film.mp4", where="film.mp4", index=0, codec="h264", width=width, height=height,
        frame_rate=Fraction(24), duration_s=10.0, frames=240, bit_rate_bps=20e6,
    )  # fmt: skip


def plan_of(facts: Master) -> EncodePlan:
    return plan_encode(facts, TranscodeConfig(ladder="90:100,180:300"))


@pytest.mark.parametrize(
    ("size", "rungs", "expected", "model"),
    [
        ((1280, 720), [(416, 234), (640, 360)], (1280, 720), "vmaf_v0.6.1"),
        ((3840, 2160), [(1920, 1080)], (1920, 1080), "vmaf_v0.6.1"),
        ((3840, 2160), [(1920, 1080), (3840, 2160)], (3840, 2160), "vmaf_4k_v0.6.1"),
        ((720, 1280), [(234, 416)], (720, 1280), "vmaf_v0.6.1"),
        ((641, 361), [(640, 360)], (640, 360), "vmaf_v0.6.1"),
    ],
)
def test_pictures_are_compared_at_the_size_shown(
    size: tuple[int, int], rungs: list[tuple[int, int]], expected: tuple[int, int], model: str
) -> None:
    display = display_of(master(*size), rungs, "vmaf")
    assert (display.width, display.height) == expected
    assert display.model == model


@pytest.mark.parametrize("metric", ["vmaf", "xpsnr", "ssim"])
def test_each_rung_is_scaled_up_and_compared_with_the_masters_pictures(metric: Metric) -> None:
    plan = plan_of(master())
    rungs = tuple((f"v{number}", rung) for number, rung in enumerate(plan.rungs))
    display = Display(width=1280, height=720, metric=metric)
    job = MeasureJob(pictures=plan.pictures, chunk=plan.chunks[0], rungs=rungs, display=display)
    command = measure_arguments(job, "/m.mp4", ["/0.mp4", "/1.mp4"], ["pipe:5", "/a", "/b"])
    graph = command[command.index("-filter_complex") + 1]
    assert graph.count({"vmaf": "libvmaf=", "xpsnr": "xpsnr=", "ssim": "ssim="}[metric]) == 2
    assert graph.count("scale=1280:720") == 3  # the master's and both rungs'
    assert command[-3:] == ["-fps_mode", "passthrough", "pipe:5"]  # the list of all frames
    with pytest.raises(ValueError, match="a product and a log for each rung"):
        measure_arguments(job, "/m.mp4", ["/0.mp4"], ["pipe:5", "/a", "/b"])


def test_each_rung_is_compared_in_its_own_colours() -> None:
    """Ladders of the standard and of a high dynamic range stand side by side in a package."""
    plan = plan_of(master())
    low, high = plan.rungs
    rungs = (("v0", low), ("v1", replace(high, pixels="yuv420p10le")))
    display = Display(width=1280, height=720)
    job = MeasureJob(pictures=plan.pictures, chunk=plan.chunks[0], rungs=rungs, display=display)
    command = measure_arguments(job, "/m.mp4", ["/0.mp4", "/1.mp4"], ["pipe:5", "/a", "/b"])
    graph = command[command.index("-filter_complex") + 1]
    assert graph.count("format=yuv420p10le") == 2  # the rung's, and a reference of its own
    assert graph.count("format=yuv420p[") == 2


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        ((1280, 720), [(416, 234), (640, 360), (768, 432), (960, 540), (1280, 720)]),
        ((1000, 562), [(416, 234), (640, 360), (768, 432), (1000, 562)]),
        ((300, 200), [(300, 200)]),
        (
            (1080, 1920),
            [(234, 416), (360, 640), (432, 768), (540, 960), (720, 1280), (1080, 1920)],
        ),
    ],
)
def test_apples_sizes_and_the_masters_own_are_tried(
    size: tuple[int, int], expected: list[tuple[int, int]]
) -> None:
    assert trial_sizes(master(*size)) == expected


def test_trials_keep_quality_and_are_not_capped() -> None:
    rungs = trial_rungs(master(), TranscodeConfig(preset="fast"), (640, 360), [20.0, 30.0])
    assert [rung.rate_control.crf for rung in rungs] == [20.0, 30.0]
    assert {rung.preset for rung in rungs} == {"fast"}
    assert min(rung.rate_control.peak_bps for rung in rungs) > 10e6


def test_trials_of_an_encoder_with_wide_steps_know_their_real_factors() -> None:
    """AV1 ends at 63, which is 29.4 of x264: 31 and 37 are one trial, and not at 31."""
    config = TranscodeConfig(codec="av1")
    rungs = trial_rungs(master(), config, (640, 360), [19.0, 25.0, 31.0, 37.0])
    samples = [Sample(first=0, frames=2, weight=1.0)]
    tried = [read_trial(rung, [90, 10], np.array([50.0, 60]), samples).crf for rung in rungs]
    assert tried == pytest.approx([(31 + 28) / 3.1, (50 + 28) / 3.1, (63 + 28) / 3.1])


def test_a_reel_holds_the_samples_and_ends_with_the_last() -> None:
    plan = plan_of(master())
    samples = [
        Sample(first=48, frames=48, weight=0.5),
        Sample(first=144, frames=48, weight=0.5),
    ]
    command = " ".join(reel_arguments(plan, plan.rungs[-1], samples, "/m.mp4", "pipe:4"))
    assert "trim=end_frame=192" in command
    plain = command.replace("\\", "")  # however often the graph quotes its commas
    assert "select=between(n,48,95)+between(n,144,191)" in plain
    reel = reel_pictures(plan.pictures, plan.rungs[-1])
    assert (reel.index, reel.gop_frames) == (0, 48)
    jobs = trial_jobs(reel, 96, [plan.rungs, plan.rungs[:1]])
    assert [str(job) for job in jobs] == ["chunk 0 of v0, v1", "chunk 0 of v2"]
    assert {job.chunk.frames for job in jobs} == {96}


def test_bits_and_scores_of_a_trial_are_those_of_its_samples() -> None:
    (rung,) = trial_rungs(master(), TranscodeConfig(), (640, 360), [25.0])
    samples = [Sample(first=0, frames=2, weight=0.5), Sample(first=9, frames=3, weight=0.5)]
    trial = read_trial(rung, [100, 20, 200, 10, 10], np.array([50.0, 60, 70, 80, 90]), samples)
    assert trial.bits.tolist() == [960.0, 1760.0]
    assert trial.quality.tolist() == [55.0, 80.0]
    assert (trial.height, trial.crf) == (360, 25.0)
    with pytest.raises(ValueError, match="for every frame"):
        read_trial(rung, [100, 20, 200, 10], np.ones(5), samples)
