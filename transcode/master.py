"""Facts about a master that decide how it is encoded.

Only this module reads ffprobe's JSON; no process is run. Sizes are as displayed: square
pixels, rotation applied.

Source: ffprobe's documentation, "writers: json"; ISO/IEC 14496-12, 6.2.2 for the rotation
that a display matrix asks for.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from abr.errors import MediaError

STANDARD_RATES = tuple(
    Fraction(*pair)
    for pair in (
        (24000, 1001), (24, 1), (25, 1), (30000, 1001), (30, 1), (48, 1), (50, 1),
        (60000, 1001), (60, 1),
    )
)  # fmt: skip
"""Frame rates in use, in frames per second."""
HDR_TRANSFERS = frozenset({"smpte2084", "arib-std-b67"})
"""Transfer functions that need tone mapping for a standard screen."""
_INTERLACED = frozenset({"tt", "bb", "tb", "bt"})
EXPECTED = "expected a video file"


@dataclass(frozen=True, slots=True, kw_only=True)
class AudioFacts:
    """The audio track that is used."""

    index: int
    """Number of the stream in the file."""
    channels: int
    language: str | None = None
    """As tagged; None when undetermined."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Master:
    """A master file, as far as encoding depends on it."""

    name: str
    """File name without its folder."""
    where: str
    """Path of the file as the user gave it, for messages."""
    index: int
    """Number of the video stream in the file."""
    codec: str
    width: int
    """Pixels as displayed, before rounding to even numbers."""
    height: int
    frame_rate: Fraction
    """Frames per second after making the rate constant."""
    duration_s: float
    """Of the video; 0 when the file does not say."""
    frames: int
    """Frames that the file holds; 0 when not counted."""
    lead_s: float = 0.0
    """Seconds from the start of the file to the first picture, which is shown that long."""
    declared_frames: int = 0
    """Frames that the file's header promises; 0 when it does not say."""
    is_variable: bool = False
    """Whether frames come at a rate that varies."""
    interlaced: bool = False
    transfer: str | None = None
    """Transfer function, when tagged."""
    bit_rate_bps: float = 0.0
    """Of the video; 0 when unknown."""
    size_bytes: int = 0
    audio: AudioFacts | None = None

    @property
    def is_hdr(self) -> bool:
        """Whether it has to be tone-mapped."""
        return self.transfer in HDR_TRANSFERS


def master_from(probed: Mapping[str, Any], *, name: str, where: str | None = None) -> Master:
    """Facts from ffprobe's ``-show_streams -show_format`` output.

    Args:
        probed: The output, read.
        name: File name of the master.
        where: What messages call it; its name when None.

    Raises:
        MediaError: there is no video, or its figures are impossible.
    """
    where = where or name
    streams = [each for each in probed.get("streams", ()) if isinstance(each, dict)]
    shown = probed.get("format", {})
    video = _video(streams, shown, where)
    width, height = _displayed_size(video, where)
    rate, is_variable = frame_rate(
        _fraction(video.get("r_frame_rate")),
        _fraction(video.get("avg_frame_rate")),
        interlaced=video.get("field_order") in _INTERLACED,
    )
    if rate is None:
        raise MediaError(f"{where}: no frame rate; {EXPECTED} whose frames have times")
    frames = _whole(video.get("nb_read_packets"))
    duration_s = _seconds(video) or frames / float(rate)
    return Master(
        name=name,
        where=where,
        index=_whole(video.get("index")),
        codec=str(video.get("codec_name", "unknown")),
        width=width,
        height=height,
        frame_rate=rate,
        duration_s=duration_s,
        frames=frames,
        lead_s=max(0.0, min(60.0, _start_s(video) - _start_s(shown))),
        declared_frames=_whole(video.get("nb_frames")),
        is_variable=is_variable,
        interlaced=video.get("field_order") in _INTERLACED,
        transfer=video.get("color_transfer"),
        bit_rate_bps=_bit_rate(video, shown, duration_s),
        size_bytes=_whole(shown.get("size")),
        audio=_audio(streams),
    )


def _video(
    streams: Sequence[Mapping[str, Any]], shown: Mapping[str, Any], where: str
) -> Mapping[str, Any]:
    moving = [
        each
        for each in streams
        if each.get("codec_type") == "video"
        and not (each.get("disposition") or {}).get("attached_pic")
    ]
    form = str(shown.get("format_name", ""))
    if moving and (form.endswith("_pipe") or form in ("image2", "tty")):
        # ffprobe reads a still picture as a video of one frame, and any text as a terminal.
        raise MediaError(f"{where}: found a still picture or text; {EXPECTED}")
    if moving:
        return max(moving, key=lambda each: bool((each.get("disposition") or {}).get("default")))
    if any(each.get("codec_type") == "audio" for each in streams):
        raise MediaError(f"{where}: found audio only; {EXPECTED} with pictures")
    raise MediaError(f"{where}: found no video; {EXPECTED}")


