"""Playlists: what is read, what is refused, what is printed; RFC 8216bis."""

from __future__ import annotations

from dataclasses import replace

import pytest

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
    resolve,
    target_duration_s,
    vod_playlist,
)

KEY = Key(method="AES-128", uri="../key/a")
SECTION_KEY = replace(KEY, iv=bytes(15) + b"\x01")
VARIANT = Variant(uri="v0/playlist.m3u8", bandwidth_bps=1000)


def media(body: str, *, head: str = "#EXT-X-TARGETDURATION:4\n") -> MediaPlaylist:
    """Read a media playlist of ``body``."""
    playlist = parse(f"#EXTM3U\n{head}{body}", uri="list.m3u8")
    assert isinstance(playlist, MediaPlaylist)
    return playlist


def multivariant(body: str) -> MultivariantPlaylist:
    """Read a multivariant playlist of ``body``."""
    playlist = parse(f"#EXTM3U\n{body}", uri="all.m3u8")
    assert isinstance(playlist, MultivariantPlaylist)
    return playlist


def test_a_multivariant_playlist_of_another_packager_is_read_whole() -> None:
    """Quoted commas, a space after a comma and unknown tags and attributes are no obstacle."""
    read = multivariant(
        "#EXT-X-VERSION:7\n## made by hand\n#EXT-X-NEW-THING:A=1\n"
        '#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="aud",NAME="Français, 5.1",LANGUAGE="fr",'
        'DEFAULT=YES,CHANNELS="6",URI="a/p.m3u8"\n'
        "#EXT-X-STREAM-INF:BANDWIDTH=1280000, AVERAGE-BANDWIDTH=1000000,"
        'CODECS="avc1.64001f,mp4a.40.2",RESOLUTION=640x360,FRAME-RATE=23.976,'
        'X-OURS="a,b",AUDIO="aud",CLOSED-CAPTIONS=NONE,VIDEO-RANGE=SDR\nv0/p.m3u8\n'
    )
    assert read.version == 7
    assert read.renditions == (
        Rendition(
            type="AUDIO",
            group_id="aud",
            name="Français, 5.1",
            language="fr",
            uri="a/p.m3u8",
            channels="6",
            default=True,
            autoselect=True,
        ),
    )
    assert read.variants == (
        Variant(
            uri="v0/p.m3u8",
            bandwidth_bps=1_280_000,
            average_bandwidth_bps=1_000_000,
            codecs="avc1.64001f,mp4a.40.2",
            width=640,
            height=360,
            frame_rate=23.976,
            audio_group="aud",
            video_range="SDR",
            closed_captions="NONE",
        ),
    )


def test_a_byte_order_mark_and_windows_line_ends_are_accepted() -> None:
    """Playlists edited on other systems play too."""
    text = "\ufeff#EXTM3U\r\n#EXT-X-TARGETDURATION:4\r\n#EXTINF:4,title, with comma\r\na.ts\r\n"
    playlist = parse(text)
    assert isinstance(playlist, MediaPlaylist)
    assert [segment.uri for segment in playlist.segments] == ["a.ts"]


def test_a_key_before_the_map_seals_the_map_and_one_after_it_does_not() -> None:
    """RFC 8216bis, 4.4.4.5: the section is encrypted by the key in force where its tag stands."""
    encrypted = media(
        '#EXT-X-KEY:METHOD=AES-128,URI="../key/a",IV=0x1\n#EXT-X-MAP:URI="i"\n#EXTINF:4,\n0\n'
    )
    clear = media('#EXT-X-MAP:URI="i"\n#EXT-X-KEY:METHOD=AES-128,URI="../key/a"\n#EXTINF:4,\n0\n')
    assert encrypted.segments[0].map == Map(uri="i", key=SECTION_KEY)
    assert clear.segments[0].map == Map(uri="i")
    assert clear.segments[0].key == KEY


def test_a_key_holds_until_the_next_and_none_ends_it() -> None:
    """Rotation replaces the key; METHOD=NONE takes it away; the map stays."""
    read = media(
        '#EXT-X-MAP:URI="i"\n#EXTINF:4,\n0\n#EXT-X-KEY:METHOD=AES-128,URI="../key/a"\n'
        '#EXTINF:4,\n1\n#EXTINF:4,\n2\n#EXTINF:4,\n#EXT-X-KEY:METHOD=AES-128,URI="b"\n3\n'
        "#EXT-X-KEY:METHOD=NONE\n#EXTINF:4,\n4\n"
    )
    keys = [segment.key.uri if segment.key else None for segment in read.segments]
    assert keys == [None, "../key/a", "../key/a", "b", None]
    assert {segment.map for segment in read.segments} == {Map(uri="i")}


