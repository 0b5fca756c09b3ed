"""The package's index: figures, checks, the playlists made from it, and its text."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from abr.errors import PackageError
from transcode.packaging.checks import check_files, check_index, check_multivariant
from transcode.packaging.index import (
    Encryption,
    PresentationIndex,
    SegmentFacts,
    SourceFacts,
    SourceStream,
    Track,
    files_of,
)
from transcode.packaging.indexfile import digest_of, parse_index, print_index
from transcode.packaging.layout import MAX_TITLE_CHARS, title_of
from transcode.packaging.listing import default_rung, init_iv, media_playlist_of, multivariant_of
from transcode.packaging.rates import listed_peak_bps, mean_bps, peak_bps
from transcode.playlist import parse, print_media, print_multivariant

KIDS = ("00" * 16, "11" * 16)


def facts(*sizes_and_durations: tuple[int, float]) -> tuple[SegmentFacts, ...]:
    """Segments by bytes and seconds."""
    return tuple(SegmentFacts(size_bytes=b, duration_s=s) for b, s in sizes_and_durations)


def video(rung: int, *segments: tuple[int, float]) -> Track:
    """A rung of 16:9 video."""
    return Track(
        folder=f"v{rung}",
        kind="video",
        codecs=f"avc1.64001{rung}",
        init_bytes=700,
        segments=facts(*segments),
        width=320 * (rung + 1),
        height=180 * (rung + 1),
        frame_rate=24.0,
    )


AUDIO = Track(
    folder="a0",
    kind="audio",
    codecs="mp4a.40.2",
    init_bytes=600,
    segments=facts((50_000, 4.0), (50_000, 4.0), (5_000, 0.4)),
    channels=2,
    language="en",
    name="English",
)
INDEX = PresentationIndex(
    title="film",
    source=SourceFacts(name="m.mp4", duration_s=8.333, width=640, height=360, frame_rate=24.0),
    video=(
        video(0, (100_000, 4.0), (150_000, 4.0), (25_000, 1 / 3)),
        video(1, (900_000, 4.0), (1_000_000, 4.0), (99_000, 1 / 3)),
    ),
    audio=(AUDIO,),
    made_by="abrkit 0.1.0",
)
SEALED = replace(
    INDEX, encryption=Encryption(method="AES-128", kids=KIDS, rotate_every=2, seals_init=True)
)


def test_the_average_is_all_bits_over_all_seconds() -> None:
    """105 000 bytes in 8.4 s are 100 000 bit/s."""
    assert mean_bps(AUDIO) == 100_000


def test_a_short_last_segment_does_not_make_the_peak_alone() -> None:
    """Its own rate is 600 kbit/s, but 1/3 s is less than half a target duration of 4 s.

    Runs of 2 to 6 s: 200 000, 300 000, and (150 000 + 25 000) * 8 / 4.333 = 323 077 bit/s.
    """
    assert peak_bps(INDEX.video[0], 4) == 323_077


def test_the_peak_of_a_very_short_title_is_its_only_segment() -> None:
    """0.4 s is less than half the least target duration, 1 s."""
    assert peak_bps(video(0, (5_000, 0.4)), 1) == 100_000


def test_bandwidths_of_a_variant_include_audio() -> None:
    """Peak of the audio: 8 * 55 000 / 4.4 = 100 000; its mean is the same."""
    assert INDEX.peak_bps(0) == 323_077 + 100_000
    assert replace(INDEX, audio=()).peak_bps(0) == 323_077
    assert INDEX.average_bandwidth_bps(0) == mean_bps(INDEX.video[0]) + 100_000


def test_a_short_last_segment_raises_the_listed_peak_by_less_than_a_tenth() -> None:
    """Its own rate counts as far as 1.09 of the peak.

    Alone it has 600 kbit/s against 323 077 (listed: 352 154), or 105 against 100 (listed: 105).
    """
    assert listed_peak_bps(INDEX.video[0], 4) == 352_154
    assert listed_peak_bps(video(0, (50_000, 4.0), (13_125, 1.0)), 4) == 105_000
    assert INDEX.bandwidth_bps(0) == 352_154 + 100_000


def test_the_variant_nearest_2_mbit_is_listed_first() -> None:
    """Apple's item 1.32; the others ascend after it."""
    assert default_rung(INDEX) == 1
    uris = [variant.uri for variant in multivariant_of(INDEX).variants]
    assert uris == ["v1/playlist.m3u8", "v0/playlist.m3u8"]


