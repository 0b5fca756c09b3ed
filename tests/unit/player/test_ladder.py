"""From a multivariant playlist to rungs and their places, and what is not played."""

from __future__ import annotations

from typing import Any

import pytest

from abr.errors import PlaybackError
from player.playback.ladder import Ladder, Rung, ladder_of, lone_rung
from player.playback.offers import Wishes
from tests.fakes.playlists import PLAYLIST_URL as URL
from tests.fakes.playlists import media, multivariant, stream


def name_of(rung: Rung) -> str:
    return rung.places[0].video_url.rpartition("/")[2]


def test_the_ladder_is_sorted_by_mean_rate_and_the_first_of_equals_stays() -> None:
    """AVERAGE-BANDWIDTH counts where it is given."""
    playlist = multivariant(
        *stream(9_000_000, "high", ",AVERAGE-BANDWIDTH=3000000"),
        *stream(1_000_000, "low"),
        *stream(3_000_000, "late"),
    )
    ladder = [(name_of(rung), rung.bitrate_bps) for rung in ladder_of(playlist, url=URL).rungs]
    assert ladder == [("low", 1e6), ("high", 3e6)]


def test_one_codec_family_with_a_picture_is_played() -> None:
    """Audio only and the second family are left out."""
    avc = ',CODECS="avc1.64001f,mp4a.40.2",RESOLUTION=640x360'
    hevc = ',CODECS="hvc1.1.6.L93.B0",RESOLUTION=640x360'
    aac = ',CODECS="mp4a.40.2"'
    playlist = multivariant(
        *stream(2_000_000, "a", avc), *stream(1_000_000, "h", hevc), *stream(100_000, "s", aac)
    )
    assert [name_of(rung) for rung in ladder_of(playlist, url=URL).rungs] == ["a"]


def test_a_rung_that_is_listed_with_two_sounds_is_one_rung() -> None:
    """As packages with stereo and surround list them; the first sound is played."""
    sounds = [
        f'#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="{g}",NAME="en",DEFAULT=YES,URI="{g}.m3u8"'
        for g in ("stereo", "surround")
    ]
    variants = [
        line
        for g, more in (("stereo", 0), ("surround", 200_000))
        for rung in (1, 2)
        for line in stream(rung * 1_000_000 + more, f"v{rung}.m3u8", f',AUDIO="{g}"')
    ]
    found = ladder_of(multivariant(*sounds, *variants), url=URL).rungs
    assert [v.bitrate_bps for v in found] == [1_000_000, 2_000_000]
    assert {rung.places[0].audio_url for rung in found} == {"http://edge.test/film/stereo.m3u8"}


def test_groups_that_differ_in_a_second_language_only_are_no_rungs_either() -> None:
    """The default sound may be in both, because there is no surround of it."""
    sounds = [
        f'#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="{g}",NAME="{n}",DEFAULT={d},URI="{uri}.m3u8"'
        for g, n, d, uri in (
            ("a", "en", "YES", "en"), ("a", "de", "NO", "de"),
            ("b", "en", "YES", "en"), ("b", "de", "NO", "de-surround"),
        )
    ]  # fmt: skip
    variants = [*stream(100_000, "v.m3u8", ',AUDIO="a"'), *stream(300_000, "v.m3u8", ',AUDIO="b"')]
    found = ladder_of(multivariant(*sounds, *variants), url=URL).rungs
    assert [v.bitrate_bps for v in found] == [100_000]


@pytest.mark.parametrize(
    ("uri", "audio_url"),
    [
        (',URI="a.m3u8"', "http://edge.test/film/a.m3u8"),
        ("", None),
        (',URI="v.m3u8"', None),
        (',URI="../film/v.m3u8"', None),
    ],
)
def test_audio_without_a_playlist_of_its_own_lies_within_the_variant(
    uri: str, audio_url: str | None
) -> None:
    """So it does where its URI is the variant's, which would fetch everything twice."""
    playlist = multivariant(
        f'#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="g",NAME="x"{uri}', *stream(1, "v.m3u8", ',AUDIO="g"')
    )
    assert [v.places[0].audio_url for v in ladder_of(playlist, url=URL).rungs] == [audio_url]


