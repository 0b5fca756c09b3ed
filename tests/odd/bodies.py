"""What comes when a segment is asked for: other containers, halves, pages, wrong labels."""

from __future__ import annotations

import gzip
import zlib

from tests.odd.media import Media
from tests.odd.server import Answer, Script
from tests.odd.stream import (
    Files,
    asked_for,
    both,
    exactly,
    fmp4,
    listing,
    never_asked,
    odd,
    plays,
    refused,
    ts,
)

PAGE = Answer(
    body="<!DOCTYPE html><html><body>Sorry</body></html>", headers={"Content-Type": "text/html"}
)
SLOW = {"within_s": 45.0}
"""For what is tried again for as long as the player has patience."""


def segment(m: Media, *answers: Script, name: str = "v0/1.m4s") -> Files:
    """Three segments of fMP4 of which one is answered otherwise, the first time and then."""
    script: Script = answers[0] if len(answers) == 1 else list(answers)  # type: ignore[arg-type]
    return {**m.of("v0"), "main.m3u8": fmp4(), name: script}


def of(m: Media, text: str, *folders: str, **more: Script) -> Files:
    """One media playlist and folders of files."""
    return {**m.of(*folders), "main.m3u8": text, **more}


# --- containers ---------------------------------------------------------------------


@odd(plays())
def packed_aac(m: Media) -> Files:
    """Radio: ADTS behind an ID3 tag that holds its time (3.1.4)."""
    return of(m, listing(*(f"aac/{at}.aac" for at in range(3)), version=3), "aac")


@odd(plays())
def packed_aac_without_id3(m: Media) -> Files:
    """3.1.4 wants the tag; hls.js plays without."""
    files = {f"aac/{at}.aac": m[f"aac/{at}.aac"][73:] for at in range(3)}
    assert files["aac/0.aac"][:1] == b"\xff"
    return {"main.m3u8": listing(*files, version=3), **files}


@odd(plays())
def packed_mp3(m: Media) -> Files:
    """MPEG audio (3.1.4)."""
    return of(m, listing(*(f"mp3/{at}.mp3" for at in range(3)), version=3), "mp3")


@odd(plays())
def packed_ac3(m: Media) -> Files:
    """AC-3 (3.1.4)."""
    return of(m, listing(*(f"ac3/{at}.ac3" for at in range(3)), version=3), "ac3")


@odd(plays())
def transport_stream_of_sound(m: Media) -> Files:
    """No picture in it."""
    return of(m, ts("tsa"), "tsa")


@odd(plays())
def transport_stream_with_map(m: Media) -> Files:
    """3.1.2: EXT-X-MAP of a transport stream holds its PAT and PMT."""
    tables = m["ts0/0.ts"][: 3 * 188]
    return of(m, ts("ts0", init="tables.ts", version=6), "ts0", **{"tables.ts": tables})


@odd(plays())
def transport_stream_behind_rubbish(m: Media) -> Files:
    """hls.js looks for the sync byte within the first packets."""
    return {**of(m, ts(), "ts0"), "ts0/1.ts": b"\0" * 100 + m["ts0/1.ts"]}


@odd(plays())
def transport_stream_in_a_picture(m: Media) -> Files:
    """A PNG header before the packets, to hide among pictures; hls.js finds the sync bytes."""
    header = b"\x89PNG\r\n\x1a\n" + bytes(200)
    files = {f"ts0/{at}.ts": header + m[f"ts0/{at}.ts"] for at in range(3)}
    return {**of(m, ts(), "ts0"), **files}


@odd(plays())
def transport_stream_with_a_rest(m: Media) -> Files:
    """Bytes behind the last whole packet: players leave them."""
    return {**of(m, ts(), "ts0"), "ts0/1.ts": m["ts0/1.ts"] + b"\x47" * 50}


@odd(refused("192|sync|begins"))
def transport_stream_of_long_packets(m: Media) -> Files:
    """Packets of 192 bytes are Blu-ray's; RFC 8216bis, 3.1.1 means those of 188; not in hls.js."""
    long = {}
    for at in range(3):
        data = m[f"ts0/{at}.ts"]
        packets = [data[i : i + 188] for i in range(0, len(data), 188)]
        long[f"ts0/{at}.ts"] = b"".join(bytes(4) + packet for packet in packets)
    return {**of(m, ts(), "ts0"), **long}


