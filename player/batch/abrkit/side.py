"""What is fetched beside segments: playlists, initialisation sections and keys, each once.

The compiled form of how ``player.playback.session.PlaybackSession`` plays a presentation with
``SideFiles``: the multivariant playlist, then the media playlists of a first rung and of the
audio together; a rung's own playlist before its first segment; what a segment needs and
is not here yet, together with it. Where there are no side files, nothing here does
anything.
"""

from __future__ import annotations

from typing import NamedTuple

from abr.capacity import Transfer, request
from abr.compilable import rarely
from abr.media import KEY_BYTES, FloatArray
from player.batch.abrkit.timeline import At, Options, await_transfer
from player.batch.abrkit.together import SIZE, others_end_s, request_group
from player.batch.tables import BEYOND, COMPLETE, LinkTable, PresentationTable, Room, Totals
from player.playback.playhead import Thresholds
from player.playback.sizes import fill_known_sizes

MULTIVARIANT_BYTES, AUDIO_PLAYLIST_BYTES, AUDIO_INIT_BYTES, INIT_KEY, FIRST_RUNG = range(5)
"""Places in ``PresentationTable.side_numbers``."""


class Have(NamedTuple):
    """What a session has of connections and side files."""

    connections: int
    """Open ones."""
    playlists: int
    """Bit r: the media playlist of rung r."""
    inits: int
    """Bit r: the initialisation section of rung r; bit R: that of the audio."""
    key: int
    """The newest key; -1 before the first."""
    period: int
    """Of the trace, at the last byte of a response, to search from."""
    rounds: float
    """Whole passes of the trace before its first byte."""


NOTHING = Have(0, 0, 0, -1, 0, 0.0)


def has_side_files(presentation: PresentationTable) -> bool:
    """Whether anything is fetched beside segments."""
    return len(presentation.playlist_bytes) > 0


def has_playlist(have: Have, rung: int) -> bool:
    """Whether the media playlist of ``rung`` is here."""
    return (have.playlists >> rung) & 1 == 1


def sizes_known(presentation: PresentationTable, known_bytes: FloatArray) -> FloatArray:
    """Sizes as the player knows them, shape (R, N): the true ones where nothing is read."""
    return known_bytes if has_side_files(presentation) else presentation.sizes_bytes


@rarely
def fetch_alone(
    at: At,
    have: Have,
    size_bytes: float,
    link: LinkTable,
    options: Options,
    thresholds: Thresholds,
    totals: Totals,
) -> tuple[At, Have]:
    """Fetch something that nothing else is fetched beside."""
    transfer = ask_alone(link, options, at.now_s, have, size_bytes)
    totals.downloads += 1
    at = await_transfer(at, transfer, link, options, thresholds, totals)
    if at.outcome == COMPLETE:
        totals.downloaded_bytes += size_bytes
    return at, after(have, 1, transfer)


def after(have: Have, used: int, transfer: Transfer) -> Have:
    """``used`` connections are in use at once, and stay open; ``transfer`` is the last."""
    return Have(
        max(have.connections, used),
        have.playlists,
        have.inits,
        have.key,
        transfer.last_period,
        transfer.rounds,
    )


@rarely
def fetch_first_playlists(
    at: At,
    presentation: PresentationTable,
    link: LinkTable,
    options: Options,
    thresholds: Thresholds,
    totals: Totals,
    room: Room,
    known_bytes: FloatArray,
) -> tuple[At, Have]:
    """Until the presentation is known."""
    numbers = presentation.side_numbers
    first = int(numbers[FIRST_RUNG])
    at, have = fetch_alone(
        at, NOTHING, float(numbers[MULTIVARIANT_BYTES]), link, options, thresholds, totals
    )
    if at.outcome != COMPLETE:
        return at, have
    if len(presentation.audio_bytes) == 0:
        at, have = fetch_alone(
            at, have, float(presentation.playlist_bytes[first]), link, options, thresholds, totals
        )
    else:
        room.responses[SIZE, 0] = presentation.playlist_bytes[first]
        size_bytes = float(numbers[AUDIO_PLAYLIST_BYTES])
        transfer = ask_group(link, options, at.now_s, have, room, 1, size_bytes)
        totals.downloads += 2
        at = await_transfer(at, whole(transfer, room, 1), link, options, thresholds, totals)
        totals.downloaded_bytes += size_bytes + presentation.playlist_bytes[first]
        have = after(have, 2, transfer)
    if at.outcome != COMPLETE:
        return at, have
    return at, read_playlist(presentation, have, known_bytes, first)


@rarely
def fetch_playlist(
    at: At,
    have: Have,
    presentation: PresentationTable,
    link: LinkTable,
    options: Options,
    thresholds: Thresholds,
    totals: Totals,
    known_bytes: FloatArray,
    rung: int,
) -> tuple[At, Have]:
    """The media playlist of ``rung``."""
    size_bytes = float(presentation.playlist_bytes[rung])
    at, have = fetch_alone(at, have, size_bytes, link, options, thresholds, totals)
    if at.outcome == COMPLETE:
        have = read_playlist(presentation, have, known_bytes, rung)
    return at, have


def read_playlist(
    presentation: PresentationTable, have: Have, known_bytes: FloatArray, rung: int
) -> Have:
    """A media playlist is here; its sizes are known from now on, if there is room for them."""
    playlists = have.playlists | (1 << rung)
    if len(known_bytes) > 0:
        fill_known_sizes(
            known_bytes, presentation.listed_bytes, presentation.listed_rates_bps, playlists
        )
    return Have(have.connections, playlists, have.inits, have.key, have.period, have.rounds)


