"""Packets of a master as arrays of times: what ffprobe lists, and the continuous time of a film.

Times of a file may jump: pieces that were joined, counters that wrapped or were reset, a clock
set anew. A jump is closed, never filled, unless the other track goes on meanwhile. The result
says for each stream where it jumps and what is added to its times from there on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]

KEY, DISCARD, CORRUPT = 1, 2, 4
"""Flags of a packet: a key frame; decoded but not shown; known to be damaged."""
BACKWARD_S = 0.3
"""Times that step back by more than this are a jump; less is an overlap."""
CLOCK_GAP_S = 10.0
"""Longest hole in every track of a stream format with a clock (MPEG-TS and its kin)."""
FILE_GAP_S = 60.0
"""Longest hole in every track of other files: screens may be idle for long."""
LEAD_S = 600.0
"""Most that one track starts after another has ended; beyond, their clocks never met."""
_FEW = 0.02
_FIRST_PACKETS = 10
_MOST_REORDERED = 16
"""Pictures that H.264 and HEVC may hold back (max_num_reorder_frames)."""
_NEAR_PACKETS = 200
"""Packets by which one track may go on after another has ended where pieces were joined."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Packets:
    """The packets of one stream, in the order of the file. Missing times are nan."""

    pts_s: FloatArray
    dts_s: FloatArray
    duration_s: FloatArray
    flags: npt.NDArray[np.uint8]
    places: npt.NDArray[np.int64]
    """Number of each packet among those of all streams."""
    size_bytes: int = 0
    """Of all of them."""
    skip_s: float = 0.0
    """Sound at the start that a decoder drops (priming)."""
    is_encrypted: bool = False
    """Common Encryption: a decoder would take them for damaged."""
    first_shown_s: float | None = None
    """Time of the first decoded picture, where packets do not say when they are shown."""

    @property
    def count(self) -> int:
        """Packets."""
        return len(self.flags)

    @property
    def is_vague(self) -> bool:
        """Whether many packets do not say when they are shown, but when they are decoded."""
        missing = np.isnan(self.pts_s)
        return bool(missing.mean() > _FEW and not np.isnan(self.dts_s).all())

    @property
    def untimed(self) -> int:
        """Packets without any time."""
        return int(np.isnan(_clock(self)).sum())

    @property
    def span_s(self) -> float:
        """From the first time to the last, with the usual duration of a packet; 0 without times."""
        times_s = _shown(self)
        times_s = times_s[~np.isnan(times_s)]
        lasts_s = self.duration_s[~np.isnan(self.duration_s)]
        usual_s = float(np.median(lasts_s)) if len(lasts_s) else 0.0
        return float(times_s.max() - times_s.min()) + usual_s if len(times_s) else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Jump:
    """A place where the times of a stream jump."""

    seen_s: float
    """Step that a decoder sees from the last time before to the first after."""
    add_s: float
    """Added to every time from here on, to that of earlier jumps."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """Times of one stream on the film's own line of time."""

    times_s: FloatArray
    """Of packets that are shown, sorted; the first packet of the film is not at 0 yet."""
    ends_s: FloatArray
    """End of each, by the container's word; nan where it says none."""
    key_times_s: FloatArray
    """Of all key frames."""
    closed_key_times_s: FloatArray
    """Of those after which no frame is shown earlier: the group of pictures is closed."""
    add_s: float = 0.0
    """Added to the file's times before the first jump."""
    jumps: tuple[Jump, ...] = ()
    jump_times_s: tuple[float, ...] = ()
    """Where each jump is, on the line."""
    is_timeless: bool = False
    """No packet has a time: a raw elementary stream."""
    corrupt: int = 0
    hidden: int = 0
    """Packets that are decoded but not shown: an edit list leaves them out."""
    before_key: int = 0
    """Packets before the first key frame."""


def lines_of(tracks: Sequence[Packets], *, gap_s: float = FILE_GAP_S) -> list[Line]:
    """The tracks of one film on one line of time, the first of them leading.

    Args:
        tracks: The picture, then the sound that is used.
        gap_s: A hole longer than this, in all tracks, is closed.
    """
    runs = [_runs(track, gap_s) for track in tracks]
    _keep_real_gaps(tracks, runs, gap_s)
    offsets = _offsets(tracks, runs, gap_s)
    return [
        _line(track, each, add_s) for track, each, add_s in zip(tracks, runs, offsets, strict=True)
    ]


def _clock(track: Packets) -> FloatArray:
    """Decoding times; presentation times where there are none, and the other way round.

    ffprobe knows no decoding times of the first pictures of a Matroska file before it has seen as
    many as are reordered. They are decoded before the first one whose time it knows.
    """
    clock = np.where(np.isnan(track.dts_s), track.pts_s, track.dts_s)
    known = np.flatnonzero(~np.isnan(track.dts_s))
    if len(known) and 0 < known[0] <= _MOST_REORDERED:
        first_s = float(track.dts_s[known[0]])
        early = clock[: known[0]]
        early[(early > first_s) & (early < first_s + FILE_GAP_S)] = first_s
    return clock