@odd(plays())
def fmp4_that_begins_itself(m: Media) -> Files:
    """Without EXT-X-MAP, each segment with its own ftyp and moov: players take them."""
    init = m["m0/init.mp4"]
    files = {f"{at}.mp4": init + m[f"m0/{at}.m4s"] for at in range(3)}
    return {"main.m3u8": listing(*files, version=6), **files}


@odd(refused("EXT-X-MAP|initialisation"))
def fmp4_without_a_beginning(m: Media) -> Files:
    """3.1.3: EXT-X-MAP is needed; neither ffmpeg nor hls.js can decode what comes."""
    return of(m, fmp4().replace('#EXT-X-MAP:URI="v0/init.mp4"\n', ""), "v0")


@odd(plays())
def fmp4_without_styp(m: Media) -> Files:
    """CMAF leaves styp out at will."""
    files = {}
    for at in range(3):
        data = m[f"v0/{at}.m4s"]
        files[f"v0/{at}.m4s"] = data[data.index(b"moof") - 4 :]
    return {**of(m, fmp4(), "v0"), **files}


@odd(plays())
def fmp4_behind_events(m: Media) -> Files:
    """emsg and prft before moof, as in live streams."""
    event = (16).to_bytes(4, "big") + b"emsg" + bytes(8)
    clock = (24).to_bytes(4, "big") + b"prft" + bytes(16)
    return segment(m, event + clock + m["v0/1.m4s"])


@odd(plays())
def fmp4_of_many_fragments(m: Media) -> Files:
    """Chunks of low latency joined: several moof and mdat in one segment."""
    text = listing("01.m4s", "v0/2.m4s", init="v0/init.mp4", lasts_s=[2, 1], target=2)
    return of(m, text, "v0", **{"01.m4s": m["v0/0.m4s"] + m["v0/1.m4s"]})


@odd(plays())
def fmp4_to_the_end_of_the_file(m: Media) -> Files:
    """ISO/IEC 14496-12, 4.2: a box of size 0 goes on to the end."""
    data = m["v0/1.m4s"]
    at = data.rindex(b"mdat") - 4
    return segment(m, data[:at] + bytes(4) + data[at + 4 :])


@odd(plays())
def fmp4_with_unknown_boxes(m: Media) -> Files:
    """Boxes that nobody knows are passed over, also the first."""
    return segment(m, (12).to_bytes(4, "big") + b"abcd" + bytes(4) + m["v0/1.m4s"])


@odd(refused("moov|initialisation"), config={"patience_s": 2.0})
def init_without_moov(m: Media) -> Files:
    """An initialisation section of ftyp alone describes no track."""
    init = m["v0/init.mp4"]
    return of(m, fmp4(), "v0", **{"v0/init.mp4": init[: int.from_bytes(init[:4], "big")]})


@odd(refused("begins with|expected"), config={"patience_s": 2.0})
def map_of_mp4_before_transport_streams(m: Media) -> Files:
    """Two containers in one playlist."""
    return of(m, ts("ts0", init="v0/init.mp4"), "ts0", "v0")


# --- maps and ranges -----------------------------------------------------------------


@odd(plays())
def discontinuity_with_other_map(m: Media) -> Files:
    """An advertisement: 4.4.4.3 and another EXT-X-MAP."""
    text = listing(
        "v0/0.m4s",
        '#EXT-X-DISCONTINUITY\n#EXT-X-MAP:URI="v1/init.mp4"\nv1/0.m4s',
        '#EXT-X-DISCONTINUITY\n#EXT-X-MAP:URI="v0/init.mp4"\nv0/1.m4s',
        init="v0/init.mp4",
    )
    return of(m, text, "v0", "v1")


@odd(plays())
def other_map_without_discontinuity(m: Media) -> Files:
    """hls.js plays it; 4.4.4.3 wants the tag."""
    text = listing(
        "v0/0.m4s", '#EXT-X-MAP:URI="v1/init.mp4"\nv1/1.m4s', "v1/2.m4s", init="v0/init.mp4"
    )
    return of(m, text, "v0", "v1")


@odd(plays())
def map_for_each_segment(m: Media) -> Files:
    """The same line before every segment, from templates."""
    lines = [f'#EXT-X-MAP:URI="v0/init.mp4"\nv0/{at}.m4s' for at in range(3)]
    return of(m, listing(*lines), "v0")


@odd(plays())
def discontinuities_everywhere(m: Media) -> Files:
    """Before the first and after each."""
    lines = [f"#EXT-X-DISCONTINUITY\nv0/{at}.m4s" for at in range(3)]
    return of(m, listing(*lines, init="v0/init.mp4"), "v0")