def test_the_default_rendition_of_a_group_is_played() -> None:
    playlist = multivariant(
        '#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="g",NAME="x",URI="other"',
        '#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="g",NAME="y",URI="auto",AUTOSELECT=YES',
        '#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="g",NAME="z",URI="default",DEFAULT=YES',
        *stream(1, "v", ',AUDIO="g"'),
    )
    assert (
        ladder_of(playlist, url=URL).rungs[0].places[0].audio_url == "http://edge.test/film/default"
    )


def test_a_lone_playlist_has_the_mean_of_its_bit_rates() -> None:
    """8 kbit/s for 1 s and 2 kbit/s for 3 s: 14 kbit in 4 s."""
    playlist = media("#EXT-X-BITRATE:8", "#EXTINF:1,", "a", "#EXT-X-BITRATE:2", "#EXTINF:3,", "b")
    assert lone_rung(playlist, url=URL).bitrate_bps == 3500.0


def test_of_sound_alone_one_rendition_is_played() -> None:
    """The variant is one of them; it is not fetched beside another."""
    lines = (
        sound("g", "en", ',LANGUAGE="en",DEFAULT=YES', uri="en.m3u8"),
        sound("g", "de", ',LANGUAGE="de"', uri="de.m3u8"),
        *stream(64_000, "en.m3u8", ',CODECS="mp4a.40.5",AUDIO="g"'),
    )
    assert shown(taken(*lines)) == [("en.m3u8", None)]
    assert shown(taken(*lines, language="de")) == [("de.m3u8", None)]


AVC, HEVC = ',CODECS="avc1.64001f,mp4a.40.2"', ',CODECS="hvc1.1.6.L93.B0,mp4a.40.2"'


def sized(height: int, more: str = "") -> str:
    return f",RESOLUTION={height * 16 // 9}x{height}{more}"


def sound(group: str, name: str, more: str = "", uri: str | None = None) -> str:
    where = f',URI="{uri}"' if uri else ""
    return f'#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="{group}",NAME="{name}"{more}{where}'


def taken(*lines: str, **wishes: Any) -> Ladder:
    return ladder_of(multivariant(*lines), url=URL, wishes=Wishes(**wishes))


def shown(ladder: Ladder) -> list[tuple[str, str | None]]:
    """Video and audio playlist of the first place of each rung."""
    return [
        (name_of(rung), audio and audio.rpartition("/")[2])
        for rung in ladder.rungs
        for audio in [rung.places[0].audio_url]
    ]


def names_of(ladder: Ladder) -> list[str]:
    return [name_of(rung) for rung in ladder.rungs]


def test_each_variant_keeps_its_own_audio_group() -> None:
    """Also one whose sound lies within it, beside others with groups."""
    ladder = taken(
        sound("lo", "x", uri="lo.m3u8"),
        sound("hi", "x", uri="hi.m3u8"),
        *stream(300_000, "v0", ',AUDIO="lo"' + sized(240)),
        *stream(900_000, "v1", ',AUDIO="hi"' + sized(480)),
        *stream(2_000_000, "v2", sized(720)),
    )
    assert shown(ladder) == [("v0", "lo.m3u8"), ("v1", "hi.m3u8"), ("v2", None)]
    assert ladder.notes == []


def test_a_default_without_a_playlist_is_the_sound_within_the_variant() -> None:
    """Another language is not fetched in its place."""
    lines = (
        sound("g", "en", ',LANGUAGE="en",DEFAULT=YES'),
        sound("g", "de", ',LANGUAGE="de"', uri="de.m3u8"),
        *stream(300_000, "v0", ',AUDIO="g"'),
    )
    assert shown(taken(*lines)) == [("v0", None)]
    assert shown(taken(*lines, language="de")) == [("v0", "de.m3u8")]


