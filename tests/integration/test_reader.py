"""Packages read from a real disk: what is found, what is missed, what is said."""

from __future__ import annotations

from pathlib import Path

import pytest

from abr.errors import MissingFileError, PackageError, PlaylistError
from transcode.files.reader import check_package, is_package, read_index, read_presentation
from transcode.packaging.index import PresentationIndex, SegmentFacts, SourceFacts, Track, files_of
from transcode.packaging.indexfile import print_index
from transcode.packaging.listing import media_playlist_of, multivariant_of
from transcode.playlist import print_media, print_multivariant

VIDEO = tuple(
    Track(
        folder=f"v{rung}",
        kind="video",
        codecs="avc1.64000c",
        init_bytes=7,
        segments=tuple(
            SegmentFacts(size_bytes=size, duration_s=duration_s)
            for size, duration_s in ((sizes[0], 4.0), (sizes[1], 1 / 3))
        ),
        width=160,
        height=90,
        frame_rate=24.0,
    )
    for rung, sizes in enumerate([(1000, 90), (3000, 200)])
)
INDEX = PresentationIndex(
    title="film",
    source=SourceFacts(name="m.mp4", duration_s=4.333, width=160, height=90, frame_rate=24.0),
    video=VIDEO,
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A package whose media are zeros of the right length."""
    folder = tmp_path / "film"
    for path, size in files_of(INDEX).items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(bytes(size or 0))
    (folder / "multivariant.m3u8").write_text(print_multivariant(multivariant_of(INDEX)))
    for track in INDEX.tracks:
        text = print_media(media_playlist_of(INDEX, track))
        (folder / track.folder / "playlist.m3u8").write_text(text)
    (folder / "presentation.json").write_text(print_index(INDEX))
    return folder


def test_a_whole_package_is_read_and_checked(folder: Path) -> None:
    """By path or by text of the path."""
    assert is_package(folder)
    assert read_index(str(folder)) == check_package(folder) == INDEX


def test_a_presentation_has_video_sizes_and_averages_listed(folder: Path) -> None:
    """8 * 1090 bytes in 4.333 s are 2012.3 bit/s, rounded up."""
    seen = read_presentation(folder)
    assert seen.sizes_bytes.tolist() == [[1000, 90], [3000, 200]]
    assert seen.durations_s.tolist() == [4.0, 0.333333]  # as the playlist lists them
    assert seen.bitrates_bps.tolist() == [2013, 5908]
    assert seen.title == "film"


def test_a_folder_that_is_no_package_is_said_so(tmp_path: Path) -> None:
    """Missing, a file, or without an index."""
    assert not is_package(tmp_path)
    (tmp_path / "file").write_text("")
    for path in (tmp_path / "none", tmp_path / "file"):
        with pytest.raises(MissingFileError, match="no such folder"):
            read_index(path)
    with pytest.raises(MissingFileError, match=r"presentation\.json: no such file"):
        read_index(tmp_path)


@pytest.mark.parametrize("data", [b"", b"\xff\xfe", b"\0" * 100, b"{}", b"#EXTM3U\n"])
def test_an_index_of_garbage_is_our_error(folder: Path, data: bytes) -> None:
    """One line that names the file."""
    (folder / "presentation.json").write_bytes(data)
    with pytest.raises(PackageError, match=r"presentation\.json: ") as caught:
        read_index(folder)
    assert "\n" not in str(caught.value)


def test_every_missing_or_cut_file_is_noticed(folder: Path) -> None:
    """Any file of the package, one after the other."""
    for name in files_of(INDEX):
        path = folder / name
        data = path.read_bytes()
        path.unlink()
        with pytest.raises(PackageError, match=f"{name} is missing"):
            check_package(folder)
        path.write_bytes(data[: len(data) // 2])
        with pytest.raises((PackageError, PlaylistError)):
            check_package(folder)
        path.write_bytes(data)
    check_package(folder)


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("v0/playlist.m3u8", "#EXTINF:4.000", "#EXTINF:3.900"),
        ("v0/playlist.m3u8", "#EXT-X-ENDLIST", ""),
        ("multivariant.m3u8", "INF:BANDWIDTH=", "INF:BANDWIDTH=1,X="),
        ("multivariant.m3u8", "v1/playlist", "v9/playlist"),
    ],
)
def test_a_playlist_that_differs_from_the_index_is_noticed(
    folder: Path, name: str, old: str, new: str
) -> None:
    """The index is what playlists were made from."""
    path = folder / name
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    with pytest.raises((PackageError, PlaylistError), match=name):
        check_package(folder)


@pytest.mark.parametrize("name", ["v0", "v0/00000.m4s"])
def test_a_link_in_a_package_is_not_followed(folder: Path, tmp_path: Path, name: str) -> None:
    """It could publish any file of this machine."""
    (folder / name).rename(tmp_path / "elsewhere")
    (folder / name).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(PackageError, match=f"{name}: a symbolic link; no link in a package"):
        check_package(folder)
