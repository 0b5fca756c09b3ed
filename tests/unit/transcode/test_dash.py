"""The DASH manifest: what it says of each track, by the rules of ISO/IEC 23009-1."""

from __future__ import annotations

from dataclasses import replace
from xml.etree import ElementTree as ET

import pytest

from abr.errors import PackageError
from tests.unit.transcode.test_layout import INDEX, SEALED, video
from tests.unit.transcode.test_sidetracks import FORCED, IMAGES, TEXT
from transcode.packaging.checks import check_index
from transcode.packaging.dash import print_manifest
from transcode.packaging.index import PresentationIndex, files_of
from transcode.packaging.indexfile import parse_index, print_index
from transcode.packaging.listing import texts_of

NAMES = {"mpd": "urn:mpeg:dash:schema:mpd:2011"}
FULL = replace(
    INDEX,
    video=tuple(replace(track, timescale=90_000) for track in INDEX.video),
    audio=(replace(INDEX.audio[0], timescale=48_000, name="Main & more"),),
    text=(TEXT, FORCED),
    images=(IMAGES,),
    dash=True,
)


def sets(index: PresentationIndex) -> list[ET.Element]:
    """The adaptation sets of its manifest."""
    return ET.fromstring(print_manifest(index)).findall("mpd:Period/mpd:AdaptationSet", NAMES)


def test_the_manifest_lasts_as_long_as_the_film() -> None:
    """4 + 4 + 1/3 s, one period, nothing to come."""
    root = ET.fromstring(print_manifest(FULL))
    assert root.tag == "{urn:mpeg:dash:schema:mpd:2011}MPD"
    assert root.get("type") == "static"
    assert root.get("mediaPresentationDuration") == "PT8.333333S"
    assert root.get("minBufferTime") == "PT4S"
    assert "isoff-live" in str(root.get("profiles"))
    assert [each.get("id") for each in sets(FULL)] == ["0", "1", "2", "3", "4"]


def test_rungs_share_one_set_and_one_timeline() -> None:
    """Durations in units: 4 s twice, then a third of a second; names count from 0."""
    rungs = sets(FULL)[0]
    assert (rungs.get("mimeType"), rungs.get("par"), rungs.get("maxFrameRate")) == (
        "video/mp4", "16:9", "24",
    )  # fmt: skip
    (template,) = rungs.findall("mpd:SegmentTemplate", NAMES)
    assert template.attrib == {
        "timescale": "90000",
        "initialization": "$RepresentationID$/init.mp4",
        "media": "$RepresentationID$/$Number%05d$.m4s",
        "startNumber": "0",
    }
    entries = template.findall("mpd:SegmentTimeline/mpd:S", NAMES)
    assert [entry.attrib for entry in entries] == [
        {"t": "0", "d": "360000", "r": "1"},
        {"d": "30000"},
    ]
    listed = [each.attrib for each in rungs.findall("mpd:Representation", NAMES)]
    assert listed[0] == {
        "id": "v0", "bandwidth": "352154", "codecs": "avc1.640010", "width": "320", "height": "180",
        "sar": "1:1", "frameRate": "24",
    }  # fmt: skip
    assert listed[1]["id"] == "v1"


def test_rungs_of_another_codec_are_a_set_of_their_own() -> None:
    """A player cannot switch between codecs in the middle."""
    other = replace(INDEX.video[0], folder="v2", codecs="hvc1.1.6.L93.B0", frame_rate=30000 / 1001)
    found = sets(replace(INDEX, more_video=(other,)))[:2]
    assert [each.get("maxFrameRate") for each in found] == ["24", "30000/1001"]
    assert [len(each.findall("mpd:Representation", NAMES)) for each in found] == [2, 1]


def test_a_picture_of_high_dynamic_range_says_so() -> None:
    """ISO/IEC 23091-2: 16 is PQ; a player that does not know it leaves the set out."""
    other = replace(INDEX.video[0], folder="v2", video_range="PQ")
    found = sets(replace(INDEX, more_video=(other,)))[:2]
    values = [each.find("mpd:EssentialProperty", NAMES) for each in found]
    assert values[0] is None
    assert values[1] is not None
    assert values[1].get("value") == "16"


def test_sound_has_its_language_channels_and_role() -> None:
    """Elements stand in the order of the schema: channels, label, accessibility, role, template."""
    described = replace(
        FULL.audio[0],
        folder="a1",
        channels=8,
        characteristics="public.accessibility.describes-video",
    )
    main, other = sets(replace(FULL, audio=(*FULL.audio, described)))[1:3]
    assert (main.get("lang"), main.get("contentType")) == ("en", "audio")
    assert [each.tag.partition("}")[2] for each in other] == [
        "AudioChannelConfiguration", "Label", "Accessibility", "Role", "SegmentTemplate",
        "Representation",
    ]  # fmt: skip
    assert [each[0].get("value") for each in (main, other)] == ["2", "12"]
    roles = [each.find("mpd:Role", NAMES) for each in (main, other)]
    assert [role.get("value") for role in roles if role is not None] == ["main", "description"]
    label = main.find("mpd:Label", NAMES)
    assert label is not None
    assert label.text == "Main & more"


def test_subtitles_are_one_file_each_with_their_role() -> None:
    texts = sets(FULL)[2:4]
    assert [each.get("lang") for each in texts] == ["de", "de"]
    roles = [each.find("mpd:Role", NAMES) for each in texts]
    assert [role.get("value") for role in roles if role is not None] == [
        "subtitle", "forced-subtitle",
    ]  # fmt: skip
    urls = [each.findtext("mpd:Representation/mpd:BaseURL", namespaces=NAMES) for each in texts]
    assert urls == ["s0/subtitles.vtt", "s1/subtitles.vtt"]


def test_thumbnails_are_tiles() -> None:
    """DASH-IF IOP 4.3, 6.2.6: sizes are those of the whole image."""
    images = sets(FULL)[4]
    (one,) = images.findall("mpd:Representation", NAMES)
    assert (one.get("width"), one.get("height"), one.get("bandwidth")) == ("320", "90", "18000")
    (tiles,) = one.findall("mpd:EssentialProperty", NAMES)
    assert tiles.get("value") == "2x1"
    template = images.find("mpd:SegmentTemplate", NAMES)
    assert template is not None
    assert (template.get("duration"), template.get("timescale")) == ("4000000", "1000000")


@pytest.mark.parametrize(
    ("width", "height", "aspect"),
    [
        (416, 234, "16:9"),
        (426, 240, "16:9"),
        (320, 240, "4:3"),
        (1920, 800, "12:5"),
        (90, 160, "9:16"),
    ],
)
def test_the_aspect_is_the_simplest_within_a_pixel(width: int, height: int, aspect: str) -> None:
    track = replace(video(0, (100, 4.0)), width=width, height=height)
    assert sets(replace(INDEX, video=(track,), audio=()))[0].get("par") == aspect


def test_a_package_lists_its_manifest_and_says_so() -> None:
    assert parse_index(print_index(FULL)) == FULL
    assert files_of(FULL)["manifest.mpd"] is None
    assert texts_of(FULL)["manifest.mpd"] == print_manifest(FULL)
    assert "manifest.mpd" not in files_of(INDEX)
    assert '"dash"' not in print_index(INDEX)


def test_segments_encrypted_as_a_whole_have_no_manifest() -> None:
    """ContentProtection is about encrypted samples."""
    with pytest.raises(PackageError, match="DASH cannot describe"):
        check_index(replace(SEALED, dash=True))
