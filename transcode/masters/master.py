"""A master file, as far as encoding depends on it, from ffprobe's JSON.

Sizes are as displayed: square pixels, rotation applied.

Source: ffprobe's documentation, "writers: json".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from abr.errors import MediaError
from transcode.masters.colour import BT709, ColourFacts, colour_facts
from transcode.masters.fields import fraction, whole
from transcode.masters.shape import displayed_size, is_interlaced
from transcode.masters.streams import (
    EXPECTED,
    AudioFacts,
    Measured,
    StreamUse,
    StreamWish,
    choose_streams,
)
from transcode.masters.timing import bit_rate, frame_rate, seconds, start_s_of


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
    colour: ColourFacts = ColourFacts(colour=BT709)  # noqa: RUF009  # frozen
    bit_rate_bps: float = 0.0
    """Of the video; 0 when unknown."""
    size_bytes: int = 0
    sounds: tuple[AudioFacts, ...] = ()
    """The default one first; empty for a silent film."""
    streams: tuple[StreamUse, ...] = ()
    """All streams of pictures and sound, and what becomes of them."""

    @property
    def audio(self) -> AudioFacts | None:
        """The main sound; None for a silent film."""
        return self.sounds[0] if self.sounds else None

    @property
    def is_hdr(self) -> bool:
        """Whether it has to be tone-mapped."""
        return self.colour.colour.dynamic_range != "SDR"


def master_from(
    probed: Mapping[str, Any],
    *,
    name: str,
    where: str | None = None,
    measured: Mapping[int, Measured] | None = None,
    wish: StreamWish | None = None,
    bass: frozenset[int] = frozenset(),
) -> Master:
    """Facts from ffprobe's ``-show_streams -show_format -show_programs`` output.

    Args:
        probed: The output, read.
        name: File name of the master.
        where: What messages call it; its name when None.
        measured: What packets say of each stream; what headers say where absent.
        wish: Streams that a person asks for.
        bass: Audio streams that were found to hold low frequencies only.

    Raises:
        MediaError: there is no video, or its figures are impossible.
        ConfigError: a stream was asked for that is not there.
    """
    where = where or name
    shown = probed.get("format", {})
    choice = choose_streams(probed, where=where, measured=measured, wish=wish, bass=bass)
    video = choice.video
    width, height = displayed_size(video, where)
    rate, is_variable = frame_rate(
        fraction(video.get("r_frame_rate")),
        fraction(video.get("avg_frame_rate")),
        interlaced=is_interlaced(video),
    )
    if rate is None:
        raise MediaError(f"{where}: no frame rate; {EXPECTED} whose frames have times")
    frames = whole(video.get("nb_read_packets"))
    duration_s = seconds(video) or frames / float(rate)
    return Master(
        name=name,
        where=where,
        index=whole(video.get("index")),
        codec=str(video.get("codec_name", "unknown")),
        width=width,
        height=height,
        frame_rate=rate,
        duration_s=duration_s,
        frames=frames,
        lead_s=max(0.0, min(60.0, start_s_of(video) - start_s_of(shown))),
        declared_frames=whole(video.get("nb_frames")),
        is_variable=is_variable,
        interlaced=is_interlaced(video),
        colour=colour_facts(video, where, rate=rate),
        bit_rate_bps=bit_rate(video, shown, duration_s),
        size_bytes=whole(shown.get("size")),
        sounds=choice.audio,
        streams=choice.uses,
    )
