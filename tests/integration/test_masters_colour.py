"""Colours of masters of every kind come out right, and are stated, on every rung."""

from __future__ import annotations

import asyncio
import json
import subprocess
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from abr.errors import MediaError
from tests.colourmaths import Array, patches, rgb_of, shown_as, yuv_of
from tests.mp4boxes import dolby_vision, with_in_sample_entry
from transcode.config import TranscodeConfig
from transcode.run.ffmpegtools import Tool, candidates, find
from transcode.run.package import transcode
from transcode.run.probe import probe

FFMPEGS = [
    tool for tool in candidates("ffmpeg") if isinstance(tool, Tool) and not tool.lacks(["libx264"])
]
pytestmark = pytest.mark.skipif(not FFMPEGS, reason="no ffmpeg with libx264 was found")
COLUMNS, ROWS = 6, 4
TAGS = ("color_space", "color_primaries", "color_transfer", "color_range")
PLAIN = ("bt709", "bt709", "bt709", "tv")
EUROPE = ("bt470bg", "bt470bg", "smpte170m", "tv")
AMERICA = ("smpte170m", "smpte170m", "smpte170m", "tv")


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """A kind of master: how it is stored, what its tags say, what must come out."""

    pixels: str = "yuv420p"
    codec: str = "ffv1"
    size: tuple[int, int] = (288, 192)
    rate: int = 25
    tags: tuple[str, str, str, str] = ("", "", "", "")
    """Matrix, primaries, transfer, range as stated; empty where silent."""
    means: tuple[str, str, str, str] = PLAIN
    """The same as meant."""
    out: tuple[str, str, str, str] = PLAIN
    saturation: float = 1.0

    @property
    def bits(self) -> int:
        return next((bits for bits in (16, 12, 10) if f"{bits}le" in self.pixels), 8)

    @property
    def is_rgb(self) -> bool:
        return "rgb" in self.pixels or "gbr" in self.pixels


KINDS = {
    "untagged high definition": Kind(size=(1280, 720)),
    "untagged Europe": Kind(means=EUROPE, out=EUROPE),
    "untagged America": Kind(rate=30, means=AMERICA, out=AMERICA),
    "BT.601 in high definition": Kind(
        size=(1280, 720), tags=AMERICA, means=AMERICA, out=AMERICA
    ),
    "BT.709, small": Kind(tags=PLAIN),
    "full range": Kind(
        tags=("bt709", "bt709", "bt709", "pc"), means=("bt709", "bt709", "bt709", "pc")
    ),
    "motion JPEG": Kind(
        pixels="yuvj444p",
        codec="mjpeg",
        size=(1280, 720),
        means=("bt470bg", "bt709", "bt709", "pc"),
    ),
    "BT.601's matrix, BT.709's primaries": Kind(
        tags=("smpte170m", "bt709", "bt709", "tv"), means=("smpte170m", "bt709", "bt709", "tv")
    ),
    "RGB": Kind(pixels="rgb24", codec="qtrle", means=("gbr", "bt709", "bt709", "pc")),
    "RGB of 10 bits": Kind(pixels="gbrp10le", means=("gbr", "bt709", "bt709", "pc")),
    "sRGB": Kind(
        pixels="gbrp",
        tags=("gbr", "bt709", "iec61966-2-1", "pc"),
        means=("gbr", "bt709", "iec61966-2-1", "pc"),
        out=("bt709", "bt709", "iec61966-2-1", "tv"),
    ),
    "4:2:2 of 10 bits": Kind(pixels="yuv422p10le", tags=PLAIN),
    "4:4:4 of 12 bits": Kind(pixels="yuv444p12le", tags=PLAIN),
    "BT.2020, standard range": Kind(
        pixels="yuv420p10le",
        tags=("bt2020nc", "bt2020", "bt2020-10", "tv"),
        means=("bt2020nc", "bt2020", "bt2020-10", "tv"),
    ),
    "primaries of BT.2020 alone": Kind(
        pixels="yuv420p10le",
        tags=("", "bt2020", "", ""),
        means=("bt2020nc", "bt2020", "bt2020-10", "tv"),
        saturation=0.5,
    ),
    "Display P3": Kind(
        tags=("bt709", "smpte432", "iec61966-2-1", "tv"),
        means=("bt709", "smpte432", "iec61966-2-1", "tv"),
        out=("bt709", "bt709", "iec61966-2-1", "tv"),
    ),
    "linear light": Kind(
        pixels="yuv444p12le",
        tags=("bt709", "bt709", "linear", "tv"),
        means=("bt709", "bt709", "linear", "tv"),
    ),
    "PAL disc": Kind(
        tags=("bt470bg", "bt470bg", "bt470bg", "tv"),
        means=("bt470bg", "bt470bg", "bt470bg", "tv"),
        out=("bt470bg", "bt470bg", "bt470bg", "tv"),
    ),
    "SMPTE 240M": Kind(
        tags=("smpte240m", "smpte240m", "smpte240m", "tv"),
        means=("smpte240m", "smpte240m", "smpte240m", "tv"),
    ),
    "grey, full range": Kind(
        pixels="gray", means=("bt709", "bt709", "bt709", "pc"), saturation=0.0
    ),
    "grey, limited range": Kind(pixels="gray", tags=("", "", "", "tv"), out=EUROPE, saturation=0.0),
}  # fmt: skip


