"""What came is held against what was asked for."""

from __future__ import annotations

from dataclasses import replace

import pytest

from abr.errors import MediaError
from player.playback.actions import Resource, Want
from player.playback.checking import Body, check_body, check_media, check_tracks, tracks_of
from tests.unit.transcode.test_fragments import AAC, init_section
from transcode.media.boxes import box, full_box

INIT = Want(kind="init", url="http://a/i")
AFTER_INIT = Want(kind="segment", url="http://a/s", init=Resource("init", "http://a/i"))
ALONE = Want(kind="segment", url="http://a/s")

PACKETS = (b"\x47" + bytes(187)) * 8
FRAGMENT = box(b"moof", box(b"traf", full_box(b"tfhd", 0, 0, (1).to_bytes(4, "big"))))
MOVIE = init_section(AAC)
DATA = box(b"mdat", b"x" * 40)
TO_THE_END = bytes(4) + b"mdat" + b"x" * 40

RIGHT = {
    "fragment": (AFTER_INIT, FRAGMENT + DATA),
    "fragment to the end of the file": (AFTER_INIT, FRAGMENT + TO_THE_END),
    "fragment behind a box nobody knows": (AFTER_INIT, box(b"abcd") + FRAGMENT + DATA),
    "movie and fragment": (ALONE, MOVIE + FRAGMENT + DATA),
    "packets": (ALONE, PACKETS),
    "packets after a section of packets": (AFTER_INIT, PACKETS),
    "packets behind rubbish": (ALONE, b"\x89PNG" + bytes(200) + PACKETS),
    "packets and a rest": (ALONE, PACKETS + b"\x47\x00"),
    "tables": (INIT, PACKETS[: 2 * 188]),
    "movie": (INIT, MOVIE),
    "ADTS": (ALONE, b"\xff\xf1" + bytes(30)),
    "ID3": (ALONE, b"ID3\x04" + bytes(30)),
    "AC-3": (ALONE, b"\x0b\x77" + bytes(30)),
    "WebVTT": (ALONE, b"\xef\xbb\xbfWEBVTT\n"),
}
WRONG = {
    "ends within its box mdat": (AFTER_INIT, (FRAGMENT + DATA)[:-1]),
    "ends within its box last": (AFTER_INIT, FRAGMENT + DATA + b"\0\0"),
    "without moof": (AFTER_INIT, DATA),
    "boxes that do not follow": (AFTER_INIT, FRAGMENT + DATA + b"\0\0\0\x01\0\0\0\0" + bytes(9)),
    "expected EXT-X-MAP": (ALONE, FRAGMENT + DATA),
    "without moov": (INIT, box(b"ftyp")),
    "ends within its box moov": (INIT, MOVIE[:-9]),
    "begins with 7b 22": (AFTER_INIT, b'{"error": "gone"}'),
    "begins with 00 00 00 00 47": (ALONE, (bytes(4) + b"\x47" + bytes(187)) * 6),
    "expected MP4, a transport stream or": (ALONE, b"#EXTM3U\n#EXTINF"),
    "a page where media": (ALONE, b"\n <!doctype html>"),
    "an empty segment": (ALONE, b""),
}


def test_a_last_frame_that_a_muxer_left_out_is_no_fault_and_a_whole_segment_is() -> None:
    sliver, whole = (replace(AFTER_INIT, duration_s=each) for each in (0.021, 1.0))
    assert check_media(sliver, box(b"styp", b"msdh")) == ""
    assert "ends within" in check_media(sliver, box(b"styp", b"msdh")[:-1])
    assert "without moof" in check_media(sliver, DATA)
    assert "without moof" in check_media(whole, box(b"styp", b"msdh"))


@pytest.mark.parametrize("name", RIGHT)
def test_media_are_taken_for_what_they_are_built_as(name: str) -> None:
    want, data = RIGHT[name]
    assert check_media(want, data) == ""


@pytest.mark.parametrize("problem", WRONG)
def test_what_is_built_otherwise_is_told(problem: str) -> None:
    want, data = WRONG[problem]
    assert problem in check_media(want, data)


def test_a_rest_behind_packets_is_half_a_packet_where_no_length_was_promised() -> None:
    """Players leave a rest; at the end of a connection it is what was cut."""
    data = PACKETS + b"\x47\x00"
    assert check_body(ALONE, Body(data)) == ""
    assert "cut within a packet (2 bytes)" in check_body(ALONE, Body(data, is_whole=False))


def test_a_page_is_told_as_what_was_expected_instead() -> None:
    page = Body(b"<html>", "text/html; charset=x")
    for kind, words in (("media", "a playlist was"), ("key", "a key was"), ("init", "media were")):
        want = Want(kind=kind, url="http://a/x")  # type: ignore[arg-type]
        assert check_body(want, page) == f"a page (text/html) where {words} expected"


def test_fragments_of_another_track_are_refused() -> None:
    known = tracks_of(MOVIE)
    assert known == {1}
    check_tracks(FRAGMENT + DATA, known)
    check_tracks(PACKETS, tracks_of(PACKETS))
    with pytest.raises(MediaError, match="no boxes behind an initialisation section"):
        check_tracks(PACKETS, known)
    with pytest.raises(MediaError, match="fragments of track 1; expected track 7"):
        check_tracks(FRAGMENT + DATA, frozenset({7}))


@pytest.mark.parametrize("data", [PACKETS, b"ID3\x04" + bytes(99)])
def test_what_is_no_mp4_describes_no_tracks(data: bytes) -> None:
    assert tracks_of(data) == frozenset()
