"""Media playlists whose text is odd: numbers, line ends, tags where nobody expects them."""

from __future__ import annotations

from tests.odd.media import Media
from tests.odd.server import Answer, Asked, Reply, Script
from tests.odd.stream import (
    Files,
    asked_for,
    fmp4,
    ladder,
    listing,
    master,
    never_asked,
    odd,
    plays,
    refused,
    sound,
    ts,
    variant,
)

FILES = ("v0",)


def lone(m: Media, text: str, *folders: str, **more: Script) -> Files:
    """One media playlist and what it lists."""
    return {**m.of(*(folders or FILES)), "main.m3u8": text, **more}


# --- numbers --------------------------------------------------------------------


@odd(plays("TARGETDURATION"))
def decimal_targetduration(m: Media) -> Files:
    """hls.js and ffmpeg read its whole part; RFC 8216bis, 4.4.3.1 wants a whole number."""
    return lone(m, fmp4(target="1.0"))


@odd(plays("TARGETDURATION"))
def no_targetduration(m: Media) -> Files:
    """Required by 4.4.3.1, and hls.js refuses; what it is for, the longest segment says."""
    return lone(m, fmp4().replace("#EXT-X-TARGETDURATION:1\n", ""))


@odd(plays())
def targetduration_too_small(m: Media) -> Files:
    """ffmpeg's HLS muxer and packagers write such; all players play them."""
    text = listing("long/0.m4s", "long/1.m4s", init="long/init.mp4", lasts_s=1.5)
    return lone(m, text, "long")


@odd(plays())
def targetduration_absurd(m: Media) -> Files:
    """A finished playlist is not reloaded, so its target duration decides nothing."""
    return lone(m, fmp4(target=86_400))


@odd(plays())
def extinf_without_comma(m: Media) -> Files:
    """hls.js and ffmpeg read it; 4.4.4.1 always has the comma."""
    return lone(m, fmp4().replace("#EXTINF:1,", "#EXTINF:1"))


@odd(plays())
def extinf_with_spaces(m: Media) -> Files:
    """ffmpeg reads the number and no more; hls.js allows white space before it only."""
    return lone(m, fmp4().replace("#EXTINF:1,", "#EXTINF: 1.000 ,"))


@odd(plays())
def extinf_with_title_of_commas(m: Media) -> Files:
    """4.4.4.1: the title is any text up to the end of the line."""
    return lone(m, fmp4().replace("#EXTINF:1,", '#EXTINF:1,a, "b", c="d" \u00e9'))


@odd(plays("EXTINF with attributes"))
def extinf_with_attributes_before_comma(m: Media) -> Files:
    """IPTV lists put attributes after the number; ffmpeg reads the number alone."""
    return lone(m, fmp4().replace("#EXTINF:1,", '#EXTINF:1 tvg-id="x" group-title="y",Name'))


@odd(plays(check=never_asked("v0/zero")))
def extinf_of_zero(m: Media) -> Files:
    """Allowed by 4.4.4.1; what lasts no time is never on screen."""
    text = fmp4().replace("#EXTINF:1,\nv0/1", "#EXTINF:0,\nv0/zero.m4s\n#EXTINF:1,\nv0/1")
    return lone(m, text)


@odd(plays())
def extinf_of_many_digits(m: Media) -> Files:
    """Packagers print doubles as they are."""
    return lone(m, fmp4().replace("#EXTINF:1,", "#EXTINF:1.00000000000000022204,"))


@odd(plays())
def extinf_without_whole_part(m: Media) -> Files:
    """hls.js reads .5; 4.2 wants a digit before the point."""
    text = fmp4("short", lasts_s=0.5).replace("#EXTINF:0.5", "#EXTINF:.5")
    more = "".join(f"#EXTINF:.5,\nshort/{at}.m4s\n" for at in (3, 4, 5))
    return lone(m, text.replace("#EXT-X-ENDLIST", more + "#EXT-X-ENDLIST"), "short")


@odd(refused("segment"))
def extinf_of_iptv_lists(m: Media) -> Files:
    """-1 means that nobody knows how long it lasts: a list of channels, which hls.js refuses."""
    return lone(m, fmp4().replace("#EXTINF:1,", "#EXTINF:-1,"))


@odd(plays())
def sequence_of_many_digits(m: Media) -> Files:
    """4.2: a decimal integer goes up to 2^64-1."""
    return lone(m, fmp4(head="#EXT-X-MEDIA-SEQUENCE:18446744073709551000"))


@odd(plays())
def sequence_of_milliseconds(m: Media) -> Files:
    """Live encoders number by the clock."""
    return lone(m, fmp4(head="#EXT-X-MEDIA-SEQUENCE:1764392400123"))