def picture(codes: Array, width: int, height: int) -> Array:
    """Patches side by side, shape (height, width, 3)."""
    row = np.arange(height) * ROWS // height
    column = np.arange(width) * COLUMNS // width
    return np.asarray(codes.reshape(ROWS, COLUMNS, -1)[row][:, column])


def write_raw(kind: Kind, codes: Array) -> bytes:
    """One picture in the memory layout of the pixel format."""
    image = picture(codes, *kind.size).astype("u1" if kind.bits == 8 else "<u2")
    if kind.pixels == "rgb24":
        return image.tobytes()
    order = (1, 2, 0) if kind.is_rgb else (0,) if kind.pixels == "gray" else (0, 1, 2)
    planes = [image[..., plane] for plane in order]
    if "420" in kind.pixels:
        planes[1:] = [plane[::2, ::2] for plane in planes[1:]]
    if "422" in kind.pixels:
        planes[1:] = [plane[:, ::2] for plane in planes[1:]]
    return b"".join(np.ascontiguousarray(plane).tobytes() for plane in planes)


def make(path: Path, kind: Kind, codes: Array, *more: str) -> Path:
    """A master of 5 pictures, lossless or nearly."""
    names = ("colorspace", "color_primaries", "color_trc", "range")
    # Of RGB, Matroska cannot say that its matrix is none.
    stated = [f"{name}={tag or 'unknown'}" for name, tag in zip(names, kind.tags, strict=True)]
    if not kind.tags[3]:
        stated.pop()
    if kind.is_rgb:
        stated = stated[1:3]
    command = [
        FFMPEGS[0].path, "-y", "-v", "error", "-f", "rawvideo", "-pix_fmt", kind.pixels,
        "-s", "{}x{}".format(*kind.size), "-r", str(kind.rate), "-i", "pipe:0",
        "-vf", "setparams=" + ":".join(stated), "-c:v", kind.codec, "-q:v", "2",
        "-strict", "unofficial", *more, str(path),
    ]  # fmt: skip
    subprocess.run(command, input=write_raw(kind, codes) * 5, check=True, timeout=60)
    return path


def package(master: Path, out: Path, **settings: str) -> list[tuple[tuple[str, ...], Array]]:
    """Every rung's tags and the colour in the middle of each patch, shape (24, 3)."""
    config = TranscodeConfig(preset="ultrafast", segment_s=2.0, verify="quick", **settings)  # type: ignore[arg-type]
    index = asyncio.run(transcode(master, out, config))
    found = []
    for track in index.video:
        whole = out / f"{track.folder}.mp4"
        whole.write_bytes(
            (out / track.folder / "init.mp4").read_bytes()
            + b"".join(path.read_bytes() for path in sorted((out / track.folder).glob("*.m4s")))
        )
        assert track.width is not None
        assert track.height is not None
        found.append((tags_of(whole), middles(whole, track.width, track.height)))
    return found


def tags_of(path: Path) -> tuple[str, ...]:
    """As ffprobe reads them."""
    entries = f"stream={','.join(TAGS)}"
    command = [find("ffprobe").path, "-v", "error", "-show_entries", entries, "-of", "json"]
    said = json.loads(subprocess.check_output([*command, str(path)]))["streams"][0]
    return tuple(said[tag] for tag in TAGS)


