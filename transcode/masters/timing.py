"""Times of a master, measured: how long it is, at which rate, and how its tracks lie together.

Everything comes from the packets that the file holds. What headers say of durations and rates
is not believed; where it differs by much, a note says so.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import numpy as np

from transcode.masters.notes import Note
from transcode.masters.packets import (
    CLOCK_GAP_S,
    FILE_GAP_S,
    FloatArray,
    Jump,
    Line,
    Packets,
    lines_of,
)
from transcode.masters.rates import Rate, pack, places_of, rate_of

CLOCKED = frozenset({"mpegts", "mpeg", "dv", "mpegtsraw"})
"""Formats whose times come from a running clock, which may be reset."""
_SEEKABLE = ("mov,mp4", "matroska")
_KEY_SPACING_S = 0.5
_MOST_LASTING_S = 600.0
_LITTLE_S = 0.1
"""Sound that reaches beyond the pictures by this much is cut, not given a picture that stands."""
_MOST_ALIKE = 3
"""Notes of one kind that are spelt out."""
_SEEKS_EARLY_S = 0.1305
"""ffmpeg seeks 3/23 s early where frames are reordered (fftools/ffmpeg_demux.c)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Clock:
    """How the times of decoded frames become times of the film, which begins at 0."""

    start_s: float = 0.0
    """Time in the file that is the film's 0."""
    jumps: tuple[Jump, ...] = ()
    is_timeless: bool = False
    """Frames have no times: they follow each other at the film's rate."""
    packs: bool = False
    """A picture whose place is taken gets the next one."""

    def film_times(self, times_s: FloatArray) -> FloatArray:
        """Times of the film for times in the file, in the order in which they come."""
        found = np.array(times_s, dtype=np.float64)
        past, add_s, before_s = 0, -self.start_s, math.nan
        for number, time_s in enumerate(times_s):
            if past < len(self.jumps) and (time_s - before_s) / self.jumps[past].seen_s > 0.5:
                add_s += self.jumps[past].add_s
                past += 1
            found[number] += add_s
            before_s = time_s
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackTimes:
    """One track in the film's time."""

    index: int
    """Number of the stream; -1 for the picture."""
    begin_s: float
    end_s: float
    clock: Clock


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """Measured times of a film."""

    rate: Fraction
    """Constant rate at which every picture has a place."""
    frames: int
    """Places of the whole film at that rate."""
    pictures: int
    """That the file holds and shows."""
    picture: TrackTimes
    sounds: tuple[TrackTimes, ...] = ()
    is_variable: bool = False
    moved: int = 0
    """Pictures in the place after their nearest one."""
    lost: int = 0
    """Pictures without a place: several come within one frame."""
    last_picture_s: float = math.inf
    """When the last picture appears, in the film's time."""
    longest_gap_s: float = 0.0
    """Longest time that one picture stands."""
    gap_at_s: float = 0.0
    starts_s: tuple[float, ...] = ()
    """Where decoding can start without the pictures before, at most two places a second; empty
    when a picture found by seeking to its time may be another one."""
    seek_add_s: float = 0.0
    """What is added to a start so that ffmpeg, which seeks early, finds it."""
    is_steady: bool = False
    """Whether a picture is due at each interval: broadcasts do not leave any out."""
    corrupt: int = 0
    """Packets that the container marks as damaged."""
    notes: tuple[Note, ...] = field(default=())

    def clock_of(self, index: int) -> Clock:
        """The clock of a sound's stream; the picture's where it was not measured."""
        found = [each.clock for each in self.sounds if each.index == index]
        return found[0] if found else self.picture.clock

    @property
    def duration_s(self) -> float:
        """Of the whole film."""
        return float(self.frames / self.rate)

    def frames_at(self, rate: Fraction) -> int:
        """Frames of the whole film at another rate, the last one in full."""
        return max(1, math.ceil(self.frames * rate / self.rate))