def test_of_several_key_formats_the_plain_one_is_taken() -> None:
    """Keys of different KEYFORMATs hold side by side; we can use ``identity``."""
    read = media(
        '#EXT-X-KEY:METHOD=SAMPLE-AES,URI="plain"\n'
        '#EXT-X-KEY:METHOD=SAMPLE-AES,URI="skd://x",KEYFORMAT="com.example",'
        'KEYFORMATVERSIONS="1/2"\n#EXTINF:4,\n0\n'
    )
    assert read.segments[0].key == Key(method="SAMPLE-AES", uri="plain")


def test_a_range_without_offset_follows_the_one_before() -> None:
    """RFC 8216bis, 4.4.4.2: 5 bytes from 2, then 6 from 7."""
    read = media("#EXTINF:2,\n#EXT-X-BYTERANGE:5@2\na\n#EXTINF:2,\n#EXT-X-BYTERANGE:6\na\n")
    assert [s.byte_range for s in read.segments] == [ByteRange(2, 5), ByteRange(7, 6)]


def test_a_bitrate_holds_until_the_next_and_not_for_byte_ranges() -> None:
    """RFC 8216bis, 4.4.4.8."""
    read = media(
        "#EXT-X-BITRATE:100\n#EXTINF:4,\n0\n#EXTINF:4,\n1\n#EXTINF:4,\n#EXT-X-BYTERANGE:5@0\n2\n"
        "#EXT-X-BITRATE:80\n#EXTINF:4,\n3\n#EXT-X-BITRATE:9\n"
    )
    assert [s.bitrate_kbps for s in read.segments] == [100, 100, None, 80]


def test_playlists_for_scrubbing_are_read_whole() -> None:
    """Key frames and images alone: tags that stand without a URI line (RFC 8216bis, 4.4.6.3)."""
    read = multivariant(
        "#EXT-X-STREAM-INF:BANDWIDTH=9\nv\n"
        '#EXT-X-I-FRAME-STREAM-INF:BANDWIDTH=86000, AVERAGE-BANDWIDTH=80000,CODECS="avc1.4d401f",'
        'RESOLUTION=640x360,VIDEO-RANGE=SDR,URI="v0/i,f.m3u8"\n'
        '#EXT-X-IMAGE-STREAM-INF:BANDWIDTH=900,RESOLUTION=320x180,CODECS="jpeg",URI="t0/p.m3u8"\n'
    )
    assert read.iframe_variants == (
        TrickPlayVariant(
            uri="v0/i,f.m3u8",
            bandwidth_bps=86_000,
            average_bandwidth_bps=80_000,
            codecs="avc1.4d401f",
            width=640,
            height=360,
            video_range="SDR",
        ),
    )
    assert read.image_variants == (
        TrickPlayVariant(uri="t0/p.m3u8", bandwidth_bps=900, codecs="jpeg", width=320, height=180),
    )
    listed = media(
        "#EXT-X-IMAGES-ONLY\n#EXTINF:20,\n"
        "#EXT-X-TILES:RESOLUTION=320x180,LAYOUT=5x2,DURATION=2\n0.jpg\n#EXTINF:2,\n1.jpg\n"
    )
    assert listed.images_only
    assert [s.tiles for s in listed.segments] == [Tiles(320, 180, 5, 2, 2.0), None]
    assert media("#EXT-X-I-FRAMES-ONLY\n#EXTINF:2,\n#EXT-X-BYTERANGE:5@0\n0\n").iframes_only


def test_subtitles_keep_what_tells_them_apart() -> None:
    """FORCED and CHARACTERISTICS, whose commas are part of the value."""
    read = multivariant(
        '#EXT-X-MEDIA:TYPE=SUBTITLES,GROUP-ID="subs",NAME="Deutsch",FORCED=YES,'
        'CHARACTERISTICS="public.accessibility.transcribes-spoken-dialog,'
        'public.accessibility.describes-music-and-sound",URI="s0/p.m3u8"\n'
        '#EXT-X-STREAM-INF:BANDWIDTH=9,SUBTITLES="subs"\nv\n'
    )
    assert read.renditions[0].forced
    assert read.renditions[0].characteristics == (
        "public.accessibility.transcribes-spoken-dialog,"
        "public.accessibility.describes-music-and-sound"
    )
    assert parse(print_multivariant(read)) == replace(read, version=3)