def _shown(track: Packets) -> FloatArray:
    """Presentation times.

    Where many are missing they are decoding times, later by the delay of the first picture, or
    of key frames: in the order of decoding, but as a set the same.
    """
    missing = np.isnan(track.pts_s)
    if not missing.any():
        return track.pts_s
    clock = _clock(track)
    if missing.mean() <= _FEW:
        return np.where(missing, track.dts_s, track.pts_s)
    if track.first_shown_s is not None:
        return clock + _delay(track)
    delays_s = track.pts_s - clock
    keys_s = delays_s[((track.flags & KEY) != 0) & ~missing]
    if len(keys_s):
        return clock + float(np.median(keys_s))
    return clock + (float(np.nanmin(delays_s)) if not missing.all() else 0.0)


def _delay(track: Packets) -> float:
    """From the first decoding time to the time that ffmpeg gives the first picture."""
    if track.first_shown_s is None or np.isnan(track.dts_s).all():
        return 0.0
    return track.first_shown_s - float(np.nanmin(_clock(track)[:_FIRST_PACKETS]))


def _lag(track: Packets) -> float:
    """How much too late ffmpeg shows a track that holds decoding times only.

    An AVI file has one place for each picture, in the order of decoding, and the first is to
    be seen at the first of them; ffmpeg gives it the time at which it comes out of the decoder.
    """
    return _delay(track) if np.isnan(track.pts_s).all() else 0.0


@dataclass(slots=True)
class _Run:
    """Packets ``first`` to ``last - 1`` of a stream, whose times do not jump."""

    first: int
    last: int
    begin_s: float
    end_s: float


def _runs(track: Packets, gap_s: float) -> list[_Run]:
    clock, shown = _clock(track), _shown(track)
    timed = np.flatnonzero(~np.isnan(clock))
    # What an edit list hides before a cut in mid-film has the times of what is shown before it.
    seen = timed[(track.flags[timed] & DISCARD) == 0]
    timed = seen if len(seen) else timed
    if not len(timed):
        return [_Run(0, track.count, 0.0, 0.0)]
    lasts_s = np.nan_to_num(track.duration_s[timed])
    steps_s = np.diff(clock[timed])
    beyond_s = steps_s - np.minimum(lasts_s[:-1], 3600.0)
    cuts = timed[1:][(steps_s < -BACKWARD_S) | (beyond_s > gap_s)]
    edges = [0, *map(int, cuts), track.count]
    return [_run(track, shown, first, last) for first, last in pairwise(edges)]


def _run(track: Packets, shown: FloatArray, first: int, last: int) -> _Run:
    times = shown[first:last]
    times = times[~np.isnan(times)]
    usual_s = float(np.median(np.nan_to_num(track.duration_s[first:last])))
    return _Run(first, last, float(times.min()), float(times.max()) + usual_s)


def _keep_real_gaps(tracks: Sequence[Packets], runs: Sequence[list[_Run]], gap_s: float) -> None:
    """Join runs again where another track goes on in the hole: a picture that stands still."""
    clocks = [_clock(track) for track in tracks]
    for number, own in enumerate(runs):
        at = 1
        while at < len(own):
            before, after = own[at - 1], own[at]
            hole_s = after.begin_s - before.end_s
            others = [clock for other, clock in enumerate(clocks) if other != number]
            if hole_s > 0 and any(
                _spans(clock, before.end_s, after.begin_s, gap_s) for clock in others
            ):
                own[at - 1] = _Run(before.first, after.last, before.begin_s, after.end_s)
                del own[at]
            else:
                at += 1


def _spans(clock: FloatArray, begin_s: float, end_s: float, gap_s: float) -> bool:
    """Whether times of ``clock`` leave no hole longer than ``gap_s`` in a span."""
    inside = np.sort(clock[(clock >= begin_s) & (clock <= end_s)])
    if not len(inside):
        return False
    return float(np.diff(inside, prepend=begin_s, append=end_s).max()) <= gap_s


@dataclass(slots=True)
class _Piece:
    """One run of one track, where it lies in the file and what is added to its times."""

    track: int
    run: _Run
    first: int
    """Place of its first packet among those of all tracks."""
    last: int
    is_alone: bool
    """The track has no other."""
    add_s: float | None = None

    @property
    def end_s(self) -> float:
        """On the line."""
        return self.run.end_s + (self.add_s or 0.0)