@odd(plays())
def fmp4_after_transport_streams(m: Media) -> Files:
    """The container changes at a discontinuity; hls.js plays it."""
    text = listing(
        "ts0/0.ts",
        '#EXT-X-DISCONTINUITY\n#EXT-X-MAP:URI="m0/init.mp4"\nm0/0.m4s',
        "m0/1.m4s",
    )
    return of(m, text, "ts0", "m0")


def ranged(m: Media, *, implicit: bool = False) -> tuple[str, bytes]:
    """A playlist of byte ranges of one file, and the file."""
    parts = [m["v0/init.mp4"], *(m[f"v0/{at}.m4s"] for at in range(3))]
    at, lines = len(parts[0]), list[str]()
    for part in parts[1:]:
        place = "" if implicit and lines else f"@{at}"
        lines.append(f"#EXT-X-BYTERANGE:{len(part)}{place}\nall.mp4")
        at += len(part)
    head = f'#EXT-X-MAP:URI="all.mp4",BYTERANGE="{len(parts[0])}@0"'
    return listing(*lines, head=head), b"".join(parts)


@odd(plays())
def byte_ranges(m: Media) -> Files:
    """One file for all (4.4.4.2)."""
    text, data = ranged(m)
    return {"main.m3u8": text, "all.mp4": data}


@odd(plays())
def byte_ranges_without_offsets(m: Media) -> Files:
    """4.4.4.2: a range without offset follows the one before."""
    text, data = ranged(m, implicit=True)
    return {"main.m3u8": text, "all.mp4": data}


@odd(refused("byte range"), config={"patience_s": 2.0})
def byte_ranges_that_the_server_ignores(m: Media) -> Files:
    """RFC 9110, 14.2 lets it; the whole file for each segment would measure nothing."""
    text, data = ranged(m)
    return {"main.m3u8": text, "all.mp4": Answer(body=data, ranges=False)}


@odd(plays())
def byte_ranges_of_a_whole_file_answered_plainly(m: Media) -> Files:
    """The range is the whole file, and the server answers 200: the same bytes."""
    data = m["v0/1.m4s"]
    text = (
        fmp4()
        .replace("v0/1.m4s", "v0/1.m4s\n")
        .replace("#EXTINF:1,\nv0/1", f"#EXT-X-BYTERANGE:{len(data)}@0\n#EXTINF:1,\nv0/1")
    )
    return of(
        m,
        text.replace("v0/1.m4s\n\n", "v0/1.m4s\n"),
        "v0",
        **{"v0/1.m4s": Answer(body=data, ranges=False)},
    )


@odd(refused("Content-Range"), config={"patience_s": 2.0}, other_players=False)
def byte_ranges_answered_with_others(m: Media) -> Files:
    """A cache that answers with a range that was not asked for."""
    text, data = ranged(m)
    head = {"Content-Range": f"bytes 0-99/{len(data)}"}
    return {"main.m3u8": text, "all.mp4": Answer(body=data[:100], status=206, headers=head)}


@odd(refused("416|Content-Range|byte range"), config={"patience_s": 2.0})
def byte_ranges_beyond_the_file(m: Media) -> Files:
    """A file that was cut after the playlist was written."""
    text, data = ranged(m)
    return {"main.m3u8": text, "all.mp4": data[:600]}


# --- halves ----------------------------------------------------------------------------


@odd(plays(check=exactly(2, "v0/1.m4s")))
def segment_cut_once(m: Media) -> Files:
    """Fewer bytes than Content-Length says; asked for again."""
    data = m["v0/1.m4s"]
    return segment(m, Answer(body=data, cut_after=300), data)


@odd(plays(check=exactly(2, "v0/1.m4s")))
def segment_cut_without_length(m: Media) -> Files:
    """HTTP/1.0 without Content-Length: only the boxes tell that it is half."""
    data = m["v0/1.m4s"]
    return segment(m, Answer(body=data[:-100], framing="close"), data)


@odd(plays(check=exactly(2, "v0/1.m4s")))
def segment_cut_in_chunks(m: Media) -> Files:
    """Chunked, with no last chunk."""
    data = m["v0/1.m4s"]
    return segment(m, Answer(body=data, framing="chunked", cut_after=300), data)