def middles(path: Path, width: int, height: int) -> Array:
    command = [FFMPEGS[0].path, "-v", "error", "-i", str(path), "-frames:v", "1"]
    raw = subprocess.check_output([*command, "-pix_fmt", "yuv420p", "-f", "rawvideo", "-"])
    codes = np.frombuffer(raw, dtype=np.uint8)[: width * height * 3 // 2].astype(float)
    luma, cb, cr = np.split(codes, [width * height, width * height * 5 // 4])
    planes = [luma.reshape(height, width)] + [
        np.kron(each.reshape(height // 2, width // 2), np.ones((2, 2))) for each in (cb, cr)
    ]
    rows = ((np.arange(ROWS) + 0.5) * height / ROWS).astype(int)
    columns = ((np.arange(COLUMNS) + 0.5) * width / COLUMNS).astype(int)
    return np.stack([plane[np.ix_(rows, columns)].ravel() for plane in planes], axis=-1)


@pytest.mark.parametrize("name", KINDS)
def test_colours_are_right_and_stated_on_every_rung(name: str, tmp_path: Path) -> None:
    """Within 3 code values of what the standards' own arithmetic gives."""
    kind = KINDS[name]
    matrix, primaries, transfer, extent = kind.means
    wanted = patches(saturation=kind.saturation)
    if kind.is_rgb:
        codes = np.rint(wanted * ((1 << kind.bits) - 1))
        signal = codes / ((1 << kind.bits) - 1)
    else:
        is_full = extent == "pc"
        exact = yuv_of(wanted, matrix, bits=kind.bits, full=is_full)
        codes = np.rint(exact).clip(0, (1 << kind.bits) - 1)
        signal = rgb_of(codes, matrix, bits=kind.bits, full=is_full)
    suffix = {"qtrle": "mov", "mjpeg": "avi"}.get(kind.codec, "mkv")
    master = make(tmp_path / f"master.{suffix}", kind, codes)
    rungs = package(master, tmp_path / "out", ladder=f"{kind.size[1] // 2}:900,{kind.size[1]}:6000")
    light = shown_as(signal, primaries=(primaries, kind.out[1]), transfers=(transfer, kind.out[2]))
    for tags, colours in rungs:
        assert tags == kind.out
        assert np.abs(colours - yuv_of(light, kind.out[0])).max() <= 3


def with_alpha(name: str, encoder: list[str], codes: Array, folder: Path) -> Path:
    """A master of 24 colours with alpha."""
    bt709 = "scale=out_color_matrix=bt709:out_range=tv:flags=accurate_rnd+full_chroma_int"
    tags = "setparams=colorspace=bt709:color_primaries=bt709:color_trc=bt709:range=tv"
    pixels = encoder[encoder.index("-pix_fmt") + 1]
    convert = (
        () if pixels in ("argb", "rgba", "bgra") else ("-vf", f"{bt709},format={pixels},{tags}")
    )
    raw = picture(codes, 288, 192).astype("u1").tobytes()
    command = [
        FFMPEGS[0].path, "-y", "-v", "error", "-f", "rawvideo", "-pix_fmt", "rgba",
        "-s", "288x192", "-r", "25", "-i", "pipe:0", *convert, *encoder, str(folder / name),
    ]  # fmt: skip
    subprocess.run(command, input=raw * 5, check=True, timeout=60)
    return folder / name


SEE_THROUGH: dict[str, tuple[str, list[str]]] = {
    "QuickTime animation": ("m.mov", ["-c:v", "qtrle", "-pix_fmt", "argb"]),
    "PNG": ("m.mkv", ["-c:v", "png", "-pix_fmt", "rgba"]),
    "ProRes 4444": (
        "m.mov", ["-c:v", "prores_ks", "-profile:v", "4444", "-pix_fmt", "yuva444p10le"]
    ),
    "VP9": (
        "m.webm", ["-c:v", "libvpx-vp9", "-b:v", "4M", "-cpu-used", "8", "-pix_fmt", "yuva420p"]
    ),
    "VP8": (
        "m.webm",
        ["-c:v", "libvpx", "-b:v", "4M", "-auto-alt-ref", "0", "-pix_fmt", "yuva420p"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", SEE_THROUGH)
def test_what_is_transparent_shows_the_background(name: str, tmp_path: Path) -> None:
    """Black, or the colour asked for; also where only the container tells of alpha."""
    if FFMPEGS[0].lacks(["libvpx-vp9", "libvpx", "png"]):
        pytest.skip("this ffmpeg has no libvpx or PNG")
    opacity = np.tile([0.0, 0.25, 0.5, 1.0], COLUMNS)[:, None]
    codes = np.rint(np.concatenate([patches(), opacity], axis=1) * 255)
    master = with_alpha(*SEE_THROUGH[name], codes, tmp_path)
    colour, alpha = codes[:, :3] / 255, codes[:, 3:] / 255
    for background, behind in (("black", (0, 0, 0)), ("#c08040", (0xC0, 0x80, 0x40))):
        wanted = alpha * colour + (1 - alpha) * np.array(behind) / 255
        out = tmp_path / background.strip("#")
        for tags, colours in package(master, out, ladder="96:900,192:6000", background=background):
            assert tags == PLAIN
            assert np.abs(colours - yuv_of(wanted, "bt709")).max() <= 3
        if name != "ProRes 4444":
            break


def test_a_fourth_byte_that_is_filling_hides_nothing(tmp_path: Path) -> None:
    """Uncompressed AVI has 32 bits for red, green and blue; ffmpeg takes the rest for alpha."""
    codes = np.rint(np.concatenate([patches(), np.zeros((24, 1))], axis=1) * 255)
    master = with_alpha("m.avi", ["-c:v", "rawvideo", "-pix_fmt", "bgra"], codes, tmp_path)
    (note,) = asyncio.run(probe(master)).notes
    assert "alpha is empty everywhere" in str(note)
    for _, colours in package(master, tmp_path / "out", ladder="192:6000"):
        assert np.abs(colours - yuv_of(codes[:, :3] / 255, "bt709")).max() <= 3


def greys_in_pq(path: Path, nits: Array, *tags: str) -> Path:
    """A master of grey fields of so many cd/m² (BT.2100's PQ)."""
    power = (nits / 10_000) ** 0.1593017578125
    signal = ((0.8359375 + 18.8515625 * power) / (1 + 18.6875 * power)) ** 78.84375
    kind = Kind(pixels="yuv420p10le", tags=tags)  # type: ignore[arg-type]  # four of them
    codes = np.rint(yuv_of(np.repeat(signal[:, None], 3, axis=1), "bt2020nc", bits=10))
    return make(path, kind, codes)


def test_light_is_rolled_off_the_same_whatever_tags_are_missing(tmp_path: Path) -> None:
    """Hable's curve up to 1000 cd/m², white above; the transfer function's tag is enough."""
    if FFMPEGS[0].lacks(["zscale"]):
        pytest.skip("this ffmpeg has no zscale")
    nits = np.geomspace(1, 4000, 24)
    full = ("bt2020nc", "bt2020", "smpte2084", "tv")
    found = [
        package(greys_in_pq(tmp_path / f"{name}.mkv", nits, *tags), tmp_path / name)
        for name, tags in (("full", full), ("partial", ("", "", "smpte2084", "")))
    ]

    def hable(light: Array) -> Array:
        top, below = 0.15 * light**2 + 0.05 * light + 0.004, 0.15 * light**2 + 0.5 * light + 0.06
        return np.asarray(top / below - 0.02 / 0.3)

    light = hable(nits / 100) / hable(np.array(10.0))
    wanted = shown_as(light, primaries=("bt709", "bt709"), transfers=("linear", "bt1886"))
    for rungs in found:
        for tags, colours in rungs:
            assert tags == PLAIN
            assert np.abs(colours[:, 1:] - 128).max() <= 1
            assert np.abs(colours[:, 0] - (16 + 219 * wanted)).max() <= 3
    assert np.abs(found[0][0][1] - found[1][0][1]).max() <= 1


@pytest.mark.parametrize("profile", [5, 8])
def test_dolby_vision_is_named(profile: int, tmp_path: Path) -> None:
    """Refused where nobody else can show it; else its base layer is used, with a note."""
    plain = make(tmp_path / "plain.mp4", Kind(codec="libx264"), yuv_of(patches(), "bt709"))
    master = tmp_path / "dolby.mp4"
    record = dolby_vision(profile, 0 if profile == 5 else 1)
    master.write_bytes(with_in_sample_entry(plain.read_bytes(), record))
    if profile == 5:
        with pytest.raises(MediaError, match=r"dolby\.mp4: Dolby Vision profile 5: .*export it as"):
            asyncio.run(probe(master))
    else:
        (note,) = asyncio.run(probe(master)).notes
        assert "Dolby Vision profile 8: its base layer is used" in str(note)