def test_sequence_discontinuity_and_gap_belong_to_their_segment() -> None:
    """Numbers count up from the media sequence; marks hold for one segment only."""
    read = media(
        "#EXT-X-MEDIA-SEQUENCE:7\n#EXTINF:4,\n0\n#EXT-X-DISCONTINUITY\n#EXT-X-GAP\n#EXTINF:4,\n1\n"
        "#EXTINF:4,\n2\n#EXT-X-DISCONTINUITY-SEQUENCE:9\n"
    )
    assert [(s.sequence, s.discontinuity, s.gap) for s in read.segments] == [
        (7, False, False),
        (8, True, True),
        (9, False, False),
    ]
    assert not read.endlist


REFUSED_MEDIA = {
    "list.m3u8:4: segment: BYTERANGE": (None, "#EXTINF:4,\n#EXT-X-BYTERANGE:-6@1\na\n"),
    "list.m3u8:3: #EXT-X-KEY: no METHOD": (None, '#EXT-X-KEY:URI="a"\n#EXTINF:4,\n0\n'),
    "list.m3u8:3: #EXT-X-KEY: no URI": (None, "#EXT-X-KEY:METHOD=AES-128\n#EXTINF:4,\n0\n"),
    "list.m3u8:3: #EXT-X-KEY: IV": (
        None,
        '#EXT-X-KEY:METHOD=AES-128,URI="a",IV=0xZZ\n#EXTINF:4,\n0\n',
    ),
    "list.m3u8:3: #EXT-X-MAP: no URI": (None, "#EXT-X-MAP:BYTERANGE=3\n#EXTINF:4,\n0\n"),
    "list.m3u8:4: {$b} is not defined": (
        None,
        '#EXT-X-DEFINE:NAME="a",VALUE="b"\n#EXT-X-MAP:URI="{$b}"\n#EXTINF:4,\n0\n',
    ),
    "list.m3u8:5: segments and variants": (
        None,
        "#EXTINF:4,\n0\n#EXT-X-STREAM-INF:BANDWIDTH=1\nv\n",
    ),
    "list.m3u8:3: a control character": (None, "#EXTINF:4,\x00\n0\n"),
}


@pytest.mark.parametrize("message", REFUSED_MEDIA)
def test_a_media_playlist_that_cannot_be_used_is_refused_with_its_line(message: str) -> None:
    """The message names the playlist and the line."""
    head, body = REFUSED_MEDIA[message]
    with pytest.raises(PlaylistError) as caught:
        media(body, head="#EXT-X-TARGETDURATION:4\n" if head is None else head)
    assert str(caught.value).startswith(message)


@pytest.mark.parametrize(
    ("message", "text"),
    [
        ("p:1: another first line", ""),
        ("p:1: another first line", "<html>404</html>"),
        ("p:1: neither segments nor variants", "#EXTM3U\n"),
        ("p:1: no variant", '#EXTM3U\n#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="a",NAME="b"\n'),
        ("p:1: no variant", "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\n"),
    ],
)  # fmt: skip
def test_text_that_is_no_multivariant_playlist_is_refused(message: str, text: str) -> None:
    """Error pages and half playlists give one clear line."""
    with pytest.raises(PlaylistError) as caught:
        parse(text, uri="p")
    assert str(caught.value).startswith(message)