def measure(
    video: Packets,
    sounds: Mapping[int, Packets] | None = None,
    *,
    tick_s: float = 1e-3,
    stated: Fraction | None = None,
    form: str = "",
    fields: bool = False,
    drops_leading: bool = False,
) -> Timing:
    """Times of the picture and the sounds that are used, the main one first.

    Args:
        video: Packets of the picture.
        sounds: Packets of each sound, by number of its stream.
        tick_s: Unit of the picture's times in the container.
        stated: Rate that the container states; decides where the times leave a doubt.
        form: ffprobe's name of the format.
        fields: Pictures are fields in pairs, each of which may be a packet.
        drops_leading: The decoder leaves out, without an error, pictures that follow the key
            frame it begins at, are shown before it, and need others still.
    """
    gap_s = CLOCK_GAP_S if form in CLOCKED else FILE_GAP_S
    sounds = {index: each for index, each in (sounds or {}).items() if each.count}
    lines = lines_of([video, *sounds.values()], gap_s=gap_s)
    picture, heard = lines[0], lines[1:]
    times_s = picture.times_s
    if fields:
        times_s = _frames_of_fields(times_s, stated)
    rate = rate_of(times_s, tick_s=tick_s, hint=stated)
    begin_s = float(times_s[0])
    start_s = _start(begin_s, heard, rate)
    end_s = _end_of_picture(float(times_s[-1]), picture, rate.rate)
    frames, film_end_s = _length(
        times_s, start_s, end_s, heard, rate, packs=bool(picture.jumps or not rate.strays)
    )
    steps_s = np.diff(times_s)
    longest = int(np.argmax(steps_s)) if len(steps_s) else 0
    return Timing(
        rate=rate.rate,
        frames=frames,
        pictures=len(times_s),
        picture=TrackTimes(
            index=-1,
            begin_s=begin_s - start_s,
            end_s=end_s - start_s,
            clock=_clock(picture, start_s, packs=rate.moved > 0),
        ),
        sounds=tuple(
            _sound(index, line, start_s) for index, line in zip(sounds, heard, strict=True)
        ),
        is_variable=rate.is_variable,
        moved=rate.moved,
        lost=rate.lost,
        last_picture_s=float(times_s[-1] - start_s),
        longest_gap_s=float(steps_s[longest]) if len(steps_s) else 0.0,
        gap_at_s=float(times_s[longest] - start_s),
        starts_s=_starts(picture, start_s, drops_leading) if _can_seek(picture, rate, form) else (),
        seek_add_s=_seek_add_s(picture),
        is_steady=form in CLOCKED and not rate.is_variable,
        corrupt=picture.corrupt,
        notes=tuple(_notes(picture, heard, rate, start_s, end_s, film_end_s)),
    )


def _frames_of_fields(times_s: FloatArray, stated: Fraction | None) -> FloatArray:
    """Times of frames where each field has a packet of its own."""
    if stated is None or len(times_s) < 4:
        return times_s
    twice = float(np.median(np.diff(times_s))) * float(stated)
    return times_s[::2] if 0.45 < twice < 0.55 else times_s


def _start(begin_s: float, heard: Sequence[Line], rate: Rate) -> float:
    """The film's 0: the first picture lies on a frame, and sound before it is kept.

    Sound that leads by a little, such as what encoders put in front, is no reason for more
    frames.
    """
    rate_hz = float(rate.rate)
    first = int(places_of(np.array([begin_s]), rate.rate, rate.origin_s)[0])
    on_grid_s = rate.origin_s + first / rate_hz
    if not heard:
        return on_grid_s
    lead_s = on_grid_s - float(heard[0].times_s[0])
    if lead_s <= max(_LITTLE_S, 1.001 / rate_hz):
        return on_grid_s
    return on_grid_s - math.ceil(lead_s * rate_hz - 1e-3) / rate_hz


def _end_of_picture(last_s: float, picture: Line, rate: Fraction) -> float:
    frame_s = 1 / float(rate)
    stated_s = float(picture.ends_s[-1]) - last_s
    lasting = math.isfinite(stated_s) and 1.5 * frame_s < stated_s < _MOST_LASTING_S
    return last_s + (stated_s if lasting else frame_s)


def _length(
    times_s: FloatArray,
    start_s: float,
    end_s: float,
    heard: Sequence[Line],
    rate: Rate,
    *,
    packs: bool,
) -> tuple[int, float]:
    """Frames of the film, and where it ends: the last picture stands to the end of the sound."""
    rate_hz = float(rate.rate)
    places = places_of(times_s, rate.rate, start_s)
    last = int((pack(places) if packs else places)[-1])
    film_end_s = end_s
    if heard and _sound_end(heard[0]) - end_s > max(_LITTLE_S, 2 / rate_hz):
        film_end_s = _sound_end(heard[0])
    frames = max(last + 1, math.floor((film_end_s - start_s) * rate_hz + 0.5 + 1e-3))
    return frames, film_end_s


def _sound_end(line: Line) -> float:
    ends_s = line.ends_s[~np.isnan(line.ends_s)]
    return max(float(line.times_s[-1]), float(ends_s[-1]) if len(ends_s) else -math.inf)


def _sound(index: int, line: Line, start_s: float) -> TrackTimes:
    return TrackTimes(
        index=index,
        begin_s=float(line.times_s[0]) - start_s,
        end_s=_sound_end(line) - start_s,
        clock=_clock(line, start_s),
    )


def _clock(line: Line, start_s: float, *, packs: bool = False) -> Clock:
    return Clock(
        start_s=round(start_s - line.add_s, 9),
        jumps=line.jumps,
        is_timeless=line.is_timeless,
        packs=packs or bool(line.jumps),
    )