def test_variants_say_everything_a_player_asks() -> None:
    """CODECS of all tracks, and which group of audio."""
    variant = multivariant_of(INDEX).variants[0]
    assert variant.codecs == "avc1.640011,mp4a.40.2"
    assert (variant.width, variant.height, variant.frame_rate) == (640, 360, 24.0)
    assert variant.audio_group == "audio"
    assert variant.closed_captions == "NONE"
    rendition = multivariant_of(INDEX).renditions[0]
    assert (rendition.channels, rendition.language, rendition.default) == ("2", "en", True)


def test_a_silent_title_has_no_audio_group() -> None:
    """Nor codecs of audio."""
    playlist = multivariant_of(replace(INDEX, audio=()))
    assert playlist.renditions == ()
    assert playlist.variants[0].audio_group is None
    assert playlist.variants[0].codecs == "avc1.640011"


def test_keys_change_where_periods_do_and_the_map_has_a_vector_of_its_own() -> None:
    """Two segments to a period; segments take their sequence number as vector."""
    playlist = media_playlist_of(SEALED, SEALED.video[0])
    keys = [segment.key for segment in playlist.segments]
    assert [key.uri for key in keys if key] == [
        f"../key/{KIDS[0]}",
        f"../key/{KIDS[0]}",
        f"../key/{KIDS[1]}",
    ]
    assert {key.iv for key in keys if key} == {None}
    section = playlist.segments[0].map
    assert section is not None
    assert section.key is not None
    assert section.key.iv == init_iv("v0") != init_iv("v1")
    assert len(init_iv("v0")) == 16


def test_a_clear_initialisation_section_stands_before_the_key() -> None:
    """A KEY line before it would encrypt it."""
    clear = replace(INDEX, encryption=Encryption(method="AES-128", kids=KIDS[:1]))
    text = print_media(media_playlist_of(clear, clear.video[0]))
    assert text.index("#EXT-X-MAP") < text.index("#EXT-X-KEY")


def test_all_tracks_have_one_target_duration() -> None:
    """Apple's item 8.2: 3.48 s of video beside 3.52 s of audio need 4 in both."""
    index = replace(
        INDEX,
        video=(video(0, (1, 3.48)),),
        audio=(replace(AUDIO, segments=facts((1, 3.52))),),
    )
    targets = {media_playlist_of(index, track).target_duration_s for track in index.tracks}
    assert targets == {4}


@pytest.mark.parametrize("index", [INDEX, SEALED, replace(INDEX, audio=())])
def test_the_playlists_of_a_package_print_and_read_back(index: PresentationIndex) -> None:
    """Durations included: they are cut to what the text can hold."""
    assert parse(print_multivariant(multivariant_of(index))) == multivariant_of(index)
    for track in index.tracks:
        playlist = media_playlist_of(index, track)
        assert parse(print_media(playlist)) == playlist


@pytest.mark.parametrize("index", [INDEX, SEALED, replace(INDEX, audio=())])
def test_an_index_reads_back_equal(index: PresentationIndex) -> None:
    """Every field, exact durations included."""
    assert parse_index(print_index(index)) == index


SIZES = st.lists(st.integers(1, 10**9), min_size=1, max_size=8)


@given(SIZES, st.floats(0.05, 20.0))
def test_the_peak_is_never_below_the_average(sizes: list[int], duration_s: float) -> None:
    """BANDWIDTH >= AVERAGE-BANDWIDTH for segments of one length."""
    track = video(0, *((size, duration_s) for size in sizes))
    target_s = max(1, int(duration_s + 0.5))
    assert peak_bps(track, target_s) >= mean_bps(track)


