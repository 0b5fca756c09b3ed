"""Corners where things that are right by themselves meet: large, deep, repeated, nearly right."""

from __future__ import annotations

import gzip

from tests.odd.ladders import AUDIO, MUXED, Alternating, films
from tests.odd.media import Media
from tests.odd.server import Answer, Asked, Reply, Script
from tests.odd.servers import moved, raw, site
from tests.odd.stream import (
    Files,
    Seen,
    asked_for,
    at_most,
    exactly,
    fmp4,
    listing,
    master,
    never_asked,
    odd,
    plays,
    refused,
    sound,
    variant,
)

# --- addresses ----------------------------------------------------------------------


@odd(plays())
def scheme_in_upper_case(m: Media) -> Files:
    """RFC 3986, 3.1: schemes are compared without regard to case."""

    def answer(asked: Asked, _count: int) -> Reply:
        return fmp4(up=f"HTTP://{asked.headers['host']}/s/{asked.stream}/")

    return {**m.of("v0"), "main.m3u8": answer}


@odd(plays(), other_players=False)
def uri_with_backslashes(m: Media) -> Files:
    """From a packager on Windows: browsers take them for slashes (URL Standard, 4.4)."""
    return site(m, main_m3u8=fmp4().replace("v0/", "v0\\"))


@odd(plays(check=asked_for("v0//1.m4s")))
def uri_with_two_slashes(m: Media) -> Files:
    """An empty segment of a path is a segment (RFC 3986, 3.3)."""
    text = fmp4().replace("v0/1.m4s", "v0//1.m4s")
    return {**site(m, main_m3u8=text), "v0//1.m4s": m["v0/1.m4s"]}


@odd(plays(check=asked_for("v0/1.m4s;v=2")))
def uri_with_parameters_in_the_path(m: Media) -> Files:
    """;name=value belongs to the path."""
    text = fmp4().replace("v0/1.m4s", "v0/1.m4s;v=2")
    return {**site(m, main_m3u8=text), "v0/1.m4s;v=2": m["v0/1.m4s"]}


@odd(plays(), start="main.m3u8?next=http://127.0.0.1:9/x/y.m3u8")
def slashes_in_the_query_of_the_playlist(m: Media) -> Files:
    """The base ends at the last slash of the path, not of the query (RFC 3986, 5.2.3)."""
    return site(m)


@odd(plays(), start="a:b/main.m3u8")
def colon_in_the_path(m: Media) -> Files:
    """A colon in a path is no scheme."""
    return {**{f"a:b/{n}": d for n, d in m.of("v0").items()}, "a:b/main.m3u8": fmp4()}


@odd(plays(check=asked_for("v0/%E9.m4s")))
def uri_escaped_in_latin1(m: Media) -> Files:
    """An escape that is not UTF-8 goes out as it is written."""
    text = fmp4().replace("v0/1.m4s", "v0/%E9.m4s")
    return {**site(m, main_m3u8=text), "v0/%E9.m4s": m["v0/1.m4s"]}


@odd(plays(check=asked_for("v0/100%.m4s")), other_players=False)
def uri_with_a_lone_percent_sign(m: Media) -> Files:
    """Not an escape, and sent as it is, as browsers do (URL Standard, 4.4)."""
    text = fmp4().replace("v0/1.m4s", "v0/100%.m4s")
    data = m["v0/1.m4s"]
    return {**site(m, main_m3u8=text), "v0/100%.m4s": data}


@odd(refused("(?i)connect|URL"), start="http://127.0.0.1:1/main.m3u8")
def port_one(m: Media) -> Files:
    """Nobody listens there."""
    return {}


# --- answers --------------------------------------------------------------------------


@odd(plays(), other_players=False)
def redirect_with_spaces(m: Media) -> Files:
    """Location with a space and letters beyond ASCII: browsers escape them."""
    place = {"Location": "real one.m3u8"}
    return {**site(m, main_m3u8=Answer(status=302, headers=place)), "real%20one.m3u8": fmp4()}


@odd(plays())
def redirect_of_query_alone(m: Media) -> Files:
    """Location: ?go names the same path."""

    def answer(asked: Asked, _count: int) -> Reply:
        return fmp4() if asked.query == "go" else moved("?go")

    return {**m.of("v0"), "main.m3u8": answer}


@odd(plays())
def redirect_with_a_body(m: Media) -> Files:
    """A page that says where it went, as servers send it."""
    page = "<html><a href=real.m3u8>here</a></html>"
    first = Answer(status=302, body=page, headers={"Location": "real.m3u8"})
    return site(m, main_m3u8=first, real_m3u8=fmp4())


@odd(plays())
def redirect_of_every_reload(m: Media) -> Files:
    """Each segment is sent elsewhere, once to one host, once to the other."""
    files: dict[str, Script] = {}
    for at, (name, data) in enumerate(m.of("v0").items()):
        files[name] = moved(("{other}" if at % 2 else "{main}") + f"/at/{name}")
        files[f"at/{name}"] = data
    return {"main.m3u8": fmp4(), **files}


