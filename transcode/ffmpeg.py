"""Jobs as arguments of ffmpeg.

Job and names in, argument list out; nothing runs here. ffmpeg-python builds the graph. One
process decodes a chunk once and writes each rung as a fragmented MP4, another the sound. None
of the master's metadata is copied.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import ffmpeg

from transcode.encoders.aac import aac_options
from transcode.encoders.h264 import border_zones
from transcode.encoders.opus import LEAD_SAMPLES, opus_options
from transcode.encoders.video import VIDEO_ENCODERS
from transcode.graphs.audio import padded, sound_graph
from transcode.graphs.clock import STEADY
from transcode.graphs.video import decoder_options, pictures
from transcode.loudness import METER
from transcode.masters.texts import TextFacts
from transcode.planning.chunks import Chunk
from transcode.planning.jobs import AudioJob, Job, VideoJob
from transcode.planning.mixing import SAMPLE_RATE
from transcode.planning.plan import AudioPlan, PicturePlan, VideoPlan
from transcode.scenes import SceneSpec
from transcode.watermark.marks import COLUMNS, ROWS

LOG_LEVEL = "repeat+level+warning"
_FRAGMENTED = "+empty_moov+default_base_moof"


def encode_arguments(
    job: Job, master: str, outputs: Sequence[str], *, program: str = "ffmpeg"
) -> list[str]:
    """The command that does ``job``.

    Args:
        job: What to encode.
        master: Path of the master.
        outputs: Where its products go, as ffmpeg names them.
        program: Path of ffmpeg.
    """
    if len(outputs) != len(job.products):
        raise ValueError(f"{len(outputs)} outputs; expected one for each product of the job")
    if isinstance(job, AudioJob):
        return _sound_arguments(job.audio, master, outputs[0], program=program)
    source = open_pictures(job.pictures, master, job.chunk)
    marks = _open_marks(job)
    written = _video_outputs(job, source, outputs, marks)
    whole = complete(written, program=program, is_damaged=job.pictures.is_damaged)
    # Standard input is fed with the marks, so it must not be closed to ffmpeg.
    return whole if marks is None else [each for each in whole if each != "-nostdin"]


def _open_marks(job: VideoJob) -> Any:
    """Standard input as an input of marks, one picture for each segment; None without any."""
    if not any(rung.variant for _, rung in job.rungs):
        return None
    return ffmpeg.input(
        "pipe:0",
        protocol_whitelist="pipe",
        format="rawvideo",
        pix_fmt="yuv420p",
        s=f"{COLUMNS}x{ROWS}",
        framerate=1,
    )


def open_pictures(plan: PicturePlan, master: str, chunk: Chunk | None = None) -> Any:
    """The master as an input whose pictures are read as ``plan`` says, soon before ``chunk``."""
    return ffmpeg.input(
        f"file:{master}",
        protocol_whitelist="file",
        **_on_errors(plan.is_damaged),
        **STEADY,
        **decoder_options(plan),
        **_seek_options(chunk),
    )


def complete(written: Sequence[Any], *, program: str, is_damaged: bool) -> list[str]:
    """The command that makes some outputs; times of inputs are the files' own."""
    graph = ffmpeg.merge_outputs(*written) if len(written) > 1 else written[0]
    return [program, *_head(is_damaged), "-copyts", *graph.compile(cmd=[])]


def _on_errors(is_damaged: bool) -> dict[str, Any]:
    """Options of the input: an error ends the run, unless damage is expected."""
    return {} if is_damaged else {"err_detect": "explode"}


def _head(is_damaged: bool) -> list[str]:
    """Global options; ffmpeg otherwise gives up when two thirds do not decode."""
    if not is_damaged:
        return list(_GLOBAL)
    return [*(each for each in _GLOBAL if each != "-xerror"), "-max_error_rate", "1"]


def text_arguments(
    texts: Sequence[TextFacts], master: str, outputs: Sequence[str], *, program: str = "ffmpeg"
) -> list[str]:
    """The command that writes streams of subtitles as text, with the times of the file.

    Args:
        texts: The streams.
        master: Path of the master.
        outputs: Where each goes, as ffmpeg names them.
        program: Path of ffmpeg.
    """
    source = ffmpeg.input(f"file:{master}", protocol_whitelist="file")
    written = [
        ffmpeg.output(
            source[str(text.index)],
            output,
            format=text.form,
            **{"c:s": "copy" if text.is_copied else "srt"},
        )
        for text, output in zip(texts, outputs, strict=True)
    ]
    graph = ffmpeg.merge_outputs(*written) if len(written) > 1 else written[0]
    options = [each for each in _GLOBAL if each != "-xerror"]
    return [program, *options, "-copyts", *graph.compile(cmd=[])]