@odd(plays())
def version_unknown(m: Media) -> Files:
    """Players play what they understand; hls.js does not look at the number."""
    return lone(m, fmp4(version=99))


@odd(plays("EXT-X-VERSION"))
def version_of_words(m: Media) -> Files:
    """Seen as EXT-X-VERSION:3.0; no player looks."""
    return lone(m, fmp4().replace("VERSION:7", "VERSION:seven"))


@odd(plays())
def version_missing(m: Media) -> Files:
    """4.4.1.2: without the tag it is 1; players play later features all the same."""
    return lone(m, fmp4().replace("#EXT-X-VERSION:7\n", ""))


# --- lines ----------------------------------------------------------------------


@odd(plays())
def lines_end_in_crlf(m: Media) -> Files:
    """4.1 allows it."""
    return lone(m, fmp4().replace("\n", "\r\n"))


@odd(plays(), other_players=False)
def lines_end_in_cr(m: Media) -> Files:
    """Not in 4.1; hls.js splits at any of them."""
    return lone(m, fmp4().replace("\n", "\r"))


@odd(plays())
def byte_order_mark(m: Media) -> Files:
    """4.1: MUST NOT be there, yet editors of Windows write one; hls.js strips it."""
    return lone(m, "\ufeff" + fmp4())


@odd(plays())
def blank_lines_everywhere(m: Media) -> Files:
    """4.1: they are ignored, also between EXTINF and its URI."""
    return lone(m, fmp4().replace("\n", "\n\n"))


@odd(plays())
def spaces_round_lines(m: Media) -> Files:
    """ffmpeg cuts off what is behind; hls.js takes it for part of the value and refuses."""
    return lone(m, "\n".join(f"{line} \t" for line in fmp4().split("\n")))


@odd(plays())
def no_line_end_at_the_end(m: Media) -> Files:
    """The last line is a line."""
    return lone(m, fmp4().rstrip("\n"))


@odd(plays())
def comments_between(m: Media) -> Files:
    """4.1: lines that begin with # and not #EXT are comments, wherever they stand."""
    return lone(m, fmp4().replace(",\n", ",\n# made by hand\n##\n#\n"))


@odd(plays())
def tags_unknown(m: Media) -> Files:
    """4.1: clients ignore tags that they do not know."""
    head = '#EXT-X-ALLOW-CACHE:NO\n#EXT-X-FUTURE:A="b"\n#EXT-X-CUE-OUT:30\n#EXTVLCOPT:x=y'
    return lone(m, fmp4(head=head).replace("#EXTINF", "#EXTGRP:x\n#EXT-X-CUE-IN\n#EXTINF"))


@odd(plays("EXTM3U"))
def first_line_after_comment(m: Media) -> Files:
    """4.4.1.1: MUST be the first line; ffmpeg and hls.js refuse, others look for it."""
    return lone(m, "# comment\n\n" + fmp4())


@odd(plays("EXTM3U with more"))
def first_line_with_attributes(m: Media) -> Files:
    """Lists of channels; their players read it, ffmpeg and hls.js do not."""
    return lone(m, fmp4().replace("#EXTM3U", '#EXTM3U x-tvg-url="http://127.0.0.1/epg"'))


@odd(refused("EXTM3U"))
def first_line_missing(m: Media) -> Files:
    """4.4.1.1; hls.js and ffmpeg refuse."""
    return lone(m, fmp4().replace("#EXTM3U\n", ""))


@odd(refused("EXTM3U|text"))
def text_in_utf16(m: Media) -> Files:
    """4.1: UTF-8. Browsers go by the byte order mark, and so hls.js plays."""
    return {**m.of("v0"), "main.m3u8": fmp4().encode("utf-16")}


@odd(plays())
def title_in_latin1(m: Media) -> Files:
    """Not UTF-8, but nothing that matters is spoiled; browsers replace the byte."""
    return {**m.of("v0"), "main.m3u8": fmp4().replace("1,\n", "1,caf\u00e9\n").encode("latin-1")}


@odd(refused("control"))
def control_character(m: Media) -> Files:
    """4.1: clients SHOULD fail to parse a playlist that holds one; ffmpeg and hls.js do not."""
    return lone(m, fmp4().replace("#EXTINF:1,", "#EXTINF:1,\x00"))


# --- tags out of place ------------------------------------------------------------


@odd(plays("URI"))
def extinf_at_the_end(m: Media) -> Files:
    """Cut while it was written; hls.js and ffmpeg play what is listed."""
    return lone(m, fmp4().replace("#EXT-X-ENDLIST", "#EXTINF:1,\n#EXT-X-ENDLIST"))