@odd(plays(check=exactly(2, "ts0/1.ts")))
def transport_stream_cut_without_length(m: Media) -> Files:
    """Not a whole number of packets, and less than was there before."""
    data = m["ts0/1.ts"]
    half = Answer(body=data[: 10 * 188 + 20], framing="close")
    return {**of(m, ts(), "ts0"), "ts0/1.ts": [half, data]}


@odd(plays())
def segments_without_length(m: Media) -> Files:
    """HTTP/1.0 servers that close the connection after each; whole, and so played."""
    files = {name: Answer(body=data, framing="close") for name, data in m.of("v0").items()}
    return {"main.m3u8": fmp4(), **files}


@odd(plays())
def segments_in_chunks(m: Media) -> Files:
    """Transfer-Encoding: chunked everywhere, the playlist too."""
    files = {name: Answer(body=data, framing="chunked") for name, data in m.of("v0").items()}
    return {"main.m3u8": Answer(body=fmp4(), framing="chunked"), **files}


@odd(plays(check=exactly(2, "v0/1.m4s")))
def segment_empty_once(m: Media) -> Files:
    """Status 200 and no bytes."""
    return segment(m, Answer(body=b""), m["v0/1.m4s"])


@odd(plays(check=exactly(2, "v0/1.m4s")))
def segment_of_no_content_once(m: Media) -> Files:
    """204 is a success without a body."""
    return segment(m, Answer(status=204), m["v0/1.m4s"])


@odd(plays(check=exactly(2, "v0/1.m4s")))
def page_instead_of_segment_once(m: Media) -> Files:
    """A login page with status 200."""
    return segment(m, PAGE, m["v0/1.m4s"])


@odd(refused("page", played_s=1.0, **SLOW), config={"patience_s": 4.0})
def page_instead_of_segment_for_ever(m: Media) -> Files:
    """What is buffered is played out, then it ends with that in its message."""
    return segment(m, PAGE)


@odd(refused("begins with", played_s=1.0, **SLOW), config={"patience_s": 4.0})
def json_instead_of_segment(m: Media) -> Files:
    """Errors of interfaces with status 200."""
    return segment(m, Answer(body='{"error":"gone"}', headers={"Content-Type": "application/json"}))


@odd(refused("page|begins", played_s=1.0, **SLOW), config={"patience_s": 4.0})
def xml_instead_of_segment(m: Media) -> Files:
    """An object store's error behind a proxy that makes 200 of it."""
    return segment(m, '<?xml version="1.0"?>\n<Error><Code>AccessDenied</Code></Error>')


@odd(refused("(?i)begins|playlist", played_s=1.0, **SLOW), config={"patience_s": 4.0})
def playlist_instead_of_segment(m: Media) -> Files:
    """A server that answers everything with the playlist."""
    return segment(m, fmp4())


@odd(plays(check=exactly(2, "v0/init.mp4")))
def init_cut_once(m: Media) -> Files:
    """The section is what everything else needs."""
    data = m["v0/init.mp4"]
    return segment(m, Answer(body=data, cut_after=50), data, name="v0/init.mp4")


@odd(plays(check=exactly(2, "v0/init.mp4")))
def init_cut_without_length_once(m: Media) -> Files:
    """moov that ends before its size."""
    data = m["v0/init.mp4"]
    return segment(m, Answer(body=data[:-60], framing="close"), data, name="v0/init.mp4")


@odd(refused("another track|track", played_s=0.0, **SLOW), config={"patience_s": 3.0})
def segments_of_another_track(m: Media) -> Files:
    """The section describes track 1, the segments are of track 7: nothing could be decoded."""
    files = {}
    for at in range(3):
        data = bytearray(m[f"v0/{at}.m4s"])
        place = 0
        while (place := data.find(b"tfhd", place + 1)) > 0:
            data[place + 8 : place + 12] = (7).to_bytes(4, "big")
        files[f"v0/{at}.m4s"] = bytes(data)
    return {**of(m, fmp4(), "v0"), **files}


# --- labels ---------------------------------------------------------------------------


@odd(plays())
def playlist_gzipped(m: Media) -> Files:
    """Servers that always compress, whatever was asked for."""
    head = {"Content-Encoding": "gzip"}
    return of(m, Answer(body=gzip.compress(fmp4().encode()), headers=head), "v0")  # type: ignore[arg-type]


