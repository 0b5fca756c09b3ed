"""What goes into a simulator and what comes out: named tuples of arrays.

``PresentationTable`` and ``LinkTable`` are shared by all sessions over one presentation and one
trace; ``Out`` belongs to one session and is filled in place. Everything is float64,
seconds, bytes and bits per second, so that many sessions can lie in one block.

``COLUMNS`` names what the rows of ``Out.columns`` hold; the constants in capitals below it
are their places.
"""

from __future__ import annotations

import math
from itertools import accumulate
from typing import NamedTuple

import numpy as np

from abr.capacity import table_of
from abr.compilable import likely, natural, numbers
from abr.decision import Downloads
from abr.media import FloatArray, Presentation
from abr.played import Utilities, sum_played, utilities_of
from abr.trace import Trace

NONE: FloatArray = np.zeros(0)
NO_SIZES: FloatArray = np.zeros((0, 0))

MOST_TOGETHER = 4
"""Most responses asked for at once: two keys, an initialisation section, a segment."""

_HELD_S = 1e9


class PresentationTable(NamedTuple):
    """One presentation: R rungs by N segments."""

    ladder_bps: FloatArray
    """Nominal bit rate per rung, ascending, shape (R,)."""
    sizes_bytes: FloatArray
    """Size of every segment at every rung, shape (R, N)."""
    durations_s: FloatArray
    """Media seconds per segment, shape (N,)."""
    durations_ms: FloatArray
    """The same in milliseconds, as ``in_ms`` has them."""
    utility: FloatArray
    """This and the next are of ``abr.played.Utilities``: of each rung, shape (R,)."""
    utility_change: FloatArray
    """Shape (R*R,)."""
    audio_bytes: FloatArray = NONE
    """Size of the audio that goes with every segment, shape (N,); (0,) where there is none
    apart from the video."""
    audio_ends_s: FloatArray = NONE
    """End of each on the media timeline, shape (N,); (0,) where they end with the video."""
    playlist_bytes: FloatArray = NONE
    """This and what follows are of ``abr.media.SideFiles``; all are empty where there are
    none. Shape (R,)."""
    init_bytes: FloatArray = NONE
    """Shape (R,)."""
    keys: FloatArray = NONE
    """Shape (N,), or (0,) where nothing is encrypted."""
    listed_bytes: FloatArray = NO_SIZES
    """Shape (R, N)."""
    listed_rates_bps: FloatArray = NONE
    """Shape (R,)."""
    side_numbers: FloatArray = NONE
    """Bytes of the multivariant playlist, of the audio's playlist and initialisation
    section, the number of the key of initialisation sections, and the rung whose playlist is
    loaded first, shape (5,)."""
    goals_s: FloatArray = NONE
    """Most media to buffer when each rung was chosen last, and when none was, shape (R+1,);
    (0,) where it is always the same. See ``player.playback.room``."""


class LinkTable(NamedTuple):
    """One trace of K periods that starts again after the last: an ``abr.capacity.Offer``."""

    times_s: FloatArray
    """Bounds of the periods, from 0, shape (K+1,)."""
    offered_bits: FloatArray
    """Bits offered from 0 to each bound, shape (K+1,)."""
    capacity_bps: FloatArray
    """Capacity in each period, shape (K,)."""
    rtt_s: FloatArray
    """Wait for the first byte of a request in each period, shape (K,), or (1,) where it is
    always the same."""
    rtt_ms: FloatArray
    """The same in milliseconds, as ``in_ms`` has them."""
    lengths_ms: FloatArray
    """How long each period lasts, as ``in_ms`` has it, shape (K,)."""


class Room(NamedTuple):
    """Where a group of responses is worked out; see ``player.batch.abrkit.together``."""

    responses: FloatArray
    """Per response: body bytes, filled beforehand; first byte; share of the link at which
    it begins and ends; last byte; shape (5, MOST_TOGETHER)."""
    changes: FloatArray
    """Per change of the number of responses under way, the fields of ``Sharing`` from then
    on, two for each response, shape (4, 2 MOST_TOGETHER)."""


def make_room() -> Room:
    """Room for a group."""
    return Room(np.zeros((5, MOST_TOGETHER)), np.zeros((4, 2 * MOST_TOGETHER)))


NO_ROOM = Room(NO_SIZES, NO_SIZES)


class Out(NamedTuple):
    """What one session came to."""

    rungs: FloatArray
    """Rung of each segment as played, shape (N,)."""
    columns: FloatArray
    """One row per name in ``COLUMNS``, one column per segment, shape (C, N)."""
    totals: Totals
    """What can be summed up."""
    history: FloatArray
    """Finished downloads as the algorithm sees them, one row per field of ``Downloads``,
    oldest first, shape (6, M)."""
    known_bytes: FloatArray = NO_SIZES
    """Sizes as the player knows them, shape (R, N); (0, 0) where it knows the true ones."""
    room: Room = NO_ROOM
    """Of the simulator of our own player."""