@odd(plays("without a tag", check=never_asked("stray")))
def uri_without_extinf(m: Media) -> Files:
    """4.4.4.1: every segment has its EXTINF; players pass over the line."""
    return lone(m, fmp4().replace("#EXT-X-ENDLIST", "stray.m4s\n#EXT-X-ENDLIST"))


@odd(plays("URI"))
def extinf_twice(m: Media) -> Files:
    """Two EXTINF for one URI: the second counts."""
    return lone(m, fmp4().replace("#EXTINF:1,\nv0/1", "#EXTINF:9,\n#EXTINF:1,\nv0/1"))


@odd(plays())
def endlist_before_segments(m: Media) -> Files:
    """4.4.3.4: it MAY occur anywhere."""
    return lone(m, fmp4(head="#EXT-X-ENDLIST", end=""))


@odd(plays())
def type_empty(m: Media) -> Files:
    """Seen from broken templates; no player minds."""
    return lone(m, fmp4(head="#EXT-X-PLAYLIST-TYPE:"))


@odd(plays())
def type_in_lower_case(m: Media) -> Files:
    """hls.js upper-cases it."""
    return lone(m, fmp4(head="#EXT-X-PLAYLIST-TYPE:vod"))


@odd(plays("PLAYLIST-TYPE"))
def type_unknown(m: Media) -> Files:
    """Ignored by all, and said."""
    return lone(m, fmp4(head="#EXT-X-PLAYLIST-TYPE:LIVE"))


@odd(plays("EXT-X-MEDIA"))
def tag_of_the_other_kind(m: Media) -> Files:
    """4.4.1: MUST NOT be there; hls.js passes over it."""
    return lone(m, fmp4(head='#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="a",NAME="b"'))


@odd(refused("segments and variants"))
def segments_and_variants(m: Media) -> Files:
    """4.1: a playlist is one or the other; ffmpeg refuses, hls.js takes the variants."""
    return lone(m, fmp4(head="#EXT-X-STREAM-INF:BANDWIDTH=1000\nv.m3u8"))


@odd(plays())
def dates_that_are_none(m: Media) -> Files:
    """hls.js warns of an invalid PROGRAM-DATE-TIME and plays."""
    return lone(m, fmp4().replace("#EXTINF", "#EXT-X-PROGRAM-DATE-TIME:yesterday\n#EXTINF", 1))


@odd(plays())
def daterange_unfinished(m: Media) -> Files:
    """Not for playback; an open quote in it must not swallow the playlist."""
    return lone(m, fmp4(head='#EXT-X-DATERANGE:ID="a,START-DATE="2026-01-01T00:00:00Z'))


@odd(refused("no segment"))
def no_segments(m: Media) -> Files:
    """Finished, and empty."""
    return lone(m, "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXT-X-ENDLIST\n")


@odd(refused("neither segments nor variants"))
def only_the_first_line(m: Media) -> Files:
    """hls.js: no levels found."""
    return lone(m, "#EXTM3U\n")


@odd(refused("empty"))
def nothing_at_all(m: Media) -> Files:
    """A playlist of no bytes."""
    return lone(m, "")


@odd(refused("page|EXTM3U"))
def page_instead_of_playlist(m: Media) -> Files:
    """A login page with status 200."""
    return lone(m, "<!DOCTYPE html><html><body>Please log in</body></html>")


@odd(refused("EXTM3U"))
def json_instead_of_playlist(m: Media) -> Files:
    """What an interface answers to those that it does not know."""
    return lone(m, '{"error": "unauthorised"}')


@odd(refused("EXTM3U|DASH|page"))
def dash_instead_of_hls(m: Media) -> Files:
    """An MPD is another format."""
    return lone(m, '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011"></MPD>')


# --- URIs -------------------------------------------------------------------------


@odd(plays(check=asked_for("v0/1%20a'b(c),d.m4s")))
def uri_with_spaces_and_signs(m: Media) -> Files:
    """Spaces are escaped, what RFC 3986 allows stays; nothing is escaped twice."""
    text = fmp4().replace("v0/1.m4s", "v0/1 a'b(c),d.m4s")
    return lone(m, text, **{"v0/1%20a'b(c),d.m4s": m["v0/1.m4s"]})


@odd(plays(check=asked_for("v0/1%2Fa%3Ab%27c.m4s")))
def uri_escaped(m: Media) -> Files:
    """A signed URL breaks when its escapes are written otherwise."""
    text = fmp4().replace("v0/1.m4s", "v0/1%2Fa%3Ab%27c.m4s")
    return lone(m, text, **{"v0/1%2Fa%3Ab%27c.m4s": m["v0/1.m4s"]})