@pytest.mark.parametrize(
    ("name", "title"),
    [
        ("film", "film"),
        ("My Film (2024)", "my-film-2024"),
        ("Été_4k", "ete_4k"),
        ("..-a", "a"),
    ],
)
def test_titles_are_fit_for_urls(name: str, title: str) -> None:
    """Letters, digits, hyphens and underscores."""
    assert title_of(name) == title


def test_a_folder_without_letters_makes_no_title() -> None:
    """The message says what to do."""
    with pytest.raises(PackageError, match="rename it"):
        title_of("電影")


def test_a_folder_whose_title_could_not_be_served_is_refused() -> None:
    """At once, and not by the server that is given the package."""
    assert title_of("a" * MAX_TITLE_CHARS) == "a" * MAX_TITLE_CHARS
    with pytest.raises(PackageError, match=r"129 characters .*expected at most 128; rename it"):
        title_of("a" * 129)


@pytest.mark.parametrize(
    ("message", "index"),
    [
        ("no rung", replace(INDEX, video=())),
        ("track v0: no segments", replace(INDEX, video=(video(0),))),
        ("segment 0 has 0 bytes", replace(INDEX, video=(video(0, (0, 4.0)),))),
        ("segment 0 has 9 bytes and lasts inf s", replace(INDEX, video=(video(0, (9, 1e999)),))),
        (
            "rung 1 lists 1 segments, rung 0 lists 3",
            replace(INDEX, video=(INDEX.video[0], video(1, (9, 4.0)))),
        ),
        (
            "segment 1 lasts 4.5 s at rung 1 and 4.0 s at rung 0",
            replace(
                INDEX, video=(INDEX.video[0], video(1, (9, 4.0), (9, 4.5), (9, 1 / 3)))
            ),
        ),
        (
            "1 key ids; expected 2",
            replace(INDEX, encryption=Encryption(method="AES-128", kids=KIDS[:1], rotate_every=2)),
        ),
    ],
)  # fmt: skip
def test_an_index_that_disagrees_with_itself_is_refused(
    message: str, index: PresentationIndex
) -> None:
    """The message names the file, what was found and what to do."""
    with pytest.raises(PackageError, match=rf"presentation\.json: .*{message}.*--force"):
        check_index(index)


def test_files_are_checked_by_presence_and_size() -> None:
    """Missing, of another size, or empty."""
    found = {path: size or 100 for path, size in files_of(INDEX).items()}
    check_files(INDEX, found)
    assert len(found) == 1 + 2 * (2 + 3) + (2 + 3)
    for path, size, message in (
        ("v1/00002.m4s", None, "v1/00002.m4s is missing"),
        ("v1/00002.m4s", 5, "v1/00002.m4s has 5 bytes; presentation.json lists 99000"),
        ("a0/playlist.m3u8", 0, "a0/playlist.m3u8 is empty"),
    ):
        changed = {k: v for k, v in found.items() if k != path}
        if size is not None:
            changed[path] = size
        with pytest.raises(PackageError, match=message):
            check_files(INDEX, changed)


FRENCH = replace(AUDIO, folder="a1", language="fr", name="fr", groups=("audio", "surround"))
SURROUND = replace(
    AUDIO,
    folder="a2",
    channels=6,
    codecs="mp4a.40.2",
    groups=("surround",),
    segments=facts((200_000, 4.0), (200_000, 4.0), (20_000, 0.4)),
)
DESCRIBED = replace(
    AUDIO,
    folder="a3",
    name="en (audio description)",
    groups=("audio",),
    characteristics="public.accessibility.describes-video",
)
COMMENTARY = replace(AUDIO, folder="a4", name="en (commentary)", autoselect=False)
MANY = replace(INDEX, audio=(AUDIO, SURROUND, FRENCH, DESCRIBED, COMMENTARY))


