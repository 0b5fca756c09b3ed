"""The encoders of video, by the name of their codec."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from transcode.encoders import av1, h264, hevc
from transcode.encoders.levels import Level

QUICK = frozenset({"ultrafast", "superfast", "veryfast"})
"""Presets at which x264 leaves out most of its searches."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VideoEncoder:
    """One encoder, as far as a plan is concerned."""

    name: str
    """ffmpeg's name of it."""
    level_for: Callable[[int, int, Fraction, int], Level]
    """From width, height, frames a second and peak in bit/s."""
    options: Callable[..., dict[str, Any]]
    kind: str
    """First part of the names of its streams."""
    share: float = 1.0
    """Bits that it needs for a picture that H.264 needs one bit for."""
    crf_scale: tuple[float, float] = (1.0, 0.0)
    """Slope and offset of its constant quality over x264's, at equal VMAF and quick presets."""
    crf_scale_careful: tuple[float, float] = (1.0, 0.0)
    """The same at presets slower than ``veryfast``, where x264 looks better at each CRF."""
    crf_step: float = 0.5
    """To which its constant quality is rounded."""
    crf_most: float = 51.0
    decoder: str | None = None
    """ffmpeg's decoder that checks what was written; None where each ffmpeg has its own."""
    keeps_buffer: bool = True
    """Whether it keeps to the decoder's buffer that it is given."""
    deep_pixels: str | None = None
    """Pixel format of 10 bits that players of this codec take; None where they take 8 only."""

    def crf_as(self, crf: float, *, preset: str) -> float:
        """The constant quality that looks like ``crf`` of x264 with the same ``preset``."""
        slope, offset = self._scale(preset)
        found = self.crf_step * round((slope * crf + offset) / self.crf_step)
        return min(max(found, 0.0), self.crf_most)

    def crf_from(self, crf: float, *, preset: str) -> float:
        """The constant quality of x264 that looks like ``crf`` of this one; see ``crf_as``."""
        slope, offset = self._scale(preset)
        return (crf - offset) / slope

    def _scale(self, preset: str) -> tuple[float, float]:
        return self.crf_scale if preset in QUICK else self.crf_scale_careful


VIDEO_ENCODERS: Mapping[str, VideoEncoder] = {
    "h264": VideoEncoder(
        name="libx264",
        kind="avc1",
        crf_step=0.01,
        level_for=h264.level_for,
        options=h264.h264_options,
    ),
    "hevc": VideoEncoder(
        name="libx265",
        kind="hvc1",
        share=0.65,
        crf_scale=(1.17, 0.0),
        crf_scale_careful=(1.03, 0.0),
        level_for=hevc.level_for,
        options=hevc.hevc_options,
        deep_pixels="yuv420p10le",
    ),
    "av1": VideoEncoder(
        name="libsvtav1",
        kind="av01",
        share=0.5,
        crf_scale=(3.1, -28.0),
        crf_scale_careful=(3.1, -28.0),
        decoder="libdav1d",
        keeps_buffer=False,  # segments of noise took 1.55 times the cap, in any buffer
        crf_step=1.0,
        crf_most=63.0,
        level_for=av1.level_for,
        options=av1.av1_options,
        deep_pixels="yuv420p10le",
    ),
}
"""In the order in which a package lists codecs that are asked for together."""


def decoders_for(codecs: Iterable[str]) -> tuple[str, ...]:
    """ffmpeg's decoders that streams of these names need, as far as some ffmpeg lack them."""
    kinds = {codec.partition(".")[0] for codec in codecs}
    return tuple(
        each.decoder for each in VIDEO_ENCODERS.values() if each.decoder and each.kind in kinds
    )


def h264_bits(codec: str, bits: float) -> float:
    """Bits that H.264 would need for what ``bits`` of a stream named ``codec`` show."""
    kind = codec.partition(".")[0]
    shares = {each.kind: each.share for each in VIDEO_ENCODERS.values()}
    return bits / shares.get(kind, 1.0)
