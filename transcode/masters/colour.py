"""Colour of a master: what its tags say, what is assumed where they are silent, what comes out.

Names are ffmpeg's. The rules:

* A tag that is there is believed. Where none is, tags that are there decide (BT.2020 primaries
  mean BT.2020's matrix), then the size: BT.601 up to 576 lines and 1024 columns, in either
  orientation, and BT.709 above. RGB is BT.709.
* All rungs have one colour space, stated in full, of limited range. A master in BT.709 or BT.601
  keeps its own, and with it its transfer function when players know that: nothing is converted
  that a tag can say. Everything else of standard range becomes BT.709.
* A high dynamic range is tone-mapped to BT.709, or kept where the output is to have it.

Source: ITU-T H.273, tables 2 to 4; Apple's HLS authoring specification, items 1.21 and 1.22;
Dolby, "Dolby Vision Profiles and Levels" (profiles and their base layers' compatibility).
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Literal

from abr.errors import ConfigError, MediaError
from transcode.masters.fields import fraction, whole

DynamicRange = Literal["SDR", "PQ", "HLG"]
"""As HLS's VIDEO-RANGE names them."""
HDR_TRANSFERS: dict[str, DynamicRange] = {"smpte2084": "PQ", "arib-std-b67": "HLG"}
"""Transfer functions that need tone mapping for a standard screen."""

_SD_LINES, _SD_COLUMNS = 576, 1024
_BT601_MATRICES = frozenset({"bt470bg", "smpte170m"})
_BT601_PRIMARIES = frozenset({"bt470bg", "smpte170m"})
# H.273, table 3: one function for signals from 0 to 1.
_CAMERA_CURVES = frozenset(
    {"bt709", "smpte170m", "bt2020-10", "bt2020-12", "iec61966-2-4", "bt1361e"}
)
_OTHER_KEPT_CURVES = frozenset({"iec61966-2-1", "bt470m", "bt470bg"})
_MATRICES = frozenset(
    {"bt709", "fcc", "bt470bg", "smpte170m", "smpte240m", "ycgco", "bt2020nc", "gbr"}
)
_PRIMARIES = frozenset(
    {"bt709", "bt470m", "bt470bg", "smpte170m", "smpte240m", "film", "bt2020", "smpte428",
     "smpte431", "smpte432", "ebu3213"}
)  # fmt: skip
_TRANSFERS = _CAMERA_CURVES | _OTHER_KEPT_CURVES | {"smpte240m", "linear"} | set(HDR_TRANSFERS)
_MATRIX_OF = {
    "bt709": "bt709", "bt470bg": "bt470bg", "smpte170m": "smpte170m", "smpte240m": "smpte240m",
    "bt2020": "bt2020nc", "smpte431": "bt709", "smpte432": "bt709",
}  # fmt: skip
"""Matrix that goes with primaries."""
_TRANSFER_OF = {"bt470bg": "smpte170m", "smpte170m": "smpte170m", "smpte240m": "smpte240m",
                "bt2020": "bt2020-10"}  # fmt: skip
"""Transfer function that goes with primaries, where it is not BT.709's."""
_RGB = re.compile(r"(0|x2|a)?(rgb|bgr)|gbr|pal8|bayer|xyz|abgr")
_ALPHA = re.compile(r"yuva|v?uyva|vuya|ayuv|rgba|bgra|argb|abgr|gbra|ya\d|pal8")
_DEEP = re.compile(r"(9|10|12|14|16|30|32|36|48|64)x?(le|be)$")
_ALPHA_DECODERS = {"vp8": "libvpx", "vp9": "libvpx-vp9"}
_PEAK_NITS = 1000.0
_SILENT = frozenset({"unknown", "unspecified", "reserved", "N/A", ""})


@dataclass(frozen=True, slots=True, kw_only=True)
class Colour:
    """What code values mean, complete."""

    matrix: str
    """``gbr`` for RGB."""
    primaries: str
    transfer: str
    full_range: bool = False

    @property
    def dynamic_range(self) -> DynamicRange:
        """As HLS names it."""
        return HDR_TRANSFERS.get(self.transfer, "SDR")


