"""What is fetched beside segments: playlists, initialisation sections and keys, each once.

The compiled form of how ``player.session.PlaybackSession`` plays a presentation with
``SideFiles``: the multivariant playlist, then the media playlists of rung 0 and of the
audio together; a rung's own playlist before its first segment; what a segment needs and
is not here yet, together with it. Where there are no side files, nothing here does
anything.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from abr.capacity import Transfer, received_bytes, request
from abr.media import KEY_BYTES, FloatArray
from player.batch.abrkit.timeline import At, Options, await_transfer
from player.batch.abrkit.together import SIZE, Group, Room, received_of_last, request_group
from player.batch.tables import BEYOND, COMPLETE, DOWNLOADED, DOWNLOADS, Film, LinkTable, Out
from player.playhead import Thresholds
from player.sizes import fill_known_sizes

MULTIVARIANT_BYTES, AUDIO_PLAYLIST_BYTES, AUDIO_INIT_BYTES, INIT_KEY = range(4)
"""Places in ``Film.side_numbers``."""


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
    """Of the trace, at the last first byte."""


NOTHING = Have(0, 0, 0, -1, 0)


class Asked(NamedTuple):
    """A response, and what was asked for together with it."""

    transfer: Transfer
    group: Group
    responses: int
    """How many in all; 1 when it is alone."""


def has_side_files(film: Film) -> bool:
    """Whether anything is fetched beside segments."""
    return len(film.playlist_bytes) > 0


def has_playlist(film: Film, have: Have, rung: int) -> bool:
    """Whether segments of ``rung`` can be asked for."""
    return not has_side_files(film) or (have.playlists >> rung) & 1 == 1


def sizes_known(film: Film, out: Out) -> FloatArray:
    """Sizes as the player knows them, shape (R, N)."""
    return out.known_bytes if has_side_files(film) else film.sizes_bytes


def fetch_alone(
    at: At,
    have: Have,
    size_bytes: float,
    link: LinkTable,
    options: Options,
    thresholds: Thresholds,
    totals: FloatArray,
) -> tuple[At, Have]:
    """Fetch something that nothing else is fetched beside."""
    transfer = request(
        link,
        at.now_s,
        have.connections > 0,
        size_bytes,
        options.overhead_bytes,
        options.server_s,
        have.period,
    )
    totals[DOWNLOADS] += 1
    at = await_transfer(at, transfer, options, thresholds, totals)
    if at.outcome == COMPLETE:
        totals[DOWNLOADED] += size_bytes
    return at, with_connections(have, 1, transfer.period)


def with_connections(have: Have, used: int, period: int) -> Have:
    """``used`` connections were in use at once, and are still open."""
    connections = max(have.connections, used)
    return Have(connections, have.playlists, have.inits, have.key, period)


def fetch_first_playlists(
    at: At,
    film: Film,
    link: LinkTable,
    options: Options,
    thresholds: Thresholds,
    totals: FloatArray,
    room: Room,
    known_bytes: FloatArray,
) -> tuple[At, Have]:
    """Until the presentation is known."""
    numbers = film.side_numbers
    at, have = fetch_alone(
        at, NOTHING, float(numbers[MULTIVARIANT_BYTES]), link, options, thresholds, totals
    )
    if at.outcome != COMPLETE:
        return at, have
    sizes = room.responses[SIZE]
    sizes[0], sizes[1] = film.playlist_bytes[0], numbers[AUDIO_PLAYLIST_BYTES]
    count = 2 if len(film.audio_bytes) > 0 else 1
    asked = ask(link, options, at.now_s, have, room, count)
    totals[DOWNLOADS] += count
    at = await_transfer(at, whole(asked), options, thresholds, totals)
    if at.outcome != COMPLETE:
        return at, have
    for k in range(count):
        totals[DOWNLOADED] += sizes[k]
    have = with_connections(have, count, asked.transfer.period)
    return at, read_playlist(film, have, known_bytes, 0)


def fetch_playlist(
    at: At,
    have: Have,
    film: Film,
    link: LinkTable,
    options: Options,
    thresholds: Thresholds,
    totals: FloatArray,
    known_bytes: FloatArray,
    rung: int,
) -> tuple[At, Have]:
    """The media playlist of ``rung``."""
    size_bytes = float(film.playlist_bytes[rung])
    at, have = fetch_alone(at, have, size_bytes, link, options, thresholds, totals)
    if at.outcome == COMPLETE:
        have = read_playlist(film, have, known_bytes, rung)
    return at, have


def read_playlist(film: Film, have: Have, known_bytes: FloatArray, rung: int) -> Have:
    """A media playlist is here; its sizes are known from now on, if there is room for them."""
    playlists = have.playlists | (1 << rung)
    if len(known_bytes) > 0:
        fill_known_sizes(known_bytes, film.listed_bytes, film.listed_rates_bps, playlists)
    return Have(have.connections, playlists, have.inits, have.key, have.period)


def ask_with_needs(
    film: Film,
    link: LinkTable,
    options: Options,
    now_s: float,
    have: Have,
    room: Room,
    segment: int,
    rung: int,
    size_bytes: float,
) -> Asked:
    """Ask for a segment of ``rung``, or R for the audio, and for what it still needs."""
    if not has_side_files(film):
        room.responses[SIZE, 0] = size_bytes
        return ask(link, options, now_s, have, room, 1)
    count, sizes, key = 0, room.responses[SIZE], have.key
    init_bytes = init_size(film, rung)
    wanted_key = int(film.side_numbers[INIT_KEY]) if init_bytes > 0 else -1
    for _ in range(2):
        if wanted_key > key:
            sizes[count] = KEY_BYTES
            count, key = count + 1, wanted_key
        wanted_key = int(film.keys[segment]) if len(film.keys) > 0 else -1
    if init_bytes > 0 and (have.inits >> rung) & 1 == 0:
        sizes[count] = init_bytes
        count += 1
    sizes[count] = size_bytes
    return ask(link, options, now_s, have, room, count + 1)


def ask(
    link: LinkTable, options: Options, now_s: float, have: Have, room: Room, count: int
) -> Asked:
    """Ask for ``count`` responses together, whose sizes stand in ``room``."""
    if count == 1:
        transfer = request(
            link,
            now_s,
            have.connections > 0,
            room.responses[SIZE, 0],
            options.overhead_bytes,
            options.server_s,
            have.period,
        )
        return Asked(transfer, Group(transfer, now_s, 0), 1)
    group = request_group(
        link,
        now_s,
        have.connections,
        count,
        room,
        options.overhead_bytes,
        options.server_s,
        have.period,
    )
    return Asked(group.last, group, count)


def whole(asked: Asked) -> Transfer:
    """From the request to the last byte of all that was asked for together."""
    transfer, end_s = asked.transfer, max(asked.transfer.end_s, asked.group.others_end_s)
    return Transfer(
        transfer.start_s, transfer.first_byte_s, end_s, transfer.offered_bits, transfer.period
    )


def received(
    link: LinkTable, options: Options, asked: Asked, room: Room, size_bytes: float, now_s: float
) -> float:
    """Body bytes of the segment that are here by ``now_s``, while it is under way."""
    if asked.responses == 1:
        return received_bytes(link, asked.transfer, size_bytes, options.overhead_bytes, now_s)
    return received_of_last(link, asked.group, asked.responses, room, options.overhead_bytes, now_s)


def take_needs(
    film: Film,
    have: Have,
    asked: Asked,
    totals: FloatArray,
    room: Room,
    segment: int,
    rung: int,
) -> Have:
    """A segment was asked for, and what it needs is here."""
    have = with_connections(have, asked.responses, asked.transfer.period)
    if asked.responses == 1:
        return have
    for k in range(asked.responses - 1):
        totals[DOWNLOADED] += room.responses[SIZE, k]
    key, inits = have.key, have.inits
    if init_size(film, rung) > 0:
        key = max(key, int(film.side_numbers[INIT_KEY]))
        inits |= 1 << rung
    if len(film.keys) > 0:
        key = max(key, int(film.keys[segment]))
    return Have(have.connections, have.playlists, inits, key, have.period)


def outlasts(asked: Asked, until_s: float) -> bool:
    """Whether something a segment needs comes later than ``until_s``.

    Then the next request finds the link in use, which only the player itself can play.
    """
    return asked.responses > 1 and asked.group.others_end_s > until_s


def init_size(film: Film, rung: int) -> float:
    """Of the initialisation section of ``rung``, or R for the audio; 0 where there is none."""
    if rung == len(film.ladder_bps):
        return float(film.side_numbers[AUDIO_INIT_BYTES])
    return float(film.init_bytes[rung])


def fetch_audio(
    at: At,
    have: Have,
    film: Film,
    link: LinkTable,
    options: Options,
    thresholds: Thresholds,
    totals: FloatArray,
    room: Room,
    segment: int,
) -> tuple[At, Have]:
    """The audio of ``segment``, and what it still needs."""
    size_bytes, rung = float(film.audio_bytes[segment]), len(film.ladder_bps)
    asked = ask_with_needs(film, link, options, at.now_s, have, room, segment, rung, size_bytes)
    totals[DOWNLOADS] += asked.responses
    if outlasts(asked, asked.transfer.end_s):
        return At(at.now_s, at.head, BEYOND), have
    at = await_transfer(at, asked.transfer, options, thresholds, totals)
    if at.outcome == COMPLETE:
        totals[DOWNLOADED] += size_bytes
        have = take_needs(film, have, asked, totals, room, segment, rung)
    return at, have


def ready_with_audio_s(film: Film, segment: int, fetched_s: float) -> float:
    """Up to where can be played once the audio of ``segment`` is here: it may end earlier."""
    if len(film.audio_ends_s) == 0 or segment == len(film.durations_s) - 1:
        return fetched_s
    return min(fetched_s, float(film.audio_ends_s[segment]))


def ready_before_audio_s(film: Film, segment: int, fetched_s: float) -> float:
    """Up to where can be played once the video of ``segment`` is here, its audio not yet."""
    if len(film.audio_ends_s) == 0 or segment == 0:
        return -math.inf
    return min(fetched_s, float(film.audio_ends_s[segment - 1]))