HEAD = "#EXT-X-TARGETDURATION:4\n"
REMARKED_MEDIA: dict[str, tuple[str, list[str]]] = {
    "1: no #EXT-X-TARGETDURATION; expected one, took 4 s": ("#EXTINF:3.6,\n0\n", ["0"]),
    "2: #EXT-X-TARGETDURATION without a whole": ("#EXT-X-TARGETDURATION:x\n#EXTINF:4,\n0\n", ["0"]),
    "2: #EXT-X-TARGETDURATION:3.5; expected a whole": (
        "#EXT-X-TARGETDURATION:3.5\n#EXTINF:3.5,\n0\n",
        ["0"],
    ),
    "3: #EXT-X-MEDIA-SEQUENCE without": (HEAD + "#EXT-X-MEDIA-SEQUENCE:-1\n#EXTINF:4,\n0\n", ["0"]),
    "3: #EXT-X-VERSION without": (HEAD + "#EXT-X-VERSION:three\n#EXTINF:4,\n0\n", ["0"]),
    "3: #EXTINF with attributes": (HEAD + '#EXTINF:4 tvg-id="a" b="c,d",e\n0\n', ["0"]),
    "3: #EXTINF without seconds": (HEAD + "#EXTINF:abc,\n0\n#EXTINF:4,\n1\n", ["1"]),
    "3: #EXTINF without seconds;": (HEAD + "#EXTINF:nan,\n0\n#EXTINF:4,\n1\n", ["1"]),
    "5: #EXTINF without a URI": (HEAD + "#EXTINF:4,\n0\n#EXTINF:4,\n", ["0"]),
    "3: #EXTINF without a URI": (HEAD + "#EXTINF:9,\n#EXTINF:4,\n0\n", ["0"]),
    "3: a URI without a tag": (HEAD + "0.ts\n#EXTINF:4,\n1.ts\n", ["1.ts"]),
    "4: a range without offset": (HEAD + "#EXTINF:4,\n#EXT-X-BYTERANGE:6\na\n", ["a"]),
    "4: a range without offset; expected": (HEAD + "#EXTINF:4,\n#EXT-X-BYTERANGE:6@\na\n", ["a"]),
    "3: #EXT-X-MEDIA in a media playlist": (
        HEAD + '#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="a",NAME="b"\n#EXTINF:4,\n0\n',
        ["0"],
    ),
    "3: #EXT-X-PLAYLIST-TYPE of another kind": (
        HEAD + "#EXT-X-PLAYLIST-TYPE:OLD\n#EXTINF:4,\n0\n",
        ["0"],
    ),
    "3: #EXT-X-PLAYLIST-TYPE of another": (HEAD + "#EXT-X-PLAYLIST-TYPE:\n#EXTINF:4,\n0\n", ["0"]),
    "3: #EXT-X-START: no TIME-OFFSET": (HEAD + "#EXT-X-START:PRECISE=YES\n#EXTINF:4,\n0\n", ["0"]),
}


def test_attributes_on_the_first_line_are_passed_over() -> None:
    read = parse(f'#EXTM3U url-tvg="x"\n{HEAD}#EXTINF:4,\n0\n', uri="list.m3u8")
    assert read.remarks == ("list.m3u8:1: #EXTM3U with more behind it; expected it alone",)


@pytest.mark.parametrize("remark", REMARKED_MEDIA)
def test_what_a_player_plays_on_from_is_read_with_a_remark(remark: str) -> None:
    text, uris = REMARKED_MEDIA[remark]
    read = parse(f"#EXTM3U\n{text}", uri="list.m3u8")
    assert isinstance(read, MediaPlaylist)
    assert [segment.uri for segment in read.segments] == uris
    assert [each for each in read.remarks if each.startswith(f"list.m3u8:{remark}")]


@pytest.mark.parametrize(
    ("remark", "text"),
    [
        ("2: #EXTM3U; expected it on the first", "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\nv\n"),
        ("3: variant: no BANDWIDTH", "#EXTM3U\n#EXT-X-STREAM-INF:CODECS=x\nv\n"),
        ("3: #EXT-X-MEDIA: no NAME", ("#EXTM3U\n#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=a\n"
         "#EXT-X-STREAM-INF:BANDWIDTH=1\nv\n")),
        ("3: #EXT-X-TARGETDURATION in a multi", ("#EXTM3U\n#EXT-X-TARGETDURATION:4\n"
         "#EXT-X-STREAM-INF:BANDWIDTH=1\nv\n")),
        *((f"3: variant: {wrong.partition('=')[0]}", f"#EXTM3U\n#EXT-X-STREAM-INF:{wrong}\nv\n")
          for wrong in ("BANDWIDTH=-1", "BANDWIDTH=inf", "BANDWIDTH=1.5", 'RESOLUTION="1"',
                        "AVERAGE-BANDWIDTH=x", "FRAME-RATE=30000/1001", "SCORE=best")),
        *((f"3: {tag}: no {name}", f"#EXTM3U\n{tag}:{listed}\n#EXT-X-STREAM-INF:BANDWIDTH=1\nv\n")
          for tag, name, listed in (
              ("#EXT-X-MEDIA", "GROUP-ID", 'TYPE=AUDIO,NAME="n"'),
              ("#EXT-X-MEDIA", "TYPE", 'GROUP-ID="a",NAME="n"'),
              ("#EXT-X-I-FRAME-STREAM-INF", "URI", "BANDWIDTH=1"),
              ("#EXT-X-CONTENT-STEERING", "SERVER-URI", 'PATHWAY-ID="a"'),
          )),
        ("3: a URI without a tag", "#EXTM3U\nw\n#EXT-X-STREAM-INF:BANDWIDTH=1\nv\n"),
    ],
)  # fmt: skip
def test_variants_are_read_with_remarks_too(remark: str, text: str) -> None:
    read = parse(f"# made by hand\n{text}", uri="p")
    assert isinstance(read, MultivariantPlaylist)
    assert [variant.uri for variant in read.variants] == ["v"]
    assert [each for each in read.remarks if each.startswith(f"p:{remark}")]