@odd(plays())
def playlist_deflated(m: Media) -> Files:
    """zlib, as RFC 9110, 8.4.1.2 says."""
    head = {"Content-Encoding": "deflate"}
    return of(m, Answer(body=zlib.compress(fmp4().encode()), headers=head), "v0")  # type: ignore[arg-type]


@odd(plays())
def playlist_deflated_raw(m: Media) -> Files:
    """Without the zlib header: RFC 9110, 8.4.1.2 notes that some send it; browsers take it."""
    head = {"Content-Encoding": "deflate"}
    body = zlib.compress(fmp4().encode(), wbits=-15)
    return of(m, Answer(body=body, headers=head), "v0")  # type: ignore[arg-type]


@odd(plays())
def playlist_gzipped_in_two_members(m: Media) -> Files:
    """RFC 1952, 2.2: members simply follow each other."""
    text = fmp4().encode()
    body = gzip.compress(text[:60]) + gzip.compress(text[60:])
    return of(m, Answer(body=body, headers={"Content-Encoding": "gzip"}), "v0")  # type: ignore[arg-type]


@odd(plays())
def segments_gzipped(m: Media) -> Files:
    """What is played is what is unpacked; what is measured is what came."""
    head = {"Content-Encoding": "gzip"}
    files = {n: Answer(body=gzip.compress(d), headers=head) for n, d in m.of("v0").items()}
    return {"main.m3u8": fmp4(), **files}


@odd(plays())
def coding_that_is_none(m: Media) -> Files:
    """Content-Encoding: utf-8, binary, aws-chunked; browsers pass over what they do not know."""
    files: dict[str, Script] = {}
    for (name, data), coding in zip(
        m.of("v0").items(), ("utf-8", "binary", "aws-chunked", "none"), strict=True
    ):
        files[name] = Answer(body=data, headers={"Content-Encoding": coding})
    return {"main.m3u8": Answer(body=fmp4(), headers={"Content-Encoding": "UTF-8"}), **files}


@odd(refused("Content-Encoding: br"), config={"patience_s": 2.0})
def coding_that_was_not_asked_for(m: Media) -> Files:
    """Brotli without its being in Accept-Encoding: a server that breaks RFC 9110, 12.5.3."""
    return of(m, Answer(body=b"\x0b\x02\x80", headers={"Content-Encoding": "br"}), "v0")  # type: ignore[arg-type]


@odd(refused("unpacked|compressed"), config={"patience_s": 2.0}, other_players=False)
def coding_that_is_not_true(m: Media) -> Files:
    """Says gzip, is plain: browsers fail (ERR_CONTENT_DECODING_FAILED)."""
    return of(m, Answer(body=fmp4(), headers={"Content-Encoding": "gzip"}), "v0")  # type: ignore[arg-type]


@odd(plays())
def types_that_are_wrong(m: Media) -> Files:
    """Content-Type says text/html of everything; what counts is what is inside."""
    head = {"Content-Type": "text/html"}
    files = {name: Answer(body=data, headers=head) for name, data in m.of("v0").items()}
    return {"main.m3u8": Answer(body=fmp4(), headers=head), **files}


@odd(plays())
def types_that_are_missing(m: Media) -> Files:
    """No Content-Type at all, or an empty one."""
    head = {"Content-Type": ""}
    files = {name: Answer(body=data, headers=head) for name, data in m.of("v0").items()}
    return {"main.m3u8": Answer(body=fmp4(), headers=head), **files}


@odd(plays(check=both(never_asked("v0/9"), asked_for("v0/2.m4s"))))
def segment_answered_with_partial_content(m: Media) -> Files:
    """206 for a request without Range, from a cache that fills itself by ranges; it is whole."""
    data = m["v0/1.m4s"]
    head = {"Content-Range": f"bytes 0-{len(data) - 1}/{len(data)}"}
    return segment(m, Answer(body=data, status=206, headers=head))


@odd(plays(check=exactly(2, "v0/1.m4s")))
def segment_answered_with_a_part(m: Media) -> Files:
    """206 for a request without Range, and it is but the first half: that is no segment."""
    data = m["v0/1.m4s"]
    head = {"Content-Range": f"bytes 0-{len(data) // 2 - 1}/{len(data)}"}
    return segment(m, Answer(body=data[: len(data) // 2], status=206, headers=head), data)


@odd(plays())
def segment_with_status_203(m: Media) -> Files:
    """A proxy that changed something (RFC 9110, 15.3.4): all of 2xx is a success."""
    return segment(m, Answer(body=m["v0/1.m4s"], status=203))
