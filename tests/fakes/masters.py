"""Masters as people really have them, made anew: odd containers, wrong headers, damage.

Every picture is grey, with a white flash of two frames at each whole second; the sound is
silent, with a beep of 50 ms at each whole second. So whatever is made of a master can be
checked: when flashes and beeps come, and how many of them there are.
"""

from __future__ import annotations

import struct
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from transcode.run.ffmpegtools import find

SECONDS = 6
_BEEP = "aevalsrc=exprs='if(lt(mod(t\\,1)\\,0.05)*gte(t\\,0.5)\\,0.5*sin(2*PI*1000*t)\\,0)'"
H264 = ("-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-g", "50")
AAC = ("-c:a", "aac", "-b:a", "96k")


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One master, and what must come of it."""

    name: str
    make: Callable[[Path], Path]
    """Writes the master into an empty folder."""
    duration_s: float | None = float(SECONDS)
    """Of the package; None: not checked."""
    flashes_s: tuple[float, ...] | None = (1.0, 2.0, 3.0, 4.0, 5.0)
    """When the picture flashes; None: not checked."""
    has_sound: bool = True
    beeps_s: tuple[float, ...] | None = None
    """When it beeps; None: with the flashes."""
    refusal: str = ""
    """A pattern that a refusal must match; empty: it must be taken."""
    may_refuse: bool = False
    """Being refused with a reason is right too."""
    size: tuple[int, int] | None = None
    """Largest rung; None: not checked."""
    least_rate: float = 0.0
    """Frames per second that the package must have at the least."""
    options: tuple[str, ...] = ()
    """Further options of ``abr transcode``."""
    slack_s: float = 0.0
    """Beyond one frame, for the length."""


def run(*args: str | Path, cwd: Path) -> None:
    """Run ffmpeg; its errors are those of the test."""
    command = [find("ffmpeg").path, "-hide_banner", "-loglevel", "error", "-y", *map(str, args)]
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{command}\n{done.stderr[-2000:]}"


def flashing(
    *, size: str = "320x180", rate: str = "25", seconds: float = SECONDS, more: str = ""
) -> tuple[str, ...]:
    """Input options of the picture."""
    flash = "drawbox=color=white:t=fill:enable='lt(mod(t,1),0.07)*gte(t,0.5)'"
    noise = "noise=alls=6:allf=t"
    graph = f"color=c=0x505050:s={size}:r={rate}:d={seconds},format=yuv444p,{noise},{flash}{more}"
    return ("-f", "lavfi", "-i", graph)


def beeping(
    *, seconds: float = SECONDS, rate: int = 48000, layout: str = "mono"
) -> tuple[str, ...]:
    """Input options of the sound."""
    return ("-f", "lavfi", "-i", f"{_BEEP}:s={rate}:d={seconds},aformat=channel_layouts={layout}")


def coded(
    name: str, *options: str, video: tuple[str, ...] = H264, audio: tuple[str, ...] = AAC,
    picture: tuple[str, ...] | None = None, sound: tuple[str, ...] | None = None,
) -> Callable[[Path], Path]:  # fmt: skip
    """Makes a master by one run of ffmpeg; ``sound`` of () leaves it silent."""

    def make(folder: Path) -> Path:
        heard = beeping() if sound is None else sound
        run(
            *(picture or flashing()), *heard, *video, *(audio if heard else ()), *options, name,
            cwd=folder,
        )  # fmt: skip
        return folder / name

    return make


def remade(base: Callable[[Path], Path], name: str, *options: str) -> Callable[[Path], Path]:
    """Makes a master of another one: ``IN`` in the options is its name."""

    def make(folder: Path) -> Path:
        before = base(folder).name
        run(*[before if each == "IN" else each for each in options], name, cwd=folder)
        (folder / before).unlink()
        return folder / name

    return make


def edited(
    base: Callable[[Path], Path], change: Callable[[bytes], bytes]
) -> Callable[[Path], Path]:
    """Makes a master by changing the bytes of another."""

    def make(folder: Path) -> Path:
        path = base(folder)
        path.write_bytes(change(path.read_bytes()))
        return path

    return make


def patched(
    kind: bytes, at: int, form: str, change: Callable[[int], int]
) -> Callable[[bytes], bytes]:
    """Changes a field of every box of a kind, ``at`` bytes after its four-letter name."""

    def patch(data: bytes) -> bytes:
        out, place = bytearray(data), 0
        while (place := data.find(kind, place)) >= 0:
            (value,) = struct.unpack_from(form, data, place + at)
            struct.pack_into(form, out, place + at, change(value))
            place += 4
        return bytes(out)

    return patch


def joined(*makes: Callable[[Path], Path]) -> Callable[[Path], Path]:
    """Joins masters byte after byte, as people do with transport streams."""

    def make(folder: Path) -> Path:
        pieces = []
        for number, each in enumerate(makes):
            below = folder / f"part{number}"
            below.mkdir()
            pieces.append(each(below))
        out = folder / f"joined{pieces[0].suffix}"
        out.write_bytes(b"".join(piece.read_bytes() for piece in pieces))
        return out

    return make


TS = ("-muxdelay", "0", "-muxpreload", "0")
PLAIN = coded("film.mp4")
STREAM = coded("film.ts", *TS)


def _drop_packets(data: bytes) -> bytes:
    packets = [data[at : at + 188] for at in range(0, len(data), 188)]
    middle = len(packets) // 2
    return b"".join(packets[:middle] + packets[middle + 4 :])


def _flip(data: bytes) -> bytes:
    out, middle = bytearray(data), len(data) // 2
    for at in range(middle, middle + 40):
        out[at] ^= 0x55
    return bytes(out)


def _idle(folder: Path) -> Path:
    """A screen capture that stores a picture only when something changes."""
    run(
        *flashing(rate="25", more=",select='lt(mod(t,1),0.15)'"), *beeping(), *H264, *AAC,
        "-fps_mode", "passthrough", "-enc_time_base", "1:1000", "idle.mkv", cwd=folder,
    )  # fmt: skip
    return folder / "idle.mkv"


def _browser(folder: Path) -> Path:
    """As MediaRecorder writes it: no duration, irregular pictures, times in milliseconds."""
    run(
        *flashing(rate="30", more=",select='not(eq(mod(n,7),3))'"), *beeping(),
        "-c:v", "libvpx", "-deadline", "realtime", "-cpu-used", "8", "-b:v", "500k", "-pix_fmt",
        "yuv420p",
        "-fps_mode", "passthrough", "-c:a", "libopus", "-live", "1", "recorded.webm", cwd=folder,
    )  # fmt: skip
    return folder / "recorded.webm"


def _changing(first: tuple[str, ...], second: tuple[str, ...]) -> Callable[[Path], Path]:
    """Half of the film in one form, half in another, in one transport stream."""

    def make(folder: Path) -> Path:
        for number, (form, offset) in enumerate(((first, "0"), (second, "3"))):
            run(*form, *H264, *AAC, *TS, "-output_ts_offset", offset, f"{number}.ts", cwd=folder)
        data = b"".join((folder / f"{number}.ts").read_bytes() for number in range(2))
        out = folder / "changing.ts"
        out.write_bytes(data)
        return out

    return make


def _half(*, sound: dict[str, object] | None = None, **picture: str) -> tuple[str, ...]:
    return (
        *flashing(seconds=3, **picture),
        *beeping(seconds=3, **(sound or {})),  # type: ignore[arg-type]  # keywords of beeping
    )


def _two_programmes(folder: Path) -> Path:
    run(
        *flashing(), *beeping(), *flashing(size="160x90", more=",negate"), *beeping(),
        "-map", "0", "-map", "1", "-map", "2", "-map", "3", *H264, *AAC, *TS,
        "-program", "title=one:st=0:st=1", "-program", "title=two:st=2:st=3", "two.ts", cwd=folder,
    )  # fmt: skip
    return folder / "two.ts"


def _with_cover(folder: Path) -> Path:
    run(
        "-f",
        "lavfi",
        "-i",
        "color=c=red:s=640x640:d=1:r=1",
        "-frames:v",
        "1",
        "cover.png",
        cwd=folder,
    )
    PLAIN(folder)
    run(
        "-i", "cover.png", "-i", "film.mp4", "-map", "0", "-map", "1", "-c", "copy", "-c:v:0",
        "mjpeg",
        "-disposition:v:0", "attached_pic", "covered.mp4", cwd=folder,
    )  # fmt: skip
    return folder / "covered.mp4"


def _plain_cover(folder: Path) -> Path:
    run(
        "-f", "lavfi", "-i", "color=c=red:s=640x640:d=0.04:r=25", *flashing(), *beeping(),
        "-map", "0", "-map", "1", "-map", "2", "-c:v:0", "mjpeg", *H264[2:], "-c:v:1", "libx264",
        *AAC,
        "plain.mkv", cwd=folder,
    )  # fmt: skip
    return folder / "plain.mkv"


def _still(folder: Path) -> Path:
    """One picture, and sound under it."""
    run(
        "-f", "lavfi", "-i", "color=c=0x505050:s=320x180:d=0.04:r=25", *beeping(), *H264, *AAC,
        "still.mp4",
        cwd=folder,
    )  # fmt: skip
    return folder / "still.mp4"


def _dual_mono(folder: Path) -> Path:
    run(
        *flashing(), *beeping(), "-f", "lavfi", "-i", f"anullsrc=r=48000:cl=mono:d={SECONDS}",
        "-map", "0", "-map", "2", "-map", "1", "-c:v", "mpeg2video", "-b:v", "3M", "-c:a",
        "pcm_s16le",
        "dual.mov", cwd=folder,
    )  # fmt: skip
    return folder / "dual.mov"


def _commentary_first(folder: Path) -> Path:
    run(
        *flashing(), "-f", "lavfi", "-i", f"anullsrc=r=48000:cl=stereo:d={SECONDS}", *beeping(),
        "-map", "0", "-map", "1", "-map", "2", *H264, *AAC, "-disposition:a:0", "default+comment",
        "-metadata:s:a:0", "title=Director's Commentary", "-disposition:a:1", "0", "spoken.mkv",
        cwd=folder,
    )  # fmt: skip
    return folder / "spoken.mkv"


def _three_gif_frames(folder: Path) -> Path:
    """A GIF whose pictures last from a tenth of a second to two seconds."""
    run(
        *flashing(more=",select='lt(mod(t,1),0.15)'"),
        "-fps_mode",
        "passthrough",
        "idle.gif",
        cwd=folder,
    )
    return folder / "idle.gif"


def _audio_only(folder: Path) -> Path:
    run("-f", "lavfi", "-i", "color=c=red:s=64x64:d=1:r=1", "-frames:v", "1", "c.png", cwd=folder)
    run(
        *beeping(), "-i", "c.png", "-map", "0", "-map", "1", *AAC, "-c:v", "copy",
        "-disposition:v", "attached_pic", "song.m4a", cwd=folder,
    )  # fmt: skip
    return folder / "song.m4a"


def _silence_hole(folder: Path) -> Path:
    run(
        *flashing(), *beeping(), *H264, *AAC,
        "-af", "aselect='not(between(t,2.5,3.5))'", "hole.mkv", cwd=folder,
    )  # fmt: skip
    return folder / "hole.mkv"


BEEPS = (1.0, 2.0, 3.0, 4.0, 5.0)
TWELVE = (1.0, 2.0, 3.0, 4.0, 5.0, 7.0, 8.0, 9.0, 10.0, 11.0)
MPEG2 = ("-c:v", "mpeg2video", "-b:v", "3M", "-pix_fmt", "yuv420p", "-bf", "2")
PCM = ("-c:a", "pcm_s16le")


def _pix(name: str, codec: tuple[str, ...], pix_fmt: str, **more: object) -> Case:
    video = (*codec, "-pix_fmt", pix_fmt)
    return Case(name=name, make=coded("film.mkv", video=video), **more)  # type: ignore[arg-type]


CASES: tuple[Case, ...] = (
    Case(name="mp4", make=PLAIN, size=(320, 180)),
    Case(name="mkv", make=coded("film.mkv")),
    Case(name="mov prores pcm", make=coded("film.mov", video=("-c:v", "prores_ks"), audio=PCM)),
    Case(name="transport stream", make=STREAM),
    Case(name="transport stream, late start", make=coded("film.ts")),
    Case(
        name="avi mpeg4 mp3",
        make=coded("film.avi", video=("-c:v", "mpeg4", "-q:v", "4"), audio=("-c:a", "libmp3lame")),
    ),
    Case(
        name="avi xvid with packed b-frames",
        make=coded(
            "film.avi",
            video=("-c:v", "mpeg4", "-bf", "2", "-q:v", "4"),
            audio=("-c:a", "libmp3lame"),
        ),
    ),
    Case(
        name="webm vp9 opus",
        make=coded(
            "film.webm",
            video=(
                "-c:v",
                "libvpx-vp9",
                "-deadline",
                "realtime",
                "-cpu-used",
                "8",
                "-pix_fmt",
                "yuv420p",
            ),
            audio=("-c:a", "libopus"),
        ),
    ),
    Case(
        name="flv",
        make=coded("film.flv", video=("-c:v", "flv"), audio=("-c:a", "libmp3lame", "-ar", "44100")),
    ),
    Case(name="program stream", make=coded("film.mpg", video=MPEG2, audio=("-c:a", "mp2"))),
    Case(name="vob", make=coded("film.vob", video=MPEG2, audio=("-c:a", "ac3"))),
    Case(
        name="dv",
        make=coded(
            "film.dv", picture=flashing(size="720x576"), video=("-target", "pal-dv"), audio=()
        ),
        size=None,
    ),
    Case(
        name="mxf",
        make=coded(
            "film.mxf",
            picture=flashing(size="720x576"),
            video=("-c:v", "mpeg2video", "-b:v", "10M", "-pix_fmt", "yuv422p"),
            audio=PCM,
        ),
    ),
    Case(
        name="ogg theora",
        make=coded(
            "film.ogv",
            video=("-c:v", "libtheora", "-q:v", "6", "-pix_fmt", "yuv420p"),
            audio=("-c:a", "libvorbis"),
        ),
    ),
    Case(
        name="wmv",
        make=coded("film.wmv", video=("-c:v", "wmv2", "-b:v", "1M"), audio=("-c:a", "wmav2")),
    ),
    Case(
        name="3gp",
        make=coded(
            "film.3gp",
            picture=flashing(size="352x288"),
            video=("-c:v", "h263", "-b:v", "500k"),
            audio=("-c:a", "libopencore_amrnb", "-ar", "8000", "-ac", "1"),
        ),
    ),
    Case(name="nut", make=coded("film.nut", video=("-c:v", "ffv1"), audio=PCM)),
    Case(
        name="y4m", make=coded("film.y4m", video=("-pix_fmt", "yuv420p"), sound=()), has_sound=False
    ),
    Case(name="raw h264", make=coded("film.264", sound=()), has_sound=False),
    Case(
        name="raw h264 with b-frames at 50",
        make=coded(
            "film.264",
            picture=flashing(rate="50"),
            video=("-c:v", "libx264", "-bf", "3", "-pix_fmt", "yuv420p"),
            sound=(),
        ),
        has_sound=False,
    ),
    Case(
        name="raw hevc",
        make=coded(
            "film.265",
            video=(
                "-c:v",
                "libx265",
                "-preset",
                "ultrafast",
                "-pix_fmt",
                "yuv420p",
                "-x265-params",
                "log-level=none",
            ),
            sound=(),
        ),
        has_sound=False,
    ),
    Case(name="raw mpeg-2", make=coded("film.m2v", video=MPEG2, sound=()), has_sound=False),
    Case(
        name="fragmented mp4",
        make=coded("film.mp4", "-movflags", "+frag_keyframe+empty_moov+default_base_moof"),
    ),
    Case(
        name="gif with long delays",
        make=_three_gif_frames,
        has_sound=False,
        flashes_s=BEEPS,
        duration_s=None,
    ),
    # Headers that lie.
    Case(
        name="media header 30 times too short",
        make=edited(PLAIN, patched(b"mdhd", 20, ">I", lambda v: v // 30)),
    ),
    Case(
        name="movie header 30 times too short",
        make=edited(PLAIN, patched(b"mvhd", 20, ">I", lambda v: v // 30)),
    ),
    Case(
        name="track header 30 times too short",
        make=edited(PLAIN, patched(b"tkhd", 24, ">I", lambda v: v // 30)),
    ),
    Case(
        name="movie header 30 times too long",
        make=edited(PLAIN, patched(b"mvhd", 20, ">I", lambda v: v * 30)),
    ),
    Case(
        name="joined transport streams",
        make=joined(STREAM, STREAM),
        duration_s=12,
        flashes_s=TWELVE,
        slack_s=0.15,
    ),
    Case(name="times that wrap", make=coded("film.ts", *TS, "-output_ts_offset", "95440.7")),
    Case(
        name="times that jump five hours",
        make=joined(STREAM, coded("film.ts", *TS, "-output_ts_offset", "18000")),
        duration_s=12,
        flashes_s=TWELVE,
        slack_s=0.15,
    ),
    Case(
        name="times that jump back",
        make=joined(coded("film.ts", *TS, "-output_ts_offset", "18000"), STREAM),
        duration_s=12,
        flashes_s=TWELVE,
        slack_s=0.15,
    ),
    Case(
        name="picture starts 2 s late",
        make=coded("film.mkv", picture=("-itsoffset", "2", *flashing(seconds=4)), sound=beeping()),
        flashes_s=(3.0, 4.0, 5.0),
        beeps_s=BEEPS,
    ),
    Case(
        name="sound starts 2 s late",
        make=coded("film.mkv", sound=("-itsoffset", "2", *beeping(seconds=4))),
        beeps_s=(3.0, 4.0, 5.0),
    ),
    Case(
        name="trimmed by an edit list",
        make=remade(PLAIN, "cut.mp4", "-ss", "2.5", "-i", "IN", "-c", "copy"),
        duration_s=3.5,
        flashes_s=(0.5, 1.5, 2.5),
        slack_s=0.1,
    ),
    Case(
        name="bytes after the last box",
        make=edited(PLAIN, lambda data: data + b"\0" * 1000 + b"some words"),
    ),
    Case(
        name="an unknown box at the end",
        make=edited(PLAIN, lambda data: data + struct.pack(">I4s", 16, b"blah") + b"12345678"),
    ),
    Case(
        name="cut off",
        make=edited(
            coded("film.mp4", "-movflags", "+faststart"), lambda data: data[: len(data) * 6 // 10]
        ),
        refusal="cut off",
    ),
    Case(
        name="cut off before its index",
        make=edited(PLAIN, lambda data: data[: len(data) // 2]),
        refusal="cut off|moov|media",
    ),
    Case(name="empty", make=edited(PLAIN, lambda _data: b""), refusal="empty"),
    Case(
        name="text", make=edited(PLAIN, lambda _data: b"these are words\n" * 500), refusal="video"
    ),
    # Rates that vary.
    Case(name="browser recording", make=_browser, least_rate=25, slack_s=0.1),
    Case(name="idle screen capture", make=_idle, least_rate=20),
    Case(name="one picture under sound", make=_still, flashes_s=None, beeps_s=BEEPS),
    Case(name="23.976", make=coded("film.mp4", picture=flashing(rate="24000/1001"))),
    Case(name="29.97", make=coded("film.mp4", picture=flashing(rate="30000/1001"))),
    Case(name="120", make=coded("film.mp4", picture=flashing(rate="120"))),
    Case(name="12.5", make=coded("film.mp4", picture=flashing(rate="25/2", more=""))),
    Case(
        name="sound 4 s longer",
        make=coded("film.mp4", picture=flashing(seconds=4), sound=beeping(seconds=8)),
        duration_s=None,
        flashes_s=(1.0, 2.0, 3.0),
        beeps_s=None,
    ),
    Case(
        name="picture 4 s longer",
        make=coded("film.mp4", picture=flashing(seconds=8), sound=beeping(seconds=4)),
        duration_s=8,
        flashes_s=tuple(map(float, range(1, 8))),
        beeps_s=(1.0, 2.0, 3.0),
    ),
    Case(name="a hole of a second in the sound", make=_silence_hole, beeps_s=(1.0, 2.0, 4.0, 5.0)),
    # Changes on the way.
    Case(
        name="size changes",
        make=_changing(_half(), _half(size="640x360")),
        flashes_s=(1.0, 2.0, 4.0, 5.0),
        slack_s=0.1,
    ),
    Case(
        name="upright on the way",
        make=_changing(_half(), _half(size="180x320")),
        flashes_s=(1.0, 2.0, 4.0, 5.0),
        slack_s=0.1,
    ),
    Case(
        name="sample rate changes",
        make=_changing(_half(), _half(sound={"rate": 44100})),
        flashes_s=(1.0, 2.0, 4.0, 5.0),
        slack_s=0.1,
    ),
    Case(
        name="channels change",
        make=_changing(_half(), _half(sound={"layout": "stereo"})),
        flashes_s=(1.0, 2.0, 4.0, 5.0),
        slack_s=0.1,
    ),
    # Which stream.
    Case(name="attached cover first", make=_with_cover, size=(320, 180)),
    Case(name="plain cover first", make=_plain_cover, size=(320, 180)),
    Case(name="cover and sound only", make=_audio_only, refusal="audio only|sound only"),
    Case(name="two programmes", make=_two_programmes, size=(320, 180)),
    Case(name="left and right as two tracks, sound on the second", make=_dual_mono),
    Case(name="commentary first and default", make=_commentary_first),
    # Damage.
    Case(
        name="starts in the middle of a group",
        make=edited(STREAM, lambda data: data[len(data) // 12 // 188 * 188 :]),
        duration_s=None,
        flashes_s=None,
        may_refuse=True,
    ),
    Case(
        name="lost packets",
        make=edited(STREAM, _drop_packets),
        slack_s=0.1,
        flashes_s=None,
        may_refuse=True,
    ),
    Case(name="flipped bits", make=edited(PLAIN, _flip), flashes_s=None, may_refuse=True),
    # Colour and shape.
    Case(name="full range", make=coded("film.mp4", video=(*H264[:4], "-pix_fmt", "yuvj420p"))),
    _pix("rgb", ("-c:v", "ffv1"), "gbrp"),
    _pix("alpha", ("-c:v", "ffv1"), "yuva420p"),
    _pix("grey", ("-c:v", "ffv1"), "gray"),
    _pix("ten bits 4:2:2", ("-c:v", "ffv1"), "yuv422p10"),
    _pix("4:4:4", ("-c:v", "ffv1"), "yuv444p"),
    Case(
        name="turned by 90 degrees",
        make=remade(PLAIN, "turned.mp4", "-display_rotation", "90", "-i", "IN", "-c", "copy"),
        size=(180, 320),
    ),
    Case(
        name="turned by 180 degrees",
        make=remade(PLAIN, "turned.mp4", "-display_rotation", "180", "-i", "IN", "-c", "copy"),
        size=(320, 180),
    ),
    Case(
        name="anamorphic",
        make=coded("film.mp4", picture=flashing(size="360x288", more=",setsar=16/11")),
        size=(524, 288),
    ),
    Case(
        name="odd size",
        make=coded(
            "film.mkv",
            picture=flashing(size="321x181"),
            video=("-c:v", "ffv1", "-pix_fmt", "yuv444p"),
        ),
        size=(320, 180),
    ),
    Case(
        name="very wide",
        make=coded("film.mp4", picture=flashing(size="1280x180")),
        size=(1280, 180),
    ),
    Case(name="upright", make=coded("film.mp4", picture=flashing(size="180x320")), size=(180, 320)),
    Case(name="tiny", make=coded("film.mp4", picture=flashing(size="32x18")), size=(32, 18)),
    Case(
        name="interlaced",
        make=coded(
            "film.mpg",
            picture=flashing(
                size="720x576", rate="50", more=",format=yuv420p,tinterlace=4,setfield=tff"
            ),
            video=(
                "-c:v",
                "mpeg2video",
                "-b:v",
                "6M",
                "-flags",
                "+ilme+ildct",
                "-pix_fmt",
                "yuv420p",
            ),
            audio=("-c:a", "mp2"),
        ),
    ),
    # Sound.
    Case(name="5.1", make=coded("film.mkv", sound=beeping(layout="5.1"))),
    Case(name="7.1", make=coded("film.mkv", sound=beeping(layout="7.1"), audio=PCM)),
    Case(name="8 kHz", make=coded("film.mkv", sound=beeping(rate=8000), audio=PCM)),
    Case(
        name="192 kHz", make=coded("film.mkv", sound=beeping(rate=192000), audio=("-c:a", "flac"))
    ),
    Case(name="silent", make=coded("film.mp4", sound=()), has_sound=False),
    # Names.
    Case(name="a name with signs", make=coded("50% - film: 'one' & two #3.mp4")),
    Case(name="a name with a leading dash", make=coded("./-film.mp4")),
)
