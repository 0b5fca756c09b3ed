"""Masters in codecs, pixel formats, sizes and sounds that are seldom met."""

from __future__ import annotations

from tests.fakes.masters import (
    BEEPS,
    H264,
    MPEG2,
    PCM,
    PLAIN,
    TS,
    Case,
    beeping,
    coded,
    flashing,
    remade,
)
from tests.fakes.rare_masters import MJPEG, hevc, pattern

FFV1 = ("-c:v", "ffv1")
RAW = ("-c:v", "rawvideo")
AV1 = ("-c:v", "libsvtav1", "-preset", "13", "-pix_fmt", "yuv420p")
MP2 = ("-c:a", "mp2")
FIELDS = ",format=yuv420p,tinterlace=4,setfield=tff"


def _video(file: str, codec: str, *options: str, size: str = "320x180") -> Case:
    video = ("-c:v", *codec.split())
    make = coded(file, *options, picture=flashing(size=size), video=video, audio=PCM)
    return Case(name=f"{codec} in {file}", make=make)


def _pixels(form: str, video: tuple[str, ...] = FFV1, file: str = "film.mkv") -> Case:
    make = coded(file, video=(*video, "-pix_fmt", form), audio=PCM)
    return Case(name=f"pixels {form}", make=make)


def _size(size: str) -> Case:
    make = coded("film.mkv", picture=flashing(size=size), video=(*FFV1, "-pix_fmt", "yuv444p"))
    return Case(name=f"size {size}", make=make, flashes_s=None, beeps_s=BEEPS)


def _sound(file: str, codec: str, *options: str, rate: int = 48000, layout: str = "stereo") -> Case:
    video = MJPEG if file.endswith("avi") else H264
    sound = beeping(rate=rate, layout=layout)
    make = coded(file, *options, video=video, sound=sound, audio=("-c:a", *codec.split()))
    return Case(name=f"{codec} {layout} at {rate} Hz in {file}", make=make)


def _silent(file: str, *video: str) -> Case:
    return Case(name=f"bare {file}", make=coded(file, video=video, sound=()), has_sound=False)


def _shape(name: str, size: tuple[int, int], *options: str) -> Case:
    make = remade(PLAIN, "turned.mp4", *options, "-i", "IN", "-c", "copy")
    return Case(name=name, make=make, size=size)


ODD: tuple[Case, ...] = (
    # Times before 0.
    Case(
        name="mkv from two seconds before 0",
        make=coded("film.mkv", "-output_ts_offset", "-2", "-avoid_negative_ts", "disabled"),
    ),
    # Containers.
    Case(
        name="asf",
        make=coded("film.asf", video=("-c:v", "msmpeg4v3", "-q:v", "4"), audio=("-c:a", "wmav1")),
    ),
    Case(name="f4v", make=coded("film.f4v")),
    Case(name="hevc in ts", make=coded("film.ts", *TS, video=hevc("keyint=50"))),
    Case(name="hev1", make=coded("film.mp4", "-tag:v", "hev1", video=hevc("keyint=50"))),
    Case(name="few pcr", make=coded("film.ts", "-pcr_period", "500", *TS)),
    Case(
        name="mpeg-1",
        make=coded("film.mpg", video=("-c:v", "mpeg1video", "-q:v", "3"), audio=MP2),
    ),
    _silent(
        "film.ivf",
        "-c:v",
        "libvpx-vp9",
        "-deadline",
        "realtime",
        "-cpu-used",
        "8",
        "-pix_fmt",
        "yuv420p",
    ),
    _silent("film.obu", *AV1),
    _silent("film.avif", *AV1),
    # Codecs.
    _video("film.mov", "png -pix_fmt rgb48be"),
    _video("film.mov", "qtrle -pix_fmt rgb24"),
    _video("film.mov", "v210"),
    _video("film.mov", "dnxhd -profile:v dnxhr_sq -pix_fmt yuv422p", size="640x360"),
    _video("film.mov", "cfhd -pix_fmt yuv422p10", size="320x192"),
    _video("film.mxf", "jpeg2000 -pix_fmt yuv422p10"),
    _video("film.avi", "huffyuv -pix_fmt yuv422p"),
    _video("film.avi", "utvideo -pix_fmt gbrap"),
    _video("film.avi", "magicyuv -pix_fmt gbrp"),
    _video("film.avi", "zmbv -pix_fmt bgr0"),
    _video("film.mkv", "rawvideo -pix_fmt nv12"),
    _video("film.nut", "snow -q:v 4"),
    # Pixels.
    *map(
        _pixels,
        ("yuv444p12", "yuv420p16", "gbrp12", "gray10", "gray16", "ya8", "yuva444p10", "yuv411p"),
    ),
    _pixels("monow", RAW, "film.nut"),
    _pixels("rgb565le", RAW, "film.nut"),
    # Sizes.
    *map(_size, ("16x2", "2x16", "18x10", "64x8", "4096x16", "16x2048", "33x17")),
    _shape("mirrored", (320, 180), "-display_hflip"),
    Case(
        name="three times as high",
        make=coded("film.mp4", picture=flashing(more=",setsar=1/3")),
        size=(320, 540),
    ),
    # Sound.
    _sound("film.avi", "pcm_u8", rate=44100),
    _sound("film.avi", "pcm_alaw", rate=44100),
    _sound("film.avi", "adpcm_ima_wav", rate=44100),
    _sound("film.avi", "adpcm_ms", rate=44100),
    _sound("film.mkv", "pcm_f64le"),
    _sound("film.mkv", "tta"),
    _sound("film.mkv", "wavpack"),
    _sound("film.mkv", "dca -strict -2", layout="5.1(side)"),
    _sound("film.mkv", "libvorbis", layout="6.1"),
    _sound("film.mov", "alac"),
    _sound("film.ts", "eac3", *TS, layout="5.1"),
    _sound("film.ts", "s302m -strict -2", *TS),
    _sound("film.ts", "libopus", *TS),
    _sound("film.mp4", "libopus"),
    _sound("film.mp4", "aac", rate=96000),
    _sound("film.mp4", "aac", rate=8000),
    _sound("film.mp4", "aac", layout="7.1"),
    Case(name="right only", make=coded("film.mkv", "-af", "pan=stereo|c1=c0", audio=PCM)),
    Case(
        name="sound without a sample",
        make=coded("film.mkv", "-af", "atrim=end_sample=0", audio=PCM),
        has_sound=False,
    ),
    # Rates and fields.
    Case(
        name="telecined by 2:3:3:2",
        make=coded(
            "film.mkv",
            picture=flashing(
                size="720x480", rate="24000/1001", more=",format=yuv420p,telecine=pattern=2332"
            ),
            video=(*MPEG2, "-flags", "+ilme+ildct"),
            audio=MP2,
        ),
    ),
    Case(
        name="h264 in fields",
        make=coded(
            "film.ts",
            *TS,
            picture=flashing(size="320x288", rate="50", more=FIELDS),
            video=(*H264, "-flags", "+ilme+ildct", "-x264opts", "tff=1"),
        ),
    ),
    Case(
        name="a picture every ten seconds",
        make=coded("film.mp4", picture=pattern(rate="1/10", seconds=20), sound=beeping(seconds=20)),
        duration_s=20,
        flashes_s=None,
        beeps_s=BEEPS,
    ),
)