def thumbnail_arguments(
    size: tuple[int, int], tiles: tuple[int, int], output: str, *, program: str = "ffmpeg"
) -> list[str]:
    """The command that makes images of thumbnails out of pictures on its standard input.

    Args:
        size: Width and height of a thumbnail in pixels.
        tiles: Columns and rows of an image.
        output: Where the JPEG files go, one after the other.
        program: Path of ffmpeg.
    """
    pictures = ffmpeg.input("pipe:0")["v"]
    small = pictures.filter("scale", *size, out_range="full", out_color_matrix="bt601").filter(
        "format", "yuvj420p"
    )
    # Images get times of their own: what ffmpeg guesses of a pipe's frame rate depends on how
    # fast it is fed, and two images at one time are refused by the encoder.
    joined = small.filter("tile", f"{tiles[0]}x{tiles[1]}")
    timed = joined.filter("settb", "1").filter("setpts", "N").filter("fps", fps=1)
    written = ffmpeg.output(
        timed, output, format="image2pipe", vcodec="mjpeg", fps_mode="passthrough", **{"q:v": 4}
    )
    # Standard input is fed, so it must not be closed to ffmpeg.
    options = [each for each in _GLOBAL if each != "-nostdin"]
    return [program, *options, *written.compile(cmd=[])]


def _seek_options(chunk: Chunk | None) -> dict[str, Any]:
    """Options that start decoding at the chunk's key frame, and keep everything from there."""
    if chunk is None or chunk.seek_s is None:
        return {}
    return {"ss": f"{chunk.seek_s:.6f}", "seek_timestamp": 1, "noaccurate_seek": None}


_GLOBAL = (
    "-hide_banner", "-nostdin", "-y", "-xerror",
    "-loglevel", LOG_LEVEL, "-nostats", "-progress", "pipe:1", "-stats_period", "0.5",
)  # fmt: skip


def _video_outputs(
    job: VideoJob, source: Any, outputs: Sequence[str], marks: Any = None
) -> list[Any]:
    rungs = [rung for _, rung in job.rungs]
    scaled = pictures(job.pictures, job.chunk, rungs, source, marks)
    return [
        ffmpeg.output(
            picture,
            output,
            **video_options(rung, gop_frames=job.pictures.gop_frames),
            **_border_options(job, rung),
            **_VIDEO_CONTAINER,
            video_track_timescale=job.pictures.timescale,
        )
        for rung, picture, output in zip(rungs, scaled, outputs, strict=True)
    ]


def _border_options(job: VideoJob, rung: VideoPlan) -> dict[str, Any]:
    """Options that keep the borders of a chunk from showing, where the encoder has some."""
    if rung.codec != "h264" or job.chunk.frames is None:
        return {}
    zones = border_zones(
        job.chunk.frames,
        reach=max(1, round(job.pictures.frame_rate / 2)),
        begins=job.chunk.first_frame == 0,
        ends=job.chunk.is_last,
    )
    return {"x264-params": f"zones={zones}"} if zones else {}


def video_options(rung: VideoPlan, *, gop_frames: int) -> dict[str, Any]:
    """Options of the encoder that ``rung`` names."""
    return VIDEO_ENCODERS[rung.codec].options(
        preset=rung.preset,
        level=rung.level,
        rate_control=rung.rate_control,
        gop_frames=gop_frames,
        pixels=rung.pixels,
        light=rung.light,
    )


_SOUND_ENCODERS: dict[str, tuple[Callable[..., dict[str, Any]], int]] = {
    "aac": (aac_options, 0),
    "opus": (opus_options, LEAD_SAMPLES),
}
"""Options, and samples of silence in front, by the name of the encoder's module."""


def _sound_arguments(audio: AudioPlan, master: str, output: str, *, program: str) -> list[str]:
    """The command that encodes one sound; ffmpeg-python knows no loopback decoders."""
    encoder, lead = _SOUND_ENCODERS[audio.codec]
    # What is encoded for the loopback decoder loses everything before time 0.
    ahead_s = max(0, math.ceil(-min(clock.start_s for clock in audio.clocks)))
    ahead = ["-itsoffset", str(ahead_s)] if ahead_s else []
    explode = [] if audio.is_damaged else ["-err_detect", "explode"]
    graph = sound_graph(
        audio.sound,
        channels=audio.channels,
        clocks=[replace(clock, start_s=clock.start_s + ahead_s) for clock in audio.clocks],
        tail=padded(audio.duration_s + 1, lead_samples=lead),
        gain_db=audio.gain_db,
    )
    options = encoder(bitrate_bps=audio.bitrate_bps, sample_rate=SAMPLE_RATE) | {
        "t": f"{audio.duration_s + 1:.3f}",
        "frag_duration": 1_000_000,
        "movflags": _FRAGMENTED,
        "f": "mp4",
        "map_metadata": -1,
        "map_chapters": -1,
    }
    said = [word for name, value in sorted(options.items()) for word in (f"-{name}", str(value))]
    return [
        program, *_head(audio.is_damaged), "-copyts", *explode, *ahead,
        *("-protocol_whitelist", "file", "-i", f"file:{master}"),
        *graph.arguments, "-map", graph.label, *said, output,
    ]  # fmt: skip


