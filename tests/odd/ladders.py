"""Multivariant playlists as they are published: groups, codecs, rates, and what is left out."""

from __future__ import annotations

from abr.decision import Decision, Observation
from tests.odd.media import Media
from tests.odd.server import Script
from tests.odd.stream import (
    Files,
    asked_for,
    at_most,
    both,
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

AVC = "avc1.42c00a"
MUXED = "avc1.42c00a,mp4a.40.2"
AUDIO = 'AUDIO="aud"'


class Alternating:
    """Another rung for each segment."""

    def choose(self, seen: Observation) -> int:
        return len(seen.downloads.size_bytes) % len(seen.ladder_bps)


class Highest:
    """The highest rung there is."""

    def choose(self, seen: Observation) -> int | Decision:
        return len(seen.ladder_bps) - 1


def films(m: Media, text: str, *folders: str, **more: Script) -> Files:
    """A multivariant playlist with the media playlists of fMP4 ``folders``."""
    return {**ladder(m, *folders), "main.m3u8": text, **more}


def packed(folder: str, ending: str) -> str:
    """The playlist of packed audio."""
    return listing(*(f"{folder}/{at}.{ending}" for at in range(3)), version=3)


# --- one playlist for several ----------------------------------------------------


@odd(plays(check=at_most(1, "v0.m3u8")))
def one_playlist_listed_twice(m: Media) -> Files:
    """Once per audio group: one fetch serves both (hls.js takes them for redundant ones)."""
    return films(m, master(variant("v0.m3u8", 100_000), variant("v0.m3u8", 200_000)), "v0")


@odd(plays(check=both(at_most(1, "v0.m3u8"), asked_for("a0/0.m4s"))))
def one_playlist_in_two_groups(m: Media) -> Files:
    """The same pictures with a plain and a surround sound, as Apple's guide asks for."""
    text = master(
        sound("aud", uri="a0.m3u8"),
        sound("sur", uri="a1.m3u8"),
        variant("v0.m3u8", 100_000, codecs=MUXED, more=AUDIO),
        variant("v0.m3u8", 150_000, codecs="avc1.42c00a,ec-3", more='AUDIO="sur"'),
    )
    return films(m, text, "v0", "a0", "a1")


@odd(plays(check=at_most(1, "m0/0.m4s")))
def rendition_at_the_variants_uri(m: Media) -> Files:
    """4.4.6.2: as without a URI, the sound is inside the variant."""
    text = master(sound(uri="m0.m3u8"), variant("m0.m3u8", codecs=MUXED, more=AUDIO))
    return films(m, text, "m0")


@odd(plays(check=asked_for("a0/0.m4s")), algorithm=Alternating)
def audio_group_for_each_variant(m: Media) -> Files:
    """Low pictures with a low sound, high ones with a high one; all rungs are played."""
    text = master(
        sound("lo", uri="a0.m3u8"),
        sound("hi", uri="a1.m3u8"),
        variant("v0.m3u8", 100_000, codecs=MUXED, more='AUDIO="lo"'),
        variant("v1.m3u8", 200_000, codecs=MUXED, more='AUDIO="hi"'),
    )
    return films(m, text, "v0", "v1", "a0", "a1")


@odd(plays())
def muxed_beside_groups(m: Media) -> Files:
    """One variant carries its sound inside, the other has it apart."""
    text = master(
        sound(),
        variant("m0.m3u8", 100_000, codecs=MUXED),
        variant("v1.m3u8", 200_000, codecs=MUXED, more=AUDIO),
    )
    return films(m, text, "m0", "v1", "a0")


@odd(plays(check=never_asked("a1")))
def default_rendition_without_uri(m: Media) -> Files:
    """4.4.6.2.1: the default sound is inside; another language must not be fetched instead."""
    text = master(
        sound(uri=""),
        sound(uri="a1.m3u8", name="Deutsch", more='LANGUAGE="de",AUTOSELECT=YES'),
        variant("m0.m3u8", codecs=MUXED, more=AUDIO),
    )
    return films(m, text, "m0", "a1")


@odd(plays(check=asked_for("v0/0.m4s")))
def audio_only_variant_first(m: Media) -> Files:
    """Apple once asked for one of 64 kbit/s; a player of pictures plays pictures."""
    text = master(
        sound(),
        variant("a0.m3u8", 40_000, codecs="mp4a.40.2", size=None, more=AUDIO),
        variant("v0.m3u8", 100_000, codecs=MUXED, more=AUDIO),
        variant("v1.m3u8", 200_000, codecs=MUXED, more=AUDIO),
    )
    return films(m, text, "v0", "v1", "a0")


@odd(plays(check=asked_for("v0/0.m4s")))
def audio_only_variant_without_sizes(m: Media) -> Files:
    """The same, with nobody stating a RESOLUTION: the codecs tell."""
    text = master(
        variant("a0.m3u8", 40_000, codecs="mp4a.40.2", size=None),
        variant("v0.m3u8", 100_000, codecs=AVC, size=None),
    )
    return films(m, text, "v0", "a0")


@odd(plays())
def audio_only_ladder(m: Media) -> Files:
    """Radio: two rungs and no picture."""
    text = master(
        variant("a0.m3u8", 40_000, codecs="mp4a.40.2", size=None),
        variant("a1.m3u8", 60_000, codecs="mp4a.40.5", size=None),
    )
    return films(m, text, "a0", "a1")


@odd(plays())
def without_codecs(m: Media) -> Files:
    """4.4.6.2: every STREAM-INF SHOULD have CODECS; many have none."""
    text = master(
        variant("v0.m3u8", codecs=None), variant("v1.m3u8", 200_000, codecs=None), version=3
    )
    return films(m, text, "v0", "v1")


@odd(plays())
def without_resolution(m: Media) -> Files:
    """RESOLUTION is optional."""
    text = master(variant("v0.m3u8", size=None), variant("v1.m3u8", 200_000, size=None))
    return films(m, text, "v0", "v1")


@odd(plays(check=asked_for("v1/0.m4s")), algorithm=Highest)
def codecs_in_one_variant_alone(m: Media) -> Files:
    """What is not stated is not another codec."""
    return films(
        m, master(variant("v0.m3u8"), variant("v1.m3u8", 200_000, codecs=None)), "v0", "v1"
    )


@odd(plays(check=asked_for("v1/0.m4s")), algorithm=Highest)
def resolution_in_one_variant_alone(m: Media) -> Files:
    """What has no RESOLUTION may be a picture all the same."""
    return films(m, master(variant("v0.m3u8"), variant("v1.m3u8", 200_000, size=None)), "v0", "v1")


@odd(plays(check=both(asked_for("v0/0.m4s"), asked_for("v1/1.m4s"))), algorithm=Alternating)
def avc1_and_avc3(m: Media) -> Files:
    """Two names of one codec, between which players switch."""
    text = master(variant("v0.m3u8"), variant("v1.m3u8", 200_000, codecs="avc3.42c00a"))
    return films(m, text, "v0", "v1")


@odd(plays(check=both(asked_for("v0/0.m4s"), asked_for("v1/1.m4s"))), algorithm=Alternating)
def codecs_in_upper_case_and_spaces(m: Media) -> Files:
    """RFC 6381 names are case-sensitive; lists have spaces all the same."""
    text = master(
        variant("v0.m3u8", codecs="mp4a.40.2, avc1.42C00A"),
        variant("v1.m3u8", 200_000, codecs="avc1.42c00a,mp4a.40.2"),
    )
    return films(m, text, "v0", "v1")


@odd(plays())
def codecs_of_old_form(m: Media) -> Files:
    """avc1.66.30: profile and level in decimal, from encoders of 2010; hls.js rewrites it."""
    return films(m, master(variant("v0.m3u8", codecs="avc1.66.30,mp4a.40.2")), "v0")


@odd(plays())
def codecs_that_are_none(m: Media) -> Files:
    """An encoder that wrote what it did not know."""
    return films(m, master(variant("v0.m3u8", codecs="unknown")), "v0")


# --- rates ------------------------------------------------------------------------


@odd(plays("BANDWIDTH"))
def bandwidth_of_zero(m: Media) -> Files:
    """hls.js plays; a rung of no bits is given a rate from its place in the list."""
    return films(m, master(variant("v0.m3u8", 0)), "v0")


@odd(plays("BANDWIDTH"))
def bandwidth_of_zero_in_a_ladder(m: Media) -> Files:
    """One of two says 0."""
    return films(m, master(variant("v0.m3u8", 0), variant("v1.m3u8", 200_000)), "v0", "v1")


@odd(plays("BANDWIDTH"))
def bandwidth_missing(m: Media) -> Files:
    """4.4.6.2: REQUIRED; hls.js takes 0 and plays."""
    return films(m, master(variant("v0.m3u8", None)), "v0")


@odd(plays())
def bandwidth_absurd(m: Media) -> Files:
    """Bits told as something else; the rung is still there to be chosen or not."""
    return films(m, master(variant("v0.m3u8"), variant("v1.m3u8", 10**15)), "v0", "v1")


@odd(plays("BANDWIDTH"))
def bandwidth_of_words(m: Media) -> Files:
    """hls.js takes what is no number for none."""
    return films(m, master(variant("v0.m3u8", "auto"), variant("v1.m3u8", 200_000)), "v0", "v1")


@odd(plays("BANDWIDTH"))
def bandwidth_negative(m: Media) -> Files:
    """From an encoder whose counter ran over."""
    return films(m, master(variant("v0.m3u8", -1), variant("v1.m3u8", 200_000)), "v0", "v1")


@odd(plays())
def bandwidth_decimal(m: Media) -> Files:
    """100000.0: hls.js reads its whole part."""
    return films(m, master(variant("v0.m3u8", "100000.0"), variant("v1.m3u8", 200_000)), "v0", "v1")


@odd(plays())
def bandwidth_in_quotes(m: Media) -> Files:
    """4.2: numbers have no quotes; hls.js takes them off."""
    return films(m, master(variant("v0.m3u8", '"100000"')), "v0")


@odd(plays())
def average_bandwidth_of_words(m: Media) -> Files:
    """Optional, so what is wrong in it keeps nobody from playing."""
    return films(m, master(variant("v0.m3u8", more="AVERAGE-BANDWIDTH=NaN")), "v0")


@odd(plays())
def average_above_peak(m: Media) -> Files:
    """Impossible, and seen."""
    return films(m, master(variant("v0.m3u8", more="AVERAGE-BANDWIDTH=900000")), "v0")


@odd(plays(check=asked_for("v0/0.m4s")))
def bandwidths_all_the_same(m: Media) -> Files:
    """A template that nobody filled in: the first stays, the others are alternatives."""
    text = master(*(variant(f"v{rung}.m3u8", 100_000) for rung in range(3)))
    return films(m, text, "v0", "v1", "v2")


# --- other attributes ---------------------------------------------------------------


@odd(plays())
def frame_rate_of_words(m: Media) -> Files:
    """Optional; hls.js takes what is no number for none."""
    return films(m, master(variant("v0.m3u8", more="FRAME-RATE=abc")), "v0")


@odd(plays())
def frame_rate_in_quotes(m: Media) -> Files:
    """Seen from several encoders."""
    return films(m, master(variant("v0.m3u8", more='FRAME-RATE="25.000"')), "v0")


@odd(plays())
def frame_rate_as_a_fraction(m: Media) -> Files:
    """30000/1001, as ffprobe prints it."""
    return films(m, master(variant("v0.m3u8", more="FRAME-RATE=30000/1001")), "v0")


@odd(plays())
def resolution_of_another_form(m: Media) -> Files:
    """640*360, from an encoder's own notation; hls.js reads no size and plays."""
    return films(m, master(variant("v0.m3u8", size="64*36")), "v0")


@odd(plays())
def resolution_in_quotes(m: Media) -> Files:
    """4.2 has no quotes there."""
    return films(m, master(variant("v0.m3u8", size='"64x36"')), "v0")


@odd(plays())
def resolution_of_zero(m: Media) -> Files:
    """0x0, from a stream that was not yet there when the playlist was written."""
    return films(m, master(variant("v0.m3u8", size="0x0")), "v0")


@odd(plays())
def program_id_of_words(m: Media) -> Files:
    """Removed from the standard in version 6; nobody reads it."""
    return films(m, master(variant("v0.m3u8", more="PROGRAM-ID=x")), "v0")


@odd(plays())
def score_of_words(m: Media) -> Files:
    """Optional."""
    return films(m, master(variant("v0.m3u8", more="SCORE=best")), "v0")


@odd(plays())
def attributes_with_spaces(m: Media) -> Files:
    """4.2: no white space; hls.js allows it after commas."""
    return films(m, master(variant("v0.m3u8").replace(",", ", ")), "v0")


@odd(plays())
def attributes_in_lower_case(m: Media) -> Files:
    """Names are of upper case (4.2); a player that finds none it knows plays without them."""
    return films(
        m, master('#EXT-X-STREAM-INF:bandwidth=100000,codecs="avc1.42c00a"\nv0.m3u8\n'), "v0"
    )


@odd(plays())
def attributes_twice(m: Media) -> Files:
    """4.2: MUST NOT; hls.js takes the last, ffmpeg too."""
    return films(m, master(variant("v0.m3u8", more="BANDWIDTH=100000")), "v0")


@odd(plays())
def attributes_unknown(m: Media) -> Files:
    """4.2: clients ignore what they do not know."""
    return films(m, master(variant("v0.m3u8", more='X-VENDOR="a=b,c",NEW=1')), "v0")


@odd(plays())
def quotes_with_commas(m: Media) -> Files:
    """Commas and equals signs within quotes part nothing."""
    text = master(
        sound(name="A, B=C", uri="a0.m3u8?x=1,y=2"),
        variant("v0.m3u8", codecs=MUXED, more=AUDIO),
    )
    return films(m, text, "v0", "a0")


@odd(plays())
def codecs_without_quotes(m: Media) -> Files:
    """4.2: a quoted string; some write none."""
    text = "#EXT-X-STREAM-INF:BANDWIDTH=100000,CODECS=avc1.42c00a,RESOLUTION=64x36\nv0.m3u8\n"
    return films(m, master(text), "v0")


@odd(plays())
def names_in_single_quotes(m: Media) -> Files:
    """Nothing that counts is lost by them."""
    text = master(
        "#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID='aud',NAME='x',DEFAULT=YES,URI='a0.m3u8'\n",
        variant("m0.m3u8", codecs=MUXED),
    )
    return films(m, text, "m0", "a0")


# --- what is left out -----------------------------------------------------------------


@odd(plays(check=never_asked("v1")), algorithm=Highest)
def hevc_beside_avc(m: Media) -> Files:
    """Two ladders in one playlist: the first listed is played."""
    text = master(variant("v0.m3u8"), variant("v1.m3u8", 200_000, codecs="hvc1.1.6.L30.90"))
    return films(m, text, "v0", "v1")


@odd(plays("(?i)codec"), algorithm=Highest)
def codecs_left_out_are_told(m: Media) -> Files:
    """A note for every variant that is not played."""
    text = master(variant("v0.m3u8"), variant("v1.m3u8", 200_000, codecs="av01.0.00M.08"))
    return films(m, text, "v0", "v1")


@odd(plays())
def hdr_beside_sdr(m: Media) -> Files:
    """VIDEO-RANGE parts ladders as codecs do."""
    text = master(
        variant("v0.m3u8", more="VIDEO-RANGE=SDR"),
        variant("v1.m3u8", 150_000, more="VIDEO-RANGE=PQ"),
    )
    return films(m, text, "v0", "v1")


@odd(plays(check=never_asked("s0")))
def subtitles_listed(m: Media) -> Files:
    """They are not watched headless; one that is missing keeps nobody from playing."""
    text = master(
        '#EXT-X-MEDIA:TYPE=SUBTITLES,GROUP-ID="sub",NAME="en",URI="s0.m3u8"\n',
        '#EXT-X-MEDIA:TYPE=CLOSED-CAPTIONS,GROUP-ID="cc",NAME="en",INSTREAM-ID="CC1"\n',
        variant("v0.m3u8", more='SUBTITLES="sub",CLOSED-CAPTIONS="cc"'),
    )
    return films(m, text, "v0")


@odd(plays())
def camera_angles_listed(m: Media) -> Files:
    """TYPE=VIDEO renditions; the main one is the variant itself."""
    text = master(
        '#EXT-X-MEDIA:TYPE=VIDEO,GROUP-ID="vid",NAME="main",DEFAULT=YES\n',
        '#EXT-X-MEDIA:TYPE=VIDEO,GROUP-ID="vid",NAME="side",URI="gone.m3u8"\n',
        variant("v0.m3u8", more='VIDEO="vid"'),
    )
    return films(m, text, "v0")


@odd(plays())
def trick_play_listed(m: Media) -> Files:
    """Nobody scrubs here; the playlists need not even be there."""
    text = master(
        variant("v0.m3u8"),
        '#EXT-X-I-FRAME-STREAM-INF:BANDWIDTH=1000,URI="i.m3u8"\n',
        '#EXT-X-IMAGE-STREAM-INF:BANDWIDTH=1000,RESOLUTION=64x36,CODECS="jpeg",URI="t.m3u8"\n',
    )
    return films(m, text, "v0")


@odd(plays())
def trick_play_without_uri(m: Media) -> Files:
    """4.4.6.3 wants one; what is not used cannot keep anybody from playing."""
    text = master(variant("v0.m3u8"), '#EXT-X-I-FRAME-STREAM-INF:CODECS="avc1"\n')
    return films(m, text, "v0")


@odd(plays())
def session_tags(m: Media) -> Files:
    """Data and keys of systems that this player does not know are no reason not to play."""
    text = master(
        '#EXT-X-SESSION-DATA:DATA-ID="x",VALUE="a"\n',
        '#EXT-X-SESSION-KEY:METHOD=SAMPLE-AES,URI="skd://a",KEYFORMAT="com.apple.streamingkeydelivery"\n',
        "#EXT-X-SESSION-KEY:METHOD=AES-128\n",
        variant("v0.m3u8"),
    )
    return films(m, text, "v0")


@odd(plays())
def rendition_without_a_name(m: Media) -> Files:
    """4.4.6.1: NAME is REQUIRED; hls.js plays."""
    text = master(
        '#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="aud",DEFAULT=YES,URI="a0.m3u8"\n',
        variant("v0.m3u8", codecs=MUXED, more=AUDIO),
    )
    return films(m, text, "v0", "a0")


@odd(plays())
def rendition_without_a_group(m: Media) -> Files:
    """4.4.6.1: GROUP-ID is REQUIRED; nobody can refer to one without."""
    text = master('#EXT-X-MEDIA:TYPE=AUDIO,NAME="x",URI="a0.m3u8"\n', variant("v0.m3u8"))
    return films(m, text, "v0", "a0")


@odd(plays())
def rendition_without_a_type(m: Media) -> Files:
    """4.4.6.1: TYPE is REQUIRED."""
    text = master('#EXT-X-MEDIA:GROUP-ID="aud",NAME="x",URI="a0.m3u8"\n', variant("v0.m3u8"))
    return films(m, text, "v0", "a0")


@odd(plays("(?i)group"))
def group_that_is_not_there(m: Media) -> Files:
    """4.4.6.2: MUST match; hls.js plays the picture alone."""
    return films(m, master(variant("v0.m3u8", more='AUDIO="none"')), "v0")


@odd(plays(check=asked_for("a1/0.m4s")))
def default_is_listed_second(m: Media) -> Files:
    """4.4.6.1: without a choice by the viewer the DEFAULT is played."""
    text = master(
        sound(uri="a0.m3u8", more='LANGUAGE="en",AUTOSELECT=YES'),
        sound(uri="a1.m3u8", name="Deutsch", more='LANGUAGE="de",DEFAULT=YES,AUTOSELECT=YES'),
        variant("v0.m3u8", codecs=MUXED, more=AUDIO),
    )
    return films(m, text, "v0", "a0", "a1")


@odd(plays(check=asked_for("a0/0.m4s")))
def default_twice(m: Media) -> Files:
    """4.4.6.1.1: at most one; the first counts."""
    text = master(
        sound(uri="a0.m3u8"),
        sound(uri="a1.m3u8", name="Other"),
        variant("v0.m3u8", codecs=MUXED, more=AUDIO),
    )
    return films(m, text, "v0", "a0", "a1")


@odd(plays(check=asked_for("a0/0.m4s")))
def default_nowhere(m: Media) -> Files:
    """Neither DEFAULT nor AUTOSELECT: the first, as hls.js does."""
    text = master(
        sound(uri="a0.m3u8", more=""),
        sound(uri="a1.m3u8", name="Other", more=""),
        variant("v0.m3u8", codecs=MUXED, more=AUDIO),
    )
    return films(m, text, "v0", "a0", "a1")


@odd(plays(check=both(asked_for("aac/0.aac"), never_asked("ac3"))))
def sound_in_several_codecs(m: Media) -> Files:
    """AAC first, AC-3 beside it: the first listed is what all can play."""
    text = master(
        sound("aac", uri="aac.m3u8"),
        sound("ac3", uri="ac3.m3u8"),
        variant("v0.m3u8", 100_000, codecs=MUXED, more='AUDIO="aac"'),
        variant("v0.m3u8", 160_000, codecs="avc1.42c00a,ac-3", more='AUDIO="ac3"'),
        variant("v1.m3u8", 200_000, codecs=MUXED, more='AUDIO="aac"'),
        variant("v1.m3u8", 260_000, codecs="avc1.42c00a,ac-3", more='AUDIO="ac3"'),
    )
    more = {"aac.m3u8": packed("aac", "aac"), "ac3.m3u8": packed("ac3", "ac3")}
    return films(m, text, "v0", "v1", **more, **m.of("aac", "ac3"))


# --- variants that do not match ----------------------------------------------------------


@odd(plays(), algorithm=Alternating)
def rungs_cut_elsewhere(m: Media) -> Files:
    """Segments of 1 s and 1.5 s: a switch goes to the segment that holds the wanted time."""
    long = listing("long/0.m4s", "long/1.m4s", init="long/init.mp4", lasts_s=1.5, target=2)
    text = master(variant("v0.m3u8"), variant("long.m3u8", 200_000))
    return films(m, text, "v0", **m.of("long"), **{"long.m3u8": long})


@odd(plays(), algorithm=Alternating)
def rungs_of_other_lengths(m: Media) -> Files:
    """Segments of 0.5 s below those of 1 s."""
    short = listing(*(f"short/{at}.m4s" for at in range(6)), init="short/init.mp4", lasts_s=0.5)
    text = master(variant("short.m3u8"), variant("v1.m3u8", 200_000))
    return films(m, text, "v1", **m.of("short"), **{"short.m3u8": short})


@odd(plays(played_s=3.0), algorithm=Highest)
def rung_with_a_segment_less(m: Media) -> Files:
    """An encoder that was ahead of the others: the rungs that have the last one bring it."""
    text = master(variant("v0.m3u8"), variant("v1.m3u8", 200_000))
    fewer = fmp4("v1").replace("#EXTINF:1,\nv1/2.m4s\n", "")
    return {**films(m, text, "v0", "v1"), "v1.m3u8": fewer}


@odd(plays(), algorithm=Alternating)
def rungs_that_drift(m: Media) -> Files:
    """Durations that differ by some milliseconds are the same boundaries."""
    text = master(variant("v0.m3u8"), variant("v1.m3u8", 200_000))
    drift = fmp4("v1", lasts_s=[1.02, 0.99, 1.0])
    return {**films(m, text, "v0", "v1"), "v1.m3u8": drift}


@odd(plays(), algorithm=Alternating)
def rungs_in_other_containers(m: Media) -> Files:
    """TS below fMP4; hls.js switches between them."""
    text = master(variant("ts0.m3u8", codecs=MUXED), variant("m1.m3u8", 200_000, codecs=MUXED))
    return films(m, text, "m1", **m.of("ts0"), **{"ts0.m3u8": ts("ts0")})


@odd(plays())
def sound_longer_than_picture(m: Media) -> Files:
    """It ends with the picture; no stall, and nothing waits for the rest."""
    text = master(sound(), variant("v0.m3u8", codecs=MUXED, more=AUDIO))
    longer = fmp4("a0", lasts_s=[1, 1, 1]).replace(
        "#EXT-X-ENDLIST", "#EXTINF:1,\na0/2.m4s\n#EXT-X-ENDLIST"
    )
    return {**films(m, text, "v0", "a0"), "a0.m3u8": longer}


@odd(plays())
def sound_shorter_than_picture(m: Media) -> Files:
    """The picture goes on without it, as in browsers."""
    text = master(sound(), variant("v0.m3u8", codecs=MUXED, more=AUDIO))
    shorter = fmp4("a0").replace("#EXTINF:1,\na0/2.m4s\n", "")
    return {**films(m, text, "v0", "a0"), "a0.m3u8": shorter}


@odd(plays())
def sound_in_one_segment(m: Media) -> Files:
    """A whole track as one segment beside pictures in three."""
    text = master(sound(), variant("v0.m3u8", codecs=MUXED, more=AUDIO))
    whole = m["a0/0.m4s"] + m["a0/1.m4s"] + m["a0/2.m4s"]
    one = listing("all.m4s", init="a0/init.mp4", lasts_s=3.0, target=3)
    return {**films(m, text, "v0", "a0"), "a0.m3u8": one, "all.m4s": whole}


# --- lists that are wrong -------------------------------------------------------------------


@odd(refused("multivariant"))
def variant_that_is_multivariant(m: Media) -> Files:
    """4.4: a variant is a media playlist; hls.js finds no segments in it."""
    return films(
        m, master(variant("inner.m3u8")), "v0", **{"inner.m3u8": master(variant("v0.m3u8"))}
    )


@odd(refused("multivariant"))
def variant_that_is_itself(m: Media) -> Files:
    """A list that lists itself must not go round."""
    return films(m, master(variant("main.m3u8")), "v0")


@odd(plays("URI"))
def variant_without_uri(m: Media) -> Files:
    """Cut while it was written."""
    text = master(variant("v0.m3u8"), "#EXT-X-STREAM-INF:BANDWIDTH=200000\n")
    return films(m, text, "v0")


@odd(plays())
def variant_after_comments(m: Media) -> Files:
    """hls.js and ffmpeg pass over comments and blank lines before the URI."""
    return films(m, master(variant("v0.m3u8").replace("\nv0", "\n\n# low\nv0")), "v0")


@odd(refused("no variant|neither"))
def no_variant(m: Media) -> Files:
    """Renditions alone."""
    return films(m, master(sound()), "a0")


@odd(plays())
def variant_on_another_host(m: Media) -> Files:
    """Playlists and segments wherever they are."""
    return films(m, master(variant("{other}/v0.m3u8")), "v0")


@odd(plays())
def variables_imported(m: Media) -> Files:
    """EXT-X-DEFINE (4.4.2.3), NAME above and IMPORT below."""
    text = master('#EXT-X-DEFINE:NAME="dir",VALUE="v0"\n', variant("{$dir}.m3u8"), version=8)
    below = fmp4("{$dir}", head='#EXT-X-DEFINE:IMPORT="dir"', version=8)
    return {**films(m, text, "v0"), "v0.m3u8": below}


@odd(plays(), start="main.m3u8?d=v0")
def variables_of_the_query(m: Media) -> Files:
    """QUERYPARAM takes it from the playlist's own URL."""
    text = master('#EXT-X-DEFINE:QUERYPARAM="d"\n', variant("{$d}.m3u8"), version=11)
    return films(m, text, "v0")


@odd(refused("not defined"))
def variables_undefined(m: Media) -> Files:
    """4.3: clients MUST fail to parse the playlist."""
    return films(m, master(variant("{$d}.m3u8")), "v0")


@odd(plays(played_s=2.0))
def start_offset(m: Media) -> Files:
    """EXT-X-START (4.4.2.2): SHOULD begin there."""
    return films(m, master("#EXT-X-START:TIME-OFFSET=1\n", variant("v0.m3u8")), "v0")


@odd(plays(played_s=1.0))
def start_offset_from_the_end(m: Media) -> Files:
    """Negative: from the end of the last segment."""
    return {**m.of("v0"), "main.m3u8": fmp4(head="#EXT-X-START:TIME-OFFSET=-1.0")}


@odd(plays())
def start_offset_before_the_beginning(m: Media) -> Files:
    """4.4.2.2: farther before the end than the beginning is the beginning."""
    return {**m.of("v0"), "main.m3u8": fmp4(head="#EXT-X-START:TIME-OFFSET=-100")}


@odd(plays())
def steering_that_is_down(m: Media) -> Files:
    """Content steering specification: without a manifest, PATHWAY-ID of the tag holds."""
    text = master(
        '#EXT-X-CONTENT-STEERING:SERVER-URI="http://127.0.0.1:9/steer",PATHWAY-ID="A"\n',
        variant("v0.m3u8", more='PATHWAY-ID="A"'),
        variant("v1.m3u8", 200_000, more='PATHWAY-ID="A"'),
    )
    return films(m, text, "v0", "v1")


@odd(plays(check=both(asked_for("steer"), never_asked("a/"))))
def steering_to_the_second_pathway(m: Media) -> Files:
    """PATHWAY-ID says B until the manifest is here, and that says so too."""
    manifest = '{"VERSION":1,"TTL":300,"PATHWAY-PRIORITY":["B","A"]}'
    text = master(
        '#EXT-X-CONTENT-STEERING:SERVER-URI="steer",PATHWAY-ID="B"\n',
        variant("a/v0.m3u8", more='PATHWAY-ID="A"'),
        variant("v0.m3u8", more='PATHWAY-ID="B"'),
    )
    return films(m, text, "v0", steer=manifest)
