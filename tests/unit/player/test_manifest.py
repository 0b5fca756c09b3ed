"""From playlists to a ladder, two tracks and their segments."""

from __future__ import annotations

import pytest

from abr.errors import PlaybackError
from player.playback.manifest import (
    lone_variant,
    presentation_from_playlists,
    segments_of,
    variants_of,
)
from transcode.playlist import MediaPlaylist, MultivariantPlaylist, parse

URL = "http://edge.test/film/x.m3u8"


def multivariant(*lines: str) -> MultivariantPlaylist:
    playlist = parse("\n".join(["#EXTM3U", *lines]) + "\n", uri="x")
    assert isinstance(playlist, MultivariantPlaylist)
    return playlist


def media(*lines: str, end: str = "#EXT-X-ENDLIST") -> MediaPlaylist:
    playlist = parse("\n".join(["#EXTM3U", "#EXT-X-TARGETDURATION:9", *lines, end]), uri="x")
    assert isinstance(playlist, MediaPlaylist)
    return playlist


def stream(bandwidth: int, uri: str, more: str = "") -> list[str]:
    return [f"#EXT-X-STREAM-INF:BANDWIDTH={bandwidth}{more}", uri]


def test_the_ladder_is_sorted_by_mean_rate_and_the_first_of_equals_stays() -> None:
    """AVERAGE-BANDWIDTH counts where it is given."""
    playlist = multivariant(
        *stream(9_000_000, "high", ",AVERAGE-BANDWIDTH=3000000"),
        *stream(1_000_000, "low"),
        *stream(3_000_000, "late"),
    )
    ladder = [(v.url.rpartition("/")[2], v.bitrate_bps) for v in variants_of(playlist, url=URL)]
    assert ladder == [("low", 1e6), ("high", 3e6)]


def test_one_codec_family_with_a_picture_is_played() -> None:
    """Audio only and the second family are left out."""
    avc = ',CODECS="avc1.64001f,mp4a.40.2",RESOLUTION=640x360'
    hevc = ',CODECS="hvc1.1.6.L93.B0",RESOLUTION=640x360'
    aac = ',CODECS="mp4a.40.2"'
    playlist = multivariant(
        *stream(2_000_000, "a", avc), *stream(1_000_000, "h", hevc), *stream(100_000, "s", aac)
    )
    assert [v.url.rpartition("/")[2] for v in variants_of(playlist, url=URL)] == ["a"]


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
    found = variants_of(multivariant(*sounds, *variants), url=URL)
    assert [v.bitrate_bps for v in found] == [1_000_000, 2_000_000]
    assert {v.audio_url for v in found} == {"http://edge.test/film/stereo.m3u8"}


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
    found = variants_of(multivariant(*sounds, *variants), url=URL)
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
    assert [v.audio_url for v in variants_of(playlist, url=URL)] == [audio_url]


def test_the_default_rendition_of_a_group_is_played() -> None:
    playlist = multivariant(
        '#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="g",NAME="x",URI="other"',
        '#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="g",NAME="y",URI="auto",AUTOSELECT=YES',
        '#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="g",NAME="z",URI="default",DEFAULT=YES',
        *stream(1, "v", ',AUDIO="g"'),
    )
    assert variants_of(playlist, url=URL)[0].audio_url == "http://edge.test/film/default"


def test_segments_follow_each_other_on_the_timeline() -> None:
    """A segment that lasts no time is never on screen: it is not fetched."""
    segments = segments_of(
        media("#EXTINF:2,", "a", "#EXTINF:0,", "b", "#EXTINF:3.5,", "c"), url=URL
    )
    assert [(s.url.rpartition("/")[2], s.start_s, s.end_s) for s in segments] == [
        ("a", 0.0, 2.0),
        ("c", 2.0, 5.5),
    ]