def _offsets(
    tracks: Sequence[Packets], runs: Sequence[list[_Run]], gap_s: float
) -> list[list[float]]:
    """What is added to the times of each run, so that the film goes on without holes."""
    pieces = [
        _Piece(
            number,
            run,
            first=int(track.places[run.first]),
            last=int(track.places[run.last - 1]),
            is_alone=len(own) == 1,
        )
        for number, (track, own) in enumerate(zip(tracks, runs, strict=True))
        for run in own
    ]
    found: list[list[float]] = [[] for _ in runs]
    done: list[_Piece] = []
    for piece in sorted(pieces, key=lambda each: (each.first, each.track)):
        partner = _partner(piece, pieces, gap_s)
        if partner is not None and partner.add_s is not None:
            piece.add_s = partner.add_s
        elif not done:
            piece.add_s = 0.0
        else:
            leads = partner is not None and partner.track < piece.track
            lead = partner if partner is not None and leads else piece
            piece.add_s = _next_s(lead, done, waits=partner is not None) - lead.run.begin_s
        found[piece.track].append(piece.add_s)
        done.append(piece)
    return found


def _partner(piece: _Piece, pieces: Sequence[_Piece], gap_s: float) -> _Piece | None:
    """The piece of another track on the same clock: near in time, and written alongside.

    Clocks that were reset show the same times again, so the place in the file decides. Tracks
    without any jump are one beside the other wherever they are stored.
    """
    best: tuple[int, _Piece] | None = None
    for other in pieces:
        apart_s = max(other.run.begin_s - piece.run.end_s, piece.run.begin_s - other.run.end_s)
        alone = piece.is_alone and other.is_alone
        shared = min(piece.last, other.last) - max(piece.first, other.first)
        if other.track == piece.track or apart_s > (max(gap_s, LEAD_S) if alone else gap_s):
            continue
        if (shared > 0 or alone) and (best is None or shared > best[0]):
            best = (shared, other)
    return None if best is None else best[1]


def _next_s(piece: _Piece, done: Sequence[_Piece], *, waits: bool) -> float:
    """Where a piece begins that has no partner yet: at the end of its own track.

    Of joined pieces it waits for the other track, if that is longer. A first piece on a clock
    of its own begins with the others.
    """
    own = [each for each in done if each.track == piece.track]
    if not own:
        return min(each.run.begin_s + (each.add_s or 0.0) for each in done)
    over = [each.end_s for each in done if each.last < piece.first + _NEAR_PACKETS]
    own_s, longest_s = own[-1].end_s, max(over, default=own[-1].end_s)
    return longest_s if waits and 0.1 < longest_s - own_s < LEAD_S else own_s


def _line(track: Packets, runs: Sequence[_Run], offsets: Sequence[float]) -> Line:
    shown = _shown(track)
    if np.isnan(shown).all():
        return _timeless(track)
    add_s = np.zeros(track.count)
    for run, each in zip(runs, offsets, strict=True):
        add_s[run.first : run.last] = each
    visible = ~np.isnan(shown) & ((track.flags & DISCARD) == 0)
    if track.skip_s:
        visible &= shown + np.nan_to_num(track.duration_s) > shown[0] + track.skip_s + 1e-6
    hidden = int(((track.flags & DISCARD) != 0).sum())
    if not visible.any():
        visible = ~np.isnan(shown)
    lag_s = _lag(track)
    add_s -= lag_s
    times = shown[visible] + add_s[visible]
    order = np.argsort(times, kind="stable")
    keys = visible & ((track.flags & KEY) != 0)
    # What comes from here on, in the order of decoding, is shown at this time at the earliest.
    earliest = np.minimum.accumulate(np.where(np.isnan(shown), np.inf, shown)[::-1])[::-1]
    closed = keys & (shown <= earliest)
    first_key = np.flatnonzero((track.flags & KEY) != 0)
    return Line(
        times_s=times[order],
        ends_s=(times + track.duration_s[visible])[order],
        key_times_s=np.sort(shown[keys] + add_s[keys]),
        closed_key_times_s=np.sort(shown[closed] + add_s[closed]),
        add_s=offsets[0] - lag_s,
        jumps=_jumps(runs, offsets),
        jump_times_s=tuple(
            run.begin_s + each for run, each in zip(runs[1:], offsets[1:], strict=True)
        ),
        corrupt=int(((track.flags & CORRUPT) != 0).sum()),
        hidden=hidden,
        before_key=int(first_key[0]) if len(first_key) else track.count,
    )


def _timeless(track: Packets) -> Line:
    lasts_s = track.duration_s[track.duration_s > 0]
    usual_s = float(np.median(lasts_s)) if len(lasts_s) else 0.04
    times = np.arange(track.count, dtype=np.float64) * usual_s
    keys = (track.flags & KEY) != 0
    return Line(
        times_s=times,
        ends_s=times + usual_s,
        key_times_s=times[keys],
        closed_key_times_s=times[keys],
        is_timeless=True,
    )


def _jumps(runs: Sequence[_Run], offsets: Sequence[float]) -> tuple[Jump, ...]:
    return tuple(
        Jump(seen_s=after.begin_s - before.end_s, add_s=then - now)
        for before, after, now, then in zip(runs, runs[1:], offsets, offsets[1:], strict=False)
    )