@dataclass(frozen=True, slots=True, kw_only=True)
class Light:
    """What a picture of high dynamic range was graded on, and how bright it gets.

    Source: SMPTE ST 2086 (the screen); CTA-861.3, annex A (the content).
    """

    screen: tuple[float, ...] | None = None
    """Chromaticities x and y of red, green, blue and white, then the least and the most light
    in cd/m²."""
    most_nits: int = 0
    """MaxCLL: the brightest pixel of all; 0 when unknown."""
    mean_nits: int = 0
    """MaxFALL: the brightest frame's mean; 0 when unknown."""


BT709 = Colour(matrix="bt709", primaries="bt709", transfer="bt709")


@dataclass(frozen=True, slots=True, kw_only=True)
class ColourFacts:
    """What a master says of its colours, and what was made of it."""

    colour: Colour
    """Complete: what is stated, and what is assumed for the rest."""
    pixels: str = "yuv420p"
    """ffmpeg's name of the pixel format."""
    unstated: tuple[str, ...] = ()
    """Which of ``matrix``, ``primaries``, ``transfer`` and ``range`` are assumed."""
    has_alpha: bool = False
    decoder: str | None = None
    """Decoder that must be used, because ffmpeg's first choice would lose the alpha."""
    peak_nits: float = _PEAK_NITS
    """Brightest light of a master of high dynamic range, in cd/m²."""
    light: Light | None = None
    """Of a high dynamic range, when it is stated."""
    note: str | None = None
    """What the user should know, in words."""
    changes: bool = False
    """Whether pictures say other things of their colours on the way."""

    @property
    def is_deep(self) -> bool:
        """Whether samples have more than 8 bits, or need them for their dynamic range."""
        return self.colour.dynamic_range != "SDR" or _DEEP.search(self.pixels) is not None

    @property
    def is_rgb(self) -> bool:
        """Whether pixels are red, green and blue, or such a palette."""
        return is_rgb(self.pixels)


def is_rgb(pixels: str) -> bool:
    """Whether a pixel format holds red, green and blue."""
    return _RGB.match(pixels) is not None


def carries_alpha(pixels: str) -> bool:
    """Whether a pixel format has an alpha channel, or a palette with transparent entries."""
    return _ALPHA.match(pixels) is not None


def is_grey(pixels: str) -> bool:
    """Whether a pixel format has no colours: ``ya8`` has alpha, ``monow`` one bit."""
    return re.match(r"gray|ya\d|mono[bw]", pixels) is not None


def colour_facts(
    video: Mapping[str, Any],
    where: str,
    *,
    rate: Fraction | None,
    on_frames: Collection[str] | None = None,
    alpha_is_empty: bool = False,
) -> ColourFacts:
    """The colours of a video stream, as ffprobe describes it.

    Args:
        video: The stream.
        where: What messages call the file.
        rate: Frames per second; tells the two kinds of BT.601 apart.
        on_frames: Those of ffprobe's fields that decoded frames state; what the stream states
            when None.
        alpha_is_empty: Alpha was looked at, and nothing is opaque: the bytes mean something else.

    Raises:
        MediaError: the colours cannot be shown: Dolby Vision without a base layer, a log curve.
    """
    pixels = str(video.get("pix_fmt") or "yuv420p")
    note = _dolby_vision(video, where)
    stated = {name: _stated(video, field) for name, field in _FIELDS}
    carried = on_frames
    if carried is None:
        carried = [field for name, field in _FIELDS if stated[name] is not None]
    colour = (
        _complete_rgb(stated)
        if is_rgb(pixels)
        else _complete(stated, video, is_mastered=_has_light_metadata(video), rate=rate)
    )
    _check(colour, pixels, where)
    tagged_alpha = str(_tag(video, "alpha_mode")) == "1" and not alpha_is_empty
    if alpha_is_empty and note is None:
        note = "its alpha is empty everywhere; pictures are taken for opaque"
    return ColourFacts(
        colour=colour,
        pixels=pixels,
        unstated=tuple(name for name, field in _FIELDS if field not in carried),
        has_alpha=tagged_alpha or (carries_alpha(pixels) and not alpha_is_empty),
        decoder=_ALPHA_DECODERS.get(str(video.get("codec_name"))) if tagged_alpha else None,
        peak_nits=_peak_nits(video),
        light=_light(video) if colour.dynamic_range != "SDR" else None,
        note=note,
    )