def test_each_rung_is_listed_with_each_group_of_sounds() -> None:
    """The group that every player can play comes first; rates are those of the group."""
    playlist = multivariant_of(MANY)
    assert [(v.uri, v.audio_group) for v in playlist.variants] == [
        ("v1/playlist.m3u8", "audio"), ("v0/playlist.m3u8", "audio"),
        ("v1/playlist.m3u8", "surround"), ("v0/playlist.m3u8", "surround"),
    ]  # fmt: skip
    listed = [(r.group_id, r.uri, r.channels) for r in playlist.renditions]
    assert listed == [
        ("audio", "a0/playlist.m3u8", "2"), ("audio", "a1/playlist.m3u8", "2"),
        ("audio", "a3/playlist.m3u8", "2"), ("audio", "a4/playlist.m3u8", "2"),
        ("surround", "a2/playlist.m3u8", "6"), ("surround", "a1/playlist.m3u8", "2"),
    ]  # fmt: skip
    by_group = {(v.uri[:2], v.audio_group): v for v in playlist.variants}
    # Stereo peaks at 50,000 bytes in 4 s, surround at 200,000: 100 and 400 kbit/s.
    more_bps = (
        by_group["v0", "surround"].bandwidth_bps - by_group["v0", "audio"].bandwidth_bps,
        (by_group["v0", "surround"].average_bandwidth_bps or 0)
        - (by_group["v0", "audio"].average_bandwidth_bps or 0),
    )
    assert more_bps == (300_000, 300_000)
    check_multivariant(MANY, playlist)
    assert parse_index(print_index(MANY)) == MANY


def test_the_index_keeps_what_became_of_the_streams_of_the_master() -> None:
    """It does not count for the digest, which is of what is served."""
    stream = SourceStream(
        index=1, kind="audio", what="aac stereo de", is_used=False, use="left out: another sound"
    )
    told = replace(INDEX, source=replace(INDEX.source, streams=(stream,), notes=("7 guesses",)))
    assert parse_index(print_index(told)) == told
    assert digest_of(told) == digest_of(INDEX)
    assert "streams" not in print_index(INDEX)


def test_one_sound_of_each_group_is_the_default_and_extras_never_choose_themselves() -> None:
    renditions = multivariant_of(MANY).renditions
    assert [r.default for r in renditions] == [True, False, False, False, True, False]
    assert [r.autoselect for r in renditions] == [True, True, True, False, True, True]
    assert [r.characteristics for r in renditions if r.characteristics] == [
        "public.accessibility.describes-video"
    ]


def test_a_rung_that_lacks_a_group_is_refused() -> None:
    playlist = multivariant_of(MANY)
    with pytest.raises(PackageError, match=r"rung 0.* with audio group surround is not listed"):
        check_multivariant(MANY, replace(playlist, variants=playlist.variants[:3]))


def test_a_bandwidth_below_the_peak_is_refused() -> None:
    """And so is a rung that no variant names."""
    playlist = multivariant_of(INDEX)
    check_multivariant(INDEX, playlist)
    low = replace(playlist.variants[1], bandwidth_bps=INDEX.peak_bps(0) - 1)
    with pytest.raises(PackageError, match="rung 0 has BANDWIDTH 423076; expected its peak"):
        check_multivariant(INDEX, replace(playlist, variants=(playlist.variants[0], low)))
    with pytest.raises(PackageError, match=r"rung 0 \(v0\) is not listed"):
        check_multivariant(INDEX, replace(playlist, variants=playlist.variants[:1]))


def edited(change: Callable[[dict[str, Any]], object], *, digest: bool = False) -> str:
    """The index as JSON, changed; with the digest made right again when asked."""
    value = json.loads(print_index(SEALED))
    change(value)
    if digest:
        value["digest"] = digest_of(replace(SEALED, title=value["title"]))
    return json.dumps(value)