def _starts(line: Line, start_s: float, drops_leading: bool) -> tuple[float, ...]:
    times_s = (line.key_times_s if drops_leading else line.closed_key_times_s) - start_s
    _, first = np.unique(np.floor(times_s / _KEY_SPACING_S), return_index=True)
    return tuple(np.round(times_s[first], 6).tolist())


def _seek_add_s(line: Line) -> float:
    """Nothing where key frames are so near that the next one might be found."""
    apart_s = np.diff(line.key_times_s)
    return _SEEKS_EARLY_S if not len(apart_s) or apart_s.min() > 2 * _SEEKS_EARLY_S else 0.0


def _can_seek(line: Line, rate: Rate, form: str) -> bool:
    """Places follow from times alone, without hidden pictures, in a format with an index."""
    return (
        form.startswith(_SEEKABLE)
        and not (rate.moved or rate.lost or rate.strays)
        and not (line.jumps or line.is_timeless or line.hidden or line.corrupt or line.before_key)
    )


def _notes(
    picture: Line, heard: Sequence[Line], rate: Rate, start_s: float, end_s: float,
    film_end_s: float,
) -> list[Note]:  # fmt: skip
    notes = _picture_notes(picture, rate, start_s)
    if not heard:
        return notes
    main = heard[0]
    frame_s = 1 / float(rate.rate)
    lead_s = float(picture.times_s[0] - main.times_s[0])
    if lead_s > max(0.5, frame_s):
        notes.append(Note(text=f"the picture begins {lead_s:.2f} s after the sound; "
                               "the first one is shown from the start"))  # fmt: skip
    elif _LITTLE_S >= lead_s > frame_s + 0.03:
        notes.append(
            Note(text=f"the sound begins {lead_s:.3f} s before the first picture and is cut there")
        )
    elif lead_s < -0.5:
        notes.append(Note(text=f"the sound begins {-lead_s:.2f} s after the picture; "
                               "silence until then"))  # fmt: skip
    over_s = _sound_end(main) - end_s
    at_s = end_s - start_s
    if film_end_s > end_s:
        notes.append(Note(text=f"the sound goes on for {over_s:.2f} s; the last picture stands "
                               "until its end", at_s=at_s))  # fmt: skip
    elif over_s > frame_s + 0.03:
        notes.append(Note(text=f"the sound ends {over_s:.3f} s after the last picture and is cut "
                               "there", at_s=at_s))  # fmt: skip
    elif over_s < -0.5:
        notes.append(Note(text=f"the sound ends {-over_s:.2f} s before the picture; silence "
                               "from there", at_s=at_s + over_s))  # fmt: skip
    if not picture.jumps:
        notes += _jump_notes("sound", main, start_s)
    return notes


def _picture_notes(picture: Line, rate: Rate, start_s: float) -> list[Note]:
    notes = []
    if picture.is_timeless:
        notes.append(Note(text="the file holds no times: its pictures follow each other at "
                               f"{float(rate.rate):.5g} frames per second"))  # fmt: skip
    if rate.is_variable:
        notes.append(Note(text="the frame rate varies; it becomes a constant "
                               f"{float(rate.rate):.5g} frames per second"))  # fmt: skip
    if rate.lost:
        notes.append(Note(text=f"{rate.lost:,} pictures come faster than "
                               f"{float(rate.rate):.5g} per second and are left out"))  # fmt: skip
    if rate.strays:
        notes.append(Note(text="pictures that come within a frame of another are left out "
                               f"({rate.strays:,})"))  # fmt: skip
    notes += _jump_notes("picture", picture, start_s)
    return notes


def _jump_notes(what: str, line: Line, start_s: float) -> list[Note]:
    notes = []
    for jump, at_s in zip(line.jumps[:_MOST_ALIKE], line.jump_times_s, strict=False):
        way = "ahead" if jump.seen_s > 0 else "back"
        words = f"times of the {what} jump {way} by {abs(jump.seen_s):,.2f} s; they are joined"
        notes.append(Note(text=words, at_s=at_s - start_s))
    if more := len(line.jumps) - len(notes):
        notes.append(Note(text=f"times of the {what} jump {more:,} times more"))
    return notes


def seconds(video: Mapping[str, Any]) -> float:
    """Duration of the stream itself: its own field, or the tag that Matroska has."""
    text = str(video.get("duration") or (video.get("tags") or {}).get("DURATION") or "")
    try:
        parts = [float(part) for part in text.split(":")]
    except ValueError:
        return 0.0
    value = sum(part * 60**power for power, part in enumerate(reversed(parts)))
    return value if 0 < value < 1e7 else 0.0
