"""A master file, as far as encoding depends on it, from ffprobe's JSON.

Sizes are as displayed: square pixels, rotation applied.

Source: ffprobe's documentation, "writers: json".
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from abr.errors import MediaError
from transcode.masters.colour import BT709, ColourFacts, colour_facts
from transcode.masters.damage import TrackDamage
from transcode.masters.fields import fraction, whole
from transcode.masters.notes import Note
from transcode.masters.packets import Packets
from transcode.masters.scan import Scan, note_of
from transcode.masters.shape import Shape, flagged_scan, shape_of
from transcode.masters.sight import Seen
from transcode.masters.streams import (
    EXPECTED,
    AudioFacts,
    Measured,
    StreamUse,
    StreamWish,
    choose_streams,
)
from transcode.masters.texts import TextFacts, text_streams, text_uses
from transcode.masters.timing import Timing, measure, seconds

_MOST_RATE = 10_000
"""Pictures a second that no clock of a film has."""


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
    """Of the film: from its first picture or sound to the end of the last."""
    frames: int
    """Of the whole film at ``frame_rate``."""
    is_variable: bool = False
    """Whether pictures stand for different times."""
    timing: Timing | None = None
    """How it was measured; None where nobody did."""
    frame_size: tuple[int, int] = (0, 0)
    """Width and height of frames as they are decoded, cropped and turned; (0, 0): the same."""
    scan: Scan = Scan()  # noqa: RUF009  # frozen
    colour: ColourFacts = ColourFacts(colour=BT709)  # noqa: RUF009  # frozen
    bit_rate_bps: float = 0.0
    """Of the video; 0 when unknown."""
    size_bytes: int = 0
    sounds: tuple[AudioFacts, ...] = ()
    """The default one first; empty for a silent film."""
    texts: tuple[TextFacts, ...] = ()
    """Streams of subtitles that can be used."""
    streams: tuple[StreamUse, ...] = ()
    """All streams of pictures, sound and subtitles, and what becomes of them."""
    changes_shape: bool = False
    """Whether pictures get another ratio of width to height on the way."""
    damage: tuple[TrackDamage, ...] | None = None
    """What does not decode, of each stream; None where nobody looked, for want of any sign."""
    notes: tuple[Note, ...] = ()
    """What a user should know of it."""

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
    packets: Mapping[int, Packets],
    where: str | None = None,
    wish: StreamWish | None = None,
    bass: frozenset[int] = frozenset(),
    silent: frozenset[int] = frozenset(),
    seen: Seen | None = None,
) -> Master:
    """Facts from ffprobe's ``-show_streams -show_format -show_programs`` output.

    Args:
        probed: The output, read.
        name: File name of the master.
        packets: Packets that the file holds, by number of the stream.
        where: What messages call it; its name when None.
        wish: Streams that a person asks for.
        bass: Audio streams that were found to hold low frequencies only.
        silent: Audio streams that were found to hold silence.
        seen: What a short decode found; None when there was none.

    Raises:
        MediaError: there is no video, or its figures are impossible.
        ConfigError: a stream was asked for that is not there.
    """
    where = where or name
    shown = probed.get("format", {})
    measured = {
        whole(each.get("index")): Measured(packets=0, seconds=0.0)
        for each in probed.get("streams", ())
    } | {
        index: Measured(packets=each.count, seconds=each.span_s) for index, each in packets.items()
    }
    choice = choose_streams(
        probed, where=where, measured=measured, wish=wish, bass=bass, silent=silent
    )
    video = seen.sight.over(choice.video) if seen else choice.video
    shape = shape_of(video, where)
    index = whole(video.get("index"))
    texts, left = text_streams(probed)
    timing = _timing(video, choice.audio, packets, str(shown.get("format_name", "")), where)
    colour = colour_facts(
        video,
        where,
        rate=timing.rate,
        on_frames=seen.sight.tags if seen else None,
        alpha_is_empty=seen is not None and seen.alpha_is_empty,
    )
    return Master(
        name=name,
        where=where,
        index=index,
        codec=str(video.get("codec_name", "unknown")),
        width=shape.width,
        height=shape.height,
        frame_size=(shape.frame_width, shape.frame_height),
        frame_rate=timing.rate,
        duration_s=timing.duration_s,
        frames=timing.frames,
        is_variable=timing.is_variable,
        timing=timing,
        scan=seen.scan if seen else flagged_scan(video),
        colour=colour,
        bit_rate_bps=8 * packets[index].size_bytes / timing.duration_s,
        size_bytes=whole(shown.get("size")),
        sounds=choice.audio,
        texts=tuple(texts),
        streams=tuple(sorted([*choice.uses, *text_uses(texts, left)], key=lambda use: use.index)),
        notes=(
            *timing.notes,
            *_header_notes(video, shown, timing),
            *_picture_notes(shape, colour, seen),
        ),
    )


def _timing(
    video: Mapping[str, Any],
    audio: Sequence[AudioFacts],
    packets: Mapping[int, Packets],
    form: str,
    where: str,
) -> Timing:
    pictures = packets.get(whole(video.get("index")))
    if pictures is None or not pictures.count:
        raise MediaError(f"{where}: holds no video frames; {EXPECTED}")
    if pictures.count > pictures.untimed > 0.02 * pictures.count:
        raise MediaError(
            f"{where}: {pictures.untimed:,} of {pictures.count:,} packets of the picture have no "
            "time; expected times in all of them, or in none; "
            "`ffmpeg -fflags +genpts -i IN -c copy OUT.mkv` makes them up"
        )
    _check_rate(pictures, where)
    used = [index for each in audio for index in _streams_of(each) if index in packets]
    for index in (whole(video.get("index")), *used):
        if packets[index].is_encrypted:
            raise MediaError(
                f"{where}: stream {index} is encrypted; expected a file in the clear; with its "
                "key, `ffmpeg -decryption_key HEX -i IN -c copy OUT.mp4` makes one of it"
            )
    unit = fraction(video.get("time_base"), least=Fraction(1, 10**9))
    return measure(
        pictures,
        {index: packets[index] for index in used},
        tick_s=float(unit) if unit else 1e-3,
        stated=fraction(video.get("avg_frame_rate")) or fraction(video.get("r_frame_rate")),
        form=form,
        fields=flagged_scan(video).kind == "interlaced",
        drops_leading=video.get("codec_name") == "hevc",
    )


def _check_rate(pictures: Packets, where: str) -> None:
    """Refuse times of another clock, as some readers of raw streams make them up."""
    steps_s = np.diff(np.sort(pictures.pts_s[~np.isnan(pictures.pts_s)]))
    usual_s = float(np.median(steps_s)) if len(steps_s) else 0.0
    if 0 < usual_s < 1 / _MOST_RATE:
        raise MediaError(
            f"{where}: its times say a picture every {usual_s:.2g} s; expected times that can be; "
            "`ffmpeg -i IN -vf setpts=N/25/TB -r 25 OUT.mkv` gives it 25 pictures a second"
        )


def _streams_of(audio: AudioFacts) -> tuple[int, ...]:
    return audio.indices + (audio.wide.indices if audio.wide else ())


def _header_notes(
    video: Mapping[str, Any], shown: Mapping[str, Any], timing: Timing
) -> Iterator[Note]:
    stated_s = seconds(video) or seconds(shown)
    held_s = timing.picture.end_s - timing.picture.begin_s
    if stated_s and abs(stated_s - held_s) > max(1.0, 0.02 * held_s):
        yield Note(
            text=f"its header says {stated_s:.2f} s, and it holds {held_s:.2f} s of pictures; "
            "what it holds is used"
        )


def _picture_notes(shape: Shape, colour: ColourFacts, seen: Seen | None) -> Iterator[Note]:
    if seen and (text := note_of(seen.scan, flagged=seen.sight.scan)):
        yield Note(text=text)
    yield from (Note(text=text) for text in (shape.note, colour.note) if text)