def test_variants_without_codecs_or_size_are_played() -> None:
    """Only what is known to be sound alone is left out, wherever it is listed."""
    ladder = taken(
        *stream(64_000, "sound", ',CODECS="mp4a.40.5"'),
        *stream(300_000, "bare"),
        *stream(600_000, "unsized", AVC),
        *stream(900_000, "unnamed", sized(480)),
        *stream(1_200_000, "avc3", ',CODECS="avc3.64001f,mp4a.40.2"' + sized(720)),
    )
    assert names_of(ladder) == ["bare", "unsized", "unnamed", "avc3"]
    assert ladder.notes == ["not played: variant 1 (0.064 Mbit/s): no picture"]


def test_sound_alone_is_played_where_there_is_nothing_else() -> None:
    ladder = taken(*stream(64_000, "a", ',CODECS="mp4a.40.5"'))
    assert (names_of(ladder), ladder.notes) == (["a"], [])


BOTH = (
    *stream(300_000, "a0", AVC + sized(240)),
    *stream(900_000, "a1", AVC + sized(480)),
    *stream(200_000, "h0", HEVC + sized(240)),
    *stream(600_000, "h1", HEVC + sized(480)),
)


def test_one_family_of_codecs_is_played_and_the_others_are_told_of() -> None:
    ladder = taken(*BOTH)
    assert names_of(ladder) == ["a0", "a1"]
    assert ladder.notes == [
        (
            "not played: variant 3 (426x240, 0.2 Mbit/s), variant 4 (853x480, 0.6 Mbit/s): "
            "hevc beside avc, which is listed first (--codecs hevc plays it)"
        )
    ]


@pytest.mark.parametrize("codecs", ["hevc", "hvc1", "av1,H265", "hev1.1.6,avc"])
def test_the_family_that_is_asked_for_is_played(codecs: str) -> None:
    """By the name of the family or of a codec; the first of several that there is."""
    assert names_of(taken(*BOTH, codecs=codecs)) == ["h0", "h1"]


@pytest.mark.parametrize(
    ("wishes", "what"),
    [
        ({"codecs": "av1"}, "no variant in codecs 'av1'; the playlist has aac, avc, hevc"),
        ({"language": "fr"}, "no sound in language 'fr'; the playlist names none"),
        ({"audio_group": "x"}, "no audio group 'x'; the playlist names none"),
    ],
)
def test_a_wish_that_cannot_be_met_is_refused(wishes: dict[str, str], what: str) -> None:
    with pytest.raises(PlaybackError, match=what):
        taken(*BOTH, **wishes)


def test_dynamic_ranges_are_not_mixed() -> None:
    ladder = taken(
        *stream(300_000, "sdr", HEVC + sized(240)),
        *stream(900_000, "pq", HEVC + sized(480, ",VIDEO-RANGE=PQ")),
    )
    assert names_of(ladder) == ["sdr"]
    assert "variant 2 (853x480, 0.9 Mbit/s): PQ beside SDR" in ladder.notes[0]


GROUPS = (
    sound("aac", "en", ',LANGUAGE="en",CHANNELS="2"', uri="aac.m3u8"),
    sound("ec3", "en", ',LANGUAGE="en",CHANNELS="6"', uri="ec3.m3u8"),
    *stream(300_000, "v0", ',AUDIO="aac",CODECS="avc1.64001e,mp4a.40.2"' + sized(240)),
    *stream(900_000, "v1", ',AUDIO="aac",CODECS="avc1.64001f,mp4a.40.2"' + sized(480)),
    *stream(500_000, "v0", ',AUDIO="ec3",CODECS="avc1.64001e,ec-3"' + sized(240)),
    *stream(1_100_000, "v1", ',AUDIO="ec3",CODECS="avc1.64001f,ec-3"' + sized(480)),
)


def test_the_sound_of_the_first_variant_is_played_or_the_group_asked_for() -> None:
    assert shown(taken(*GROUPS)) == [("v0", "aac.m3u8"), ("v1", "aac.m3u8")]
    assert shown(taken(*GROUPS, audio_group="ec3")) == [("v0", "ec3.m3u8"), ("v1", "ec3.m3u8")]
    assert shown(taken(*GROUPS, codecs="ec-3")) == [("v0", "ec3.m3u8"), ("v1", "ec3.m3u8")]
    assert taken(*GROUPS).notes == [
        (
            "not played: variant 3 (426x240, 0.5 Mbit/s), variant 4 (853x480, 1.1 Mbit/s): "
            "another sound beside that of variant 1 (--audio-group plays it)"
        )
    ]


