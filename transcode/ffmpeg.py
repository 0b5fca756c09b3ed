"""An encode plan as arguments of ffmpeg.

Plan and names in, argument list out; nothing runs here. ffmpeg-python builds the graph. One
process decodes once and writes each rung, and the audio, as a fragmented MP4.

* The frame rate is made constant from time 0, and so is the audio: a track that starts late
  or has holes is filled, so all tracks begin together and stay together.
* None of the master's metadata is copied.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import ffmpeg

from transcode.plan import B_FRAMES, REFERENCE_FRAMES, SAMPLE_RATE, AudioPlan, EncodePlan, VideoPlan
from transcode.scenes import SceneSpec

LOG_LEVEL = "repeat+level+warning"
_TONEMAP = (
    ("zscale", {"transfer": "linear", "npl": 100}),
    ("format", {"pix_fmts": "gbrpf32le"}),
    ("zscale", {"primaries": "bt709"}),
    ("tonemap", {"tonemap": "hable", "desat": 0}),
    ("zscale", {"transfer": "bt709", "matrix": "bt709", "range": "tv"}),
)
TONEMAP_NEEDS = ("zscale", "tonemap")
"""Filters that a master of high dynamic range needs."""
_FRAGMENTED = "+empty_moov+default_base_moof"


def encode_arguments(
    plan: EncodePlan, master: str, outputs: Sequence[str], *, program: str = "ffmpeg"
) -> list[str]:
    """The command that encodes ``master``.

    Args:
        plan: What to encode.
        master: Path of the master.
        outputs: Where tracks go, as ffmpeg names them: every rung, lowest first, then the
            audio if there is any.
        program: Path of ffmpeg.
    """
    if len(outputs) != len(plan.rungs) + (plan.audio is not None):
        raise ValueError(f"{len(outputs)} outputs; expected one for each track of the plan")
    source = ffmpeg.input(
        f"file:{master}",
        protocol_whitelist="file",
        err_detect="explode",
    )
    pictures = _pictures(plan, source)
    written = [
        _video_output(plan, rung, picture, output)
        for rung, picture, output in zip(plan.rungs, pictures, outputs, strict=False)
    ]
    if plan.audio is not None:
        written.append(_audio_output(plan, plan.audio, source, outputs[-1]))
    graph = ffmpeg.merge_outputs(*written) if len(written) > 1 else written[0]
    return [program, *_GLOBAL, *graph.compile(cmd=[])]


_GLOBAL = (
    "-hide_banner", "-nostdin", "-y", "-xerror",
    "-loglevel", LOG_LEVEL, "-nostats", "-progress", "pipe:1", "-stats_period", "0.5",
)  # fmt: skip


def _pictures(plan: EncodePlan, source: Any) -> list[Any]:
    """The decoded pictures, once for each rung, at its size."""
    rate = f"{plan.frame_rate.numerator}/{plan.frame_rate.denominator}"
    stream = source[str(plan.video_index)]
    if plan.deinterlace:
        stream = stream.filter("bwdif", mode="send_frame")
    stream = stream.filter("fps", fps=rate, start_time=0)
    if plan.tonemap:
        for name, options in _TONEMAP:
            stream = stream.filter(name, **options)
    count = len(plan.rungs)
    split = stream.filter_multi_output("split", count)
    return [_scale(split[number], rung) for number, rung in enumerate(plan.rungs)]


def _scale(stream: Any, rung: VideoPlan) -> Any:
    return (
        stream.filter("scale", rung.width, rung.height, flags="bicubic", out_range="tv")
        .filter("setsar", 1)
        .filter("format", "yuv420p")
    )


def _video_output(plan: EncodePlan, rung: VideoPlan, picture: Any, output: str) -> Any:
    options: dict[str, Any] = {
        "c:v": "libx264",
        "preset": plan.preset,
        "profile:v": "high",
        "level:v": rung.level,
        "pix_fmt": "yuv420p",
        "b:v": rung.bitrate_bps,
        "maxrate:v": rung.peak_bps,
        "bufsize:v": rung.buffer_bits,
        "bf": B_FRAMES,
        "refs": REFERENCE_FRAMES,
        "g": plan.gop_frames,
        "keyint_min": plan.gop_frames,
        "sc_threshold": 0,
        "8x8dct": 1,  # keeps it in High profile under every preset
        "flags:v": "+cgop",
        # With more threads x264's rate control differs from run to run; the rungs are
        # encoded side by side, so a machine with as many cores as rungs loses nothing.
        "threads:v": 1,
        "fps_mode": "passthrough",
        "tag:v": "avc1",
        "video_track_timescale": plan.timescale,
        "movflags": f"+frag_keyframe{_FRAGMENTED}",
    }
    return ffmpeg.output(picture, output, **options, **_CONTAINER)


def _audio_output(plan: EncodePlan, audio: AudioPlan, source: Any, output: str) -> Any:
    layout = {1: "mono", 2: "stereo"}[audio.channels]
    sound = (
        source[str(audio.index)]
        .filter("aresample", SAMPLE_RATE, **{"async": 1000, "first_pts": 0})
        .filter("aformat", sample_fmts="fltp", channel_layouts=layout)
        # A second longer than the video; the surplus is cut off at the end of the video.
        .filter("apad", whole_dur=f"{plan.duration_s + 1:.3f}")
    )
    options = {
        "c:a": "aac",
        "b:a": audio.bitrate_bps,
        "ar": SAMPLE_RATE,
        "t": f"{plan.duration_s + 1:.3f}",
        "frag_duration": 1_000_000,
        "movflags": _FRAGMENTED,
    }
    return ffmpeg.output(sound, output, **options, **_CONTAINER)


_CONTAINER = {"format": "mp4", "map_metadata": -1, "map_chapters": -1}


def decode_arguments(*, program: str = "ffmpeg") -> list[str]:
    """The command that decodes what comes on its standard input, and stops at any error."""
    source = ffmpeg.input("pipe:0", format="mp4", protocol_whitelist="pipe", err_detect="explode")
    sink = ffmpeg.output(source, "-", format="null", fps_mode="passthrough")
    head = [each for each in _GLOBAL if each != "-nostdin"]
    return [program, *head, *sink.compile(cmd=[])]


def generate_arguments(
    spec: SceneSpec, wav: str | None, output: str, *, program: str = "ffmpeg"
) -> list[str]:
    """The command that makes a master of raw pictures on its standard input.

    Args:
        spec: What the pictures are.
        wav: Path of the sound; None for a silent master.
        output: Where the Matroska file goes.
        program: Path of ffmpeg.
    """
    rate = f"{spec.frame_rate.numerator}/{spec.frame_rate.denominator}"
    picture = ffmpeg.input(
        "pipe:0", format="rawvideo", pix_fmt="yuv420p", s=f"{spec.width}x{spec.height}", r=rate
    )
    streams = [picture.video, *([ffmpeg.input(f"file:{wav}").audio] if wav else [])]
    options = {
        "c:v": "libx264", "preset": "veryfast", "crf": 12, "g": 50, "c:a": "pcm_s16le",
        "color_primaries": "bt709", "color_trc": "bt709", "colorspace": "bt709",
        "color_range": "tv", "format": "matroska",
    }  # fmt: skip
    head = [each for each in _GLOBAL if each != "-nostdin"]
    return [program, *head, *ffmpeg.output(*streams, output, **options).compile(cmd=[])]
