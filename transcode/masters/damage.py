"""How much of a master does not decode, and whether that is too much.

A frame is damaged when the decoder reported an error in it, or when nothing came out for it.
Pictures before the first key frame are not counted: a recording that begins in the middle is
cut, not damaged.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from abr.errors import MediaError
from transcode.masters.notes import Note, time_code
from transcode.masters.packets import CORRUPT, DISCARD, KEY, FloatArray, Packets
from transcode.masters.timing import Clock

_MOST_PLACES = 3
_CUT_MOST_S = 30.0
_PRIMING_S = 0.15
"""Longest that encoders put in front: 6528 samples of Opus and AAC with SBR, with some room."""


class DamagedError(MediaError):
    """A master of which more is damaged than is tolerated."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Frames:
    """What a decoder made of one stream, in the order in which it came."""

    times_s: FloatArray
    """Times in the file; nan for none."""
    is_faulty: npt.NDArray[np.bool_]
    """The decoder reported errors for it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackDamage:
    """What is damaged of one stream."""

    what: str
    """``picture`` or ``sound``."""
    count: int
    """Frames that are missing or concealed."""
    of: int
    """Frames that the file holds."""
    longest_s: float
    """Longest time in a row."""
    total_s: float
    places_s: tuple[float, ...]
    """Where the first ones are, in the film's time."""
    cut: int = 0
    """Frames before the first key frame, which cannot be decoded."""
    cut_s: float = 0.0
    marked: int = 0
    """Packets that the container marks as incomplete, decoded or not."""
    is_cut_off: bool = False
    """Whether the file ends before its container says so."""
    ends_s: float = 0.0
    """Where the stream ends, in the film's time, if it is cut off."""
    lacks_s: float = 0.0
    """What is missing behind that, as far as the container tells."""

    @property
    def share(self) -> float:
        """Damaged frames over all."""
        return self.count / max(1, self.of)


def damage_of(
    what: str, packets: Packets, frames: Frames, clock: Clock, *, is_steady: bool = False
) -> TrackDamage:
    """Compare what the file holds with what was decoded.

    Args:
        what: ``picture`` or ``sound``.
        packets: Of the stream.
        frames: What came out of them.
        clock: Of the stream.
        is_steady: A frame is due at each interval: where packets are missing too, one is lost.
    """
    shown = (packets.flags & DISCARD) == 0
    cut = _cut(packets)
    frame_s = _usual(packets)
    held_s = packets.pts_s[cut:][shown[cut:]]
    made_s = frames.times_s
    if clock.is_timeless or np.isnan(held_s).any() or np.isnan(made_s).any():
        # Without times frames can only be counted.
        bad_s: FloatArray = np.flatnonzero(frames.is_faulty).astype(np.float64) * frame_s
        lost = max(0, len(held_s) - len(made_s))
        end_s = float(bad_s[-1]) if len(bad_s) else 0.0
        bad_s = np.concatenate([bad_s, end_s + np.arange(1, lost + 1) * frame_s])
    else:
        film_s = clock.film_times(made_s)
        # A decoder may leave out frames that need others from before the first key frame:
        # those are shown before it.
        after_s = clock.film_times(held_s)
        first_s = float(after_s[0]) if len(after_s) else 0.0
        gone_s = _without(after_s[after_s >= first_s - 1e-4], film_s)
        if what == "sound" and len(film_s):
            # What encoders put in front is dropped by the decoder.
            gone_s = gone_s[(gone_s > film_s[0]) | (gone_s < film_s[0] - _PRIMING_S)]
        holes_s = _due(after_s, frame_s) if is_steady else after_s[:0]
        bad_s = np.unique(np.round([*gone_s, *holes_s, *film_s[frames.is_faulty]], 4))
    count = len(bad_s)
    return TrackDamage(
        what=what,
        count=count,
        of=packets.count,
        longest_s=_longest_run(bad_s, frame_s) * frame_s,
        total_s=count * frame_s,
        places_s=tuple(float(each) for each in _first_of_runs(bad_s, frame_s)[:_MOST_PLACES]),
        cut=cut,
        cut_s=cut * frame_s,
        marked=int((shown & ((packets.flags & CORRUPT) != 0)).sum()),
    )


def _cut(packets: Packets) -> int:
    """Frames before the first key frame, where a recording can have begun there.

    It begins inside a group, so no more are lacking than the longest group has.
    """
    keys = np.flatnonzero((packets.flags & KEY) != 0)
    if not len(keys):
        return 0
    longest = int(np.diff(keys, append=packets.count).max())
    return int(keys[0]) if keys[0] <= longest else 0


