"""Playlists: what is printed reads back equal; whatever is read raises our error or none."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from hypothesis import assume, example, given
from hypothesis import strategies as st

from abr.errors import PlaylistError
from transcode.playlist import (
    ByteRange,
    Key,
    Map,
    MediaPlaylist,
    MultivariantPlaylist,
    Rendition,
    Segment,
    ServerControl,
    Start,
    Steering,
    Tiles,
    TrickPlayVariant,
    Variant,
    needed_version,
    parse,
    print_media,
    print_multivariant,
    vod_playlist,
)

# Anything printable may stand between quotes, quotes excepted; no tag inside a value.
TEXT = st.text(
    st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp"], exclude_characters='"\ufeff'),
    min_size=1,
    max_size=12,
).filter(lambda text: "#EXT" not in text)
URIS = TEXT.filter(lambda text: text == text.strip() and not text.startswith("#"))
WHOLE = st.integers(0, 2**64 - 1)
KEYS = st.builds(
    Key,
    method=st.sampled_from(["AES-128", "SAMPLE-AES"]),
    uri=URIS,
    iv=st.binary(min_size=16, max_size=16),
)
RANGES = st.builds(ByteRange, st.integers(0, 10**17), st.integers(0, 10**17))
MAPS = st.builds(Map, uri=URIS, byte_range=st.none() | RANGES, key=st.none() | KEYS)


WIDTHS = st.integers(1, 10**8)
SECONDS = st.integers(0, 10**8).map(lambda micros: micros / 10**6)
TILES = st.builds(Tiles, WIDTHS, WIDTHS, WIDTHS, WIDTHS, SECONDS)

DATES = st.integers(0, 4 * 10**12).map(lambda millis: millis / 1000)


@st.composite
def media_playlists(draw: st.DrawFn) -> MediaPlaylist:
    """Any playlist that the tags can express."""
    has_maps, has_rates = draw(st.booleans()), draw(st.booleans())
    shared: dict[str, Any] = {"map": draw(MAPS) if has_maps else None, "key": None}
    segments = []
    for _ in range(draw(st.integers(0, 6))):
        if has_maps and draw(st.booleans()):
            shared["map"] = draw(MAPS)
        if draw(st.booleans()):
            shared["key"] = draw(st.none() | KEYS | KEYS.map(_without_iv))
        byte_range = draw(st.none() | RANGES)
        segments.append(
            Segment(
                uri=draw(URIS),
                duration_s=draw(st.integers(0, 10**8)) / 10**6,
                byte_range=byte_range,
                bitrate_kbps=draw(WHOLE) if has_rates and byte_range is None else None,
                discontinuity=draw(st.booleans()),
                gap=draw(st.booleans()),
                tiles=draw(st.none() | TILES),
                date_s=draw(st.none() | DATES),
                **shared,
            )
        )
    finished = vod_playlist(
        segments,
        media_sequence=draw(st.integers(0, 2**40)),
        iframes_only=draw(st.booleans()),
        images_only=draw(st.booleans()),
    )
    skipped = draw(st.sampled_from([0, 3]))
    live = replace(
        finished,
        segments=tuple(replace(s, sequence=s.sequence + skipped) for s in finished.segments),
        skipped=skipped,
        endlist=draw(st.booleans()),
        discontinuity_sequence=draw(st.integers(0, 9)),
        start=draw(st.none() | STARTS),
        control=draw(st.none() | CONTROLS),
    )
    return replace(live, version=needed_version(live))


SECONDS = st.integers(1, 10**8).map(lambda n: n / 10**6)
STARTS = st.builds(Start, SECONDS | SECONDS.map(lambda s: -s), is_precise=st.booleans())
CONTROLS = st.builds(ServerControl, SECONDS, st.none() | SECONDS, can_block_reload=st.booleans())
STEERINGS = st.builds(Steering, st.just("https://h/steer?a=1"), st.none() | st.just("CDN-A"))


def _without_iv(key: Key) -> Key:
    return Key(method=key.method, uri=key.uri)


VARIANTS = st.builds(
    Variant,
    uri=URIS,
    bandwidth_bps=st.integers(0, 2**53),
    average_bandwidth_bps=st.none() | WHOLE,
    codecs=st.just("") | TEXT,
    width=st.integers(1, 10**8),
    height=st.integers(1, 10**8),
    frame_rate=st.integers(0, 10**6).map(lambda n: n / 1000),
    video_range=st.none() | st.sampled_from(["SDR", "PQ"]),
    closed_captions=st.none() | st.just("NONE"),
    audio_group=st.none() | st.just("a, b"),
    pathway_id=st.none() | TEXT,
    stable_id=st.none() | TEXT,
)


TRICK_PLAY = st.builds(
    TrickPlayVariant,
    uri=URIS,
    bandwidth_bps=st.integers(0, 2**53),
    average_bandwidth_bps=st.none() | WHOLE,
    codecs=st.just("") | TEXT,
    width=WIDTHS,
    height=WIDTHS,
    video_range=st.none() | st.sampled_from(["SDR", "PQ"]),
)


@st.composite
def renditions(draw: st.DrawFn) -> Rendition:
    """A rendition of audio or of subtitles, of the one group."""
    default, is_text = draw(st.booleans()), draw(st.booleans())
    return Rendition(
        type="SUBTITLES" if is_text else "AUDIO",
        forced=is_text and draw(st.booleans()),
        characteristics=draw(st.none() | TEXT),
        group_id="a, b",
        name=draw(TEXT),
        language=draw(st.none() | TEXT),
        uri=draw(st.none() | URIS),
        channels=draw(st.none() | TEXT),
        stable_id=draw(st.none() | TEXT),
        default=default,
        autoselect=default or draw(st.booleans()),
    )


@st.composite
def multivariant_playlists(draw: st.DrawFn) -> MultivariantPlaylist:
    """Any multivariant playlist that the tags can express."""
    variants = draw(st.lists(VARIANTS, min_size=1, max_size=4))
    iframes = draw(st.lists(TRICK_PLAY, max_size=2))
    if draw(st.booleans()):  # on all or none of them
        scores = st.integers(0, 10**6).map(lambda n: n / 1000)
        variants = [replace(each, score=draw(scores)) for each in variants]
        iframes = [replace(each, score=draw(scores)) for each in iframes]
    return MultivariantPlaylist(
        variants=tuple(variants),
        renditions=(
            Rendition(type="AUDIO", group_id="a, b", name="main"),
            *draw(st.lists(renditions(), max_size=3)),
        ),
        iframe_variants=tuple(iframes),
        image_variants=tuple(draw(st.lists(TRICK_PLAY, max_size=2))),
        independent_segments=draw(st.booleans()),
        version=draw(st.integers(3, 13)),
        steering=draw(st.none() | STEERINGS),
        start=draw(st.none() | STARTS),
    )


@given(media_playlists())
def test_a_media_playlist_reads_back_equal(playlist: MediaPlaylist) -> None:
    """Print, then parse: nothing is lost or invented."""
    assert parse(print_media(playlist)) == playlist


@given(multivariant_playlists())
def test_a_multivariant_playlist_reads_back_equal(playlist: MultivariantPlaylist) -> None:
    """Print, then parse: nothing is lost or invented."""
    assert parse(print_multivariant(playlist)) == playlist


TAGS = [
    "#EXTM3U", "#EXTINF:4,", "#EXTINF:", "#EXTINF:1e400,", "#EXT-X-TARGETDURATION:4", "#EXT-X-KEY",
    "#EXT-X-TARGETDURATION:", "#EXT-X-KEY:METHOD=NONE", '#EXT-X-KEY:METHOD=AES-128,URI="k"',
    '#EXT-X-MAP:URI="i",BYTERANGE="5"', "#EXT-X-MAP", "#EXT-X-BYTERANGE:5", "#EXT-X-BYTERANGE:5@0",
    "#EXT-X-BITRATE:9", "#EXT-X-BITRATE:", "#EXT-X-GAP", "#EXT-X-DISCONTINUITY", "#EXT-X-ENDLIST",
    "#EXT-X-STREAM-INF:BANDWIDTH=1", "#EXT-X-STREAM-INF:", "#EXT-X-MEDIA:TYPE=AUDIO", "a.ts",
    "#EXT-X-MEDIA-SEQUENCE:9", "#EXT-X-MEDIA-SEQUENCE:-9", "#EXT-X-VERSION:x", "#EXT-X-PART:",
    "#EXT-X-PLAYLIST-TYPE:VOD", "#EXT-X-KEYS:a", "#EXT-X-PROGRAM-DATE-TIME:never", '="\',',
    "#EXT-X-I-FRAME-STREAM-INF:", "#EXT-X-I-FRAMES-ONLY", "#EXT-X-IMAGES-ONLY", "#EXT-X-TILES:",
    '#EXT-X-I-FRAME-STREAM-INF:BANDWIDTH=1,URI="i"', "#EXT-X-IMAGE-STREAM-INF:BANDWIDTH=x,URI=i",
    "#EXT-X-TILES:RESOLUTION=2x2,LAYOUT=2x2,DURATION=1", "#EXT-X-DATERANGE:=",
    "#EXT-X-CUE-OUT-CONT:/", "b\x0b.ts", "",
]  # fmt: skip


def _reads_or_refuses(text: str) -> None:
    """Reading gives a value that prints alike, or raises PlaylistError; nothing else."""
    try:
        playlist = parse(text, uri="p")
    except PlaylistError as exc:
        assert "\n" not in str(exc)
        assert str(exc).startswith("p:")
        return
    try:
        if isinstance(playlist, MediaPlaylist):
            printed = print_media(playlist)
        else:
            printed = print_multivariant(playlist)
    except PlaylistError:
        return  # printing is stricter than reading
    assume(playlist.version >= needed_version(playlist))
    again = parse(printed)
    # What was wrong is not printed again, and variables are put in place by reading.
    if isinstance(playlist, MultivariantPlaylist):
        playlist = replace(playlist, variables={})
    assert again == replace(playlist, remarks=again.remarks)


@given(st.text())
@example("#EXTM3U\n#EXT-X-TARGETDURATION:" + "9" * 5000)
@example("#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXTINF:" + "9" * 400 + ",\na")
def test_garbage_is_refused_by_our_error_only(text: str) -> None:
    """Whatever text arrives."""
    _reads_or_refuses(text)
    _reads_or_refuses("#EXTM3U\n" + text)


@given(st.lists(st.sampled_from(TAGS) | st.text(max_size=8), max_size=12))
def test_tags_in_any_order_are_read_or_refused(lines: list[str]) -> None:
    """Every tag we read, and some we do not, in any order, half-written ones included."""
    _reads_or_refuses("#EXTM3U\n#EXT-X-TARGETDURATION:4\n" + "\n".join(lines))
    _reads_or_refuses("#EXTM3U\n" + "\r\n".join(lines))


@given(st.data(), st.one_of(media_playlists().map(print_media), st.just("")))
def test_a_damaged_playlist_is_read_or_refused(data: st.DataObject, text: str) -> None:
    """A good playlist with one run of characters replaced by others."""
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, min(len(text), start + 20)))
    _reads_or_refuses(text[:start] + data.draw(st.text(max_size=5)) + text[end:])