@rarely
def list_needs(
    presentation: PresentationTable, have: Have, room: Room, segment: int, rung: int
) -> int:
    """How much a segment of ``rung``, or R for the audio, still needs; ``room`` gets the sizes."""
    count, sizes, key = 0, room.responses[SIZE], have.key
    init_bytes = init_size(presentation, rung)
    wanted_key = int(presentation.side_numbers[INIT_KEY]) if init_bytes > 0 else -1
    # Key of the section, key of the segment, section: the order in which the player asks,
    # which decides who gets the open connection.
    for _ in range(2):
        if wanted_key > key:
            sizes[count] = KEY_BYTES
            count, key = count + 1, wanted_key
        wanted_key = int(presentation.keys[segment]) if len(presentation.keys) > 0 else -1
    if init_bytes > 0 and (have.inits >> rung) & 1 == 0:
        sizes[count] = init_bytes
        count += 1
    return count


def ask_alone(
    link: LinkTable, options: Options, now_s: float, have: Have, size_bytes: float
) -> Transfer:
    """Ask for a body of ``size_bytes``, and nothing else."""
    return request(
        link,
        now_s,
        have.connections > 0,
        size_bytes,
        options.overhead_bytes,
        options.server_s,
        have.period,
        have.rounds,
    )


def ask_with(
    link: LinkTable,
    options: Options,
    now_s: float,
    have: Have,
    room: Room,
    needs: int,
    size_bytes: float,
) -> Transfer:
    """Ask for a body of ``size_bytes``, and for the ``needs`` whose sizes stand in ``room``."""
    if needs == 0:
        return ask_alone(link, options, now_s, have, size_bytes)
    return ask_group(link, options, now_s, have, room, needs, size_bytes)


@rarely
def ask_group(
    link: LinkTable,
    options: Options,
    now_s: float,
    have: Have,
    room: Room,
    needs: int,
    size_bytes: float,
) -> Transfer:
    """The same, where there is any need."""
    room.responses[SIZE, needs] = size_bytes
    return request_group(
        link,
        now_s,
        have.connections,
        needs + 1,
        room,
        options.overhead_bytes,
        options.server_s,
        have.period,
        have.rounds,
    )


def whole(transfer: Transfer, room: Room, needs: int) -> Transfer:
    """From the request to the last byte of all that was asked for together."""
    end_s = max(transfer.end_s, others_end_s(room, needs + 1))
    return Transfer(
        transfer.start_s,
        transfer.first_byte_s,
        end_s,
        transfer.offered_bits,
        transfer.period,
        transfer.rounds,
        transfer.last_period,
    )


@rarely
def take_needs(
    presentation: PresentationTable,
    have: Have,
    totals: Totals,
    room: Room,
    needs: int,
    segment: int,
    rung: int,
) -> Have:
    """What a segment needs is here."""
    for k in range(needs):
        totals.downloaded_bytes += room.responses[SIZE, k]
    key, inits = have.key, have.inits
    if init_size(presentation, rung) > 0:
        key = max(key, int(presentation.side_numbers[INIT_KEY]))
        inits |= 1 << rung
    if len(presentation.keys) > 0:
        key = max(key, int(presentation.keys[segment]))
    return Have(have.connections, have.playlists, inits, key, have.period, have.rounds)


def outlasts(room: Room, needs: int, until_s: float) -> bool:
    """Whether something a segment needs comes later than ``until_s``.

    Then the next request finds the link in use, which only the player itself can play.
    """
    return needs > 0 and others_end_s(room, needs + 1) > until_s


def init_size(presentation: PresentationTable, rung: int) -> float:
    """Of the initialisation section of ``rung``, or R for the audio; 0 where there is none."""
    if rung == len(presentation.ladder_bps):
        return float(presentation.side_numbers[AUDIO_INIT_BYTES])
    return float(presentation.init_bytes[rung])


@rarely
def fetch_audio(
    at: At,
    have: Have,
    presentation: PresentationTable,
    link: LinkTable,
    options: Options,
    thresholds: Thresholds,
    totals: Totals,
    room: Room,
    segment: int,
) -> tuple[At, Have]:
    """The audio of ``segment``, and what it still needs."""
    size_bytes, rung = float(presentation.audio_bytes[segment]), len(presentation.ladder_bps)
    needs = (
        list_needs(presentation, have, room, segment, rung) if has_side_files(presentation) else 0
    )
    transfer = ask_with(link, options, at.now_s, have, room, needs, size_bytes)
    totals.downloads += needs + 1
    if outlasts(room, needs, transfer.end_s):
        return At(at.now_s, at.head, BEYOND), have
    at = await_transfer(at, transfer, link, options, thresholds, totals)
    if at.outcome == COMPLETE:
        totals.downloaded_bytes += size_bytes
        have = after(have, needs + 1, transfer)
        if needs > 0:
            have = take_needs(presentation, have, totals, room, needs, segment, rung)
    return at, have


def ready_with_audio_s(presentation: PresentationTable, segment: int, fetched_s: float) -> float:
    """Up to where can be played once the audio of ``segment`` is here: it may end earlier."""
    if len(presentation.audio_ends_s) == 0 or segment == len(presentation.durations_s) - 1:
        return fetched_s
    return min(fetched_s, float(presentation.audio_ends_s[segment]))


def ready_before_audio_s(
    at: At, presentation: PresentationTable, segment: int, fetched_s: float
) -> float:
    """Up to where can be played once the video of ``segment`` is here, its audio not yet."""
    if len(presentation.audio_ends_s) == 0 or segment == 0:
        return at.head.ready_s
    return min(fetched_s, float(presentation.audio_ends_s[segment - 1]))