def _usual(packets: Packets) -> float:
    steps_s = np.diff(np.sort(packets.pts_s[~np.isnan(packets.pts_s)]))
    steps_s = steps_s[steps_s > 1e-4]
    return float(np.median(steps_s)) if len(steps_s) else 0.04


def _without(times_s: FloatArray, others_s: FloatArray) -> FloatArray:
    """Those of ``times_s`` that no other is near to."""
    if not len(others_s):
        return times_s
    others = np.sort(others_s)
    after = np.clip(np.searchsorted(others, times_s), 0, len(others) - 1)
    before = np.clip(after - 1, 0, len(others) - 1)
    apart = np.minimum(np.abs(others[after] - times_s), np.abs(others[before] - times_s))
    return times_s[apart > 1.5e-3]


def _due(times_s: FloatArray, frame_s: float) -> FloatArray:
    """Where frames would be that a constant rate lacks."""
    held_s = np.sort(times_s)
    lacking = np.rint(np.diff(held_s) / frame_s).astype(int) - 1
    return np.array([
        held_s[at] + number * frame_s
        for at in np.flatnonzero(lacking > 0)
        for number in range(1, lacking[at] + 1)
    ])  # fmt: skip


def _breaks(bad_s: FloatArray, frame_s: float) -> npt.NDArray[np.bool_]:
    return np.diff(bad_s, prepend=-np.inf) > 1.6 * frame_s


def _longest_run(bad_s: FloatArray, frame_s: float) -> int:
    if not len(bad_s):
        return 0
    starts = np.flatnonzero(_breaks(bad_s, frame_s))
    return int(np.diff(starts, append=len(bad_s)).max())


def _first_of_runs(bad_s: FloatArray, frame_s: float) -> FloatArray:
    return bad_s[_breaks(bad_s, frame_s)] if len(bad_s) else bad_s


def check_damage(tracks: Sequence[TrackDamage], *, tolerate: float, where: str) -> None:
    """Check that no more is damaged than is tolerated.

    Args:
        tracks: Damage of each stream.
        tolerate: Percent of the frames, or seconds in all where that is more; and seconds
            in a row.
        where: What messages call the master.

    Raises:
        DamagedError: there is more; or any, when ``tolerate`` is 0.
    """
    for each in tracks:
        cut_s = each.cut_s if tolerate == 0 or each.cut_s > _CUT_MOST_S else 0.0
        bad_s, whole_s = each.total_s + each.lacks_s, each.of * _frame_s(each) + each.lacks_s
        too_many = bad_s > max(tolerate, tolerate / 100 * whole_s)
        too_long = max(each.longest_s, each.lacks_s) > tolerate
        is_cut = each.is_cut_off and tolerate == 0
        if tolerate < 100 and (cut_s or too_many or too_long or is_cut):
            limit = f"{tolerate:g} % or {tolerate:g} s" if tolerate else "nothing"
            allowed = f"{limit} is let through"
            raise DamagedError(
                f"{where}: damaged or cut off: {_words(each)}; {allowed}; give a better copy, or "
                "--tolerate 100 to take it as it is"
            )


def _frame_s(track: TrackDamage) -> float:
    return track.total_s / track.count if track.count else 0.0


def damage_notes(tracks: Sequence[TrackDamage]) -> Iterator[Note]:
    """What a user should know."""
    for each in tracks:
        if each.cut:
            yield Note(
                text=f"the file begins inside a group of pictures: its first {each.cut} cannot "
                f"be decoded ({each.cut_s:.2f} s)",
                at_s=0.0,
            )
        if each.count:
            yield Note(text=_words(each), at_s=None)
        elif each.marked:
            yield Note(text=f"packets of the {each.what} are incomplete where pieces were lost or "
                            f"joined ({each.marked:,}), but decode without an error")  # fmt: skip


def end_note(track: TrackDamage) -> Note:
    """That the file is cut off, as far as one stream is concerned."""
    return Note(text=f"the file is cut off: {_end(track)}", at_s=None)


def _end(track: TrackDamage) -> str:
    what = "pictures end" if track.what == "picture" else "sound ends"
    return (
        f"its {what} at {time_code(track.ends_s)}, {track.lacks_s:.2f} s or more before its "
        "container says"
    )


def _words(track: TrackDamage) -> str:
    if track.is_cut_off and (track.lacks_s >= track.total_s or not track.count):
        return _end(track)
    name = "pictures" if track.what == "picture" else "frames of sound"
    said = f"{track.count:,} of {track.of:,} {name} are damaged or missing"
    if track.cut and not track.count:
        return f"the first {track.cut:,} of {track.of:,} {name} cannot be decoded"
    places = ", ".join(time_code(max(0.0, at_s)) for at_s in track.places_s)
    return f"{said}, at most {track.longest_s:.2f} s in a row, first at {places}"