@pytest.mark.parametrize(
    "listed",
    [
        'BANDWIDTH="7",CODECS="a,b"',
        "BANDWIDTH=7 , CODECS='a,b'",
        'junk,BANDWIDTH=7,CODECS="a,b",X="',
        'bandwidth=7,codecs="a,b"',
        'BANDWIDTH=6,CODECS="a,b",BANDWIDTH=7',
    ],
)
def test_attribute_lists_are_read_as_players_read_them(listed: str) -> None:
    read = parse(f"#EXTM3U\n#EXT-X-STREAM-INF:{listed}\nv\n")
    assert isinstance(read, MultivariantPlaylist)
    assert (read.variants[0].bandwidth_bps, read.variants[0].codecs) == (7, "a,b")


def test_a_rendition_without_a_name_has_that_of_its_language_or_group() -> None:
    read = parse(
        "#EXTM3U\n"
        '#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="a",LANGUAGE="de"\n'
        '#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="b"\n'
        "#EXT-X-STREAM-INF:BANDWIDTH=1\nv\n"
    )
    assert isinstance(read, MultivariantPlaylist)
    assert [each.name for each in read.renditions] == ["de", "b"]


def test_a_live_playlist_may_begin_without_segments() -> None:
    read = parse("#EXTM3U\n#EXT-X-TARGETDURATION:4\n")
    assert isinstance(read, MediaPlaylist)
    assert (read.segments, read.remarks) == ((), ())


def test_variables_are_put_in_place() -> None:
    """From the playlist itself, from its URL, and from the playlist that lists it."""
    text = (
        '#EXTM3U\n#EXT-X-DEFINE:NAME="own",VALUE="a"\n#EXT-X-DEFINE:IMPORT="given"\n'
        '#EXT-X-DEFINE:QUERYPARAM="asked"\n#EXT-X-TARGETDURATION:4\n#EXTINF:4,\n'
        "{$own}-{$given}-{$asked}\n"
    )
    read = parse(text, query={"asked": "c"}, imports={"given": "b"})
    assert isinstance(read, MediaPlaylist)
    assert read.segments[0].uri == "a-b-c"


def test_what_live_streams_say_is_read() -> None:
    read = parse(
        "#EXTM3U\n#EXT-X-VERSION:9\n#EXT-X-TARGETDURATION:4\n#EXT-X-MEDIA-SEQUENCE:100\n"
        "#EXT-X-DISCONTINUITY-SEQUENCE:3\n#EXT-X-START:TIME-OFFSET=-6.5,PRECISE=YES\n"
        "#EXT-X-SERVER-CONTROL:CAN-SKIP-UNTIL=24.0,HOLD-BACK=12,CAN-BLOCK-RELOAD=YES\n"
        "#EXT-X-SKIP:SKIPPED-SEGMENTS=7\n#EXTINF:4,\n107.m4s\n"
    )
    assert isinstance(read, MediaPlaylist)
    assert read.discontinuity_sequence == 3
    assert read.start == Start(-6.5, is_precise=True)
    assert read.control == ServerControl(12.0, 24.0, can_block_reload=True)
    assert (read.skipped, read.segments[0].sequence) == (7, 107)


