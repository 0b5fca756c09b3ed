"""How much of a master does not decode, and whether that is too much.

A picture is damaged when the decoder reported an error in it, when its container marks it, or
when nothing came out for it. Pictures before the first key frame are not counted: a recording
that begins in the middle is cut, not damaged.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from abr.errors import MediaError
from transcode.masters.notes import Note, time_code
from transcode.masters.packets import CORRUPT, DISCARD, KEY, FloatArray, Packets

_MOST_PLACES = 3
_CUT_MOST_S = 30.0


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

    @property
    def share(self) -> float:
        """Damaged frames over all."""
        return self.count / max(1, self.of)


def damage_of(
    what: str, packets: Packets, frames: Frames, *, start_s: float, has_jumps: bool
) -> TrackDamage:
    """Compare what the file holds with what was decoded.

    Args:
        what: ``picture`` or ``sound``.
        packets: Of the stream.
        frames: What came out of them.
        start_s: Time in the file that is the film's 0.
        has_jumps: Times of the file come more than once: places are counted, not compared.
    """
    shown = (packets.flags & DISCARD) == 0
    keys = np.flatnonzero((packets.flags & KEY) != 0)
    cut = int(keys[0]) if len(keys) else packets.count
    frame_s = _usual(packets)
    held = int(shown.sum()) - cut
    marked = packets.pts_s[shown & ((packets.flags & CORRUPT) != 0)]
    if has_jumps or np.isnan(packets.pts_s).any() or np.isnan(frames.times_s).any():
        faulty = frame_s * np.flatnonzero(frames.is_faulty)
        missing = max(0, held - len(frames.times_s))
        bad_s = np.concatenate([faulty, faulty[-1:] + np.arange(1, missing + 1) * frame_s])
        count = len(faulty) + missing
    else:
        after = packets.pts_s[cut:][shown[cut:]]
        if cut and len(frames.times_s):
            after = after[after >= frames.times_s.min() - 1e-4]
        gone = _without(after, frames.times_s)
        if what == "sound" and len(gone) <= 2:
            gone = gone[:0]  # priming and padding
        wrong = frames.times_s[frames.is_faulty]
        marked = marked[np.isin(np.round(marked, 4), np.round(packets.pts_s[cut:], 4))]
        bad_s = np.unique(np.round(np.concatenate([gone, wrong, marked]), 4)) - start_s
        count = len(bad_s)
    longest = _longest_run(bad_s, frame_s)
    return TrackDamage(
        what=what,
        count=count,
        of=packets.count,
        longest_s=longest * frame_s,
        total_s=count * frame_s,
        places_s=tuple(float(each) for each in _first_of_runs(bad_s, frame_s)[:_MOST_PLACES]),
        cut=cut,
        cut_s=cut * frame_s,
    )


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
        too_many = each.total_s > max(tolerate, tolerate / 100 * each.of * _frame_s(each))
        if tolerate < 100 and (cut_s or too_many or each.longest_s > tolerate):
            allowed = f"--tolerate {tolerate:g} lets through {tolerate:g} % or {tolerate:g} s"
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


def _words(track: TrackDamage) -> str:
    name = "pictures" if track.what == "picture" else "frames of sound"
    said = f"{track.count:,} of {track.of:,} {name} are damaged or missing"
    if track.cut and not track.count:
        return f"the first {track.cut:,} of {track.of:,} {name} cannot be decoded"
    places = ", ".join(time_code(max(0.0, at_s)) for at_s in track.places_s)
    return f"{said}, at most {track.longest_s:.2f} s in a row, first at {places}"
