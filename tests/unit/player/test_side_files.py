"""Playlists, initialisation sections and keys in the compiled player: each once."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import numpy as np
import pytest

from abr.capacity import Transfer
from abr.media import Presentation, SideFiles, constant_presentation
from abr.trace import Trace
from player.batch.abrkit.side import (
    NOTHING,
    Have,
    after,
    fetch_first_playlists,
    has_playlist,
    has_side_files,
    list_needs,
    outlasts,
    read_playlist,
    ready_before_audio_s,
    ready_with_audio_s,
    sizes_known,
    take_needs,
)
from player.batch.abrkit.timeline import At, Options, begin_session
from player.batch.abrkit.together import END_S, SIZE
from player.batch.tables import (
    COMPLETE,
    STOPPED,
    PresentationTable,
    Totals,
    clear_totals,
    link_of,
    make_room,
    presentation_table_of,
)
from player.config import PlayerConfig
from player.playback.playhead import thresholds_of

BARE = constant_presentation([1e6, 2e6], segments=4, segment_s=4.0)
SIDE = SideFiles(
    multivariant_bytes=1000,
    listed_sizes_bytes=BARE.sizes_bytes * 1.0,
    listed_rates_bps=BARE.bitrates_bps,
    playlist_bytes=np.array([2000, 2500]),
    init_bytes=np.array([700, 800]),
    audio_playlist_bytes=1500,
    audio_init_bytes=600,
    keys=np.array([0, 0, 1, 1]),
    init_key=0,
)
SILENT = replace(BARE, side_files=SIDE)
FULL = replace(
    SILENT, audio_sizes_bytes=np.full(4, 1e4), audio_durations_s=np.array([3.0, 5.0, 4.5, 3.5])
)
OPTIONS = Options(rtt_s=0.25, overhead_bytes=0.0, server_s=0.0)
LINK = link_of(Trace.constant(8000.0), rtt_s=0.25)
"""A kilobyte each second."""
KEY = 16.0


class Fetched(NamedTuple):
    """What is known once the first playlists are here, or are not to come."""

    at: At
    have: Have
    totals: Totals
    known_bytes: np.ndarray


def fetch(presentation: Presentation, options: Options = OPTIONS) -> Fetched:
    thresholds = thresholds_of(PlayerConfig())
    totals = Totals()
    clear_totals(totals)
    known_bytes = np.zeros(presentation.sizes_bytes.shape)
    at, have = fetch_first_playlists(
        begin_session(thresholds),
        presentation_table_of(presentation),
        LINK,
        options,
        thresholds,
        totals,
        make_room(),
        known_bytes,
    )
    return Fetched(at, have, totals, known_bytes)


def test_the_multivariant_playlist_comes_first_then_that_of_the_lowest_rung() -> None:
    """Connect, ask, 1 s of bytes, ask, 2 s of bytes: 3 round trips and 3 s."""
    got = fetch(SILENT)
    assert got.at.now_s == pytest.approx(3.75)
    assert got.at.outcome == COMPLETE
    assert (got.totals.downloads, got.totals.downloaded_bytes) == (2, 3000)
    assert got.have.connections == 1
    assert has_playlist(got.have, 0)
    assert not has_playlist(got.have, 1)


def test_the_playlist_of_the_audio_shares_the_link_on_a_second_connection() -> None:
    """Both are asked for at 1.5 s. The first begins at 1.75 s, the one that must connect later.

    All 3500 bytes are here at 1.75 + 3.5 s.
    """
    got = fetch(FULL)
    assert got.at.now_s == pytest.approx(5.25)
    assert (got.totals.downloads, got.totals.downloaded_bytes) == (3, 4500)
    assert got.have.connections == 2


def test_who_leaves_before_the_playlists_are_here_has_none() -> None:
    got = fetch(SILENT, OPTIONS._replace(max_play_s=2.0))
    assert (got.at.now_s, got.at.outcome) == (2.0, STOPPED)
    assert not has_playlist(got.have, 0)


def test_a_playlist_tells_the_sizes_of_its_rung_and_a_guess_at_the_others() -> None:
    table = presentation_table_of(SILENT)
    known = np.zeros((2, 4))
    have = read_playlist(table, NOTHING, known, 1)
    assert known[1].tolist() == [1e6] * 4
    assert known[0].tolist() == [5e5] * 4
    assert have.playlists == 0b10
    assert sizes_known(table, known) is known
    bare = presentation_table_of(BARE)
    assert not has_side_files(bare)
    assert sizes_known(bare, known) is bare.sizes_bytes


def needs(table: PresentationTable, have: Have, segment: int, rung: int) -> list[float]:
    room = make_room()
    count = list_needs(table, have, room, segment, rung)
    sizes: list[float] = room.responses[SIZE, :count].tolist()
    return sizes


def test_the_first_segment_needs_its_key_once_and_its_initialisation_section() -> None:
    """Key 0 encrypts both."""
    assert needs(presentation_table_of(SILENT), NOTHING, 0, 0) == [KEY, 700.0]


def test_a_segment_whose_key_is_newer_needs_both_keys() -> None:
    """Key 0 for the initialisation section, key 1 for segment 2."""
    assert needs(presentation_table_of(SILENT), NOTHING, 2, 1) == [KEY, KEY, 800.0]


def test_what_is_here_is_not_asked_for_again() -> None:
    table, totals = presentation_table_of(FULL), Totals()
    clear_totals(totals)
    room = make_room()
    count = list_needs(table, NOTHING, room, 0, 0)
    have = take_needs(table, NOTHING, totals, room, count, 0, 0)
    assert totals.downloaded_bytes == KEY + 700
    assert needs(table, have, 1, 0) == []
    assert needs(table, have, 1, 1) == [800.0]  # another rung
    assert needs(table, have, 1, 2) == [600.0]  # the audio
    assert needs(table, have, 2, 0) == [KEY]  # the keys rotate


def test_connections_stay_open_and_are_never_fewer() -> None:
    transfer = Transfer(4.0, 4.5, 5.0, 1e6, 8, 2.0, 9)
    have = after(NOTHING, 3, transfer)
    assert have == after(have, 1, transfer)
    assert (have.connections, have.period, have.rounds) == (3, 9, 2.0)


def test_a_need_that_comes_after_the_next_request_is_beyond_the_compiled_player() -> None:
    room = make_room()
    room.responses[END_S, :2] = [5.0, 4.0]
    assert outlasts(room, 1, 4.5)
    assert not outlasts(room, 1, 5.0)
    assert not outlasts(room, 0, 0.0)


def test_playback_goes_as_far_as_the_shorter_of_both_tracks() -> None:
    """Audio ends at 3, 8, 12.5 and 16 s; video at 4, 8, 12 and 16 s."""
    table = presentation_table_of(FULL)
    assert ready_with_audio_s(table, 0, 4.0) == 3.0
    assert ready_with_audio_s(table, 2, 12.0) == 12.0
    assert ready_with_audio_s(table, 3, 16.0) == 16.0
    at = fetch(SILENT).at
    assert ready_before_audio_s(at, table, 0, 4.0) == at.head.ready_s == 0.0
    assert ready_before_audio_s(at, table, 1, 8.0) == 3.0
    assert ready_before_audio_s(at, table, 3, 16.0) == 12.5