@odd(plays())
def chunks_with_extensions_and_trailers(m: Media) -> Files:
    """RFC 9112, 7.1.1 and 7.1.2."""
    data = m["v0/1.m4s"]
    body = f"{len(data):X};a=b\r\n".encode() + data + b"\r\n0\r\nX-Sum: 1\r\n\r\n"
    return {**site(m), "v0/1.m4s": raw("HTTP/1.1 200 OK\nTransfer-Encoding: chunked", body)}


@odd(plays(check=exactly(2, "v0/1.m4s")))
def chunks_that_are_none(m: Media) -> Files:
    """A size that is no number, once."""
    bad = raw("HTTP/1.1 200 OK\nTransfer-Encoding: chunked", b"zz\r\nabc\r\n0\r\n\r\n")
    return {**site(m), "v0/1.m4s": [bad, m["v0/1.m4s"]]}


@odd(refused("more than"), config={"patience_s": 2.0}, other_players=False)
def playlist_that_unpacks_without_end(m: Media) -> Files:
    """Some kilobytes that become 100 MB."""
    bomb = gzip.compress(b"#EXTM3U\n" + b"#" * 100_000_000, 9)
    return site(m, main_m3u8=Answer(body=bomb, headers={"Content-Encoding": "gzip"}))


@odd(refused("more than", within_s=60), config={"patience_s": 2.0}, other_players=False)
def playlist_without_end(m: Media) -> Files:
    """17 MB of comments."""
    return site(m, main_m3u8="#EXTM3U\n" + "# and so on\n" * 1_500_000)


@odd(refused("characters"), other_players=False)
def variables_that_multiply(m: Media) -> Files:
    """Each twice the one before: 2^40 characters."""
    lines = ['#EXT-X-DEFINE:NAME="a0",VALUE="xxxxxxxx"']
    lines += [f'#EXT-X-DEFINE:NAME="a{n}",VALUE="{{$a{n - 1}}}{{$a{n - 1}}}"' for n in range(1, 40)]
    return site(m, main_m3u8=fmp4(head="\n".join(lines)))


@odd(plays())
def line_of_a_megabyte(m: Media) -> Files:
    """A comment, as one finds in playlists with data of others."""
    return site(m, main_m3u8=fmp4(head="#EXT-X-OTHER:" + "x" * 1_000_000))


@odd(plays())
def attributes_of_a_megabyte(m: Media) -> Files:
    """An attribute that nobody knows, with a million commas: read in linear time."""
    return films(m, master(variant("v0.m3u8", more='X-A="' + "a," * 500_000 + '"')), "v0")


@odd(plays(within_s=30))
def quotes_that_do_not_end(m: Media) -> Files:
    """An open quotation mark and 100,000 commas behind it."""
    return films(m, master(variant("v0.m3u8", more='X-A="' + "a=b," * 100_000)), "v0")


def secure_stays_away(seen: Seen) -> str:
    """A cookie for TLS is not sent in the clear."""
    found = [each.path for each in seen.asked if "safe=1" in each.headers.get("cookie", "")]
    return f"Secure cookie sent for {found[0]}" if found else ""


@odd(plays(check=secure_stays_away))
def cookie_for_tls_alone(m: Media) -> Files:
    """RFC 6265, 5.4: Secure cookies go over secure channels; loopback is as good in browsers."""
    head = {"Set-Cookie": "safe=1; Secure; Path=/"}
    return site(m, main_m3u8=Answer(body=fmp4(), headers=head))


def foreign_stays_away(seen: Seen) -> str:
    """A cookie of one port's path goes where its Path says."""
    found = [each.path for each in seen.asked if "low=1" in each.headers.get("cookie", "")]
    return f"cookie of /nowhere sent for {found[0]}" if found else ""


@odd(plays(check=foreign_stays_away))
def cookie_of_another_path(m: Media) -> Files:
    """RFC 6265, 5.1.4."""
    head = {"Set-Cookie": "low=1; Path=/nowhere"}
    return site(m, main_m3u8=Answer(body=fmp4(), headers=head))


@odd(plays())
def cookie_that_is_none(m: Media) -> Files:
    """Set-Cookie with quotation marks, spaces and no name."""
    head = {"Set-Cookie": '="a b;c", ; =; expires=never; x'}
    return site(m, main_m3u8=Answer(body=fmp4(), headers=head))


# --- ladders --------------------------------------------------------------------------


@odd(plays())
def variants_by_the_hundred(m: Media) -> Files:
    """Every combination of rate and sound that a template could make."""
    text = master(*(variant("v0.m3u8", 100_000 + 1000 * n) for n in range(150)))
    return films(m, text, "v0")


@odd(plays(), algorithm=Alternating)
def groups_by_the_dozen(m: Media) -> Files:
    """Twelve languages in each of three groups."""
    names = [f"L{n}" for n in range(12)]
    lines = [
        sound(group, uri="a0.m3u8" if n else "a1.m3u8", name=name, more=f'LANGUAGE="x{n}"')
        for group in ("aud", "b", "c")
        for n, name in enumerate(names)
    ]
    text = master(
        *lines,
        variant("v0.m3u8", codecs=MUXED, more=AUDIO),
        variant("v1.m3u8", 200_000, codecs=MUXED, more='AUDIO="b"'),
    )
    return films(m, text, "v0", "v1", "a0", "a1")