COLUMNS = (
    "rung",
    "start_s",
    "first_byte_s",
    "end_s",
    "size_bytes",
    "buffer_before_s",
    "stall_s",
)
"""Per segment, of the download that was played: its rung; request sent, first byte and
last byte, seconds since play was asked for; its size; media ready when the request was
sent; time stalled since the segment before it arrived."""
RUNG, START_S, FIRST_BYTE_S, END_S, SIZE_BYTES, BUFFER_BEFORE_S, STALL_S = range(7)

COMPLETE, STOPPED, BEYOND, REFUSED, FAILED = 0, 1, 2, 3, 4
"""How a session of our own player's simulator ended: all was played; the viewer left; a
request met a limit in time, which only the player itself knows how to handle; the algorithm
answered what is not legal; the player itself gave up."""


class Totals:
    """What a session came to; to the compiler a record of ``TOTALS_DTYPE`` is the same."""

    startup_s: float
    """Wait for the first picture."""
    stall_s: float
    """Time stalled."""
    stall_events: float
    """How often."""
    played_s: float
    """Media played."""
    ended_s: float
    """From asking to play to the end."""
    idle_s: float
    """Without a download, for want of room or because the algorithm waited."""
    bitrate_time_bits: float
    """Sum over segments of nominal rate times length."""
    mean_bitrate_bps: float
    """The same over the time played; 0 when nothing was."""
    bitrate_change_bps: float
    """Sum of the difference in rate between neighbours."""
    utility_time_s: float
    """As ``bitrate_time_bits``, of the utility ``ln(rate / lowest rate)``."""
    utility_change: float
    """As ``bitrate_change_bps``, of the utility."""
    switches: float
    """Changes of rung between neighbours."""
    downloads: float
    """Requests sent."""
    abandoned: float
    """Downloads given up."""
    replaced: float
    """Segments whose replacement came in time."""
    downloaded_bytes: float
    """Bytes received."""
    wasted_bytes: float
    """Those of them that were never played."""
    shown: float
    """Segments of which something was shown."""
    outcome: float
    """How the session ended: ``COMPLETE`` and what follows; by our own player only."""

    def __repr__(self) -> str:
        known = ", ".join(f"{name}={value:g}" for name, value in vars(self).items())
        return f"Totals({known})"


TOTALS = tuple(Totals.__annotations__)
"""Names of the totals, in the order of a row of them."""

TOTALS_DTYPE = np.dtype([(name, np.float64) for name in TOTALS])


def clear_totals(totals: Totals) -> None:
    """Nothing has happened: there was no first picture either."""
    totals.startup_s = math.nan
    totals.stall_s = 0.0
    totals.stall_events = 0.0
    totals.played_s = 0.0
    totals.ended_s = 0.0
    totals.idle_s = 0.0
    totals.bitrate_time_bits = 0.0
    totals.mean_bitrate_bps = 0.0
    totals.bitrate_change_bps = 0.0
    totals.utility_time_s = 0.0
    totals.utility_change = 0.0
    totals.switches = 0.0
    totals.downloads = 0.0
    totals.abandoned = 0.0
    totals.replaced = 0.0
    totals.downloaded_bytes = 0.0
    totals.wasted_bytes = 0.0
    totals.shown = 0.0
    totals.outcome = 0.0


def in_ms(times_s: FloatArray) -> FloatArray:
    """The milliseconds that ``times_s`` were made from.

    A number of milliseconds over a thousand times a thousand need not be that number
    again, so times are taken for the nearest picosecond; those beyond 11 days are not.
    """
    return np.where(times_s > 1e6, times_s * 1e3, np.floor(times_s * 1e12 + 0.5) / 1e9)


def bare_table(
    ladder_bps: FloatArray,
    sizes_bytes: FloatArray,
    durations_s: FloatArray,
    durations_ms: FloatArray,
) -> PresentationTable:
    """The tables of a presentation that is video and nothing else."""
    utilities = utilities_of(ladder_bps)
    return PresentationTable(
        ladder_bps,
        sizes_bytes,
        durations_s,
        durations_ms,
        np.array(utilities.of_rung),
        np.array(utilities.changes),
    )