@pytest.mark.parametrize(
    ("message", "text"),
    [
        ("not JSON", "{"),
        ("root is not an object", "[]"),
        ("format is missing", "{}"),
        ("version 2.0; this abrkit reads 1.x", edited(lambda v: v.update(version="2.0"))),
        ("version is missing", edited(lambda v: v.pop("version"))),
        ("digest does not fit", edited(lambda v: v["video"][0].update(init_bytes=5))),
        ("video is missing", edited(lambda v: v.pop("video"))),
        (r"video\[1\]\.folder", edited(lambda v: v["video"][1].update(folder="../../etc"))),
        (r"video\[0\]\.kind", edited(lambda v: v["video"][0].update(kind="text"))),
        (
            r"audio\[0\]\.segments\[2\]\.size_bytes",
            edited(lambda v: v["audio"][0]["segments"][2].update(size_bytes=1.5)),
        ),
        ("source.duration_s", edited(lambda v: v["source"].update(duration_s=True))),
        ("source.", edited(lambda v: v.update(source=None))),
        ("encryption.kids", edited(lambda v: v["encryption"].update(kids=[1]))),
        ("title", edited(lambda v: v.update(title="../x"), digest=True)),
    ],
)
def test_an_index_that_cannot_be_used_is_refused(message: str, text: str) -> None:
    """The message names the file, the field and what to do."""
    with pytest.raises(PackageError, match=rf"^film/presentation\.json: .*{message}"):
        parse_index(text, where="film/presentation.json")


def test_unknown_fields_of_a_later_minor_version_are_ignored() -> None:
    """1.9 may add fields; what 1.0 knows still counts."""
    text = edited(lambda v: (v.update(version="1.9", mood="blue"), v["video"][0].update(x=1)))
    assert parse_index(text) == SEALED


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(),
        lambda v: st.lists(v) | st.dictionaries(st.text(), v),
    ),
    st.data(),
)
def test_any_json_in_place_of_a_field_is_refused_by_our_error_only(
    value: object, data: st.DataObject
) -> None:
    """Whatever stands there instead."""
    root = json.loads(print_index(SEALED))
    at = root
    for _ in range(data.draw(st.integers(0, 3))):
        inner = [
            v
            for v in (at.values() if isinstance(at, dict) else at)
            if isinstance(v, dict | list) and v
        ]
        if not inner:
            break
        at = data.draw(st.sampled_from(inner))
    at[data.draw(st.sampled_from(list(at) if isinstance(at, dict) else list(range(len(at)))))] = (
        value
    )
    try:
        parse_index(json.dumps(root))
    except PackageError as exc:
        assert "\n" not in str(exc)


def transport(**changes: Any) -> PresentationIndex:
    """The index of transport streams: without sections and manifest."""
    bare = [
        tuple(replace(t, init_bytes=0) for t in tracks) for tracks in (INDEX.video, INDEX.audio)
    ]
    index = replace(INDEX, container="ts", dash=False, video=bare[0], audio=bare[1])
    return replace(index, **changes)


def test_transport_streams_have_their_own_names_and_no_sections() -> None:
    """The index says so and reads back; one of fragments says nothing of its container."""
    index = transport()
    assert parse_index(print_index(index)) == index
    assert '"container": "ts"' in print_index(index)
    assert "container" not in print_index(INDEX)
    names = set(files_of(index))
    assert "v1/00002.ts" in names
    assert not [name for name in names if name.endswith((".mp4", ".m4s", ".mpd"))]
    text = print_media(media_playlist_of(index, index.video[0]))
    assert "#EXT-X-VERSION:3\n" in text
    assert "EXT-X-MAP" not in text
    assert text.count(".ts\n") == 3


@pytest.mark.parametrize(
    ("index", "words"),
    [
        (transport(dash=True), "a DASH manifest"),
        (transport(video=INDEX.video), "an initialisation section in v0"),
        (transport(encryption=Encryption(method="SAMPLE-AES", kids=KIDS[:1])), "encrypted samples"),
        (
            transport(encryption=Encryption(method="AES-128", kids=KIDS[:1], seals_init=True)),
            "encrypted initialisation sections",
        ),
        (
            transport(audio=(replace(transport().audio[0], codecs="Opus"),)),
            "Opus in a0",
        ),
    ],
)  # fmt: skip
def test_what_transport_streams_cannot_have_is_refused(
    index: PresentationIndex, words: str
) -> None:
    with pytest.raises(PackageError, match=f"transport streams with {words}; expected none"):
        check_index(index)


def test_an_unknown_container_is_refused() -> None:
    with pytest.raises(
        PackageError, match="container is of type str or wrong; expected fmp4 or ts"
    ):
        parse_index(edited(lambda v: v.update(container="avi")))
