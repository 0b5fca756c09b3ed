"""Playlists that other programs printed are read; the files are kept as they came."""

from __future__ import annotations

from pathlib import Path

import pytest

from transcode.playlist import ByteRange, MediaPlaylist, MultivariantPlaylist, parse

FOLDER = Path(__file__).parents[2] / "golden/playlists"


def read(name: str) -> MultivariantPlaylist | MediaPlaylist:
    """One of the files."""
    return parse((FOLDER / name).read_text(), uri=name)


def test_every_file_is_read() -> None:
    """None is refused."""
    names = sorted(path.name for path in FOLDER.glob("*.m3u8"))
    assert len(names) == 5
    for name in names:
        assert isinstance(read(name), MultivariantPlaylist | MediaPlaylist)


@pytest.mark.parametrize(
    ("name", "groups", "rates_bps"),
    [
        ("ffmpeg-multivariant.m3u8", {"group_aud"}, [71694, 644970, 644970]),
        ("packager-multivariant.m3u8", {"audio"}, [304723]),
    ],
)
def test_variants_of_other_packagers(name: str, groups: set[str], rates_bps: list[int]) -> None:
    """A version may be missing, and an audio group may be listed as a variant of its own."""
    playlist = read(name)
    assert isinstance(playlist, MultivariantPlaylist)
    assert {variant.audio_group for variant in playlist.variants} == groups
    assert [variant.bandwidth_bps for variant in playlist.variants] == rates_bps


def test_segments_of_ffmpeg_have_a_map() -> None:
    """Fragmented MP4."""
    playlist = read("ffmpeg-fmp4.m3u8")
    assert isinstance(playlist, MediaPlaylist)
    assert {segment.map.uri for segment in playlist.segments if segment.map} == {"init_1.mp4"}
    assert playlist.endlist


def test_ranges_and_keys_with_a_comma_in_quotes() -> None:
    """A single encrypted file of ffmpeg's, and a single file of packager's with its map inside."""
    encrypted, clear = read("ffmpeg-sealed-ranges.m3u8"), read("packager-ranges.m3u8")
    assert isinstance(encrypted, MediaPlaylist)
    assert isinstance(clear, MediaPlaylist)
    key = encrypted.segments[0].key
    assert key is not None
    assert (key.uri, key.iv) == ("key/uri,a", bytes(16))
    assert encrypted.segments[0].byte_range == ByteRange(0, 229_184)
    section = clear.segments[0].map
    assert section is not None
    assert section.byte_range == ByteRange(0, 878)
    assert clear.segments[0].byte_range == ByteRange(922, 159_557)
