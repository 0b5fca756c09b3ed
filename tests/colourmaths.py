"""Colour arithmetic from the standards' own figures, to judge what comes out of ffmpeg.

Nothing here is shared with the code under test. Signals are arrays (..., 3) of 0 to 1.

Source: ITU-R BT.601-7, BT.709-6, BT.2020-2, BT.2100-2; SMPTE ST 240, ST 428-1, RP 431-2, EG
432-1; IEC 61966-2-1; ITU-T H.273, tables 2 to 4.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

# H.273, table 4: weights of red and blue in luma.
LUMA = {
    "bt709": (0.2126, 0.0722),
    "bt470bg": (0.299, 0.114),
    "smpte170m": (0.299, 0.114),
    "smpte240m": (0.212, 0.087),
    "fcc": (0.30, 0.11),
    "bt2020nc": (0.2627, 0.0593),
}
# H.273, table 2: x and y of red, green, blue and white.
_D65 = (0.3127, 0.3290)
PRIMARIES = {
    "bt709": ((0.640, 0.330), (0.300, 0.600), (0.150, 0.060), _D65),
    "bt470bg": ((0.640, 0.330), (0.290, 0.600), (0.150, 0.060), _D65),
    "smpte170m": ((0.630, 0.340), (0.310, 0.595), (0.155, 0.070), _D65),
    "smpte240m": ((0.630, 0.340), (0.310, 0.595), (0.155, 0.070), _D65),
    "bt2020": ((0.708, 0.292), (0.170, 0.797), (0.131, 0.046), _D65),
    "smpte432": ((0.680, 0.320), (0.265, 0.690), (0.150, 0.060), _D65),
}


# H.273, table 3.
_CAMERA = frozenset({"bt709", "smpte170m", "bt2020-10", "bt2020-12"})
# BT.1886 is a screen's, to which light of a tone-mapped picture is brought.
_POWERS = {"bt470m": 2.2, "bt470bg": 2.8, "linear": 1.0, "bt1886": 2.4}


def to_linear(signal: Array, transfer: str) -> Array:
    """Light of a signal; for the camera curves the inverse of the stated function."""
    if transfer in _CAMERA:
        curve = ((signal + 0.0992968) / 1.0992968) ** (1 / 0.45)
        return np.where(signal < 0.081242858, signal / 4.5, curve)
    if transfer == "smpte240m":
        return np.where(signal < 0.0912, signal / 4, ((signal + 0.1115) / 1.1115) ** (1 / 0.45))
    if transfer == "iec61966-2-1":
        return np.where(signal <= 0.04045, signal / 12.92, ((signal + 0.055) / 1.055) ** 2.4)
    return np.asarray(signal ** _POWERS[transfer])


def to_signal(light: Array, transfer: str) -> Array:
    """The inverse of ``to_linear``."""
    if transfer in _CAMERA:
        return np.where(light < 0.0180540, 4.5 * light, 1.0992968 * light**0.45 - 0.0992968)
    if transfer == "iec61966-2-1":
        return np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)
    return np.asarray(light ** (1 / _POWERS[transfer]))


def xyz_matrix(primaries: str) -> Array:
    """Linear RGB to CIE XYZ."""
    points = np.array(PRIMARIES[primaries])
    columns = np.stack(
        [points[:, 0] / points[:, 1], np.ones(4), (1 - points.sum(1)) / points[:, 1]]
    )
    scale = np.linalg.solve(columns[:, :3], columns[:, 3])
    return columns[:, :3] * scale


def yuv_of(rgb: Array, matrix: str, *, bits: int = 8, full: bool = False) -> Array:
    """Code values Y, Cb, Cr of a signal, not rounded."""
    red, blue = LUMA[matrix]
    luma = rgb @ np.array([red, 1 - red - blue, blue])
    cb = (rgb[..., 2] - luma) / (2 * (1 - blue))
    cr = (rgb[..., 0] - luma) / (2 * (1 - red))
    half, unit = 128 << (bits - 8), 1 << (bits - 8)
    if full:
        most = (1 << bits) - 1
        return np.stack([luma * most, cb * most + half, cr * most + half], axis=-1)
    return np.stack(
        [16 * unit + 219 * unit * luma, half + 224 * unit * cb, half + 224 * unit * cr], axis=-1
    )


def rgb_of(yuv: Array, matrix: str, *, bits: int = 8, full: bool = False) -> Array:
    """The signal of code values."""
    red, blue = LUMA[matrix]
    half, unit = 128 << (bits - 8), 1 << (bits - 8)
    if full:
        most = (1 << bits) - 1
        luma, cb, cr = yuv[..., 0] / most, (yuv[..., 1] - half) / most, (yuv[..., 2] - half) / most
    else:
        luma = (yuv[..., 0] - 16 * unit) / (219 * unit)
        cb, cr = ((yuv[..., each] - half) / (224 * unit) for each in (1, 2))
    r, b = luma + 2 * (1 - red) * cr, luma + 2 * (1 - blue) * cb
    return np.stack([r, (luma - red * r - blue * b) / (1 - red - blue), b], axis=-1)


def shown_as(signal: Array, *, primaries: tuple[str, str], transfers: tuple[str, str]) -> Array:
    """A signal in other primaries and another transfer function, each as (from, to).

    What lies outside the gamut is clipped.
    """
    light = to_linear(np.clip(signal, 0, 1), transfers[0])
    if primaries[0] != primaries[1]:
        light = light @ (np.linalg.inv(xyz_matrix(primaries[1])) @ xyz_matrix(primaries[0])).T
    return to_signal(np.clip(light, 0, 1), transfers[1])


def patches(*, saturation: float = 1.0) -> Array:
    """24 colours as signals: greys, primaries and mixtures, shape (24, 3)."""
    rng = np.random.default_rng(7)
    fixed = [(v, v, v) for v in (0.02, 0.25, 0.5, 0.75, 1.0)]
    fixed += [(r, g, b) for r in (0.1, 0.9) for g in (0.1, 0.9) for b in (0.1, 0.9)]
    mixed: Any = rng.uniform(0.05, 0.95, (24 - len(fixed), 3))
    colours = np.concatenate([np.array(fixed), mixed])
    grey = colours.mean(axis=1, keepdims=True)
    return np.asarray(grey + saturation * (colours - grey))
