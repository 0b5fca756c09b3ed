"""Trial encodes of one title: which, of what, and what came of them.

A *reel* is the chosen samples of the film, one after the other without loss, as encoders would
get them. Trials encode the reel as a film is encoded, with the same encoder, preset and key
frames, and are measured against it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import accumulate
from typing import Any

import ffmpeg
import numpy as np

from abr.errors import MediaError
from abr.media import FloatArray
from transcode.config import TranscodeConfig
from transcode.encoders.video import VIDEO_ENCODERS
from transcode.ffmpeg import complete, open_pictures
from transcode.graphs.video import pictures
from transcode.ladders.pertitle import Sample, Trial
from transcode.ladders.presets import apple, auto
from transcode.ladders.rungs import PlannedRung
from transcode.ladders.shots import GREY_HEIGHT, GREY_WIDTH
from transcode.masters.colour import ColourFacts
from transcode.masters.master import Master
from transcode.packaging.layout import video_folder
from transcode.planning.chunks import Chunk
from transcode.planning.jobs import VideoJob
from transcode.planning.plan import EncodePlan, PicturePlan, VideoPlan, plan_encode

FACTORS = (19.0, 25.0, 31.0, 37.0)
"""Constant rate factors that are tried, on x264's scale."""
_UNCAPPED_BITS, _UNCAPPED_BPS = 2.0, 150_000_000
"""Bits for each pixel, and in a second at most, at which a trial's cap lies: it caps nothing."""


def trial_sizes(master: Master) -> list[tuple[int, int]]:
    """The sizes that may be best at some rate: Apple's, and the master's own up to its largest."""
    return sorted({(rung.width, rung.height) for rung in auto(master) + apple(master)})


def trial_rungs(
    master: Master, config: TranscodeConfig, size: tuple[int, int], factors: Sequence[float]
) -> tuple[VideoPlan, ...]:
    """One size at each factor, in the first codec, with a cap that caps nothing.

    Factors that the encoder cannot tell apart are one.

    Args:
        master: What was measured of it.
        config: Codec and preset.
        size: Width and height.
        factors: Constant rate factors on x264's scale; other encoders get theirs for them.

    Raises:
        MediaError: no level of the codec allows pictures that large.
    """
    width, height = size
    rate_fps = min(float(master.frame_rate), config.max_frame_rate)
    cap_bps = min(round(_UNCAPPED_BITS * width * height * rate_fps), _UNCAPPED_BPS)
    one_codec = replace(config, codec=config.codecs[0])
    rungs = [PlannedRung(width, height, cap_bps, crf=crf, cap_bps=cap_bps) for crf in factors]
    return tuple(dict.fromkeys(plan_encode(master, one_codec, rungs=rungs).rungs))


def trial_jobs(
    reel: PicturePlan, frames: int, sizes: Sequence[Sequence[VideoPlan]]
) -> list[VideoJob]:
    """Encode the reel of so many frames, one job for the rungs of each size.

    Tracks are numbered through all jobs, so that no two products have the same name.
    """
    jobs, first = [], 0
    for rungs in sizes:
        jobs.append(
            VideoJob(
                pictures=reel,
                chunk=Chunk(index=0, first_frame=0, frames=frames),
                rungs=tuple((video_folder(first + n), rung) for n, rung in enumerate(rungs)),
            )
        )
        first += len(rungs)
    return jobs


def reel_pictures(film: PicturePlan, rung: VideoPlan) -> PicturePlan:
    """How the reel is read: it needs no more filters, but for the size."""
    return PicturePlan(
        index=0,
        frame_rate=film.frame_rate,
        gop_frames=film.gop_frames,
        segment_frames=film.segment_frames,
        timescale=film.timescale,
        colour=ColourFacts(colour=rung.colour),
    )


