"""How published titles are laid out: names of versions, order, pruning, moved entries."""

from __future__ import annotations

from xml.etree import ElementTree as ET

import pytest

from abr.errors import InputError, PackageError
from tests.unit.transcode.test_dash import FULL, NAMES
from transcode.packaging.dash import print_manifest
from transcode.playlist.relocate import relocate
from transcode.storage.manifest import relocate_manifest
from transcode.storage.objects import ObjectInfo, check_key
from transcode.storage.published import (
    current_key,
    is_version,
    parse_current,
    print_current,
    title_of_key,
    to_prune,
    upload_order,
    version_of,
    versions_among,
)

OLD, NEW = "r0000000000000001", "r0000000000000002"


def info(key: str, modified_s: float = 0.0, size_bytes: int = 10) -> ObjectInfo:
    return ObjectInfo(key=key, size_bytes=size_bytes, etag="x", modified_s=modified_s)


def test_a_version_is_named_after_the_bytes_of_all_files_in_any_order() -> None:
    name = version_of({"a": "1", "b": "2"})
    assert is_version(name)
    assert name == version_of({"b": "2", "a": "1"})
    assert name not in {version_of({"a": "1", "b": "3"}), version_of({"a": "1", "c": "2"})}


def test_what_lists_a_file_is_sent_after_it() -> None:
    order = upload_order(
        ["multivariant.m3u8", "presentation.json", "v0/playlist.m3u8", "v0/init.mp4", "v0/0.m4s"]
    )
    assert order == [
        "v0/0.m4s", "v0/init.mp4", "v0/playlist.m3u8", "multivariant.m3u8", "presentation.json",
    ]  # fmt: skip


def test_the_current_version_reads_back() -> None:
    assert parse_current(print_current(NEW), where="x") == NEW
    assert title_of_key(current_key("film")) == "film"
    assert title_of_key("_current/Not A Title.json") is None
    assert title_of_key("film/x.json") is None


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"format": "abrkit published title"}', "\0"])
def test_what_names_no_version_is_refused(text: str) -> None:
    with pytest.raises(PackageError, match="names no version"):
        parse_current(text, where="store/_current/film.json")


def test_versions_are_listed_newest_first_and_other_objects_are_no_version() -> None:
    objects = [
        info(f"film/{OLD}/a", 1.0),
        info(f"film/{OLD}/b", 2.0),
        info(f"film/{NEW}/a", 3.0),
        info("film/multivariant.m3u8", 9.0),
        info("_current/film.json", 9.0),
    ]
    versions = versions_among(objects, {"film": OLD})
    assert [(each.version, each.files, each.size_bytes) for each in versions] == [
        (NEW, 1, 10),
        (OLD, 2, 20),
    ]
    assert [each.is_current for each in versions] == [False, True]
    assert versions[1].published_s == 2.0


def test_pruning_keeps_the_current_version_whatever_its_age() -> None:
    names = [f"r{number:016x}" for number in range(4)]
    objects = [info(f"film/{name}/a", float(at)) for at, name in enumerate(names)]
    versions = versions_among(objects, {"film": names[0]})
    assert [each.version for each in to_prune(versions, keep=1)] == [names[2], names[1]]
    assert [each.version for each in to_prune(versions, keep=0)] == names[:0:-1]
    assert to_prune(versions, keep=3) == []


@pytest.mark.parametrize("key", ["", "/a", "a/", "a//b", "../a", "a/.b", "a b", "ä", "a" * 513])
def test_keys_that_a_store_could_read_differently_are_refused(key: str) -> None:
    with pytest.raises(InputError, match="object key"):
        check_key(key)


def test_moving_a_playlist_changes_its_relative_uris_and_nothing_else() -> None:
    text = (
        '#EXTM3U\n# URI="comment"\n'
        '#EXT-X-MEDIA:TYPE=AUDIO,URI="a0/playlist.m3u8",NAME="URI=x"\n'
        '#EXT-X-I-FRAME-STREAM-INF:BANDWIDTH=1,URI="v0/iframes.m3u8"\n'
        '#EXT-X-UNKNOWN:X-URI="v0/kept",URI="https://cdn.example/x"\n'
        "#EXT-X-STREAM-INF:BANDWIDTH=1\nv0/playlist.m3u8\n\n/root.m3u8\n"
    )
    assert relocate(text, f"{NEW}/") == (
        '#EXTM3U\n# URI="comment"\n'
        f'#EXT-X-MEDIA:TYPE=AUDIO,URI="{NEW}/a0/playlist.m3u8",NAME="URI=x"\n'
        f'#EXT-X-I-FRAME-STREAM-INF:BANDWIDTH=1,URI="{NEW}/v0/iframes.m3u8"\n'
        '#EXT-X-UNKNOWN:X-URI="v0/kept",URI="https://cdn.example/x"\n'
        f"#EXT-X-STREAM-INF:BANDWIDTH=1\n{NEW}/v0/playlist.m3u8\n\n/root.m3u8\n"
    )


def test_moving_a_playlist_leaves_names_alone_whatever_is_in_them() -> None:
    """U+2028 ends a line in Python, not in a playlist."""
    text = (
        '#EXT-X-MEDIA:TYPE=AUDIO,NAME="to,URI=",LANGUAGE="de",URI="a0/playlist.m3u8"\r\n'
        '#EXT-X-MEDIA:TYPE=AUDIO,NAME="two\u2028lines",URI="a1/playlist.m3u8"\n'
    )
    moved = relocate(text, f"{NEW}/")
    assert moved == text.replace('"a0/', f'"{NEW}/a0/').replace('"a1/', f'"{NEW}/a1/')


def test_moving_a_manifest_moves_its_subtitles_too() -> None:
    """They have a BaseURL of their own, which begins where that of MPD leads."""
    text = print_manifest(FULL)
    moved = relocate_manifest(text, f"{NEW}/")
    root = ET.fromstring(moved)
    assert [each.text for each in root.findall("mpd:BaseURL", NAMES)] == [f"{NEW}/"]
    assert moved.count("<BaseURL>") == text.count("<BaseURL>") + 1 > 1


def test_moving_a_manifest_gives_it_a_base() -> None:
    text = '<?xml version="1.0"?>\n<MPD type="static" xmlns="urn:x"><Period/></MPD>\n'
    moved = relocate_manifest(text, f"{NEW}/")
    assert moved.index(f"<BaseURL>{NEW}/</BaseURL>") < moved.index("<Period/>")
    with pytest.raises(PackageError, match="without a BaseURL"):
        relocate_manifest(moved, f"{NEW}/")
