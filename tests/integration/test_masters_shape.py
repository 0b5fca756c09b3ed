"""Fields become whole pictures, and pictures come out upright, uncropped edges and all."""

from __future__ import annotations

import asyncio
import subprocess
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.mp4boxes import clean_aperture, with_in_sample_entry
from transcode.config import TranscodeConfig
from transcode.packaging.index import PresentationIndex
from transcode.run.ffmpegtools import Tool, candidates
from transcode.run.package import transcode
from transcode.run.probe import probe

Pictures = NDArray[np.uint8]
FFMPEGS = [
    tool for tool in candidates("ffmpeg") if isinstance(tool, Tool) and not tool.lacks(["libx264"])
]
pytestmark = pytest.mark.skipif(not FFMPEGS, reason="no ffmpeg with libx264 was found")
WIDE, HIGH = 320, 192
FLAGS = ("-flags", "+ilme+ildct", "-x264-params", "tff=1")
SHARP = ("-c:v", "libx264", "-preset", "ultrafast", "-qp", "4")


def bars(count: int, *, speed: float, high: int = HIGH, wide: int = WIDE) -> Pictures:
    """Grey columns that move sideways; in each picture all lines are the same.

    So every difference between lines of one picture is a difference in time.
    """
    column = np.arange(wide)[None, :] - speed * np.arange(count)[:, None]
    lit = 128 + 60 * np.sin(column / 5) + 40 * np.sin(column / 13)
    return np.repeat(lit.astype(np.uint8)[:, None, :], high, axis=1)


def woven(moments: Pictures, *, top_first: bool) -> Pictures:
    """Two moments in each picture, one a field."""
    pictures = moments[0::2].copy()
    first, second = (0, 1) if top_first else (1, 0)
    pictures[:, first::2] = moments[0::2, first::2]
    pictures[:, second::2] = moments[1::2, second::2]
    return pictures


def pulled_down(film: Pictures) -> Pictures:
    """Five pictures for every four of a film: fields in the order 2, 3, 2, 3."""
    fields = [picture for at, picture in enumerate(film) for _ in range(3 if at % 2 else 2)]
    pictures = []
    for top, bottom in zip(fields[0::2], fields[1::2], strict=False):
        picture = top.copy()
        picture[1::2] = bottom[1::2]
        pictures.append(picture)
    return np.stack(pictures)


def write(path: Path, pictures: Pictures, rate: str, *options: str) -> Path:
    """A master of grey pictures."""
    _, high, wide = pictures.shape
    command = [
        FFMPEGS[0].path, "-y", "-v", "error", "-f", "rawvideo", "-pix_fmt", "gray",
        "-color_range", "tv", "-s", f"{wide}x{high}", "-r", rate, "-i", "pipe:0",
        # Marked as full on both sides, codes go through as they are.
        "-vf", "setparams=range=pc,scale=out_range=pc,format=yuv420p,setparams=range=tv",
        *options, str(path),
    ]  # fmt: skip
    subprocess.run(command, input=pictures.tobytes(), check=True, timeout=60)
    return path


def package(master: Path, out: Path, **settings: Any) -> PresentationIndex:
    config = TranscodeConfig(**{"preset": "ultrafast", "verify": "quick", **settings})
    return asyncio.run(transcode(master, out, config))


def top_rung(index: PresentationIndex, out: Path, pixels: str = "gray") -> Pictures:
    """Decoded pictures of the highest rung, shape (pictures, lines, columns[, colours])."""
    track = index.video[-1]
    folder = out / track.folder
    raw = (folder / "init.mp4").read_bytes()
    raw += b"".join(path.read_bytes() for path in sorted(folder.glob("*.m4s")))
    luma = ("-vf", "extractplanes=y") if pixels == "gray" else ()
    command = [FFMPEGS[0].path, "-v", "error", "-i", "pipe:0", *luma, "-pix_fmt", pixels]
    done = subprocess.run(
        [*command, "-f", "rawvideo", "-"], input=raw, capture_output=True, check=True, timeout=60
    )
    codes = np.frombuffer(done.stdout, dtype=np.uint8)
    assert track.width is not None
    assert track.height is not None
    shape = (-1, track.height, track.width) + ((3,) if pixels == "rgb24" else ())
    return codes.reshape(shape)


def combs(pictures: Pictures) -> float:
    """Mean difference of a line from the mean of its neighbours, in code values."""
    lines = pictures[2:-2].astype(int)  # deinterlacers guess at both ends
    return float(np.abs(lines[:, :-2] + lines[:, 2:] - 2 * lines[:, 1:-1]).mean() / 2)


