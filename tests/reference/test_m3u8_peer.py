"""The m3u8 library, an independent reader, sees what we see in playlists, ours and others'."""

from __future__ import annotations

from pathlib import Path

import pytest

from transcode.playlist import MediaPlaylist, MultivariantPlaylist, parse, print_media
from transcode.playlist.write import print_multivariant

m3u8 = pytest.importorskip("m3u8")

FOLDER = Path(__file__).parent.parent / "golden" / "playlists"


def test_there_are_playlists_of_both_kinds_to_compare() -> None:
    kinds = {type(parse(path.read_text(), uri=path.name)) for path in FOLDER.glob("*.m3u8")}
    assert kinds == {MediaPlaylist, MultivariantPlaylist}


@pytest.mark.parametrize("name", sorted(path.name for path in FOLDER.glob("*.m3u8")))
def test_the_peer_reads_what_we_read_and_what_we_write_of_it(name: str) -> None:
    text = (FOLDER / name).read_text()
    ours = parse(text, uri=name)
    if isinstance(ours, MultivariantPlaylist):
        for version in (text, print_multivariant(ours)):
            theirs = m3u8.loads(version)
            assert [
                (v.uri, v.bandwidth_bps, v.average_bandwidth_bps, v.codecs, v.audio_group)
                for v in ours.variants
            ] == [
                (
                    p.uri,
                    p.stream_info.bandwidth,
                    p.stream_info.average_bandwidth,
                    p.stream_info.codecs or "",
                    p.stream_info.audio,
                )
                for p in theirs.playlists
            ]
            assert [(r.type, r.group_id, r.uri) for r in ours.renditions] == [
                (m.type, m.group_id, m.uri) for m in theirs.media
            ]
        return
    for version in (text, print_media(ours)):
        _assert_same_segments(ours, m3u8.loads(version))


def _assert_same_segments(ours: MediaPlaylist, theirs: object) -> None:
    assert theirs.is_endlist == ours.endlist  # type: ignore[attr-defined]
    segments = theirs.segments  # type: ignore[attr-defined]
    assert len(segments) == len(ours.segments) > 0
    offset = 0
    for mine, other in zip(ours.segments, segments, strict=True):
        assert (mine.uri, mine.duration_s) == (other.uri, other.duration)
        if mine.byte_range is None:
            assert other.byterange is None
        else:
            length, _, start = other.byterange.partition("@")
            # A range without an offset begins where the one before it ended.
            offset = int(start) if start else offset
            assert mine.byte_range == (offset, int(length))
            offset += int(length)
        if mine.key is None:
            assert other.key is None or other.key.method == "NONE"
        else:
            assert (mine.key.method, mine.key.uri) == (other.key.method, other.key.uri)
        if mine.map is not None:
            assert mine.map.uri == other.init_section.uri
