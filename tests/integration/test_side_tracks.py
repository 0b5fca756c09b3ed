"""What a package holds beside picture and sound, used as a stranger would use it."""

from __future__ import annotations

import asyncio
import subprocess
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from abr.errors import AbrError
from tests import hlsrules, mp4facts
from transcode.cli.outcome import summary
from transcode.config import TranscodeConfig
from transcode.files.keystore import KeyStore
from transcode.files.reader import check_package
from transcode.packaging.index import PresentationIndex
from transcode.playlist import MediaPlaylist, parse
from transcode.run.ffmpegtools import Tool, candidates
from transcode.run.package import transcode
from transcode.subtitles.webvtt import parse_webvtt

FFMPEGS = [tool.path for tool in candidates("ffmpeg") if isinstance(tool, Tool)]
pytestmark = pytest.mark.skipif(not FFMPEGS, reason="no ffmpeg was found")


@pytest.fixture(scope="module")
def master(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three seconds of moving pattern with B-frames, and a tone."""
    path = tmp_path_factory.mktemp("master") / "master.mkv"
    subprocess.run(
        [
            *(FFMPEGS[0], "-nostdin", "-v", "error", "-f", "lavfi"),
            *("-i", "testsrc2=size=192x108:rate=24:duration=3", "-f", "lavfi"),
            *("-i", "sine=440:duration=3", "-c:v", "libx264", "-preset", "ultrafast", str(path)),
        ],
        check=True,
        timeout=60,
    )
    return path


def package(master: Path, out: Path, **settings: object) -> PresentationIndex:
    quick = {"preset": "ultrafast", "segment_s": 2.0, "gop_s": 1.0, "ladder": "54:60,108:150"}
    config = TranscodeConfig(**{**quick, **settings})  # type: ignore[arg-type]  # a table
    return asyncio.run(transcode(master, out, config))


@pytest.fixture(scope="module")
def clear(master: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A package without encryption."""
    out = tmp_path_factory.mktemp("clear") / "film"
    package(master, out)
    return out


def media(path: Path) -> MediaPlaylist:
    playlist = parse(path.read_text(encoding="utf-8"))
    assert isinstance(playlist, MediaPlaylist)
    return playlist


def frames(program: str, *arguments: str, data: bytes | None = None) -> list[str]:
    """MD5 of each frame that decodes; any complaint fails."""
    done = subprocess.run(
        [program, "-v", "warning", *arguments, "-map", "0:v", "-f", "framemd5", "-"],
        input=data,
        capture_output=True,
        check=True,
        timeout=60,
    )
    assert done.stderr == b""
    lines = done.stdout.decode().splitlines()
    return [line.split(",")[-1].strip() for line in lines if not line.startswith("#")]


@pytest.mark.parametrize("program", FFMPEGS)
def test_every_range_of_key_frames_decodes_alone_to_one_frame(clear: Path, program: str) -> None:
    """Apple's items 6.8 and 6.10: after the map, without a complaint; it is the right frame."""
    for folder in ("v0", "v1"):
        init = (clear / folder / "init.mp4").read_bytes()
        playlist = media(clear / folder / "iframes.m3u8")
        whole = b"".join(path.read_bytes() for path in sorted((clear / folder).glob("*.m4s")))
        every = frames(program, "-i", "-", data=init + whole)
        assert len(every) == 72
        assert [segment.duration_s for segment in playlist.segments] == [1.0, 1.0, 1.0]
        for number, segment in enumerate(playlist.segments):
            assert segment.byte_range is not None
            offset, length = segment.byte_range
            part = (clear / folder / segment.uri).read_bytes()[offset : offset + length]
            assert part[4:8] == b"moof"
            assert [len(run.samples) for run in mp4facts.runs(init, part)] == [1]
            assert frames(program, "-i", "-", data=init + part) == [every[24 * number]]
        assert frames(program, "-i", str(clear / folder / "iframes.m3u8")) == every[::24]


def test_a_package_encrypted_as_a_whole_has_no_playlists_of_key_frames(
    master: Path, tmp_path: Path
) -> None:
    """A part of a file in CBC mode cannot be decrypted by what a playlist can say."""
    index = package(
        master,
        tmp_path / "film",
        encrypt="aes-128",
        keys_dir=str(tmp_path / "keys"),
        ladder="54:60",
    )
    assert index.video[0].key_frames == ()
    assert not list((tmp_path / "film").glob("**/iframes.m3u8"))
    assert "I-FRAME" not in (tmp_path / "film" / "multivariant.m3u8").read_text()
    check_package(tmp_path / "film")


SRT = (
    "1\n00:00:00,500 --> 00:00:02,250\nOver & the border\n\n2\n00:00:02,500 --> 00:00:09,000\nTwo\n"
)


@pytest.fixture(scope="module")
def with_text(master: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The master with streams of text, five seconds late in its container."""
    folder = tmp_path_factory.mktemp("text")
    (folder / "a.srt").write_text(SRT, encoding="utf-8")
    out = folder / "master.mkv"
    subprocess.run(
        [
            *(
                FFMPEGS[0],
                "-nostdin",
                "-v",
                "error",
                "-i",
                str(master),
                "-i",
                str(folder / "a.srt"),
            ),
            *("-map", "0", "-map", "1", "-map", "1", "-c", "copy", "-c:s:1", "ass"),
            *("-metadata:s:s:0", "language=ger", "-disposition:s:1", "forced"),
            *("-metadata:s:s:1", "language=eng", "-output_ts_offset", "5", str(out)),
        ],
        check=True,
        timeout=60,
    )
    return out


def test_subtitles_of_streams_and_files_become_segments_in_the_films_time(
    with_text: Path, tmp_path: Path
) -> None:
    """A master that begins at 5 s is a film that begins at 0; a cue over a border is in both."""
    path = tmp_path / "film.fr.srt"
    path.write_bytes((SRT + "\n3\n00:00:20,000 --> 00:00:21,000\nlate\n").encode("utf-16"))
    notes: list[str] = []
    out = tmp_path / "film"
    config = TranscodeConfig(
        preset="ultrafast", segment_s=2.0, ladder="54:60", subtitles=(str(path),)
    )
    index = asyncio.run(transcode(with_text, out, config, on_note=notes.append))
    assert [(text.language, text.name, text.forced) for text in index.text] == [
        ("fr", "Français", False),
        ("de", "Deutsch", False),
        ("en", "English (forced)", True),
    ]
    shown = "\n00:00:00.500 --> 00:00:02.250\nOver &amp; the border\n"
    head = "WEBVTT\nX-TIMESTAMP-MAP=MPEGTS:0,LOCAL:00:00:00.000\n"
    for folder in ("s0", "s1", "s2"):
        assert (out / folder / "00000.vtt").read_text() == head + shown
        assert (out / folder / "00001.vtt").read_text() == (
            head + shown + "\n00:00:02.500 --> 00:00:03.000\nTwo\n"
        )
        assert media(out / folder / "playlist.m3u8").duration_s == pytest.approx(3.0)
    (note,) = [note for note in notes if "film.fr.srt" in note]
    assert note == (
        f"{path}: 1 cue starts at 20.000 s or later, after the film's end at 3.000 s, "
        "and is left out; expected the subtitles of this very cut"
    )
    assert hlsrules.check(out, ffmpegs=FFMPEGS[:1]) == []
    told = summary(index, out)
    assert isinstance(told["subtitles"], list)
    assert [each["name"] for each in told["subtitles"]] == [text.name for text in index.text]
    assert told["dash"] is True


def test_a_stream_that_is_not_utf_8_is_read_by_its_language_and_noted(
    master: Path, tmp_path: Path
) -> None:
    """Matroska asks for UTF-8, and holds what people put in."""
    (tmp_path / "a.srt").write_bytes("1\n00:00:01,000 --> 00:00:02,000\nГрибы\n".encode("cp1251"))
    given, notes = tmp_path / "given.mkv", list[str]()
    command = [FFMPEGS[0], "-v", "error", "-i", str(master), "-i", str(tmp_path / "a.srt")]
    options = ["-map", "0:v", "-map", "1", "-c", "copy", "-metadata:s:s:0", "language=rus"]
    subprocess.run([*command, *options, str(given)], check=True, timeout=60)
    config = TranscodeConfig(preset="ultrafast", segment_s=4.0, ladder="54:60")
    asyncio.run(transcode(given, tmp_path / "film", config, on_note=notes.append))
    assert "Грибы" in (tmp_path / "film" / "s0" / "subtitles.vtt").read_text(encoding="utf-8")
    assert [note for note in notes if "was read as cp1251" in note]


def test_subtitles_are_left_out_on_request(with_text: Path, tmp_path: Path) -> None:
    index = package(with_text, tmp_path / "film", ladder="54:60", subtitles=("none",))
    assert index.text == ()
    assert "SUBTITLES" not in (tmp_path / "film" / "multivariant.m3u8").read_text()


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("a.srt", b"no times at all", r"no cue can be read \(line 1: 'no times at all' before"),
        ("a.vtt", b"00:01.000 --> 00:02.000\nx", r"a\.vtt:1: .* expected WEBVTT"),
        ("a.srt", b"\x81\x8d", "is not text in cp1252; expected UTF-8"),
        ("a.sub", b"", "is of another kind; expected subtitles in an .srt"),
        ("gone.srt", None, "no such file"),
        ("a.srt:english", None, r"a\.srt: 'english' is no language; expected a tag such as de"),
    ],
)
def test_a_file_that_is_no_subtitles_is_refused_before_anything_is_encoded(
    master: Path, tmp_path: Path, name: str, data: bytes | None, message: str
) -> None:
    if data is not None:
        (tmp_path / name).write_bytes(data)
    with pytest.raises(AbrError, match=message):
        package(master, tmp_path / "film", subtitles=(str(tmp_path / name),))
    assert not (tmp_path / "film").exists()


def reads_dash(program: str) -> bool:
    """Whether this ffmpeg was built with libxml2."""
    listed = subprocess.run([program, "-v", "quiet", "-demuxers"], capture_output=True, check=True)
    return b" dash" in listed.stdout


DASH_FFMPEGS = [program for program in FFMPEGS if reads_dash(program)]


@pytest.mark.skipif(not DASH_FFMPEGS, reason="no ffmpeg that reads DASH was found")
def test_the_dash_manifest_plays_the_same_pictures_and_the_same_sound(clear: Path) -> None:
    """Every rung, frame by frame, and the sound, as from the playlists."""

    def played(source: Path, stream: str) -> list[str]:
        command = [DASH_FFMPEGS[0], "-v", "warning", "-i", str(source), "-map", stream]
        done = subprocess.run(
            [*command, "-f", "framemd5", "-"], capture_output=True, check=True, timeout=60
        )
        assert done.stderr == b""
        lines = [line for line in done.stdout.decode().splitlines() if line[:1] != "#"]
        return [line.split(",")[-1].strip() for line in lines]

    for rung in (0, 1):
        by_dash = played(clear / "manifest.mpd", f"0:v:{rung}")
        assert len(by_dash) == 72
        assert by_dash == played(clear / f"v{rung}" / "playlist.m3u8", "0:v:0")
    assert played(clear / "manifest.mpd", "0:a:0") == played(
        clear / "a0" / "playlist.m3u8", "0:a:0"
    )


def pixels(*arguments: str, size: tuple[int, int]) -> npt.NDArray[np.uint8]:
    """Pictures as RGB, shape (N, height, width, 3)."""
    command = [FFMPEGS[0], "-v", "error", *arguments, "-f", "rawvideo", "-pix_fmt", "rgb24", "-"]
    done = subprocess.run(command, capture_output=True, check=True, timeout=60)
    return np.frombuffer(done.stdout, np.uint8).reshape(-1, size[1], size[0], 3)


def test_each_thumbnail_shows_the_picture_of_its_time(tmp_path: Path) -> None:
    """80 s in steps of 2 s: 40 thumbnails in two images, each where thumbnails.vtt says."""
    master, out = tmp_path / "master.mkv", tmp_path / "film"
    picture = "testsrc2=size=160x90:rate=4:duration=80"
    command = [FFMPEGS[0], "-v", "error", "-f", "lavfi", "-i", picture, "-c:v", "ffv1"]
    subprocess.run([*command, str(master)], check=True, timeout=60)
    index = package(master, out, ladder="90:80", gop_s=2.0, segment_s=4.0, thumbnails=True)
    (track,) = index.images
    assert (track.count, track.columns, track.rows, track.interval_s) == (40, 4, 8, 2.0)
    film = pixels("-i", str(out / "v0" / "playlist.m3u8"), size=(160, 90))
    cues = parse_webvtt((out / "t0" / "thumbnails.vtt").read_text(), where="t").cues
    assert [cue.start_ms for cue in cues] == list(range(0, 80_000, 2_000))
    for cue in cues:
        name, _, place = cue.text.partition("#xywh=")
        x, y, width, height = map(int, place.split(","))
        image = pixels("-i", str(out / "t0" / name), size=(640, 720))[0]
        shown = image[y : y + height, x : x + width].astype(int)
        distance = np.abs(shown - film[cue.start_ms * 4 // 1000]).mean()
        assert distance < 6, f"{cue.text} differs by {distance:.1f} code values"
    assert hlsrules.check(out, ffmpegs=FFMPEGS[:1]) == []


@pytest.mark.parametrize("scheme", ["cbcs", "cenc"])
def test_encrypted_samples_decrypt_in_ffmpeg_to_the_same_frames(
    master: Path, clear: Path, tmp_path: Path, scheme: str
) -> None:
    """Every rung and the sound; without the key nothing is the same."""
    keys = KeyStore.open(tmp_path / "keys")
    out = tmp_path / "film"
    config = TranscodeConfig(
        preset="ultrafast", segment_s=2.0, gop_s=1.0, ladder="54:60,108:150",
        encrypt=scheme,  # type: ignore[arg-type]  # a table
    )  # fmt: skip
    index = asyncio.run(transcode(master, out, config, keys=keys))
    assert index.encryption is not None
    key = keys.key("film", index.encryption.kids[0]).hex()
    for program in FFMPEGS:
        for folder in ("v0", "v1", "a0"):
            expected = decoded(program, clear / folder)
            assert decoded(program, out / folder, "-decryption_key", key) == expected
            assert len(expected) > 70
    assert frames_or_none(FFMPEGS[0], out / "v1") != decoded(FFMPEGS[0], clear / "v1")
    ranges = media(out / "v1" / "iframes.m3u8").segments
    init = (out / "v1" / "init.mp4").read_bytes()
    for number, segment in enumerate(ranges):
        assert segment.byte_range is not None
        offset, length = segment.byte_range
        part = (out / "v1" / segment.uri).read_bytes()[offset : offset + length]
        alone = frames(FFMPEGS[0], "-decryption_key", key, "-i", "-", data=init + part)
        assert alone == [decoded(FFMPEGS[0], clear / "v1")[24 * number]]


def whole(folder: Path) -> bytes:
    """A track in one piece."""
    parts = [folder / "init.mp4", *sorted(folder.glob("*.m4s"))]
    return b"".join(part.read_bytes() for part in parts)


def decoded(program: str, folder: Path, *options: str) -> list[str]:
    """MD5 of each frame of a track; any complaint fails."""
    done = subprocess.run(
        [program, "-v", "warning", *options, "-i", "-", "-f", "framemd5", "-"],
        input=whole(folder),
        capture_output=True,
        check=True,
        timeout=60,
    )
    assert done.stderr == b""
    lines = [line for line in done.stdout.decode().splitlines() if line[:1] != "#"]
    return [line.split(",")[-1].strip() for line in lines]


def frames_or_none(program: str, folder: Path) -> list[str]:
    """As ``decoded``, of what may be garbage."""
    done = subprocess.run(
        [program, "-v", "quiet", "-i", "-", "-f", "framemd5", "-"],
        input=whole(folder),
        capture_output=True,
        check=False,
        timeout=60,
    )
    lines = [line for line in done.stdout.decode().splitlines() if line[:1] != "#"]
    return [line.split(",")[-1].strip() for line in lines]


HEADER = "WEBVTT\n\nSTYLE\n::cue(.red) { color: red }\n\nREGION\nid:fred\nwidth:40%\n"


def element(name: str, *parts: bytes) -> bytes:
    """One element of EBML, with a size of eight bytes."""
    body = b"".join(parts)
    return bytes.fromhex(name) + (len(body) | 1 << 56).to_bytes(8, "big") + body


def styled_matroska(pictures: list[bytes]) -> bytes:
    """Pictures at 10 a second and two cues in the form ``S_TEXT/WEBVTT``, which ffmpeg lacks."""

    def number(name: str, value: int) -> bytes:
        return element(name, value.to_bytes(4, "big"))

    def block(track: int, at_ms: int, data: bytes) -> bytes:
        return bytes((0x80 | track,)) + at_ms.to_bytes(2, "big") + b"\x80" + data

    sides = number("B0", 160), number("BA", 90)
    video = element(
        "AE", number("D7", 1), number("73C5", 1), number("83", 1),
        number("23E383", 100_000_000), element("86", b"V_MJPEG"), element("E0", *sides),
    )  # fmt: skip
    text = element(
        "AE", number("D7", 2), number("73C5", 2), number("83", 17),
        element("86", b"S_TEXT/WEBVTT"), element("63A2", HEADER.encode()),
        element("22B59C", b"ger"),
    )  # fmt: skip
    more = element("75A1", element("A6", number("EE", 1), element("A5", b"region:fred\nfirst\n")))
    cue = element("A1", block(2, 500, b"<c.red>Eins</c>\n\nzwei"))
    blocks = [element("A3", block(1, 100 * n, each)) for n, each in enumerate(pictures)]
    blocks.insert(6, element("A0", cue, number("9B", 1700), more))
    return (
        element("1A45DFA3", element("4282", b"matroska"), number("4287", 4), number("4285", 2))
        + element(
            "18538067",
            element(
                "1549A966",
                number("2AD7B1", 1_000_000), element("4D80", b"-"), element("5741", b"-"),
            ),
            element("1654AE6B", video, text),
            element("1F43B675", number("E7", 0), *blocks),
        )
    )  # fmt: skip


def test_styles_and_regions_of_webvtt_in_matroska_are_in_every_segment(tmp_path: Path) -> None:
    """mkvmerge writes a form of WebVTT that ffmpeg does not know; it is read block by block."""
    command = [FFMPEGS[0], "-v", "error", "-f", "lavfi", "-i", "testsrc=s=160x90:r=10:d=3"]
    jpegs = subprocess.run(
        [*command, "-c:v", "mjpeg", "-f", "image2pipe", "-"], check=True, capture_output=True
    ).stdout
    pictures = [b"\xff\xd8\xff" + each for each in jpegs.split(b"\xff\xd8\xff")[1:]]
    (tmp_path / "film.mkv").write_bytes(styled_matroska(pictures))
    config = TranscodeConfig(preset="ultrafast", segment_s=1.0, gop_s=1.0, ladder="54:60")
    index = asyncio.run(transcode(tmp_path / "film.mkv", tmp_path / "film", config))
    assert [(text.language, text.name) for text in index.text] == [("de", "Deutsch")]
    blocks = "\nSTYLE\n::cue(.red) { color: red }\n\nREGION\nid:fred\nwidth:40%\n"
    cue = "\nfirst\n00:00:00.500 --> 00:00:02.200 region:fred\n<c.red>Eins</c>\nzwei\n"
    head = "WEBVTT\nX-TIMESTAMP-MAP=MPEGTS:0,LOCAL:00:00:00.000\n"
    for number in range(3):
        assert (tmp_path / f"film/s0/0000{number}.vtt").read_text() == head + blocks + cue
    assert (tmp_path / "film/s0/subtitles.vtt").read_text() == f"WEBVTT\n{blocks}{cue}"