INTERLACED: dict[str, tuple[bool, tuple[str, ...], str, tuple[int, int]]] = {
    # top field first, encoder, suffix, width and height
    "flagged": (
        True,
        (*SHARP, "-flags", "+ilme+ildct", "-x264-params", "tff=1"),
        "mp4",
        (WIDE, HIGH),
    ),
    "flagged as progressive": (True, SHARP, "mp4", (WIDE, HIGH)),
    "the other field first": (False, SHARP, "mp4", (WIDE, HIGH)),
    "MPEG-2": (
        False,
        ("-c:v", "mpeg2video", "-q:v", "1", "-flags", "+ilme+ildct"),
        "mpg",
        (WIDE, HIGH),
    ),
    "DV": (False, ("-c:v", "dvvideo"), "avi", (720, 576)),
}


@pytest.mark.parametrize("name", INTERLACED)
def test_no_picture_is_combed(name: str, tmp_path: Path) -> None:
    """Whatever the flags say, fields of two moments never share a picture; the rate is kept."""
    top_first, encoder, suffix, (wide, high) = INTERLACED[name]
    moments = bars(32, speed=3, wide=wide, high=high)
    fields = woven(moments, top_first=top_first)
    master = write(tmp_path / f"m.{suffix}", fields, "25", *encoder)
    index = package(master, tmp_path / "out", ladder="192:3000,576:9000"[: 8 if high < 576 else 99])
    assert index.video[-1].frame_rate == 25
    found = top_rung(index, tmp_path / "out")
    assert len(found) == 16
    assert combs(fields) > 12
    assert combs(found) < 1.5


@pytest.mark.parametrize("flags", [(), FLAGS])
def test_whole_pictures_stay_whole(flags: tuple[str, ...], tmp_path: Path) -> None:
    """Pictures of one moment each, flagged as fields or not: no line is interpolated."""
    moving = bars(24, speed=4).astype(int)
    # Lines as fine as can be, at rest: a deinterlacer that trusts flags smears what moves.
    moving[:, ::2] -= 5
    moving[:, 1::2] += 5
    pictures = moving.clip(0, 255).astype(np.uint8)
    master = write(tmp_path / "m.mp4", pictures, "25", *SHARP, *flags)
    assert asyncio.run(probe(master)).scan.kind == "progressive"
    index = package(master, tmp_path / "out", ladder="192:9000")
    found = top_rung(index, tmp_path / "out").astype(int)
    assert np.abs(found - pictures).mean() < 3


def test_a_telecined_film_gets_its_own_pictures_back(tmp_path: Path) -> None:
    """24 pictures a second out of 30, each whole, none twice and none missing."""
    film = bars(40, speed=6)
    master = write(tmp_path / "m.mp4", pulled_down(film), "30000/1001", *SHARP)
    index = package(master, tmp_path / "out", ladder="192:4000")
    assert index.video[-1].frame_rate == pytest.approx(float(Fraction(24000, 1001)))
    found = top_rung(index, tmp_path / "out").astype(int)
    assert len(found) == 40
    assert combs(found.astype(np.uint8)) < 1.5
    nearest = [
        int(np.abs(film.astype(int) - picture).mean(axis=(1, 2)).argmin()) for picture in found
    ]
    assert np.diff(nearest[1:-2]).tolist() == [1] * 36


QUARTERS = ((200, 40, 40), (40, 200, 40), (40, 40, 200), (200, 200, 40))