_FIELDS = (
    ("matrix", "color_space"),
    ("primaries", "color_primaries"),
    ("transfer", "color_transfer"),
    ("range", "color_range"),
)


def output_colour(colour: Colour, wanted: DynamicRange = "SDR") -> Colour:
    """The one colour space of all rungs.

    Args:
        colour: The master's.
        wanted: The dynamic range to come out.

    Raises:
        ConfigError: a high dynamic range is wanted that the master does not have.
    """
    if wanted != "SDR":
        if colour.dynamic_range != wanted:
            raise ConfigError(
                f"output range {wanted}: the master is {colour.dynamic_range}; expected a master "
                f"of that range; choose SDR or {colour.dynamic_range}"
            )
        return Colour(matrix="bt2020nc", primaries="bt2020", transfer=colour.transfer)
    if colour.dynamic_range != "SDR":
        return BT709
    matrix, primaries, transfer = "bt709", "bt709", colour.transfer
    if colour.primaries in _BT601_PRIMARIES and colour.matrix in _BT601_MATRICES:
        matrix, primaries = colour.matrix, colour.primaries
    if transfer not in _OTHER_KEPT_CURVES and (transfer != "smpte170m" or primaries == "bt709"):
        transfer = "bt709"
    return Colour(matrix=matrix, primaries=primaries, transfer=transfer)


def same_curve(one: str, other: str) -> bool:
    """Whether two transfer functions are equal between black and white."""
    return one == other or (one in _CAMERA_CURVES and other in _CAMERA_CURVES)


def _stated(video: Mapping[str, Any], field: str) -> str | None:
    value = str(video.get(field) or "")
    return None if value in _SILENT else value


def _complete_rgb(stated: Mapping[str, str | None]) -> Colour:
    transfer = stated["transfer"] or "bt709"
    return Colour(
        matrix="gbr",
        primaries=stated["primaries"] or "bt709",
        # Of XYZ, ffmpeg makes RGB of BT.709 while it reads it.
        transfer="bt709" if transfer == "smpte428" else transfer,
        full_range=stated["range"] != "tv",
    )


def _complete(
    stated: Mapping[str, str | None],
    video: Mapping[str, Any],
    *,
    is_mastered: bool,
    rate: Fraction | None,
) -> Colour:
    matrix, primaries, transfer = stated["matrix"], stated["primaries"], stated["transfer"]
    pixels = str(video.get("pix_fmt"))
    full_range = stated["range"] == "pc" or (
        stated["range"] is None and (pixels.startswith("yuvj") or is_grey(pixels))
    )
    if transfer is None and is_mastered:
        transfer = "smpte2084"
    is_hdr = transfer in HDR_TRANSFERS
    if matrix == "gbr":  # a tag that the pixel format contradicts
        matrix = None
    if matrix is None:
        matrix = _MATRIX_OF.get(primaries or "")
    if matrix is None:
        matrix = "bt2020nc" if is_hdr else _matrix_by_size(video, rate)
        if matrix != "bt2020nc" and str(video.get("codec_name")) == "mjpeg":
            matrix = "bt470bg"  # JFIF 1.02: the matrix of BT.601 at any size
    if primaries is None:
        primaries = _primaries_of(matrix, rate, video, is_jpeg=full_range, is_hdr=is_hdr)
    if transfer is None:
        transfer = _TRANSFER_OF.get(primaries, "bt709")
    return Colour(matrix=matrix, primaries=primaries, transfer=transfer, full_range=full_range)


def _matrix_by_size(video: Mapping[str, Any], rate: Fraction | None) -> str:
    low, high = sorted((whole(video.get("width")), whole(video.get("height"))))
    if low > _SD_LINES or high > _SD_COLUMNS:
        return "bt709"
    return "bt470bg" if _has_625_lines(video, rate) else "smpte170m"


def _has_625_lines(video: Mapping[str, Any], rate: Fraction | None) -> bool:
    """Whether standard definition is Europe's, by its lines or by its rate."""
    if whole(video.get("height")) in (288, 576):
        return True
    return rate in (25, 50)