def presentation_table_of(presentation: Presentation) -> PresentationTable:
    """The tables of a presentation."""
    bare = bare_table(
        np.ascontiguousarray(presentation.bitrates_bps),
        np.ascontiguousarray(presentation.sizes_bytes),
        np.ascontiguousarray(presentation.durations_s),
        in_ms(presentation.durations_s),
    )
    if presentation.audio_sizes_bytes is not None:
        bare = bare._replace(audio_bytes=np.ascontiguousarray(presentation.audio_sizes_bytes))
    if presentation.audio_durations_s is not None:
        # Summed one after the other, as players do: numpy's own sum rounds otherwise.
        ends_s = list(accumulate(presentation.audio_durations_s.tolist()))
        bare = bare._replace(audio_ends_s=np.array(ends_s))
    side = presentation.side_files
    if side is None:
        return bare
    return bare._replace(
        playlist_bytes=np.ascontiguousarray(side.playlist_bytes),
        init_bytes=np.ascontiguousarray(side.init_bytes),
        keys=NONE if side.keys is None else np.ascontiguousarray(side.keys),
        listed_bytes=np.ascontiguousarray(side.listed_sizes_bytes),
        listed_rates_bps=np.ascontiguousarray(side.listed_rates_bps),
        side_numbers=np.array(
            [
                side.multivariant_bytes,
                side.audio_playlist_bytes,
                side.audio_init_bytes,
                side.init_key,
                0,
            ]
        ),
    )


def link_of(trace: Trace, *, rtt_s: float = 0.0, ever_s: float = _HELD_S) -> LinkTable:
    """The tables of a trace, whatever its end rule; see ``abr.capacity.table_of``.

    Args:
        trace: The trace.
        rtt_s: Round-trip time where it says nothing of them.
        ever_s: How long it holds its last capacity, or is silent after its end; thirty
            years, for clocks that count in periods.
    """
    rtts = np.full(len(trace.capacity_bps), rtt_s) if trace.rtt_s is None else trace.rtt_s
    table = table_of(trace.times_s, trace.capacity_bps, rtts, trace.end, ever_s=ever_s)
    return LinkTable(
        np.asarray(table.times_s),
        np.asarray(table.offered_bits),
        np.asarray(table.capacity_bps),
        np.asarray(table.rtt_s),
        in_ms(np.asarray(table.rtt_s)),
        in_ms(np.diff(table.times_s)),
    )


def endless_link_of(trace: Trace, *, rtt_s: float = 0.0) -> LinkTable:
    """``link_of``, for simulators that know no limit in time.

    Raises:
        ValueError: the trace ends for good: a session over it might never.
    """
    if trace.end == "end":
        raise ValueError(
            f"trace {trace.name or 'without name'} ends; this simulator needs one that goes on"
        )
    return link_of(trace, rtt_s=rtt_s)


def out_for(
    segments: int,
    downloads: int,
    *,
    columns: int = len(COLUMNS),
    known: tuple[int, int] = (0, 0),
) -> Out:
    """Room for the results of one session that remembers ``downloads`` downloads.

    Args:
        segments: Of the presentation.
        downloads: As above.
        columns: Rows of ``Out.columns``.
        known: Shape of ``Out.known_bytes``.
    """
    return Out(
        np.zeros(segments),
        np.zeros((columns, segments)),
        Totals(),
        np.zeros((len(Downloads._fields), downloads)),
        np.zeros(known),
        make_room(),
    )


def downloads_so_far(history: FloatArray, count: int) -> Downloads:
    """The first ``count`` columns of a history, as an algorithm sees them."""
    known = history[:, : natural(count)]
    return Downloads(known[0], known[1], known[2], known[3], known[4], known[5])


def remember(
    history: FloatArray,
    count: int,
    segment: int,
    rung: int,
    size_bytes: float,
    start_s: float,
    first_byte_s: float,
    end_s: float,
) -> int:
    """Add a finished download; how many are remembered now.

    A full history forgets its older half first.
    """
    room = history.shape[1]
    if not likely(count != room):
        half = room - room // 2
        for row in range(6):
            for i in range(half, room):
                history[row, i - half] = history[row, i]
        count = room // 2
    count = natural(count)
    history[0, count] = segment
    history[1, count] = rung
    history[2, count] = size_bytes
    history[3, count] = start_s
    history[4, count] = first_byte_s
    history[5, count] = end_s
    return count + 1


def sum_rungs(
    presentation: PresentationTable, out: Out, count: int, played_s: float = math.inf
) -> None:
    """Fill the totals that follow from the first ``count`` rungs as played."""
    played = sum_played(
        numbers(presentation.ladder_bps),
        Utilities(numbers(presentation.utility), numbers(presentation.utility_change)),
        numbers(presentation.durations_s),
        out.rungs,
        count,
        played_s,
    )
    totals = out.totals
    totals.bitrate_time_bits = played.bitrate_time_bits
    totals.mean_bitrate_bps = played.mean_bitrate_bps
    totals.bitrate_change_bps = played.bitrate_change_bps
    totals.utility_time_s = played.utility_time_s
    totals.utility_change = played.utility_change
    totals.switches = played.switches
    totals.shown = count