def meter_arguments(
    audio: AudioPlan, master: str, output: str, *, program: str = "ffmpeg"
) -> list[str]:
    """The command that measures a sound of ``master`` as it would be encoded.

    Damage does not end it: the encode judges that.
    """
    graph = sound_graph(
        audio.sound,
        channels=audio.channels,
        clocks=audio.clocks,
        tail=_printing_to(output),
        limits=False,
    )
    return [
        program, *_head(is_damaged=True), "-copyts",
        *("-protocol_whitelist", "file", "-i", f"file:{master}"),
        *graph.arguments, "-map", graph.label, "-t", f"{audio.duration_s:.3f}",
        *("-f", "null", "-"),
    ]  # fmt: skip


def package_meter_arguments(
    output: str, *, container: str = "fmp4", program: str = "ffmpeg"
) -> list[str]:
    """The command that measures the sound, ``fmp4`` or ``ts``, on its standard input."""
    source = ("-err_detect", "explode", "-protocol_whitelist", "pipe", "-f", _DEMUXERS[container])
    head = [each for each in _GLOBAL if each != "-nostdin"]
    return [program, *head, *source, "-i", "pipe:0", "-af", _printing_to(output), "-f", "null", "-"]


def _printing_to(output: str) -> str:
    """The meter, with the name of its output in the words of a filter graph."""
    name = output.replace(":", "\\\\:")
    return f"{METER}:file={name}"


_DEMUXERS = {"fmp4": "mp4", "ts": "mpegts"}
_CONTAINER = {"format": "mp4", "map_metadata": -1, "map_chapters": -1}
_VIDEO_CONTAINER = _CONTAINER | {
    "fps_mode": "passthrough",
    "movflags": f"+frag_keyframe{_FRAGMENTED}",
}


def keys_arguments(
    master: str, index: int, kinds: Sequence[int], output: str, *, program: str = "ffmpeg"
) -> list[str]:
    """The command that lists times of key frames, given the types of their NAL units.

    Args:
        master: Path of the master.
        index: Number of the video stream.
        kinds: Types of NAL units that a key frame must hold.
        output: Where the list goes, in the format ``framecrc``.
        program: Path of ffmpeg.
    """
    # Not ``-discard nokey``, which would read less: the times of MP4 are wrong with it.
    source = ffmpeg.input(f"file:{master}", protocol_whitelist="file")
    units = f"filter_units=pass_types={'|'.join(map(str, kinds))}"
    written = ffmpeg.output(
        source[str(index)], output, format="framecrc", **{"c:v": "copy", "bsf:v": units}
    )
    return [program, *_GLOBAL, "-copyts", *written.compile(cmd=[])]


def check_arguments(
    products: Sequence[str], *, in_full: bool, program: str = "ffmpeg"
) -> list[str]:
    """The command that decodes products as a check, and says of each how many frames it had.

    Args:
        products: Paths.
        in_full: All frames; otherwise key frames only, in products of video.
        program: Path of ffmpeg.
    """
    chosen = {} if in_full else {"skip_frame": "nokey"}
    sources = [
        ffmpeg.input(
            f"file:{product}", protocol_whitelist="file", err_detect="explode", threads=1, **chosen
        )
        for product in products
    ]
    sink = ffmpeg.output(*sources, "-", format="null", fps_mode="passthrough")
    head = [each.replace("+warning", "+verbose") for each in _GLOBAL]
    return [program, *head, *sink.compile(cmd=[])]


def first_arguments(master: str, index: int, *, program: str = "ffmpeg") -> list[str]:
    """The command that logs the time in the file of a stream's first picture."""
    source = ffmpeg.input(f"file:{master}", protocol_whitelist="file")
    shown = source[str(index)].filter("showinfo", checksum=0)
    sink = ffmpeg.output(shown, "-", format="null", **{"frames:v": 1})
    head = [each.replace("+warning", "+info") for each in _GLOBAL if each != "-xerror"]
    return [program, *head, "-copyts", *sink.compile(cmd=[])]


def decode_arguments(*, container: str = "fmp4", program: str = "ffmpeg") -> list[str]:
    """The command that decodes what comes on its standard input, and stops at any error.

    Args:
        container: ``fmp4`` or ``ts``.
        program: Path of ffmpeg.
    """
    form = _DEMUXERS[container]
    source = ffmpeg.input("pipe:0", format=form, protocol_whitelist="pipe", err_detect="explode")
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
        # Without it a Matroska file has another random name each time.
        "color_range": "tv", "format": "matroska", "fflags": "+bitexact",
    }  # fmt: skip
    head = [each for each in _GLOBAL if each != "-nostdin"]
    return [program, *head, *ffmpeg.output(*streams, output, **options).compile(cmd=[])]