@odd(plays(check=asked_for("v0/%C3%A9%E6%BC%A2.m4s")))
def uri_in_unicode(m: Media) -> Files:
    """An IRI goes out as UTF-8 in escapes (RFC 3987, 3.1)."""
    text = fmp4().replace("v0/1.m4s", "v0/\u00e9\u6f22.m4s")
    return lone(m, text, **{"v0/%C3%A9%E6%BC%A2.m4s": m["v0/1.m4s"]})


@odd(plays())
def uri_with_query(m: Media) -> Files:
    """Queries hold slashes, question marks, commas and equals signs."""
    return lone(m, fmp4().replace(".m4s", ".m4s?a=b,c&d=/e/../f?g==&h=%3D"))


@odd(plays())
def uri_with_fragment(m: Media) -> Files:
    """A fragment is not sent (RFC 9110, 4.2.5)."""
    return lone(m, fmp4().replace(".m4s", ".m4s#t=1"))


@odd(plays())
def uri_with_dots(m: Media) -> Files:
    """Dot segments go away when a reference is resolved (RFC 3986, 5.2.4)."""
    return lone(m, fmp4().replace("v0/", "./x/../v0/./"))


@odd(plays(), start="deep/er/main.m3u8")
def uri_from_the_root(m: Media) -> Files:
    """Resolved against the playlist's own URL (4.1)."""
    return {**m.of("v0"), "deep/er/main.m3u8": fmp4(up="{stream}/")}


@odd(plays())
def uri_absolute(m: Media) -> Files:
    """Another port is another server."""
    return lone(m, fmp4(up="{other}/"))


@odd(plays())
def uri_without_scheme(m: Media) -> Files:
    """//HOST/ takes the scheme of the playlist."""
    return {
        **m.of("v0"),
        "main.m3u8": lambda asked, _: fmp4(up=f"//{asked.headers['host']}/s/{asked.stream}/"),
    }


@odd(plays())
def uri_of_query_alone(m: Media) -> Files:
    """?n=0 names the playlist's own path with another query (RFC 3986, 5.2.2)."""
    files = m.of("v0")

    def answer(asked: Asked, _count: int) -> Reply:
        return files.get(f"v0/{asked.query}", text)

    text = listing("?0.m4s", "?1.m4s", "?2.m4s", init="?init.mp4")
    return {"main.m3u8": answer}


@odd(plays(), other_players=False)
def uri_of_strange_endings(m: Media) -> Files:
    """The name says nothing of what it holds; ffmpeg refuses some."""
    files = m.of("v0")
    text = listing("a.bin", "b", "c.php?x=1", init="i.dash")
    return {
        "main.m3u8": text,
        "a.bin": files["v0/0.m4s"],
        "b": files["v0/1.m4s"],
        "c.php": files["v0/2.m4s"],
        "i.dash": files["v0/init.mp4"],
    }


@odd(refused("URL|scheme|http"))
def uri_of_another_scheme(m: Media) -> Files:
    """Segments by FTP are not fetched, and files of this machine least of all."""
    return lone(m, fmp4().replace("v0/0.m4s", "file:///etc/hostname"))


@odd(refused("URL|URI"))
def uri_that_is_none(m: Media) -> Files:
    """Brackets that do not close."""
    return lone(m, fmp4().replace("v0/0.m4s", "http://[::1/0.m4s"))


@odd(plays())
def uri_of_data(m: Media) -> Files:
    """An initialisation section within the playlist (RFC 2397); hls.js fetches data: URLs."""
    from base64 import b64encode

    inline = "data:video/mp4;base64," + b64encode(m["v0/init.mp4"]).decode()
    return lone(m, fmp4(init=inline))


@odd(plays())
def transport_streams(m: Media) -> Files:
    """The plainest of all: version 3, TS."""
    return lone(m, ts(), "ts0")


@odd(plays())
def spaces_behind_colons(m: Media) -> Files:
    """ExoPlayer once refused "#EXT-X-VERSION: 2"; before the colon, hls.js refuses it."""
    text = fmp4(head="#EXT-X-MEDIA-SEQUENCE: 3\n#EXT-X-PLAYLIST-TYPE: VOD")
    return lone(m, text.replace("VERSION:7", "VERSION: 7").replace("DURATION:1", "DURATION : 1"))


