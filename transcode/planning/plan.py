"""What is to be encoded: every figure that ffmpeg is given.

Decisions only; ``jobs`` cuts the plan into pieces of work and ``ffmpeg`` turns those into
arguments. Groups of pictures and segments are whole numbers of frames, the same for all
rungs, so boundaries are aligned and durations exact at any frame rate.

Source: Apple's HLS authoring specification, items 1.4, 1.11, 1.13, 1.19 and 1.30.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import Any, Literal

from abr.errors import MediaError
from transcode.config import TranscodeConfig
from transcode.encoders.levels import Level
from transcode.encoders.rates import RateControl
from transcode.encoders.video import VIDEO_ENCODERS
from transcode.ladders.codecs import at_constant_quality, at_stated_rate, in_codecs
from transcode.ladders.ladder import is_preset, ladder_for
from transcode.ladders.rungs import PlannedRung
from transcode.ladders.sizes import largest_fitting
from transcode.loudness import SILENT_LUFS
from transcode.masters.colour import BT709, Colour, ColourFacts, Light, output_colour
from transcode.masters.damage import check_damage
from transcode.masters.master import Master
from transcode.masters.notes import Note
from transcode.masters.scan import Scan
from transcode.masters.sound import AudioFacts, names_of
from transcode.masters.timing import Clock
from transcode.packaging.layout import AUDIO_GROUP
from transcode.planning.chunks import Chunk, cores_kept_busy, cut_chunks
from transcode.planning.mixing import mix

SURROUND_GROUP, OPUS_GROUP = "surround", "opus"
_PLAIN = ColourFacts(colour=BT709)
_FROM_ZERO = Clock()
_WHOLE = Scan()


@dataclass(frozen=True, slots=True, kw_only=True)
class PicturePlan:
    """What all rungs share: how the master's pictures are read and grouped."""

    index: int
    """Number of the master's video stream."""
    frame_rate: Fraction
    gop_frames: int
    segment_frames: int
    """A multiple of ``gop_frames``."""
    timescale: int
    """Units per second in which every frame has a whole duration."""
    clock: Clock = _FROM_ZERO
    """How times in the file become times of the film."""
    frame_size: tuple[int, int] = (0, 0)
    """Width and height of frames as decoded, cropped and turned; (0, 0) when not known."""
    scan: Scan = _WHOLE
    """How the master's lines make up pictures."""
    is_damaged: bool = False
    """What does not decode is concealed, not an error."""
    changes_shape: bool = False
    """Pictures of another shape come on the way, and are fitted into the first one."""
    colour: ColourFacts = _PLAIN
    """The master's colours."""
    background: str = "black"
    """What pictures with alpha are put over; a name or ``#RRGGBB``."""
    marks_seed: bytes = field(default=b"", repr=False)
    """What the marks of variants are made of; empty where there are none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VideoPlan:
    """One rung, as encoded."""

    width: int
    height: int
    rate_control: RateControl
    level: Level
    preset: str
    """Speed of the encoder, by x264's names."""
    codec: str = "h264"
    """Key of ``encoders.video.VIDEO_ENCODERS``."""
    colour: Colour = BT709
    """What comes out, stated in the encoder's headers."""
    pixels: str = "yuv420p"
    """Pixel format that the encoder gets."""
    target: float | None = None
    """Quality that was promised when the rung was chosen; None where nothing was."""
    light: Light | None = None
    """What the stream says of a high dynamic range."""
    variant: Literal["", "a", "b"] = ""
    """Whether a mark is added to its pictures (``a``) or taken off them (``b``)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AudioPlan:
    """One audio rendition, as encoded: the whole film at once."""

    sound: AudioFacts
    """Which of the master's streams."""
    bitrate_bps: int
    duration_s: float
    """Of the film; the sound is filled up to it with silence."""
    clocks: tuple[Clock, ...]
    """How times in the file become times of the film, for each of its streams."""
    channels: int = 2
    name: str = "Main"
    """Shown in a player's menu of renditions."""
    codec: str = "aac"
    """Name of the encoder's module below ``encoders``."""
    gain_db: float = 0.0
    """How much louder than the master."""
    is_damaged: bool = False
    """What does not decode is concealed, not an error."""
    measured_lufs: float | None = None
    """Loudness of the master's sound; None when nobody measured."""
    groups: tuple[str, ...] = ()
    """Groups of renditions that it is in; none means ``audio`` alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EncodePlan:
    """Everything that an encode needs, except file names."""

    pictures: PicturePlan
    rungs: tuple[VideoPlan, ...]
    """Codec by codec, each lowest first."""
    chunks: tuple[Chunk, ...]
    """In order, without gaps."""
    duration_s: float
    """Of the film."""
    audio: tuple[AudioPlan, ...] = ()
    """Renditions, the default one first; empty for a silent master."""
    notes: tuple[Note, ...] = ()
    """What a user should know of the master, and of what is made of it."""


def plan_encode(
    master: Master, config: TranscodeConfig, *, rungs: Sequence[PlannedRung] | None = None
) -> EncodePlan:
    """Decide how to encode ``master``.

    Args:
        master: What was measured of it.
        config: Settings.
        rungs: The ladder; None takes the one that the settings name.

    Raises:
        ConfigError: the ladder asked for is impossible.
        DamagedError: more of the master is damaged than is tolerated.
        MediaError: no level of a codec allows pictures that large.
    """
    check_damage(master.damage or (), tolerate=config.tolerate, where=master.where)
    rate = thin_rate(master.frame_rate * master.scan.film_ratio, config.max_frame_rate)
    gop, segment = group_frames(rate, segment_s=config.segment_s, gop_s=config.gop_s)
    frames = frames_at(master, rate)
    duration_s = float(frames / rate)
    timing = master.timing
    wanted = _rungs(master, config, rungs)
    fitting = [_within_levels(rung, rate) for rung in wanted]
    return EncodePlan(
        pictures=PicturePlan(
            index=master.index,
            frame_rate=rate,
            gop_frames=gop,
            segment_frames=segment,
            timescale=timescale(rate),
            clock=timing.picture.clock if timing else _FROM_ZERO,
            is_damaged=master.damage is not None,
            changes_shape=master.changes_shape,
            frame_size=master.frame_size,
            scan=master.scan,
            colour=master.colour,
            background=config.background,
        ),
        rungs=tuple(_video_plan(rung, rate, master.colour, config) for rung in fitting),
        chunks=cut_chunks(
            frames,
            rate,
            segment_frames=segment,
            timing=timing if _can_cut(master, rate) else None,
            chunk_s=config.chunk_s,
            lead_frames=2 if master.scan.kind in ("interlaced", "mixed") else 0,
            is_narrow=cores_kept_busy((rung.width, rung.height) for rung in fitting) < 2,
        ),
        duration_s=duration_s,
        audio=tuple(_audio_plans(master, duration_s, config)),
        notes=(*master.notes, *_size_notes(wanted, fitting, rate)),
    )


def _rungs(
    master: Master, config: TranscodeConfig, given: Sequence[PlannedRung] | None
) -> tuple[PlannedRung, ...]:
    rungs = given or ladder_for(master, wanted=config.ladder)
    if not given and is_preset(config.ladder):
        return in_codecs(at_constant_quality(rungs), config.codecs, preset=config.preset)
    stated = in_codecs(rungs, config.codecs, preset=config.preset, rates_of=config.codecs[0])
    return tuple(at_stated_rate(rung, preset=config.preset) for rung in stated)


def _within_levels(rung: PlannedRung, rate: Fraction) -> PlannedRung:
    """``rung`` at the largest size of its shape that its codec has a level for."""

    def fits(width: int, height: int) -> bool:
        try:
            VIDEO_ENCODERS[rung.codec].level_for(width, height, rate, 1)
        except MediaError:
            return False
        return True

    size = largest_fitting(rung.width, rung.height, fits) or (rung.width, rung.height)
    return replace(rung, width=size[0], height=size[1])


def _size_notes(
    wanted: Sequence[PlannedRung], rungs: Sequence[PlannedRung], rate: Fraction
) -> Iterator[Note]:
    changed = {
        f"{old.width}x{old.height} at {float(rate):.5g} frames per second is above every level of "
        f"{new.codec}; rungs of that size are {new.width}x{new.height}"
        for old, new in zip(wanted, rungs, strict=True)
        if old != new
    }
    yield from (Note(text=text) for text in sorted(changed))


def _can_cut(master: Master, rate: Fraction) -> bool:
    """Whether a part of the film looks the same however much before it was decoded."""
    return (
        # Where only some of the pictures are used, which ones may depend on the start.
        master.frame_rate == rate
        # Which fields belong together is told by what came before.
        and master.scan.kind != "telecined"
        and master.damage is None
    )


def frames_at(master: Master, rate: Fraction) -> int:
    """Frames of the whole film at ``rate``, the last one in full."""
    return max(1, math.ceil(master.frames * rate / master.frame_rate))


def _audio_plans(master: Master, duration_s: float, config: TranscodeConfig) -> Iterator[AudioPlan]:
    """Renditions: each sound in stereo AAC, and in what else is asked for."""
    timing = master.timing
    has_surround = config.surround and any(each.in_surround for each in master.sounds)

    def rendition(sound: AudioFacts, name: str, **more: Any) -> AudioPlan:
        clocks = (timing.clock_of(index) if timing else _FROM_ZERO for index in sound.indices)
        facts = {"bitrate_bps": config.audio_kbps * 1000, **more}
        return AudioPlan(
            sound=sound,
            name=name,
            duration_s=duration_s,
            clocks=tuple(clocks),
            is_damaged=master.damage is not None,
            **facts,
        )

    for sound, name in zip(master.sounds, names_of(master.sounds), strict=True):
        wide = sound.in_surround
        # Every group offers every sound, so that a change of language never ends in silence.
        also = (SURROUND_GROUP,) if has_surround and wide is None else ()
        yield rendition(sound, name, groups=(AUDIO_GROUP, *also) if also else ())
        if has_surround and wide:
            more = {"channels": 6, "bitrate_bps": 3 * config.audio_kbps * 1000}
            yield rendition(wide, name, groups=(SURROUND_GROUP,), **more)
        if config.audio_codec == "opus":
            yield rendition(sound, name, groups=(OPUS_GROUP,), codec="opus")


def with_marks(plan: EncodePlan, seed: bytes) -> EncodePlan:
    """``plan`` with marks that are made of ``seed``."""
    return replace(plan, pictures=replace(plan.pictures, marks_seed=seed))


def notes_on_sound(plan: EncodePlan, config: TranscodeConfig) -> Iterator[str]:
    """What was guessed or could not be done."""
    for audio in plan.audio:
        if audio.measured_lufs is not None and audio.measured_lufs <= SILENT_LUFS + 0.05:
            yield f"stream {audio.sound.index} is silent: its loudness was left as it is"
        if note := mix(audio.sound, audio.channels).note:
            yield f"stream {audio.sound.index}: {note}"
    if config.surround and not any(audio.channels == 6 for audio in plan.audio):
        yield "no sound that is used has 5.1 channels or more: the package is in stereo"


def thin_rate(rate: Fraction, most: float) -> Fraction:
    """``rate`` divided by the smallest whole number that brings it to ``most`` or below."""
    return rate / max(1, math.ceil(rate / Fraction(most).limit_denominator(1001)))


def group_frames(rate: Fraction, *, segment_s: float, gop_s: float) -> tuple[int, int]:
    """Frames in a group of pictures and in a segment.

    The group is the largest that fits the segment a whole number of times and lasts at
    most ``gop_s``, both to within one frame.
    """
    groups = max(1, math.ceil(segment_s / gop_s - 1e-9))
    gop = max(1, round(rate * Fraction(segment_s).limit_denominator(1000) / groups))
    return gop, gop * groups


def timescale(rate: Fraction) -> int:
    """Units per second that express a frame as a whole number; 90000 where that does."""
    if 90_000 * rate.denominator % rate.numerator == 0:
        return 90_000
    return rate.numerator * max(1, math.ceil(10_000 / rate.numerator))


def _video_plan(
    rung: PlannedRung, rate: Fraction, colour: ColourFacts, config: TranscodeConfig
) -> VideoPlan:
    deep_pixels = VIDEO_ENCODERS[rung.codec].deep_pixels
    keeps_range = deep_pixels is not None and not config.tone_map
    assert rung.crf is not None, "every rung has a quality by now"
    peak_bps = rung.cap_bps or round(rung.bitrate_bps * config.peak_ratio)
    return VideoPlan(
        width=rung.width,
        height=rung.height,
        rate_control=RateControl(
            peak_bps=peak_bps,
            # A cap at the rate itself is kept over two seconds: scenes differ.
            buffer_bits=rung.bitrate_bps * (2 if peak_bps <= rung.bitrate_bps else 1),
            crf=rung.crf,
        ),
        level=VIDEO_ENCODERS[rung.codec].level_for(rung.width, rung.height, rate, peak_bps),
        preset=config.preset,
        codec=rung.codec,
        target=rung.target,
        # What 8 bits hold cannot show a high dynamic range, so it is tone-mapped for them.
        colour=output_colour(colour.colour, colour.colour.dynamic_range if keeps_range else "SDR"),
        pixels=deep_pixels if deep_pixels and colour.is_deep else "yuv420p",
        light=colour.light if keeps_range else None,
        variant="a" if config.watermark else "",
    )
