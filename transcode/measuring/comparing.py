"""Measuring quality: what is compared with what, and the commands that do it.

The reference is the master's picture as encoders get it, after the same filters at the same
times, at the reference size; the measured picture is scaled up to that size as a screen would
do it. All rungs of a chunk are measured by one process, so that the master is decoded once.
Beside the scores it lists every frame of both sides with its time: see ``quality.check_pairs``.
Pictures are scaled up bicubically, and the 4k model serves from 2160 lines on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import ffmpeg

from transcode.ffmpeg import complete, open_pictures
from transcode.graphs.video import pictures
from transcode.ladders.sizes import scale_into, size_of
from transcode.masters.master import Master
from transcode.planning.chunks import Chunk
from transcode.planning.plan import PicturePlan, VideoPlan
from transcode.quality import FILTERS, Metric

_BOX = (1920, 1080)
_LINES_4K = 2160
_MODELS = ("vmaf_v0.6.1", "vmaf_4k_v0.6.1")
_LOGS: dict[Metric, str] = {"vmaf": "log_path", "xpsnr": "stats_file", "ssim": "stats_file"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Display:
    """The size at which pictures are compared, and how."""

    width: int
    height: int
    metric: Metric = "vmaf"

    @property
    def model(self) -> str:
        """Name of the VMAF model; of the metric where that has no models."""
        if self.metric != "vmaf":
            return self.metric
        return _MODELS[min(self.width, self.height) >= _LINES_4K]


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasureJob:
    """Quality of one chunk of some rungs."""

    pictures: PicturePlan
    chunk: Chunk
    rungs: tuple[tuple[str, VideoPlan], ...]
    """Name of the track's folder, and how it was encoded."""
    display: Display

    def __str__(self) -> str:
        tracks = ", ".join(track for track, _ in self.rungs)
        return f"{self.display.metric} of chunk {self.chunk.index} of {tracks}"


def display_of(master: Master, rungs: Sequence[tuple[int, int]], metric: Metric) -> Display:
    """Where ``master`` and what is made of it are compared.

    At the master's size up to full HD, or up to the largest of ``rungs``, width and height,
    if that is larger.
    """
    largest = max(rungs, key=lambda size: size[0] * size[1], default=(0, 0))
    width, height = size_of(master, min(1.0, scale_into(master, *_BOX)))
    if largest[0] * largest[1] > width * height:
        width, height = largest
    return Display(width=width, height=height, metric=metric)


def measure_arguments(
    job: MeasureJob,
    master: str,
    products: Sequence[str],
    outputs: Sequence[str],
    *,
    program: str = "ffmpeg",
) -> list[str]:
    """The command that measures ``job``.

    Args:
        job: What to measure.
        master: Path of the master.
        products: Path of the encoded chunk of each rung.
        outputs: Where the list of frames goes, as ffmpeg names it, then the log of each rung,
            as a path.
        program: Path of ffmpeg.
    """
    count = len(job.rungs)
    if len(products) != count or len(outputs) != count + 1:
        raise ValueError("expected a product and a log for each rung, and the list of frames")
    references = _references(job, master)
    frames, scored = [references.pop()], []
    for (_, rung), product, log, reference in zip(
        job.rungs, products, outputs[1:], references, strict=True
    ):
        own = ffmpeg.input(f"file:{product}", protocol_whitelist="file").video
        shown = own.filter("setpts", "PTS-STARTPTS").filter_multi_output("split", 2)
        frames.append(shown[0])
        scaled = shown[1].filter("scale", job.display.width, job.display.height, flags="bicubic")
        compared = ffmpeg.filter(
            [scaled.filter("setsar", 1).filter("format", rung.pixels), reference],
            FILTERS[job.display.metric],
            **_filter_options(job.display, log),
        )
        scored.append(ffmpeg.output(compared, "-", format="null", fps_mode="passthrough"))
    # The first stream is the reference; its frames are not changed, only listed.
    listed = ffmpeg.output(*frames, outputs[0], format="framecrc", fps_mode="passthrough")
    return complete([*scored, listed], program=program, is_damaged=job.pictures.is_damaged)


def _references(job: MeasureJob, master: str) -> list[Any]:
    """The master's pictures in the colours of each rung, and once more to be listed."""
    kinds = {(rung.colour, rung.pixels): rung for _, rung in job.rungs}
    sizes = [
        replace(rung, width=job.display.width, height=job.display.height) for rung in kinds.values()
    ]
    source = open_pictures(job.pictures, master, job.chunk)
    shown = dict(zip(kinds, pictures(job.pictures, job.chunk, sizes, source), strict=True))
    wanted = [(rung.colour, rung.pixels) for _, rung in job.rungs]
    wanted.append(wanted[0])
    copies = {
        kind: picture.filter("setpts", "PTS-STARTPTS").filter_multi_output(
            "split", wanted.count(kind)
        )
        for kind, picture in shown.items()
    }
    used = dict.fromkeys(kinds, 0)
    found = []
    for kind in wanted:
        found.append(copies[kind][used[kind]])
        used[kind] += 1
    return found


def _filter_options(display: Display, log: str) -> dict[str, Any]:
    options: dict[str, Any] = {_LOGS[display.metric]: log, "eof_action": "endall"}
    if display.metric == "vmaf":
        options |= {"model": f"version={display.model}", "log_fmt": "csv", "n_threads": 1}
    return options
