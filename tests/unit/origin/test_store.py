"""What can be had from a store, and what cannot."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from abr.errors import MissingFileError, PackageError
from origin.server.store import DirectoryStore, OpenObject
from tests.fakes.packages import segment_bytes, write_package


def content_of(found: OpenObject | None) -> bytes:
    """Everything in it; it is closed afterwards."""
    assert found is not None
    with found:
        (piece,) = found.body.pieces(0, found.size_bytes)
        return os.pread(piece.file.fileno(), piece.length, piece.offset)


def test_a_package_is_served_by_its_index(tmp_path: Path) -> None:
    """Size, type and bytes are those of the file."""
    write_package(tmp_path / "film")
    store = DirectoryStore(tmp_path / "film")
    assert store.titles() == ("film",)
    found = store.open("film", "v1/00001.m4s")
    assert found is not None
    assert (found.size_bytes, found.media_type) == (4000, "video/iso.segment")
    assert content_of(found) == segment_bytes("v1", 1, 4000)


def test_a_folder_of_packages_serves_them_all(tmp_path: Path) -> None:
    """Dotted folders and folders that are no packages are passed over."""
    for name in ("b-film", "a_film", ".hidden"):
        write_package(tmp_path / name, title=name.strip("."))
    (tmp_path / "notes").mkdir()
    store = DirectoryStore(tmp_path)
    assert store.titles() == ("a_film", "b-film")
    assert store.problems == []


UNLISTED = [
    "",
    ".",
    "..",
    "../other/v0/init.mp4",
    "/etc/passwd",
    "v0",
    "v0/",
    "v0/../v0/init.mp4",
    "v0/00002.m4s",
    "v0/00000.m4s.tmp",
    "v0/.00000.m4s",
    "v0//init.mp4",
    "V0/init.mp4",
    "keys/film.json",
    "ring.json",
    "notes.json",
    "extra.mp4",
    ".hidden.m3u8",
]


@pytest.mark.parametrize("path", UNLISTED)
def test_what_the_index_does_not_list_is_not_there(tmp_path: Path, path: str) -> None:
    """Even when a file of that name lies in the folder."""
    folder = tmp_path / "film"
    write_package(folder)
    write_package(tmp_path / "other")
    for name in ("v0/00002.m4s", "v0/00000.m4s.tmp", "extra.mp4", "notes.json", ".hidden.m3u8"):
        (folder / name).write_bytes(b"secret")
    assert DirectoryStore(folder).open("film", path) is None


def test_links_and_pipes_are_not_opened(tmp_path: Path) -> None:
    """A listed name must be a regular file of its own; nothing waits for a writer."""
    folder = tmp_path / "film"
    write_package(folder)
    (tmp_path / "secret").write_bytes(b"secret")
    for name, make in (
        ("v0/00000.m4s", lambda path: path.symlink_to(tmp_path / "secret")),
        ("v0/00001.m4s", os.mkfifo),
        ("v0/init.mp4", Path.mkdir),
    ):
        (folder / name).unlink()
        make(folder / name)
        assert DirectoryStore(folder).open("film", name) is None


def test_a_replaced_file_has_another_tag(tmp_path: Path) -> None:
    """The same size in the same second: the tag differs."""
    folder = tmp_path / "film"
    write_package(folder)
    store = DirectoryStore(folder)
    path = folder / "v0/init.mp4"
    before = store.open("film", "v0/init.mp4")
    other = path.with_name("new")
    other.write_bytes(b"x" * 40)
    other.replace(path)
    after = store.open("film", "v0/init.mp4")
    assert before is not None
    assert after is not None
    assert before.etag != after.etag
    assert content_of(before) == segment_bytes("v0", -1, 40)
    assert content_of(after) == b"x" * 40


def test_a_package_made_again_is_seen(tmp_path: Path) -> None:
    """Segments that are new in the index can be had at the next request."""
    folder = tmp_path / "film"
    write_package(folder)
    store = DirectoryStore(folder)
    assert store.open("film", "v0/00002.m4s") is None
    write_package(folder, segment_sizes=(10, 20, 30))
    assert len(content_of(store.open("film", "v0/00002.m4s"))) == 30


def test_a_package_that_is_gone_or_broken_gives_nothing(tmp_path: Path) -> None:
    """No exception: it is not there, until it is again."""
    folder = tmp_path / "film"
    write_package(folder)
    store = DirectoryStore(folder)
    text = (folder / "presentation.json").read_text()
    (folder / "presentation.json").write_text("{}")
    assert store.open("film", "multivariant.m3u8") is None
    (folder / "presentation.json").unlink()
    assert store.open("film", "multivariant.m3u8") is None
    (folder / "presentation.json").write_text(text)
    assert content_of(store.open("film", "multivariant.m3u8")).startswith(b"#EXTM3U")


def test_a_new_package_in_the_folder_is_found(tmp_path: Path) -> None:
    """Titles are looked for again when an unknown one is asked for."""
    write_package(tmp_path / "one")
    store = DirectoryStore(tmp_path)
    write_package(tmp_path / "two")
    assert content_of(store.open("two", "v0/init.mp4"))
    assert store.titles() == ("one", "two")


@pytest.mark.parametrize("title", ["t", "playback", "metrics"])
def test_reserved_titles_are_refused(tmp_path: Path, title: str) -> None:
    """They could not be told from endpoints; the message names them all."""
    write_package(tmp_path / "x", title=title)
    with pytest.raises(PackageError, match=r"reserved \(as are healthz, metrics, playback, t\)"):
        DirectoryStore(tmp_path / "x")


def test_one_title_twice_is_named(tmp_path: Path) -> None:
    """The first folder wins, and the other is told."""
    write_package(tmp_path / "a", title="film")
    write_package(tmp_path / "b", title="film")
    store = DirectoryStore(tmp_path)
    assert store.titles() == ("film",)
    assert str(tmp_path / "b") in store.problems[0]


def test_a_broken_package_does_not_stop_the_others(tmp_path: Path) -> None:
    """It is left out and named."""
    write_package(tmp_path / "good")
    write_package(tmp_path / "bad")
    (tmp_path / "bad" / "presentation.json").write_text("not JSON")
    store = DirectoryStore(tmp_path)
    assert store.titles() == ("good",)
    assert "bad" in store.problems[0]


def test_nothing_to_serve_is_one_clear_error(tmp_path: Path) -> None:
    """A missing folder, a file and an empty folder."""
    (tmp_path / "file").write_text("x")
    for name in ("missing", "file"):
        with pytest.raises(MissingFileError, match="no such folder"):
            DirectoryStore(tmp_path / name)
    with pytest.raises(PackageError, match="no package in it; make one with `abr transcode"):
        DirectoryStore(tmp_path)


def versions_of(store: DirectoryStore) -> str:
    """The version that the multivariant playlist leads to."""
    text = content_of(store.open("film", "multivariant.m3u8")).decode()
    return text.splitlines()[-1].split("/")[0]


def facts_of(found: OpenObject | None) -> tuple[str, bool, tuple[str, ...]]:
    """Its tag, whether it is fixed, and what it belongs to; it is closed afterwards."""
    assert found is not None
    with found:
        return found.etag, found.is_fixed, found.tags


def test_a_file_has_a_lasting_name_below_its_version(tmp_path: Path) -> None:
    """The entries lead there, and only what has such a name is said to be fixed."""
    folder = tmp_path / "film"
    write_package(folder)
    store = DirectoryStore(folder)
    version = versions_of(store)
    for path in ("v0/00000.m4s", "v0/playlist.m3u8", "presentation.json", "multivariant.m3u8"):
        tags = ("film", f"film/{version}")
        assert facts_of(store.open("film", path))[1:] == (False, tags)
        assert facts_of(store.open("film", f"{version}/{path}"))[1:] == (True, tags)
    assert content_of(DirectoryStore(folder).open("film", f"{version}/v0/00000.m4s"))
    for path in ("../v0/init.mp4", f"{version}/v0/init.mp4", "v0/none.m4s", ""):
        assert store.open("film", f"{version}/{path}") is None


@pytest.mark.parametrize("name", ["v0/00001.m4s", "v1/playlist.m3u8", "presentation.json"])
def test_any_changed_file_makes_another_version_and_ends_the_old_one(
    tmp_path: Path, name: str
) -> None:
    """Noticed at the latest when the changed file itself is asked for."""
    folder = tmp_path / "film"
    write_package(folder)
    store = DirectoryStore(folder)
    before, entry = versions_of(store), facts_of(store.open("film", "multivariant.m3u8"))
    data = (folder / name).read_bytes()
    (folder / "new").write_bytes(data)
    os.utime(folder / "new", ns=(1, 1))
    (folder / "new").replace(folder / name)
    assert store.open("film", f"{before}/{name}") is None
    assert store.open("film", f"{before}/v0/init.mp4") is None
    assert versions_of(store) != before
    assert entry != facts_of(store.open("film", "multivariant.m3u8"))


def test_no_folder_of_a_package_may_be_a_link(tmp_path: Path) -> None:
    """Neither when the package is read, nor later; the message says what to do."""
    write_package(tmp_path / "film")
    write_package(tmp_path / "other")
    store = DirectoryStore(tmp_path)
    (tmp_path / "film" / "v0").rename(tmp_path / "elsewhere")
    (tmp_path / "film" / "v0").symlink_to(tmp_path / "elsewhere")
    assert store.open("film", "v0/init.mp4") is None
    assert content_of(store.open("film", "v1/init.mp4"))
    store = DirectoryStore(tmp_path)
    assert store.titles() == ("other",)
    assert "film: v0: a symbolic link" in store.problems[0]


def test_the_folder_of_a_package_may_be_a_link(tmp_path: Path) -> None:
    """That is how its owner names it."""
    write_package(tmp_path / "made" / "film")
    (tmp_path / "film").symlink_to(tmp_path / "made" / "film")
    assert content_of(DirectoryStore(tmp_path / "film").open("film", "v0/init.mp4"))
