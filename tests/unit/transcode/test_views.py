"""Views of playlists: another family of players, or a plan that opens less."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from abr.errors import PackageError, PlaylistError
from origin.licences.entitlement import keys_of, open_keys
from tests.unit.transcode.test_layout import AUDIO, video
from tests.unit.transcode.test_layout import INDEX as CLEAR
from transcode.packaging.checks import check_index
from transcode.packaging.dash import print_manifest
from transcode.packaging.index import Encryption
from transcode.packaging.indexfile import parse_index, print_index
from transcode.packaging.keygroups import KeyGroup, group_for, lines_of
from transcode.packaging.listing import texts_of
from transcode.packaging.sampleencryption import constant_iv
from transcode.packaging.views import View, show, split_view, view_path
from transcode.playlist import MediaPlaylist, MultivariantPlaylist, parse

SOUND, SD, HD = "a0" * 16, "5d" * 16, "4d" * 16
RUNGS = tuple(
    replace(video(rung, (9_000, 4.0), (9_000, 4.0)), width=width, height=height)
    for rung, (width, height) in enumerate([(640, 360), (1024, 576), (608, 1080), (1920, 1080)])
)
"""The third is a portrait picture of 608 lines as groups count them, so HD."""
GROUPS = (
    KeyGroup(name="audio", height=0, folders=("a0",), kids=(SOUND,)),
    KeyGroup(name="sd", height=576, folders=("v0", "v1"), kids=(SD,)),
    KeyGroup(name="hd", height=1080, folders=("v2", "v3"), kids=(HD,)),
)
INDEX = replace(
    CLEAR,
    video=RUNGS,
    audio=(replace(AUDIO, segments=AUDIO.segments[:2]),),
    encryption=Encryption(method="SAMPLE-AES", kids=(SOUND, SD, HD), groups=GROUPS),
    dash=True,
)
TEXTS = texts_of(INDEX)


def test_pictures_are_grouped_by_their_lines() -> None:
    """A portrait picture counts as if it lay: 1080 by 1920 is HD."""
    lines = [lines_of(*size) for size in ((1024, 576), (1026, 577), (1080, 1920), (3840, 1600))]
    assert [group_for(each, "quality") for each in (0, *lines)] == [
        "audio", "sd", "hd", "hd", "uhd",
    ]  # fmt: skip
    assert {group_for(each, "title") for each in lines} == {"all"}


def test_the_index_says_which_key_opens_what() -> None:
    check_index(INDEX)
    assert parse_index(print_index(INDEX)) == INDEX
    assert INDEX.key_groups == GROUPS
    encryption = INDEX.encryption
    assert encryption is not None
    assert [encryption.kid_of(track.folder) for track in INDEX.tracks] == [SD, SD, HD, HD, SOUND]
    one = replace(INDEX, encryption=replace(encryption, groups=(), kids=(SD,)))
    (group,) = one.key_groups
    assert (group.name, group.height, group.kids) == ("all", 1080, (SD,))
    assert replace(INDEX, encryption=None).key_groups == ()


def test_a_licence_server_knows_what_each_key_opens() -> None:
    """An SD viewer who asks for every key, as hls.js does, gets sound and SD."""
    opened = open_keys([SOUND, HD, SD], keys_of(INDEX), max_height=576, ahead=1)
    assert (opened.kids, opened.withheld) == ((SOUND, SD), (HD,))


@pytest.mark.parametrize(
    ("groups", "said"),
    [
        (GROUPS[:2], "groups of keys for a0, v0, v1; expected each of a0, v0, v1, v2, v3"),
        ((*GROUPS[:2], replace(GROUPS[2], height=2160)), "said to open 2160 lines; expected 1080"),
        ((*GROUPS[:2], replace(GROUPS[2], kids=(HD, SD))), "2 key ids; expected 1"),
        ((*GROUPS[:2], replace(GROUPS[2], kids=(SD,))), "not those of the groups"),
    ],
)
def test_groups_that_do_not_fit_the_tracks_are_refused(
    groups: tuple[KeyGroup, ...], said: str
) -> None:
    assert INDEX.encryption is not None
    with pytest.raises(PackageError, match=said):
        check_index(replace(INDEX, encryption=replace(INDEX.encryption, groups=groups)))


@pytest.mark.parametrize(
    ("path", "stored", "view"),
    [
        ("multivariant.identity.m3u8", "multivariant.m3u8", View(family="identity")),
        ("multivariant.sd.m3u8", "multivariant.m3u8", View(plan="sd")),
        ("multivariant.hd.identity.m3u8", "multivariant.m3u8", View(plan="hd", family="identity")),
        ("manifest.hd.mpd", "manifest.mpd", View(plan="hd")),
        ("v0/playlist.identity.m3u8", "v0/playlist.m3u8", View(family="identity")),
        ("r0/v1/iframes.identity.m3u8", "r0/v1/iframes.m3u8", View(family="identity")),
    ],
)
def test_a_view_has_a_path_of_its_own(path: str, stored: str, view: View) -> None:
    assert split_view(path) == (stored, view)
    assert view_path(stored, view) == view_path(path, view) == path
    assert split_view(stored) == (stored, None)


@pytest.mark.parametrize(
    "path",
    [
        "multivariant.m3u8", "v0/playlist.sd.m3u8", "manifest.identity.mpd", "x.identity.m3u8",
        "multivariant.uhd.m3u8", "multivariant.identity.sd.m3u8", "v0/00000.identity.m4s",
        "multivariant.sd.sd.m3u8", "multivariant..m3u8", "presentation.json",
    ],
)  # fmt: skip
def test_other_names_are_no_views(path: str) -> None:
    assert split_view(path) == (path, None)


@given(st.text(alphabet="mv0/.sdhi3u8paylt", max_size=40))
def test_the_path_of_a_view_leads_back_to_what_is_stored(path: str) -> None:
    stored, view = split_view(path)
    assert view is None or view_path(stored, view) == path


def test_shaka_is_given_the_address_of_each_key() -> None:
    """KEYFORMAT="identity" and 16 bytes; the vector of cbcs, before the section as stored."""
    text = show(TEXTS["v0/playlist.m3u8"], View(family="identity"))
    (line,) = [line for line in text.splitlines() if "EXT-X-KEY" in line]
    assert line == (
        f'#EXT-X-KEY:METHOD=SAMPLE-AES,URI="../key/{SD}",IV=0x{constant_iv(SD).hex()},'
        'KEYFORMAT="identity",KEYFORMATVERSIONS="1"'
    )
    playlist = parse(text)
    assert isinstance(playlist, MediaPlaylist)
    (key,) = {segment.key for segment in playlist.segments}
    assert key is not None
    assert (key.keyformat, key.kid) == ("identity", "")
    assert text.splitlines().index(line) < text.splitlines().index('#EXT-X-MAP:URI="init.mp4"')


def test_hls_js_is_given_a_licence_and_key_ids_of_16_bytes() -> None:
    """The stored playlist; the URI is no data URI, and another for each key."""
    for folder, kid in (("v0", SD), ("v3", HD), ("a0", SOUND)):
        (line,) = [x for x in TEXTS[f"{folder}/playlist.m3u8"].splitlines() if "EXT-X-KEY" in x]
        assert line == (
            f'#EXT-X-KEY:METHOD=SAMPLE-AES,URI="../licence?kid={kid}",KEYID=0x{kid},'
            'KEYFORMAT="org.w3.clearkey",KEYFORMATVERSIONS="1"'
        )


def test_keys_of_whole_files_and_clear_playlists_are_the_same_in_every_view() -> None:
    whole = replace(INDEX, encryption=Encryption(method="AES-128", kids=(SD,)), dash=False)
    for index in (whole, replace(INDEX, encryption=None)):
        text = texts_of(index)["v0/playlist.m3u8"]
        assert show(text, View(family="identity")) == text


def uris(text: str) -> list[str]:
    """Of variants, renditions and key frames."""
    found = parse(text)
    assert isinstance(found, MultivariantPlaylist)
    listed = [each.uri for each in found.variants]
    listed += [each.uri or "" for each in found.renditions]
    return listed + [each.uri for each in found.iframe_variants]


def test_every_playlist_of_a_view_leads_to_the_same_view() -> None:
    text = show(TEXTS["multivariant.m3u8"], View(family="identity"))
    assert {uri.rpartition("/")[2] for uri in uris(text)} <= {
        "playlist.identity.m3u8",
        "iframes.identity.m3u8",
    }
    assert "identity" not in TEXTS["multivariant.m3u8"]
    moved = show(
        "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\nr1/v0/playlist.m3u8?x=1\n", View(family="identity")
    )
    assert moved.splitlines()[-1] == "r1/v0/playlist.identity.m3u8?x=1"


@pytest.mark.parametrize(("plan", "left"), [("sd", {"v0", "v1"}), ("hd", {"v0", "v1", "v2", "v3"})])
def test_a_plan_lists_what_it_opens(plan: str, left: set[str]) -> None:
    """Variants and key frames of pictures with few enough lines; sound stays."""
    found = {
        uri.partition("/")[0] for uri in uris(show(TEXTS["multivariant.m3u8"], View(plan=plan)))
    }
    assert found == left | {"a0"}
    manifest = show(print_manifest(INDEX), View(plan=plan))
    assert set(re.findall(r'Representation id="(\w+)"', manifest)) == left | {"a0"}
    height = {"sd": 576, "hd": 1080}[plan]
    assert f'maxHeight="{height}"' in manifest
    assert ("adaptation-set-switching" in manifest) == (plan == "hd")


def test_a_plan_that_opens_nothing_is_told_in_words() -> None:
    high = replace(INDEX, video=RUNGS[3:], encryption=None)
    for text in (texts_of(high)["multivariant.m3u8"], print_manifest(high)):
        with pytest.raises(PlaylistError, match="576 lines or less; expected one for this plan"):
            show(text, View(plan="sd"))


@given(st.text(max_size=300), st.sampled_from(["", "identity"]), st.sampled_from(["", "sd"]))
def test_any_text_is_shown_or_refused_in_words(text: str, family: str, plan: str) -> None:
    try:
        show("#EXTM3U\n" + text, View(family=family, plan=plan))  # type: ignore[arg-type]
    except PlaylistError as exc:
        assert "expected" in str(exc)