def test_a_picture_that_is_listed_with_one_sound_only_is_played_with_it() -> None:
    ladder = taken(
        sound("aac", "en", ',CHANNELS="2"', uri="aac.m3u8"),
        sound("ec3", "en", ',CHANNELS="6"', uri="ec3.m3u8"),
        *stream(300_000, "v0", ',AUDIO="aac"' + AVC + sized(240)),
        *stream(900_000, "v1", ',AUDIO="ec3",CODECS="avc1.64001f,ec-3"' + sized(480)),
    )
    assert shown(ladder) == [("v0", "aac.m3u8"), ("v1", "ec3.m3u8")]


def test_groups_of_one_language_each_are_chosen_by_language() -> None:
    lines = (
        sound("en", "English", ',LANGUAGE="en"', uri="en.m3u8"),
        sound("de", "Deutsch", ',LANGUAGE="de-AT"', uri="de.m3u8"),
        *stream(300_000, "v0", ',AUDIO="en"'),
        *stream(300_000, "v0", ',AUDIO="de"'),
    )
    assert shown(taken(*lines, language="de")) == [("v0", "de.m3u8")]
    ladder = taken(*lines)
    assert shown(ladder) == [("v0", "en.m3u8")]
    assert ladder.notes[-1] == (
        "sound in en is played; listed are also de-AT (--language plays them)"
    )


def test_subtitles_are_listed() -> None:
    ladder = taken(
        '#EXT-X-MEDIA:TYPE=SUBTITLES,GROUP-ID="s",NAME="English",LANGUAGE="en",URI="s.m3u8"',
        '#EXT-X-MEDIA:TYPE=SUBTITLES,GROUP-ID="s",NAME="Deutsch",URI="t.m3u8"',
        *stream(300_000, "v0", ',SUBTITLES="s"'),
    )
    assert ladder.notes == ["subtitles are not fetched: en, Deutsch"]


def test_a_group_that_is_not_listed_is_told_of() -> None:
    ladder = taken(*stream(300_000, "v0", ',AUDIO="gone"'))
    assert shown(ladder) == [("v0", None)]
    assert ladder.notes == ["audio group 'gone' is not listed; took the sound within the variants"]


def test_the_same_figures_at_another_address_are_places_of_one_rung() -> None:
    """Redundant variants, each with the audio of its own server."""
    ladder = taken(
        sound("a", "x", uri="http://a.test/s.m3u8"),
        sound("b", "x", uri="http://b.test/s.m3u8"),
        *stream(300_000, "http://a.test/v0", ',AUDIO="a"'),
        *stream(900_000, "http://a.test/v1", ',AUDIO="a"'),
        *stream(300_000, "http://b.test/v0", ',AUDIO="b"'),
        *stream(900_000, "http://b.test/v1", ',AUDIO="b"'),
    )
    assert [[place.urls for place in rung.places] for rung in ladder.rungs] == [
        [(f"http://{host}.test/v{rung}", f"http://{host}.test/s.m3u8") for host in "ab"]
        for rung in (0, 1)
    ]
    assert ladder.notes == []


def test_pathways_are_places_and_the_one_that_steering_names_comes_first() -> None:
    """Variants with the same stable id are the same, whatever else differs."""
    ladder = taken(
        '#EXT-X-CONTENT-STEERING:SERVER-URI="s",PATHWAY-ID="B"',
        *stream(300_000, "a0", ',PATHWAY-ID="A",STABLE-VARIANT-ID="0"'),
        *stream(310_000, "b0", ',PATHWAY-ID="B",STABLE-VARIANT-ID="0"'),
        *stream(900_000, "b1", ',PATHWAY-ID="B"'),
        *stream(900_000, "a1", ',PATHWAY-ID="A"'),
        *stream(2_000_000, "a2", ',PATHWAY-ID="A"'),
    )
    assert [[(p.pathway, p.video_url[-2:]) for p in rung.places] for rung in ladder.rungs] == [
        [("B", "b0"), ("A", "a0")],
        [("B", "b1"), ("A", "a1")],
    ]
    assert ladder.notes == ["not played: variant 5 (2 Mbit/s): pathway A only"]