@pytest.mark.parametrize(
    ("text", "date_s"),
    [
        ("1970-01-02T00:00:00Z", 86_400.0),
        ("1970-01-02T00:00:00.2504999Z", 86_400.25),
        ("1970-01-02T02:00:00+0200", 86_400.0),
        ("1970-01-02T02:00:00+02:00", 86_400.0),
        ("1970-01-02 00:00:00", 86_400.0),  # without a zone: as hls.js and ffmpeg write and read
    ],
)
def test_dates_of_segments_are_read(text: str, date_s: float) -> None:
    read = parse(f"#EXTM3U\n#EXT-X-PROGRAM-DATE-TIME:{text}\n#EXTINF:4,\na\n#EXTINF:4,\nb\n")
    assert isinstance(read, MediaPlaylist)
    assert [segment.date_s for segment in read.segments] == [date_s, None]


@pytest.mark.parametrize("text", ["", "yesterday", "99999999-01-01T00:00:00Z"])
def test_a_date_of_another_form_is_passed_over(text: str) -> None:
    read = parse(f"#EXTM3U\n#EXT-X-PROGRAM-DATE-TIME:{text}\n#EXTINF:4,\na\n", uri="p")
    assert isinstance(read, MediaPlaylist)
    assert read.segments[0].date_s is None
    assert "p:2: #EXT-X-PROGRAM-DATE-TIME of another form; expected ISO 8601" in read.remarks


def test_parts_of_segments_are_known_to_be_offered() -> None:
    read = parse(
        "#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXT-X-PART-INF:PART-TARGET=0.5\n#EXTINF:4,\na\n"
        '#EXT-X-PART:DURATION=0.5,URI="a.0"\n#EXT-X-PRELOAD-HINT:TYPE=PART,URI="a.1"\n'
    )
    assert isinstance(read, MediaPlaylist)
    assert read.has_parts
    assert [segment.uri for segment in read.segments] == ["a"]
    with pytest.raises(PlaylistError, match="parts of segments"):
        print_media(read)


def test_steering_and_its_pathways_are_read() -> None:
    read = parse(
        '#EXTM3U\n#EXT-X-CONTENT-STEERING:SERVER-URI="/steer?s=1",PATHWAY-ID="A"\n'
        '#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="a",NAME="n",STABLE-RENDITION-ID="r"\n'
        '#EXT-X-STREAM-INF:BANDWIDTH=1,PATHWAY-ID="A",STABLE-VARIANT-ID="v1"\nv\n'
    )
    assert isinstance(read, MultivariantPlaylist)
    assert read.steering == Steering("/steer?s=1", "A")
    assert (read.variants[0].pathway_id, read.variants[0].stable_id) == ("A", "v1")
    assert read.renditions[0].stable_id == "r"


def test_a_media_playlist_prints_tags_only_where_they_change() -> None:
    """The whole text of an encrypted playlist with a rotation."""
    section = Map(uri="init.mp4", key=SECTION_KEY)
    playlist = vod_playlist(
        [
            Segment(uri="0.m4s", duration_s=4.0, map=section, key=KEY, bitrate_kbps=90),
            Segment(uri="1.m4s", duration_s=4.004, map=section, key=KEY, bitrate_kbps=90),
            Segment(
                uri="2.m4s",
                duration_s=1 / 3,
                map=section,
                key=replace(KEY, uri="../key/b"),
                bitrate_kbps=80,
            ),
        ]
    )
    assert print_media(playlist) == (
        "#EXTM3U\n#EXT-X-VERSION:6\n#EXT-X-TARGETDURATION:4\n#EXT-X-PLAYLIST-TYPE:VOD\n"
        "#EXT-X-INDEPENDENT-SEGMENTS\n"
        '#EXT-X-KEY:METHOD=AES-128,URI="../key/a",IV=0x00000000000000000000000000000001\n'
        '#EXT-X-MAP:URI="init.mp4"\n#EXT-X-KEY:METHOD=AES-128,URI="../key/a"\n'
        "#EXT-X-BITRATE:90\n#EXTINF:4.000,\n0.m4s\n#EXTINF:4.004,\n1.m4s\n"
        '#EXT-X-KEY:METHOD=AES-128,URI="../key/b"\n'
        "#EXT-X-BITRATE:80\n#EXTINF:0.333333,\n2.m4s\n#EXT-X-ENDLIST\n"
    )


