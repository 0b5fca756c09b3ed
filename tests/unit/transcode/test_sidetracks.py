"""Subtitles and thumbnails in the index, in playlists and in the list of files."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from abr.errors import PackageError
from tests.unit.transcode.test_layout import INDEX
from transcode.packaging.checks import check_index
from transcode.packaging.index import PresentationIndex, files_of
from transcode.packaging.indexfile import parse_index, print_index
from transcode.packaging.listing import multivariant_of, texts_of
from transcode.packaging.sidetracks import (
    ImageTrack,
    TextTrack,
    image_interval_s,
    nearest_frames,
    thumbnail_size,
    thumbnail_texts,
    tile_layout,
)
from transcode.playlist import MediaPlaylist, Tiles, parse, print_multivariant

TEXT = TextTrack(
    folder="s0", name="Deutsch", language="de", sizes_bytes=(60, 100, 60), whole_bytes=90
)
FORCED = replace(TEXT, folder="s1", name="Signs", forced=True, hearing_impaired=True)
IMAGES = ImageTrack(
    folder="t0",
    width=160,
    height=90,
    columns=2,
    rows=1,
    interval_s=2.0,
    count=5,
    sizes_bytes=(9_000, 8_000, 1_000),
)
FULL = replace(INDEX, text=(TEXT, FORCED), images=(IMAGES,))


def test_side_tracks_read_back_and_are_listed() -> None:
    assert parse_index(print_index(FULL)) == FULL
    files = files_of(FULL)
    assert files["s0/00001.vtt"] == 100
    assert files["s0/subtitles.vtt"] == 90
    assert files["t0/00002.jpg"] == 1_000
    derived = {path for path, size in files.items() if size is None}
    assert derived == set(texts_of(FULL))


def test_an_index_without_side_tracks_says_nothing_of_them() -> None:
    assert not {"text", "images"} & json.loads(print_index(INDEX)).keys()


def test_subtitles_are_renditions_of_every_variant() -> None:
    """RFC 8216bis, 4.4.6.1: FORCED, CHARACTERISTICS and LANGUAGE tell them apart."""
    playlist = multivariant_of(FULL)
    assert {variant.subtitles_group for variant in playlist.variants} == {"subs"}
    text = print_multivariant(playlist)
    assert (
        '#EXT-X-MEDIA:TYPE=SUBTITLES,GROUP-ID="subs",NAME="Deutsch",LANGUAGE="de",DEFAULT=NO,'
        'AUTOSELECT=YES,FORCED=NO,URI="s0/playlist.m3u8"\n'
        '#EXT-X-MEDIA:TYPE=SUBTITLES,GROUP-ID="subs",NAME="Signs",LANGUAGE="de",DEFAULT=NO,'
        "AUTOSELECT=YES,FORCED=YES,"
        'CHARACTERISTICS="public.accessibility.transcribes-spoken-dialog,'
        'public.accessibility.describes-music-and-sound",URI="s1/playlist.m3u8"\n'
    ) in text
    assert parse(text) == playlist


def test_subtitles_have_the_boundaries_of_the_video() -> None:
    """Apple's items 8.2, 8.3 and 8.22: the same target, length and boundaries."""
    texts = texts_of(FULL)
    own, video = parse(texts["s0/playlist.m3u8"]), parse(texts["v0/playlist.m3u8"])
    assert isinstance(own, MediaPlaylist)
    assert isinstance(video, MediaPlaylist)
    assert [s.duration_s for s in own.segments] == [s.duration_s for s in video.segments]
    assert own.target_duration_s == video.target_duration_s
    assert [s.uri for s in own.segments] == ["00000.vtt", "00001.vtt", "00002.vtt"]