@odd(plays())
def segments_listed_twice(m: Media) -> Files:
    """The same files over and over, as test signals are made: each is played."""
    uris = [f"v0/{at}.m4s" for at in (0, 0, 0)]
    return lone(m, listing(*uris, init="v0/init.mp4"))


@odd(plays(played_s=2.0))
def segment_of_tables_alone(m: Media) -> Files:
    """A first segment of PAT and PMT, as some encoders begin; it lasts next to nothing."""
    text = listing("t.ts", "ts0/0.ts", "ts0/1.ts", lasts_s=[0.04, 1, 1], version=3)
    return lone(m, text, "ts0", **{"t.ts": m["ts0/0.ts"][: 3 * 188]})


@odd(plays())
def segments_of_other_lengths(m: Media) -> Files:
    """From 0.1 s to 1.9 s in one playlist."""
    return lone(m, fmp4(lasts_s=[0.1, 1.9, 1.0], target=2))


@odd(refused("MAP"))
def map_without_uri(m: Media) -> Files:
    """Data of somebody's own instead of a URI: 4.4.4.5 REQUIRES one."""
    return lone(m, fmp4().replace('URI="v0/init.mp4"', 'STAR-INIT-DATA="eJyt"'))


@odd(refused("40[13]"))
def token_that_is_not_passed_on(m: Media) -> Files:
    """A relative URI does not inherit the query (RFC 3986, 5.2.2): the server's own mistake."""

    def wants(data: bytes) -> Script:
        return lambda asked, _count: (
            Answer(body=data) if "token" in asked.query else Answer(status=401)
        )

    closed: dict[str, Script] = {name: wants(data) for name, data in m.of("v0").items()}
    return {"main.m3u8": fmp4(), **closed}


@odd(plays())
def iframes_alone(m: Media) -> Files:
    """EXT-X-I-FRAMES-ONLY given as what is to be played: ffmpeg plays it."""
    return lone(m, fmp4(head="#EXT-X-I-FRAMES-ONLY"))


@odd(plays())
def bitrates_absurd(m: Media) -> Files:
    """EXT-X-BITRATE (4.4.4.8) is a hint; nobody waits for so many bytes."""
    return lone(m, fmp4(head="#EXT-X-BITRATE:99999999"))


@odd(plays(played_s=None, check=asked_for("v0/2.m4s")), max_play_s=4.0)
def many_segments(m: Media) -> Files:
    """Ten thousand of them, of which the viewer sees three."""
    text = listing(*(f"v0/{at % 3}.m4s" for at in range(10_000)), init="v0/init.mp4")
    return lone(m, text)


@odd(plays())
def advertisements_marked(m: Media) -> Files:
    """CUE-OUT, SCTE-35, DATERANGE and ASSET between segments: comments to a player."""
    marks = (
        "#EXT-OATCLS-SCTE35:/DAl==\n#EXT-X-ASSET:CAID=0x1\n#EXT-X-CUE-OUT:DURATION=1\n"
        '#EXT-X-DATERANGE:ID="1",START-DATE="2026-01-01T00:00:00Z",SCTE35-OUT=0xFC\n'
    )
    return lone(m, fmp4().replace("#EXTINF:1,\nv0/1", marks + "#EXTINF:1,\nv0/1"))


@odd(plays())
def interstitials_marked(m: Media) -> Files:
    """DATERANGE of com.apple.hls.interstitial: the film itself is played."""
    head = (
        "#EXT-X-PROGRAM-DATE-TIME:2026-01-01T00:00:00Z\n"
        '#EXT-X-DATERANGE:ID="ad",CLASS="com.apple.hls.interstitial",'
        'START-DATE="2026-01-01T00:00:01Z",X-ASSET-URI="ad.m3u8",X-RESUME-OFFSET=0'
    )
    return lone(m, fmp4(head=head))


@odd(plays())
def renditions_in_other_orders(m: Media) -> Files:
    """The same languages in each group, listed in another order."""
    text = master(
        sound("a", uri="a0.m3u8", more='LANGUAGE="en",DEFAULT=YES'),
        sound("a", uri="a1.m3u8", name="Deutsch", more='LANGUAGE="de"'),
        sound("b", uri="a1.m3u8", name="Deutsch", more='LANGUAGE="de"'),
        sound("b", uri="a0.m3u8", more='LANGUAGE="en",DEFAULT=YES'),
        variant("v0.m3u8", codecs="avc1.42c00a,mp4a.40.2", more='AUDIO="a"'),
        variant("v1.m3u8", 200_000, codecs="avc1.42c00a,mp4a.40.2", more='AUDIO="b"'),
    )
    return {**ladder(m, "v0", "v1", "a0", "a1"), "main.m3u8": text}