def test_a_multivariant_playlist_prints_every_attribute() -> None:
    """The whole text, quotes where the RFC has them."""
    playlist = MultivariantPlaylist(
        variants=(
            replace(
                VARIANT,
                average_bandwidth_bps=900,
                codecs="avc1.64001f,mp4a.40.2",
                width=640,
                height=360,
                frame_rate=30000 / 1001,
                audio_group="audio",
                closed_captions="NONE",
            ),
        ),
        renditions=(
            Rendition(
                type="AUDIO",
                group_id="audio",
                name="English",
                language="en",
                uri="a0/playlist.m3u8",
                channels="2",
                default=True,
                autoselect=True,
            ),
        ),
        independent_segments=True,
        version=6,
    )
    assert print_multivariant(playlist) == (
        "#EXTM3U\n#EXT-X-VERSION:6\n#EXT-X-INDEPENDENT-SEGMENTS\n"
        '#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="audio",NAME="English",LANGUAGE="en",DEFAULT=YES,'
        'AUTOSELECT=YES,CHANNELS="2",URI="a0/playlist.m3u8"\n'
        "#EXT-X-STREAM-INF:BANDWIDTH=1000,AVERAGE-BANDWIDTH=900,"
        'CODECS="avc1.64001f,mp4a.40.2",RESOLUTION=640x360,FRAME-RATE=29.970,AUDIO="audio",'
        "CLOSED-CAPTIONS=NONE\nv0/playlist.m3u8\n"
    )


@pytest.mark.parametrize(
    ("expected", "segments"),
    [
        ("a map that ends", [{"map": Map(uri="i")}, {}]),
        ("a bitrate that ends", [{"bitrate_kbps": 5}, {}]),
        ("a bitrate on a range", [{"bitrate_kbps": 5, "byte_range": ByteRange(0, 4)}]),
        ("a map encrypted without IV", [{"map": Map(uri="i", key=KEY)}]),
        ("an IV of 3 bytes", [{"key": replace(KEY, iv=b"abc")}]),
        ("a quote in a URI", [{"key": replace(KEY, uri='a"b')}]),
        ("a URI that is a comment", [{"uri": "#a"}]),
        ("a URI with a line end", [{"uri": "a\nb"}]),
        ("an empty URI", [{"uri": ""}]),
        ("a method in small letters", [{"key": replace(KEY, method="aes-128")}]),
        ("a negative duration", [{"duration_s": -1.0}]),
    ],
)
def test_what_no_playlist_can_say_is_not_printed(
    expected: str, segments: list[dict[str, object]]
) -> None:
    """Printing refuses rather than lose or break something."""
    made = vod_playlist(
        Segment(**{"uri": "a", "duration_s": 4.0, **each})  # type: ignore[arg-type]  # a table
        for each in segments
    )
    with pytest.raises(PlaylistError, match="playlist to print"):
        print_media(made)


def test_a_segment_longer_than_the_target_duration_is_not_printed() -> None:
    """RFC 8216bis, 4.4.3.1: 4.5 s rounds to 5."""
    playlist = replace(vod_playlist([Segment(uri="a", duration_s=4.5)]), target_duration_s=4)
    with pytest.raises(PlaylistError, match=r"segment 0: lasts 4\.5 s"):
        print_media(playlist)


def test_a_segment_out_of_sequence_is_not_printed() -> None:
    """Numbers are not written beside segments, so they must follow."""
    playlist = replace(vod_playlist([Segment(uri="a", duration_s=4.0)]), media_sequence=3)
    with pytest.raises(PlaylistError, match="sequence 0; expected 3"):
        print_media(playlist)


@pytest.mark.parametrize(
    "playlist",
    [
        MultivariantPlaylist(variants=()),
        MultivariantPlaylist(variants=(replace(VARIANT, audio_group="nobody"),)),
        MultivariantPlaylist(variants=(replace(VARIANT, bandwidth_bps=-1),)),
        MultivariantPlaylist(
            variants=(VARIANT,),
            renditions=(Rendition(type="AUDIO", group_id="a", name="b", default=True),),
        ),
        MultivariantPlaylist(
            variants=(VARIANT,),
            renditions=(Rendition(type="AUDIO", group_id="a", name="b", forced=True),),
        ),
    ],
)
def test_a_multivariant_playlist_that_breaks_a_rule_is_not_printed(
    playlist: MultivariantPlaylist,
) -> None:
    """No variants, an empty group, a negative number, default but not selectable, forced sound."""
    with pytest.raises(PlaylistError):
        print_multivariant(playlist)