def test_a_rate_that_cannot_be_is_guessed_from_the_size_of_the_picture() -> None:
    """Four times the pixels of 360p: 1 Mbit/s times 4 to the power of 0.75, 2.83 Mbit/s."""
    ladder = taken(
        *stream(0, "v1", sized(720)),
        *stream(1_000_000, "v0", sized(360)),
        *stream(9_000_000_000_000, "v2", sized(1080)),
    )
    assert names_of(ladder) == ["v0", "v1", "v2"]
    assert [round(rung.bitrate_bps / 1e6, 2) for rung in ladder.rungs] == [1.0, 2.83, 5.2]
    assert [rung.is_rate_guessed for rung in ladder.rungs] == [False, True, True]
    assert ladder.notes[0] == (
        "variant 1 (1280x720, 0 Mbit/s): a BANDWIDTH that cannot be; took 2.83 Mbit/s, and what "
        "is fetched will tell"
    )


def test_rungs_of_which_nothing_is_known_are_all_played() -> None:
    ladder = taken(*stream(0, "a"), *stream(0, "b"), *stream(0, "c"))
    assert names_of(ladder) == ["a", "b", "c"]


def test_an_average_above_the_peak_is_not_believed() -> None:
    ladder = taken(*stream(1_000_000, "a", ",AVERAGE-BANDWIDTH=3000000"))
    assert ladder.rungs[0].bitrate_bps == 1e6


def test_one_playlist_under_two_rates_is_one_rung() -> None:
    ladder = taken(*stream(1_000_000, "a"), *stream(2_000_000, "a"))
    assert [rung.bitrate_bps for rung in ladder.rungs] == [1e6]
    assert ladder.notes == [
        "not played: variant 2 (2 Mbit/s): the same pictures as another that is played"
    ]


def test_thousands_of_variants_make_no_long_wait() -> None:
    lines = [line for n in range(5000) for line in stream(1000 + n, f"v{n}", AVC + sized(240))]
    assert len(taken(*lines).rungs) == 5000


LADDER = [
    *stream(8_000_000, "top", sized(1080)),
    *stream(1_000_000, "low", sized(360)),
    *stream(2_000_000, "mid", sized(720)),
    *stream(4_000_000, "flat", sized(540)),
]


@pytest.mark.parametrize(
    ("wishes", "rungs"),
    [
        ({}, ["low", "mid", "flat", "top"]),
        ({"max_bitrate_bps": 4e6}, ["low", "mid", "flat"]),
        ({"max_bitrate_bps": 3.9e6}, ["low", "mid"]),
        ({"max_height": 720}, ["low", "mid", "flat"]),
        ({"max_height": 540}, ["low"]),
        ({"max_height": 720, "max_bitrate_bps": 2e6}, ["low", "mid"]),
        ({"max_bitrate_bps": 1.0}, ["low"]),
    ],
)
def test_rungs_from_the_first_above_a_ceiling_on_are_not_played(
    wishes: dict[str, float], rungs: list[str]
) -> None:
    """The lowest always is, and a smaller picture that costs more goes with a larger one."""
    ladder = taken(*LADDER, **wishes)
    assert [name_of(rung) for rung in ladder.rungs] == rungs
    told = [note for note in ladder.notes if "above the ceiling of" in note]
    assert len(told) == (1 if wishes else 0)


def test_below_a_ceiling_the_first_that_is_left_counts_as_listed_first() -> None:
    """hls.js begins by it."""
    ladder = taken(*LADDER, max_bitrate_bps=4e6)
    assert [rung.is_first for rung in ladder.rungs] == [True, False, False]