def _primaries_of(
    matrix: str, rate: Fraction | None, video: Mapping[str, Any], *, is_jpeg: bool, is_hdr: bool
) -> str:
    if is_hdr or matrix.startswith("bt2020"):
        return "bt2020"
    if matrix in _BT601_MATRICES and not is_jpeg:
        return "bt470bg" if _has_625_lines(video, rate) else "smpte170m"
    return "smpte240m" if matrix == "smpte240m" else "bt709"


def _check(colour: Colour, pixels: str, where: str) -> None:
    """Refuse what no filter of ffmpeg can convert exactly."""
    if colour.matrix not in _MATRICES:
        raise MediaError(
            f"{where}: colour matrix {colour.matrix} cannot be converted; expected BT.709, BT.601 "
            "or BT.2020 (not constant luminance); convert the file to one of these first"
        )
    if colour.transfer not in _TRANSFERS:
        raise MediaError(
            f"{where}: transfer function {colour.transfer} is one for grading, not for screens; "
            "expected BT.709, PQ or HLG; apply the camera's look-up table first"
        )
    if colour.primaries not in _PRIMARIES and not pixels.startswith("xyz"):
        raise MediaError(
            f"{where}: colour primaries {colour.primaries} cannot be converted; expected BT.709, "
            "BT.601, BT.2020 or P3; convert the file to one of these first"
        )


def _side_data(video: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [each for each in video.get("side_data_list") or () if isinstance(each, dict)]


def _tag(video: Mapping[str, Any], name: str) -> object:
    tags = video.get("tags") or {}
    return tags.get(name, tags.get(name.upper()))


def _has_light_metadata(video: Mapping[str, Any]) -> bool:
    return any(
        str(each.get("side_data_type")).startswith(("Mastering display", "Content light"))
        for each in _side_data(video)
    )


def _peak_nits(video: Mapping[str, Any]) -> float:
    """The brightest pixel, else the mastering screen's white, else 1000 cd/m²."""
    content = [whole(each.get("max_content")) for each in _side_data(video)]
    screen = [fraction(each.get("max_luminance")) or 0 for each in _side_data(video)]
    peak = float(max([*content, 0])) or float(max([*screen, 0])) or _PEAK_NITS
    return min(max(peak, 100.0), 10_000.0)


SCREEN_FIELDS = (
    "red_x", "red_y", "green_x", "green_y", "blue_x", "blue_y", "white_point_x", "white_point_y",
    "min_luminance", "max_luminance",
)  # fmt: skip
"""What ffprobe tells of a screen that a master was graded on."""


def _light(video: Mapping[str, Any]) -> Light | None:
    """The metadata that is stated whole and possible."""
    screen: tuple[float, ...] | None = None
    most, mean = 0, 0
    for each in _side_data(video):
        try:
            values = tuple(float(Fraction(str(each[name]))) for name in SCREEN_FIELDS)
        except (KeyError, ValueError, ZeroDivisionError):
            values = ()
        if values and all(0 < at < 1 for at in values[:8]) and 0 <= values[8] < values[9] <= 10_000:
            screen = values
        most = whole(each.get("max_content")) or most
        mean = whole(each.get("max_average")) or mean
    if max(most, mean) > 10_000 or mean > most:
        most, mean = 0, 0
    return Light(screen=screen, most_nits=most, mean_nits=mean) if screen or most else None


def _dolby_vision(video: Mapping[str, Any], where: str) -> str | None:
    """What is used of a Dolby Vision master.

    Raises:
        MediaError: its base layer is not a picture that others can show.
    """
    records = [each for each in _side_data(video) if "dv_profile" in each]
    if not records and video.get("color_space") != "ipt-c2":
        return None
    profile = whole(records[0].get("dv_profile")) if records else 5
    compatible = whole(records[0].get("dv_bl_signal_compatibility_id")) if records else 0
    # Compatibility 0: no other decoder can show the base layer. Profiles 4 and 7 predate the field.
    if compatible == 0 and profile not in (4, 7):
        raise MediaError(
            f"{where}: Dolby Vision profile {profile}: only Dolby's own decoders show its colours; "
            "expected profile 7 or 8, HDR10, HLG or BT.709; export it as one of these"
        )
    return f"Dolby Vision profile {profile}: its base layer is used, its metadata is left out"