@pytest.mark.parametrize(
    ("version", "segment"),
    [
        (3, {}),
        (4, {"byte_range": ByteRange(0, 1)}),
        (5, {"key": replace(KEY, keyformat="com.example")}),
        (6, {"map": Map(uri="i")}),
        (8, {"gap": True}),
    ],
)
def test_the_version_follows_from_the_features(version: int, segment: dict[str, object]) -> None:
    """RFC 8216bis, section 8."""
    made = Segment(**{"uri": "a", "duration_s": 4.0, **segment})  # type: ignore[arg-type]  # table
    assert needed_version(vod_playlist([made])) == version


def test_key_frames_alone_need_no_more_than_version_5() -> None:
    """RFC 8216bis, section 8: 4 for EXT-X-I-FRAMES-ONLY, 5 with a map in it."""
    bare = Segment(uri="a", duration_s=4.0)
    with_map = replace(bare, map=Map(uri="i"), byte_range=ByteRange(0, 1))
    assert needed_version(vod_playlist([bare], iframes_only=True)) == 4
    assert needed_version(vod_playlist([with_map], iframes_only=True)) == 5


def test_captions_of_digital_television_need_version_7() -> None:
    """RFC 8216bis, section 8: INSTREAM-ID of the form SERVICE."""
    captions = Rendition(type="CLOSED-CAPTIONS", group_id="c", name="n", instream_id="SERVICE1")
    assert needed_version(MultivariantPlaylist(variants=(VARIANT,), renditions=(captions,))) == 7


@pytest.mark.parametrize(
    ("durations_s", "target_s"), [([], 1), ([0.2], 1), ([4.49], 4), ([4.5, 1], 5), ([2.5], 3)]
)
def test_the_target_duration_is_the_longest_rounded(
    durations_s: list[float], target_s: int
) -> None:
    """Halves go up; a playlist needs at least 1."""
    segments = [Segment(uri="a", duration_s=duration_s) for duration_s in durations_s]
    assert target_duration_s(segments) == target_s


# RFC 3986, section 5.4.1, against its base.
@pytest.mark.parametrize(
    ("uri", "absolute"),
    [
        ("g", "http://a/b/c/g"),
        ("./g", "http://a/b/c/g"),
        ("/g", "http://a/g"),
        ("//g", "http://g"),
        ("?y", "http://a/b/c/d;p?y"),
        ("g?y", "http://a/b/c/g?y"),
        ("#s", "http://a/b/c/d;p?q#s"),
        (";x", "http://a/b/c/;x"),
        ("", "http://a/b/c/d;p?q"),
        ("..", "http://a/b/"),
        ("../../g", "http://a/g"),
        ("../../../g", "http://a/g"),
        ("g:h", "g:h"),
    ],
)
def test_uris_resolve_as_the_standard_says(uri: str, absolute: str) -> None:
    """Relative URIs inherit everything before the last slash, a token in the path included."""
    assert resolve("http://a/b/c/d;p?q", uri) == absolute


@pytest.mark.parametrize(
    ("base", "uri", "absolute"),
    [
        ("http://h/a//b/l.m3u8", "s.ts", "http://h/a//b/s.ts"),
        ("http://h/a/b/l.m3u8", "c//s.ts?", "http://h/a/b/c//s.ts?"),
        ("http://h/a/%2e%2e/l.m3u8", "s%2Ft.ts", "http://h/a/%2e%2e/s%2Ft.ts"),
        ("http://h/a/l.m3u8?x=/../y", "s.ts", "http://h/a/s.ts"),
        ("http://h/a/l.m3u8", "s.ts?next=/../t", "http://h/a/s.ts?next=/../t"),
        ("http://h/a/../b/l.m3u8", "./s:1.ts", "http://h/b/s:1.ts"),
        ("http://h", "s.ts", "http://h/s.ts"),
    ],
)
def test_what_a_server_may_have_signed_stays_as_it_is(base: str, uri: str, absolute: str) -> None:
    """Double slashes, escapes and empty queries; only dots are taken out of paths."""
    assert resolve(base, uri) == absolute


def test_relative_bases_resolve_too() -> None:
    """A package read from disk has no host."""
    assert resolve("v0/playlist.m3u8", "../key/ab") == "key/ab"
    assert resolve("", "v0/playlist.m3u8") == "v0/playlist.m3u8"


def test_a_uri_that_cannot_be_resolved_is_our_error() -> None:
    """Python's own ValueError does not escape."""
    with pytest.raises(PlaylistError):
        resolve("http://a/", "//[::1")