def survey_arguments(
    film: EncodePlan, rung: VideoPlan, master: str, outputs: Sequence[str], *, program: str
) -> list[str]:
    """The command that looks at the whole film, for ``shots``.

    Args:
        film: How the master is read.
        rung: Colours; the rest does not matter.
        master: Path of the master.
        outputs: Where small grey pictures go, then a list of the frames of a quick encode.
        program: Path of ffmpeg.
    """
    small = replace(rung, width=GREY_WIDTH, height=GREY_HEIGHT)
    quick = replace(rung, width=2 * GREY_WIDTH, height=2 * GREY_HEIGHT)
    grey, picture = _read(film, [small, quick], master)
    gop = film.pictures.gop_frames
    written = [
        ffmpeg.output(
            grey.filter("format", "gray"), outputs[0], format="rawvideo", fps_mode="passthrough"
        ),
        ffmpeg.output(
            picture.filter("format", "yuv420p"), outputs[1], format="framecrc",
            fps_mode="passthrough", g=gop, keyint_min=gop, sc_threshold=0, **_QUICK,
        ),
    ]  # fmt: skip
    return complete(written, program=program, is_damaged=film.pictures.is_damaged)


_QUICK: dict[str, Any] = {"c:v": "libx264", "preset": "ultrafast", "crf": 28, "bf": 0}


def read_frame_bytes(listed: str) -> list[int]:
    """Sizes of the frames in ffmpeg's list of them.

    Raises:
        MediaError: it is not such a list.
    """
    try:
        lines = (line for line in listed.splitlines() if line and not line.startswith("#"))
        return [int(line.split(",")[4]) for line in lines]
    except (ValueError, IndexError) as exc:
        raise MediaError(f"ffmpeg's list of frames cannot be read: {exc}") from exc


def frames_of(film: EncodePlan) -> int | None:
    """Frames of the whole film; None where that is not known."""
    last = film.chunks[-1]
    return None if last.frames is None else last.first_frame + last.frames


def _read(film: EncodePlan, rungs: Sequence[VideoPlan], master: str) -> list[Any]:
    whole = Chunk(index=0, first_frame=0, frames=frames_of(film))
    return pictures(film.pictures, whole, rungs, open_pictures(film.pictures, master))


def reel_arguments(
    film: EncodePlan,
    rung: VideoPlan,
    samples: Sequence[Sample],
    master: str,
    output: str,
    *,
    program: str = "ffmpeg",
) -> list[str]:
    """The command that writes the reel.

    Args:
        film: How the master is read.
        rung: Size and colours of the reel; the rest does not matter.
        samples: Its parts, in the film's order.
        master: Path of the master.
        output: Where the reel goes, as ffmpeg names it.
        program: Path of ffmpeg.
    """
    ranges = (f"between(n,{each.first},{each.first + each.frames - 1})" for each in samples)
    end = samples[-1].first + samples[-1].frames
    (picture,) = _read(film, [rung], master)
    picture = (
        picture.filter("trim", end_frame=end)
        .filter("select", "+".join(ranges))
        .filter("setpts", "N")
    )
    is_deep = "10" in rung.pixels
    # x264 has no lossless mode of more than 8 bits that is as fast.
    codec: dict[str, Any] = (
        {"c:v": "ffv1"} if is_deep else {"c:v": "libx264", "preset": "ultrafast", "qp": 0}
    )
    written = ffmpeg.output(
        picture, output, format="nut", pix_fmt=rung.pixels, fps_mode="passthrough", **codec
    )
    return complete([written], program=program, is_damaged=film.pictures.is_damaged)


def read_trial(
    rung: VideoPlan,
    frame_bytes: Sequence[int],
    scores: FloatArray,
    samples: Sequence[Sample],
) -> Trial:
    """What came of one trial.

    Args:
        rung: What was encoded.
        frame_bytes: Size of every frame of the reel, in coded order.
        scores: Score of every frame, in the order shown.
        samples: Parts of the reel; each is closed, so both orders end at the same frames.
    """
    ends = list(accumulate(sample.frames for sample in samples))
    if not len(frame_bytes) == len(scores) == ends[-1]:
        raise ValueError("expected a size and a score for every frame of the reel")
    return Trial(
        width=rung.width,
        height=rung.height,
        # Encoders have steps and an end, so it may not be the factor that was asked for.
        crf=VIDEO_ENCODERS[rung.codec].crf_from(rung.rate_control.crf, preset=rung.preset),
        bits=8.0 * np.array([sum(part) for part in np.split(np.array(frame_bytes), ends[:-1])]),
        quality=np.array([part.mean() for part in np.split(scores, ends[:-1])]),
    )
