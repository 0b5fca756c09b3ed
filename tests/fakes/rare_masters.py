"""More masters as people have them: what public reports about encoders and muxers name.

B-frames by the dozen, edit lists that cut, rates from one picture in two seconds to 240 in
one, containers without an index, tracks in an unusual order, sound in unusual layouts.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path

from tests.fakes.masters import (
    AAC,
    BEEPS,
    H264,
    MPEG2,
    PCM,
    PLAIN,
    SECONDS,
    TS,
    Case,
    beeping,
    coded,
    edited,
    flashing,
    run,
)

PRORES = ("-c:v", "prores_ks")
MJPEG = ("-c:v", "mjpeg", "-pix_fmt", "yuvj420p")
MP3 = ("-c:a", "libmp3lame", "-q:a", "4")


def h264(*options: str) -> tuple[str, ...]:
    """Options of x264, with more of them."""
    return (*H264, *options)


def hevc(*settings: str) -> tuple[str, ...]:
    """Options of x265."""
    words = ":".join(("log-level=none", *settings))
    return ("-c:v", "libx265", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-x265-params", words)


def many_b_frames(count: int) -> tuple[str, ...]:
    """So many B-frames in a row, always."""
    return h264("-bf", str(count), "-b_strategy", "0")


def pattern(*, rate: str, seconds: float = SECONDS) -> tuple[str, ...]:
    """Input options of a picture that never flashes."""
    return ("-f", "lavfi", "-i", f"testsrc2=s=320x180:r={rate}:d={seconds}")


def few(count: int, *, sound_s: float = 0.0) -> Callable[[Path], Path]:
    """Makes a master of so many pictures."""
    return coded(
        "film.mp4",
        picture=pattern(rate="25"),
        video=h264("-frames:v", str(count)),
        sound=beeping(seconds=sound_s) if sound_s else (),
    )


Edit = tuple[float, float]
"""Seconds of the film, and time in the media at which it begins; -1: nothing is shown."""


def with_edits(*edits: Edit) -> Callable[[bytes], bytes]:
    """Puts an edit list into each track, on top of where its media begin."""

    def change(data: bytes) -> bytes:
        out, place = bytearray(data), 0
        movie_hz = _field(out, out.find(b"mvhd") + 16)
        while (place := out.find(b"elst", place)) >= 0:
            media_hz = _field(out, out.find(b"mdhd", place) + 16)
            begin = _field(out, place + 16)
            entries = b"".join(
                struct.pack(
                    ">IiI",
                    round(seconds * movie_hz),
                    -1 if at_s < 0 else begin + round(at_s * media_hz),
                    0x10000,
                )
                for seconds, at_s in edits
            )
            out[place + 8 : place + 24] = struct.pack(">I", len(edits)) + entries
            for box in (b"elst", b"edts", b"trak", b"moov"):
                at = out.rfind(box, 0, place + 4) - 4
                struct.pack_into(">I", out, at, _field(out, at) + len(entries) - 12)
            place += len(entries)
        return bytes(out)

    return change


def _field(data: bytearray, at: int) -> int:
    return int.from_bytes(data[at : at + 4])


def _without_third_fragment(data: bytes) -> bytes:
    out, at, fragments = b"", 0, 0
    while at < len(data):
        size, kind = struct.unpack_from(">I4s", data, at)
        fragments += kind == b"moof"
        if fragments != 3 or kind not in (b"moof", b"mdat"):
            out += data[at : at + size]
        at += size
    return out


def _in_order(name: str, order: str, *options: str) -> Callable[[Path], Path]:
    """Streams of a picture, silence, sound, a negative of the picture and a subtitle, by letter."""

    def make(folder: Path) -> Path:
        (folder / "words.srt").write_text("1\n00:00:01,000 --> 00:00:02,000\nhi\n")
        maps = [word for each in order for word in ("-map", str("vqant".index(each)))]
        run(
            *flashing(), "-f", "lavfi", "-i", f"anullsrc=cl=stereo:d={SECONDS}", *beeping(),
            *flashing(more=",negate"), "-i", "words.srt", *maps, *H264, *AAC, *options, name,
            cwd=folder,
        )  # fmt: skip
        return folder / name

    return make


def _linked(folder: Path) -> Path:
    PLAIN(folder)
    (folder / "below").mkdir()
    link = folder / "below/link.mp4"
    link.symlink_to("../film.mp4")
    return link


def _sound(name: str, layout: str, codec: tuple[str, ...] = PCM) -> Case:
    return Case(name=name, make=coded("film.mkv", sound=beeping(layout=layout), audio=codec))


def _rate(name: str, rate: str, file: str = "film.mkv", *, least: float = 0.0) -> Case:
    make = coded(file, picture=flashing(rate=rate), video=h264("-bf", "3"))
    return Case(name=name, make=make, least_rate=least)


def _slides(name: str, rate: str, file: str) -> Case:
    make = coded(file, picture=pattern(rate=rate))
    return Case(name=name, make=make, flashes_s=None, beeps_s=BEEPS)


RARE: tuple[Case, ...] = (
    # Order of decoding.
    Case(name="8 b-frames in mkv", make=coded("film.mkv", video=many_b_frames(8))),
    Case(name="16 b-frames in mp4", make=coded("film.mp4", video=many_b_frames(16))),
    Case(name="16 b-frames in ts", make=coded("film.ts", *TS, video=many_b_frames(16))),
    Case(name="8 b-frames in flv", make=coded("film.flv", video=many_b_frames(8))),
    Case(
        name="b-frames in avi",
        make=coded("film.avi", video=many_b_frames(3), audio=MP3),
        may_refuse=True,
    ),
    Case(
        name="one picture a second with b-frames",
        make=coded("film.mkv", picture=pattern(rate="1"), video=many_b_frames(4)),
        flashes_s=None,
        beeps_s=BEEPS,
    ),
    Case(
        name="negative composition offsets",
        make=coded("film.mp4", "-movflags", "+negative_cts_offsets", video=h264("-bf", "3")),
    ),
    Case(name="key frames only", make=coded("film.mp4", video=h264("-g", "1"))),
    Case(
        name="intra refresh",
        make=coded("film.mp4", video=h264("-x264-params", "intra-refresh=1:keyint=25")),
    ),
    Case(
        name="hevc with open groups",
        make=coded("film.mkv", video=hevc("open-gop=1", "keyint=25", "bframes=4")),
    ),
    # Times.
    Case(
        name="an edit list that starts with nothing",
        make=edited(PLAIN, with_edits((1.0, -1), (6.0, 0.0))),
    ),
    Case(
        name="an edit list that cuts out a second",
        make=edited(coded("film.mp4", video=h264("-bf", "0")), with_edits((2.0, 0.0), (3.0, 3.0))),
        duration_s=5,
        flashes_s=(1.0, 2.0, 3.0, 4.0),
    ),
    Case(
        name="an edit list that cuts twice between b-frames",
        make=edited(
            coded("film.mp4", video=h264("-bf", "2")),
            with_edits((1.5, 0.0), (1.5, 2.0), (2.0, 4.0)),
        ),
        duration_s=5,
        flashes_s=(1.0, 2.5, 4.0),
    ),
    Case(
        name="an edit list that shows a part again",
        make=edited(coded("film.mp4", video=h264("-bf", "0")), with_edits((2.5, 0.0), (2.5, 0.0))),
        duration_s=5,
        flashes_s=(1.0, 2.0, 3.5, 4.5),
    ),
    Case(
        name="an edit list with a second of nothing inside",
        make=edited(
            coded("film.mp4", video=h264("-bf", "0")),
            with_edits((2.5, 0.0), (1.0, -1), (2.5, 2.5)),
        ),
        flashes_s=(1.0, 2.0, 4.0, 5.0),
    ),
    Case(
        name="a fragment is missing",
        make=edited(
            coded(
                "film.mp4",
                "-movflags",
                "+frag_keyframe+empty_moov+default_base_moof",
                video=h264("-g", "25"),
            ),
            _without_third_fragment,
        ),
        flashes_s=None,
        beeps_s=None,
        may_refuse=True,
    ),
    Case(name="a live mkv", make=coded("film.mkv", "-live", "1")),
    Case(name="times from 28 h on", make=coded("film.mkv", "-output_ts_offset", "100000")),
    Case(
        name="picture 0.5 s late",
        make=coded("film.mkv", picture=("-itsoffset", "0.5", *flashing(seconds=5.5))),
        flashes_s=(1.5, 2.5, 3.5, 4.5, 5.5),
        beeps_s=BEEPS,
    ),
    Case(
        name="times of the sound 15 ms off by turns",
        make=coded("film.mkv", "-bsf:a", "setts=ts='TS+mod(N,2)*15'"),
    ),
    # Rates.
    _slides("one picture a second", "1", "film.mp4"),
    _slides("a picture every two seconds", "1/2", "film.mkv"),
    _rate("240", "240", "film.mp4", least=50),
    _rate("23.976 in milliseconds", "24000/1001"),
    _rate("59.94 in milliseconds", "60000/1001", least=59.9),
    _rate("119.88 in milliseconds", "120000/1001", least=50),
    Case(
        name="29.97 in 600ths of a second",
        make=coded(
            "film.mov", "-video_track_timescale", "600", picture=flashing(rate="30000/1001")
        ),
    ),
    # Few pictures.
    Case(name="one frame", make=few(1), duration_s=0.04, flashes_s=None, has_sound=False),
    Case(name="two frames", make=few(2), duration_s=0.08, flashes_s=None, has_sound=False),
    Case(name="0.2 s", make=few(5, sound_s=0.2), duration_s=0.2, flashes_s=None),
    # Containers and codecs.
    Case(
        name="avi with mp3 of variable rate",
        make=coded("film.avi", video=("-c:v", "libxvid", "-q:v", "4"), audio=MP3),
    ),
    Case(
        name="time code track",
        make=coded("film.mov", "-timecode", "01:00:00:00", video=PRORES, audio=PCM),
    ),
    Case(name="m2ts", make=coded("film.m2ts", "-mpegts_m2ts_mode", "1")),
    Case(name="latm", make=coded("film.ts", *TS, "-mpegts_flags", "latm")),
    Case(
        name="webm with alpha",
        make=coded(
            "film.webm",
            picture=flashing(more=",format=yuva420p"),
            audio=("-c:a", "libopus"),
            video=("-c:v", "libvpx-vp9", "-deadline", "realtime", "-cpu-used", "8"),
        ),
    ),
    Case(
        name="vp8 with hidden pictures",
        make=coded(
            "film.webm",
            audio=("-c:a", "libvorbis"),
            video=(
                "-c:v",
                "libvpx",
                "-auto-alt-ref",
                "1",
                "-lag-in-frames",
                "16",
                "-cpu-used",
                "4",
                "-pix_fmt",
                "yuv420p",
            ),
        ),
    ),
    Case(
        name="rgb in avi",
        make=coded("film.avi", video=("-c:v", "rawvideo", "-pix_fmt", "bgr24"), audio=PCM),
    ),
    Case(
        name="apng",
        make=coded("film.apng", video=("-c:v", "apng"), sound=()),
        has_sound=False,
    ),
    Case(
        name="animated webp",
        make=coded("film.webp", video=("-c:v", "libwebp_anim"), sound=()),
        has_sound=False,
        refusal="WebP",
    ),
    # Which stream.
    Case(name="two pictures alike", make=_in_order("film.mkv", "vna"), size=(320, 180)),
    Case(name="silence before the sound", make=_in_order("film.mkv", "vqa")),
    Case(name="subtitles first, then sound", make=_in_order("film.mkv", "tav")),
    Case(name="subtitles only", make=_in_order("film.mkv", "t"), refusal="no video"),
    # Sound.
    _sound("3.0", "3.0"),
    _sound("4.0", "4.0"),
    _sound("quad", "quad"),
    _sound("6.1", "6.1", ("-c:a", "flac")),
    _sound("5.1 in opus", "5.1", ("-c:a", "libopus")),
    _sound("5.1 in truehd", "5.1(side)", ("-c:a", "truehd", "-strict", "-2")),
    Case(
        name="11.025 kHz in 8 bits",
        make=coded("film.avi", video=MJPEG, sound=beeping(rate=11025), audio=("-c:a", "pcm_u8")),
    ),
    Case(
        name="96 kHz in 24 bits",
        make=coded(
            "film.mov", video=PRORES, sound=beeping(rate=96000), audio=("-c:a", "pcm_s24le")
        ),
    ),
    Case(
        name="float above full scale",
        make=coded("film.mov", "-af", "volume=4", video=PRORES, audio=("-c:a", "pcm_f32le")),
    ),
    Case(
        name="left only",
        make=coded("film.mkv", "-af", "pan=stereo|c0=c0", audio=PCM),
    ),
    Case(
        name="mpeg-2 at 23.976",
        make=coded(
            "film.mpg",
            picture=flashing(rate="24000/1001"),
            video=MPEG2,
            audio=("-c:a", "mp2"),
        ),
    ),
    # Names.
    Case(
        name="a title of two lines and a tag",
        make=coded("film.mkv", "-metadata:s:a:0", 'title=a\nb: "q" | #EXT-X-ENDLIST'),
    ),
    Case(
        name="a title that turns the direction",
        make=coded("film.mkv", "-metadata:s:a:0", "title=\u202eabc\u200f\u05d0"),
    ),
    Case(name="a symbolic link", make=_linked),
)