def test_thumbnails_are_listed_with_their_places() -> None:
    """8.333 s in images of 2 x 2 s: 4, 4 and 0.333 s; 9 000 bytes in 4 s are 18 000 bit/s."""
    playlist = parse(texts_of(FULL)["t0/playlist.m3u8"])
    assert isinstance(playlist, MediaPlaylist)
    assert playlist.images_only
    assert [s.duration_s for s in playlist.segments] == [4.0, 4.0, 0.333333]
    assert {s.tiles for s in playlist.segments} == {Tiles(160, 90, 2, 1, 2.0)}
    (variant,) = multivariant_of(FULL).image_variants
    assert (variant.bandwidth_bps, variant.width, variant.codecs) == (18_000, 160, "jpeg")
    assert thumbnail_texts(IMAGES, 8 + 1 / 3).split("\n\n")[1:] == [
        "00:00:00.000 --> 00:00:02.000\n00000.jpg#xywh=0,0,160,90",
        "00:00:02.000 --> 00:00:04.000\n00000.jpg#xywh=160,0,160,90",
        "00:00:04.000 --> 00:00:06.000\n00001.jpg#xywh=0,0,160,90",
        "00:00:06.000 --> 00:00:08.000\n00001.jpg#xywh=160,0,160,90",
        "00:00:08.000 --> 00:00:08.333\n00002.jpg#xywh=0,0,160,90\n",
    ]


@pytest.mark.parametrize(
    ("duration_s", "gop_s", "interval_s"),
    [(10.0, 2.0, 2.0), (10.0, 1.0, 2.0), (600.0, 2.002, 2.002), (7200.0, 2.0, 24.0)],
)
def test_thumbnails_are_whole_groups_of_pictures_apart(
    duration_s: float, gop_s: float, interval_s: float
) -> None:
    assert image_interval_s(duration_s, gop_s) == interval_s


@pytest.mark.parametrize(
    "index",
    [
        replace(FULL, text=(replace(TEXT, sizes_bytes=(60,)),)),
        replace(FULL, images=(replace(IMAGES, count=7),)),
        replace(FULL, images=(replace(IMAGES, interval_s=0.0),)),
        replace(FULL, images=(replace(IMAGES, columns=0),)),
    ],
)
def test_side_tracks_that_do_not_fit_are_refused(index: PresentationIndex) -> None:
    with pytest.raises(PackageError, match=r"track [st]0"):
        check_index(index)


@pytest.mark.parametrize(
    ("old", "new"),
    [('"s0"', '"../s0"'), ('"t0"', '"v0"'), (" 60,", " 0,"), ('"forced": false', '"forced": 0')],
)
def test_side_tracks_of_another_form_are_refused(old: str, new: str) -> None:
    """Folders become paths; sizes are whole numbers above 0."""
    with pytest.raises(PackageError, match="expected"):
        parse_index(print_index(FULL).replace(old, new, 1))


@pytest.mark.parametrize(
    ("size", "thumbnail", "layout"),
    [
        ((416, 234), (160, 90), (4, 8)),
        ((234, 416), (90, 160), (8, 4)),
        ((426, 240), (160, 90), (4, 8)),
        ((120, 68), (120, 68), (6, 10)),
        ((640, 160), (240, 60), (3, 12)),
    ],
)
def test_thumbnails_keep_their_shape_and_images_stay_small(
    size: tuple[int, int], thumbnail: tuple[int, int], layout: tuple[int, int]
) -> None:
    """14 400 pixels at most, even sides; 720 pixels each way for the image."""
    assert thumbnail_size(*size) == thumbnail
    assert tile_layout(*thumbnail, 1000) == layout


def test_an_image_has_no_more_room_than_there_are_thumbnails() -> None:
    assert tile_layout(160, 90, 3) == (3, 1)
    assert tile_layout(160, 90, 9) == (4, 3)


def test_each_thumbnail_is_the_nearest_key_frame() -> None:
    """Of frames at 0, 1.9, 4.1 and 7 s: for 0, 2, 4, 6 and 8 s."""
    assert nearest_frames([0.0, 1.9, 4.1, 7.0], 2.0, 5) == [0, 1, 2, 3, 3]