def test_the_vector_is_the_keys_or_the_number_of_the_segment() -> None:
    """RFC 8216, 5.2: without an IV, the media sequence number as 128 bits."""
    segments = segments_of(
        media(
            "#EXT-X-MEDIA-SEQUENCE:7",
            '#EXT-X-KEY:METHOD=AES-128,URI="k"',
            *("#EXTINF:0,", "a", "#EXTINF:2,", "b"),
            f'#EXT-X-KEY:METHOD=AES-128,URI="k",IV=0x{"f" * 32}',
            *("#EXTINF:2,", "c"),
        ),
        url=URL,
    )
    assert [s.key and s.key.iv for s in segments] == [(8).to_bytes(16, "big"), b"\xff" * 16]


@pytest.mark.parametrize(
    ("playlist", "what"),
    [
        (media("#EXTINF:2,", "a", end=""), "a live playlist"),
        (media(), "lists no segment"),
        (media("#EXTINF:0,", "a"), "lists no segment that lasts"),
        (media('#EXT-X-KEY:METHOD=SAMPLE-AES,URI="k"', "#EXTINF:2,", "a"), "METHOD=SAMPLE-AES"),
    ],
)
def test_what_cannot_be_played_is_refused(playlist: MediaPlaylist, what: str) -> None:
    with pytest.raises(PlaybackError, match=what):
        segments_of(playlist, url=URL)


@pytest.mark.parametrize(
    ("bandwidth", "segment", "what"),
    [
        (0, ["#EXTINF:2,", "a"], "BANDWIDTH=0"),
        (1000, ["#EXTINF:2,", "#EXT-X-BYTERANGE:0@0", "a"], "a segment of no bytes"),
    ],
)
def test_rates_and_sizes_of_nothing_are_refused(
    bandwidth: int, segment: list[str], what: str
) -> None:
    variants = variants_of(multivariant(*stream(bandwidth, "v")), url=URL)
    segments = segments_of(media(*segment), url=URL)
    with pytest.raises(PlaybackError, match=what):
        presentation_from_playlists(variants, {0: segments}, (), title="x")


def test_rungs_that_do_not_share_boundaries_are_refused() -> None:
    """50 ms is the most by which two may differ."""
    variants = variants_of(multivariant(*stream(1000, "v"), *stream(2000, "w")), url=URL)
    near, far = (segments_of(media(f"#EXTINF:{s},", "a"), url=URL) for s in (2.04, 2.06))
    first = segments_of(media("#EXTINF:2,", "a"), url=URL)
    presentation_from_playlists(variants, {0: first, 1: near}, (), title="x")
    with pytest.raises(PlaybackError, match="rung 1 has 1 segments with other boundaries"):
        presentation_from_playlists(variants, {0: first, 1: far}, (), title="x")


def test_sizes_come_from_ranges_then_bit_rates_then_the_ladder() -> None:
    """500 bytes; 8 kbit/s for 2 s, 2000 bytes; 4 kbit/s of the variant for 2 s, 1000 bytes."""
    variants = variants_of(multivariant(*stream(4000, "v")), url=URL)
    segments = segments_of(
        media(
            *("#EXTINF:2,", "#EXT-X-BYTERANGE:500@0", "a"),
            *("#EXT-X-BITRATE:8", "#EXTINF:2,", "b"),
        ),
        url=URL,
    )
    known = presentation_from_playlists(variants, {0: segments}, (), title="x")
    assert known.sizes_bytes.tolist() == [[500.0, 2000.0]]
    bare = segments_of(media("#EXTINF:2,", "a"), url=URL)
    assert presentation_from_playlists(variants, {0: bare}, (), title="x").sizes_bytes == [[1000.0]]


def test_a_lone_playlist_has_the_mean_of_its_bit_rates() -> None:
    """8 kbit/s for 1 s and 2 kbit/s for 3 s: 14 kbit in 4 s."""
    playlist = media("#EXT-X-BITRATE:8", "#EXTINF:1,", "a", "#EXT-X-BITRATE:2", "#EXTINF:3,", "b")
    assert lone_variant(playlist, url=URL).bitrate_bps == 3500.0