def _displayed_size(video: Mapping[str, Any], where: str) -> tuple[int, int]:
    width, height = _whole(video.get("width")), _whole(video.get("height"))
    if not (0 < width <= 32768 and 0 < height <= 32768):
        raise MediaError(f"{where}: pictures of {width}x{height}; {EXPECTED} with pictures")
    aspect = _fraction(str(video.get("sample_aspect_ratio", "1:1")).replace(":", "/"))
    if aspect is not None and aspect != 1 and Fraction(1, 20) < aspect < 20:
        # The shorter axis is stretched, so that no line or column is lost.
        if aspect > 1:
            width = round(width * aspect)
        else:
            height = round(height / aspect)
    return (height, width) if _is_turned(video) else (width, height)


def _is_turned(video: Mapping[str, Any]) -> bool:
    """Whether the display matrix rotates pictures by 90 or 270 degrees."""
    angles = [
        each["rotation"]
        for each in video.get("side_data_list") or ()
        if isinstance(each, dict) and each.get("rotation") is not None
    ]
    angles.append((video.get("tags") or {}).get("rotate", 0))
    try:
        return round(float(str(angles[0])) / 90) % 2 == 1
    except (ValueError, OverflowError):
        return False


def frame_rate(
    real: Fraction | None, mean: Fraction | None, *, interlaced: bool = False
) -> tuple[Fraction | None, bool]:
    """The constant rate to encode at, and whether the master's own rate varies.

    Args:
        real: The least rate at which every frame has its exact time (``r_frame_rate``).
        mean: Frames over seconds (``avg_frame_rate``).
        interlaced: The pictures are fields in pairs, so ``real`` may count fields.
    """
    if real is None or mean is None or mean > 1000:
        return (_nearest_standard(real or mean) if real or mean else None), False
    if interlaced:
        return _nearest_standard(mean), False
    if abs(real - mean) <= mean / 100:
        return _nearest_standard(real), False
    if real <= 60 and real < 2 * mean:
        return _nearest_standard(real), True
    above = [rate for rate in STANDARD_RATES if rate >= mean * Fraction(99, 100)]
    return (above[0] if above and mean > 20 else Fraction(max(1, math.ceil(mean)))), True


def _nearest_standard(rate: Fraction | None) -> Fraction | None:
    """The standard rate within 0.03 %, else ``rate`` with a denominator that fits."""
    if rate is None:
        return None
    for standard in STANDARD_RATES:
        if abs(rate / standard - 1) < Fraction(3, 10_000):
            return standard
    return rate if rate.denominator <= 1001 else rate.limit_denominator(1001)


def _audio(streams: Sequence[Mapping[str, Any]]) -> AudioFacts | None:
    tracks = [
        each
        for each in streams
        if each.get("codec_type") == "audio"
        and _whole(each.get("channels"))
        and _whole(each.get("sample_rate"))
    ]
    if not tracks:
        return None
    used = max(tracks, key=lambda each: bool((each.get("disposition") or {}).get("default")))
    language = str((used.get("tags") or {}).get("language", "und")).lower()
    return AudioFacts(
        index=_whole(used.get("index")),
        channels=_whole(used.get("channels")),
        language=language
        if language.isascii() and language.isalpha() and language != "und"
        else None,
    )


def _bit_rate(video: Mapping[str, Any], shown: Mapping[str, Any], duration_s: float) -> float:
    if own := _whole(video.get("bit_rate")):
        return float(own)
    return 8 * _whole(shown.get("size")) / duration_s if duration_s > 0 else 0.0


def _seconds(video: Mapping[str, Any]) -> float:
    """Duration of the stream itself: its own field, or the tag that Matroska has."""
    text = str(video.get("duration") or (video.get("tags") or {}).get("DURATION") or "")
    try:
        parts = [float(part) for part in text.split(":")]
    except ValueError:
        return 0.0
    value = sum(part * 60**power for power, part in enumerate(reversed(parts)))
    return value if 0 < value < 1e7 else 0.0


def _start_s(described: Mapping[str, Any]) -> float:
    try:
        start_s = float(str(described.get("start_time", 0.0)))
    except ValueError:  # N/A
        return 0.0
    return start_s if math.isfinite(start_s) else 0.0


def _fraction(value: object) -> Fraction | None:
    try:
        found = Fraction(str(value))
    except (ValueError, ZeroDivisionError):
        return None
    return found if Fraction(1, 1000) < found < 10**6 else None


def _whole(value: object) -> int:
    try:
        return max(0, int(str(value)))
    except ValueError:
        return 0
