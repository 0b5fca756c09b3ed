"""Filters that convert colours, before pictures are split into rungs.

What was measured on patches of 24 colours: ffmpeg's ``colorspace`` is exact to half a code value
and takes 1 ms for a picture of 1920x1080 where only matrix or range change, 15 ms where
primaries do. ``scale`` is off by up to 2.6, and as exact only at 25 ms; ``zscale`` takes 4 to
9 ms and shifts transfer functions by its own idea of a screen. So ``colorspace`` does all that
it can; ``zscale`` and ``tonemap`` what is of high dynamic range.

Filters read what frames say of themselves, because that may change in mid-file; only what they do
not say is filled in.
"""

from __future__ import annotations

from typing import Any

from transcode.masters.colour import Colour, ColourFacts, is_grey, same_curve

Step = tuple[str, dict[str, Any]]
"""A filter and its options."""
TONEMAP_NEEDS = ("zscale", "tonemap")
"""Filters that a master of high dynamic range needs."""
CHANGE_NEEDS = ("zscale",)
"""Filters that a master needs whose colours change on the way."""
_JPEG_FORMATS = {"yuvj420p": "yuv420p", "yuvj422p": "yuv422p", "yuvj444p": "yuv444p"}


def fill_tags(facts: ColourFacts) -> list[Step]:
    """State on each frame what the master does not."""
    colour = facts.colour
    values = {
        "matrix": ("colorspace", colour.matrix),
        "primaries": ("color_primaries", colour.primaries),
        "transfer": ("color_trc", colour.transfer),
        "range": ("range", _range(colour)),
    }
    if facts.is_rgb:
        del values["matrix"]
    options = dict(value for name, value in values.items() if name in facts.unstated)
    return [("setparams", options)] if options else []


def state(colour: Colour) -> list[Step]:
    """State on each frame what the output is; encoders write it into their headers.

    Nothing else stays on the frames: of a tone-mapped picture the light of its master would be
    wrong, Dolby Vision's metadata of a converted one, and captions are not listed anywhere.
    """
    return [
        ("sidedata", {"mode": "delete"}),
        (
            "setparams",
            {
                "range": _range(colour),
                "colorspace": colour.matrix,
                "color_primaries": colour.primaries,
                "color_trc": colour.transfer,
            },
        ),
    ]


def convert(facts: ColourFacts, target: Colour) -> list[Step]:
    """From the master's colours to ``target``; nothing where they are the same.

    RGB, and what has alpha, must have gone through ``flatten`` or has none to lose. What comes
    out is planar YCbCr, of any depth and sampling.
    """
    colour = facts.colour
    if colour.dynamic_range != "SDR":
        return [] if colour.dynamic_range == target.dynamic_range else _tone_map(facts)
    if facts.is_rgb or facts.has_alpha:
        return _from_rgb(colour, target)
    if is_grey(facts.pixels):
        return _from_gray(colour, target)
    if facts.changes:
        return [_colorspace(target)]
    if _differs(colour, target) or colour.full_range:
        return [*_plain_format(facts.pixels), _colorspace(target)]
    return []


def steady(facts: ColourFacts, size: tuple[int, int]) -> list[Step]:
    """Bring pictures that change on the way to one size and format, in limited range.

    ``scale`` takes limited pictures that follow full ones for full, and stops when the matrix
    changes; ``colorspace`` stops when the format changes.

    Args:
        facts: Of the first pictures.
        size: Width and height; (0, 0) where all have one.
    """
    plain = _JPEG_FORMATS.get(facts.pixels, facts.pixels)
    form = plain if plain.startswith(("yuv420p", "yuv422p", "yuv444p")) else "yuv444p10"
    width, height = size
    sized = {"width": width, "height": height} if width else {}
    return [("zscale", {**sized, "range": "tv"}), ("format", {"pix_fmts": form})]


def flatten(background: str) -> tuple[list[Step], Step, list[Step]]:
    """Put pictures with alpha over a background, in RGB.

    Returns:
        Filters before the picture is taken twice; the one that makes the background of the
        second; filters after both are joined, background first.
    """
    before: list[Step] = [("scale", {"out_range": "pc"}), ("format", {"pix_fmts": "gbrap"})]
    fill: Step = ("drawbox", {"color": background, "t": "fill", "replace": 1})
    return before, fill, [("overlay", {"format": "gbrp"})]


def _differs(colour: Colour, target: Colour) -> bool:
    kin = ({"bt470bg", "smpte170m"}, {colour.matrix, target.matrix})
    return (
        (colour.matrix != target.matrix and not kin[1] <= kin[0])
        or colour.primaries != target.primaries
        or not same_curve(colour.transfer, target.transfer)
    )


def _plain_format(pixels: str) -> list[Step]:
    """Formats that say by their name that the range is full go on saying so after it is not."""
    if pixels not in _JPEG_FORMATS:
        return []
    return [("scale", {"out_range": "pc"}), ("format", {"pix_fmts": _JPEG_FORMATS[pixels]})]


def _colorspace(target: Colour) -> Step:
    options = {
        "space": target.matrix,
        "primaries": target.primaries,
        "trc": target.transfer,
        "range": _range(target),
        # Else colours outside the gamut turn into others by up to 35 code values.
        "clipgamut": "rgb",
    }
    return "colorspace", options


def _from_rgb(colour: Colour, target: Colour) -> list[Step]:
    exact = "accurate_rnd+full_chroma_int"
    if colour.primaries == target.primaries and same_curve(colour.transfer, target.transfer):
        options = {"out_color_matrix": target.matrix, "out_range": "tv", "flags": exact}
        return [("scale", options), ("format", {"pix_fmts": "yuv444p|yuv444p10"})]
    options = {"out_color_matrix": "bt709", "out_range": "tv", "flags": exact}
    return [("scale", options), ("format", {"pix_fmts": "yuv444p10"}), _colorspace(target)]


def _from_gray(colour: Colour, target: Colour) -> list[Step]:
    if colour.full_range:
        options = {"out_color_matrix": target.matrix, "out_range": "tv"}
        return [("scale", options), ("format", {"pix_fmts": "yuv420p|yuv420p10"})]
    # swscale takes all gray for full range: as full range it goes through unchanged.
    return [
        ("setparams", {"range": "pc"}),
        ("scale", {"out_color_matrix": target.matrix, "out_range": "pc"}),
        ("format", {"pix_fmts": "yuv420p|yuv420p10"}),
        ("setparams", {"range": "tv"}),
    ]


def _tone_map(facts: ColourFacts) -> list[Step]:
    """To BT.709; 100 cd/m² is white before the curve rolls bright light off."""
    return [
        ("zscale", {"transfer": "linear", "npl": 100}),
        ("format", {"pix_fmts": "gbrpf32le"}),
        ("zscale", {"primaries": "bt709"}),
        ("tonemap", {"tonemap": "hable", "desat": 0, "peak": round(facts.peak_nits / 100, 4)}),
        ("zscale", {"transfer": "bt709"}),
        # In whole numbers of RGB, what is too bright or outside the gamut is clipped.
        ("format", {"pix_fmts": "gbrp10le"}),
        ("zscale", {"matrix": "bt709", "range": "tv"}),
        ("format", {"pix_fmts": "yuv444p"}),
    ]


def _range(colour: Colour) -> str:
    return "pc" if colour.full_range else "tv"
