"""From a multivariant playlist to rungs and their places."""

from __future__ import annotations

import pytest

from player.playback.ladder import Rung, lone_rung, rungs_of
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
    ladder = [(name_of(rung), rung.bitrate_bps) for rung in rungs_of(playlist, url=URL)]
    assert ladder == [("low", 1e6), ("high", 3e6)]


def test_one_codec_family_with_a_picture_is_played() -> None:
    """Audio only and the second family are left out."""
    avc = ',CODECS="avc1.64001f,mp4a.40.2",RESOLUTION=640x360'
    hevc = ',CODECS="hvc1.1.6.L93.B0",RESOLUTION=640x360'
    aac = ',CODECS="mp4a.40.2"'
    playlist = multivariant(
        *stream(2_000_000, "a", avc), *stream(1_000_000, "h", hevc), *stream(100_000, "s", aac)
    )
    assert [name_of(rung) for rung in rungs_of(playlist, url=URL)] == ["a"]


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
    found = rungs_of(multivariant(*sounds, *variants), url=URL)
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
    found = rungs_of(multivariant(*sounds, *variants), url=URL)
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
    assert [v.places[0].audio_url for v in rungs_of(playlist, url=URL)] == [audio_url]


def test_the_default_rendition_of_a_group_is_played() -> None:
    playlist = multivariant(
        '#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="g",NAME="x",URI="other"',
        '#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="g",NAME="y",URI="auto",AUTOSELECT=YES',
        '#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="g",NAME="z",URI="default",DEFAULT=YES',
        *stream(1, "v", ',AUDIO="g"'),
    )
    assert rungs_of(playlist, url=URL)[0].places[0].audio_url == "http://edge.test/film/default"


def test_a_lone_playlist_has_the_mean_of_its_bit_rates() -> None:
    """8 kbit/s for 1 s and 2 kbit/s for 3 s: 14 kbit in 4 s."""
    playlist = media("#EXT-X-BITRATE:8", "#EXTINF:1,", "a", "#EXT-X-BITRATE:2", "#EXTINF:3,", "b")
    assert lone_rung(playlist, url=URL).bitrate_bps == 3500.0