@odd(plays(check=at_most(1, "a0.m3u8")))
def rendition_listed_twice(m: Media) -> Files:
    """The same line again, from a merge."""
    text = master(sound(), sound(), variant("v0.m3u8", codecs=MUXED, more=AUDIO))
    return films(m, text, "v0", "a0")


@odd(plays(check=asked_for("a1/0.m4s")), config={"language": "de"})
def language_asked_for(m: Media) -> Files:
    """--language de."""
    text = master(
        sound(more='LANGUAGE="en",DEFAULT=YES'),
        sound(uri="a1.m3u8", name="Deutsch", more='LANGUAGE="de-DE",AUTOSELECT=YES'),
        variant("v0.m3u8", codecs=MUXED, more=AUDIO),
    )
    return films(m, text, "v0", "a0", "a1")


@odd(refused("'fr'.*en"), config={"language": "fr"})
def language_that_is_not_there(m: Media) -> Files:
    """--language fr, and there is none: refused, with those that there are."""
    text = master(
        sound(more='LANGUAGE="en",DEFAULT=YES'), variant("v0.m3u8", codecs=MUXED, more=AUDIO)
    )
    return films(m, text, "v0", "a0")


@odd(plays(check=never_asked("v0/0")), config={"codecs": "hvc1"})
def codecs_asked_for(m: Media) -> Files:
    """--codecs hvc1."""
    text = master(variant("v0.m3u8"), variant("v1.m3u8", 200_000, codecs="hvc1.1.6.L30.90"))
    return films(m, text, "v0", "v1")


@odd(refused("(?i)av01|codec"), config={"codecs": "av01"})
def codecs_that_are_not_there(m: Media) -> Files:
    """--codecs av01, and there is none."""
    return films(m, master(variant("v0.m3u8")), "v0")


@odd(plays())
def sound_of_packed_aac(m: Media) -> Files:
    """fMP4 pictures with packed audio beside them."""
    text = master(sound(uri="aac.m3u8"), variant("v0.m3u8", codecs=MUXED, more=AUDIO))
    packed = listing(*(f"aac/{at}.aac" for at in range(3)), version=3)
    return films(m, text, "v0", **{"aac.m3u8": packed}, **m.of("aac"))


@odd(plays())
def sound_that_begins_later(m: Media) -> Files:
    """Audio segments of 0.9 s beside pictures of 1 s: boundaries differ, and may."""
    text = master(sound(), variant("v0.m3u8", codecs=MUXED, more=AUDIO))
    files = films(m, text, "v0", "a0")
    return {**files, "a0.m3u8": fmp4("a0", lasts_s=[0.9, 0.95, 1.15])}


@odd(plays())
def sound_shared_by_url_with_query(m: Media) -> Files:
    """Two renditions that differ in their query are two."""
    text = master(
        sound(uri="a0.m3u8?l=en"),
        sound(uri="a0.m3u8?l=de", name="Deutsch", more="AUTOSELECT=YES"),
        variant("v0.m3u8", codecs=MUXED, more=AUDIO),
    )
    return films(m, text, "v0", "a0")


# --- ranges and keys ----------------------------------------------------------------------


@odd(plays())
def ranges_backwards(m: Media) -> Files:
    """The last segment lies first in the file."""
    parts = [m[f"v0/{at}.m4s"] for at in (2, 1, 0)]
    at, lines = 0, list[str]()
    for part in parts:
        lines.insert(0, f"#EXT-X-BYTERANGE:{len(part)}@{at}\nall.m4s")
        at += len(part)
    return {
        **m.of("v0"),
        "main.m3u8": listing(*lines, init="v0/init.mp4"),
        "all.m4s": b"".join(parts),
    }


@odd(refused("(?i)byte|BYTERANGE"))
def range_of_nothing(m: Media) -> Files:
    """EXT-X-BYTERANGE:0@0."""
    return site(m, main_m3u8=fmp4().replace("#EXTINF", "#EXT-X-BYTERANGE:0@0\n#EXTINF", 1))


@odd(refused("416|status|connection"))
def range_of_exabytes(m: Media) -> Files:
    """Beyond what any file has."""
    text = fmp4().replace("#EXTINF", "#EXT-X-BYTERANGE:5@999999999999999999\n#EXTINF", 1)
    return site(m, main_m3u8=text)


@odd(plays())
def range_of_the_section(m: Media) -> Files:
    """EXT-X-MAP by a range of the first segment's file."""
    init, data = m["v0/init.mp4"], m["v0/0.m4s"]
    head = f'#EXT-X-MAP:URI="first.mp4",BYTERANGE="{len(init)}@0"'
    first = f"#EXT-X-BYTERANGE:{len(data)}@{len(init)}\nfirst.mp4"
    text = listing(first, "v0/1.m4s", "v0/2.m4s", head=head)
    return {**m.of("v0"), "main.m3u8": text, "first.mp4": init + data}