def quarters(path: Path, *options: str) -> Path:
    """A master of 320x192: red and green above blue and yellow."""
    image = np.zeros((HIGH, WIDE, 3), dtype=np.uint8)
    for at, colour in enumerate(QUARTERS):
        top, left = at // 2 * HIGH // 2, at % 2 * WIDE // 2
        image[top : top + HIGH // 2, left : left + WIDE // 2] = colour
    command = [
        FFMPEGS[0].path, "-y", "-v", "error", "-f", "rawvideo", "-pix_fmt", "rgb24",
        "-s", f"{WIDE}x{HIGH}", "-r", "25", "-i", "pipe:0", *SHARP,
        "-vf", "scale=out_color_matrix=smpte170m,format=yuv420p", *options, str(path),
    ]  # fmt: skip
    subprocess.run(command, input=image.tobytes() * 5, check=True, timeout=60)
    return path


def remuxed(source: Path, target: Path, before: tuple[str, ...], *after: str) -> Path:
    command = [FFMPEGS[0].path, "-y", "-v", "error", *before, "-i", str(source), "-c", "copy"]
    subprocess.run([*command, *after, str(target)], check=True, timeout=60)
    return target


def seen_quarters(index: PresentationIndex, out: Path) -> list[int]:
    """Which of ``QUARTERS`` stand where, row by row."""
    picture = top_rung(index, out, "rgb24")[1].astype(int)
    high, wide = picture.shape[:2]
    places = [(y, x) for y in (high // 4, high * 3 // 4) for x in (wide // 4, wide * 3 // 4)]
    return [
        int(np.abs(np.array(QUARTERS) - picture[place]).sum(axis=1).argmin()) for place in places
    ]


TURNS: dict[str, tuple[tuple[str, ...], tuple[str, ...], list[int], tuple[int, int]]] = {
    # options before and after the input, quarters row by row, size
    "a quarter left": (("-display_rotation", "90"), (), [1, 3, 0, 2], (HIGH, WIDE)),
    "a quarter right": (("-display_rotation", "-90"), (), [2, 0, 3, 1], (HIGH, WIDE)),
    "upside down": (("-display_rotation", "180"), (), [3, 2, 1, 0], (WIDE, HIGH)),
    "mirrored": (("-display_hflip",), (), [1, 0, 3, 2], (WIDE, HIGH)),
    "by H.264 itself": (
        (), ("-bsf:v", "h264_metadata=display_orientation=insert:rotate=90"), [1, 3, 0, 2],
        (HIGH, WIDE),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", TURNS)
def test_pictures_come_out_upright(name: str, tmp_path: Path) -> None:
    """Turned and mirrored as asked for, by the container or in the stream."""
    before, after, expected, size = TURNS[name]
    plain = quarters(tmp_path / "plain.mp4")
    master = remuxed(plain, tmp_path / "m.mp4", before, *after)
    index = package(master, tmp_path / "out", ladder="192:3000")
    assert (index.video[-1].width, index.video[-1].height) == size
    assert seen_quarters(index, tmp_path / "out") == expected


def test_what_the_container_crops_is_not_shown(tmp_path: Path) -> None:
    """A clean aperture of the right lower part: 200x120 of 320x192, without the first columns."""
    plain = quarters(tmp_path / "plain.mp4")
    master = tmp_path / "m.mp4"
    # The middle is 60 to the right and 36 down: columns 120 to 319, lines 72 to 191.
    cut = clean_aperture(200, 120, right=60, down=36)
    master.write_bytes(with_in_sample_entry(plain.read_bytes(), cut))
    index = package(master, tmp_path / "out", ladder="112:3000")
    assert (index.video[-1].width, index.video[-1].height) == (186, 112)
    picture = top_rung(index, tmp_path / "out", "rgb24")[1].astype(int)
    # The red quarter ends at column 160, that is 40 of 200 into the picture, and line 24 of 120.
    for place, quarter in (((10, 10), 0), ((10, 60), 1), ((60, 10), 2), ((60, 60), 3)):
        assert np.abs(picture[place] - QUARTERS[quarter]).max() < 12


@pytest.mark.parametrize(
    ("aspect", "size", "noted"),
    [
        ("16/11", (464, 192), False),
        ("8/9", (320, 216), False),
        ("0/1", (320, 192), False),
        ("100/1", (320, 192), True),
    ],
)
def test_pixels_are_square(aspect: str, size: tuple[int, int], noted: bool, tmp_path: Path) -> None:
    """320x192 of wide or narrow pixels; impossible ones are taken for square, with a note."""
    master = quarters(tmp_path / "m.mkv", "-vf", f"format=yuv420p,setsar={aspect}")
    facts = asyncio.run(probe(master))
    assert (2 * round(facts.width / 2), facts.height) == size
    assert any("taken for square" in str(note) for note in facts.notes) == noted
    index = package(master, tmp_path / "out")
    assert (index.video[-1].width, index.video[-1].height) == size


@pytest.mark.parametrize("size", [(320, 1), (1, 90), (400, 80), (90, 160), (33, 31)])
def test_any_shape_comes_out_whole(size: tuple[int, int], tmp_path: Path) -> None:
    """Even numbers within a pixel of the master's, at least 2."""
    if FFMPEGS[0].lacks(["png"]):
        pytest.skip("this ffmpeg has no PNG")
    wide, high = size
    path = tmp_path / "m.mkv"
    source = f"testsrc2=size={max(wide, 2)}x{max(high, 2)}:rate=25:duration=0.4,scale={wide}:{high}"
    command = [FFMPEGS[0].path, "-y", "-v", "error", "-f", "lavfi", "-i", source]
    subprocess.run([*command, "-c:v", "png", str(path)], check=True)
    index = package(path, tmp_path / "out")
    for track in index.video:
        assert track.width is not None
        assert track.height is not None
    top = index.video[-1]
    assert (top.width, top.height) == tuple(max(2, side - side % 2) for side in size)
