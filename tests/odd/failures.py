"""What is missing for good, and what players make of it: another rung, another host, a hole."""

from __future__ import annotations

from tests.odd.ladders import AUDIO, MUXED, Alternating, Highest
from tests.odd.media import Media
from tests.odd.server import Answer, Script
from tests.odd.stream import (
    Files,
    asked_for,
    both,
    fmp4,
    ladder,
    master,
    never_asked,
    odd,
    plays,
    refused,
    sound,
    variant,
)

GONE = Answer(status=404)
DOWN = Answer(status=503)
PATIENT = {"patience_s": 4.0}


def rungs(m: Media, **more: Script) -> Files:
    """Three rungs; ``more`` takes the place of files, slashes written as two underscores."""
    named = {name.replace("__", "/").replace("_", "."): each for name, each in more.items()}
    text = master(*(variant(f"v{rung}.m3u8", 100_000 * (rung + 1)) for rung in range(3)))
    return {**ladder(m, "v0", "v1", "v2"), "main.m3u8": text, **named}


def with_sound(m: Media, **more: Script) -> Files:
    """Two rungs with their sound apart."""
    named = {name.replace("__", "/").replace("_", "."): each for name, each in more.items()}
    text = master(
        sound(),
        *(
            variant(f"v{rung}.m3u8", 100_000 * (rung + 1), codecs=MUXED, more=AUDIO)
            for rung in range(2)
        ),
    )
    return {**ladder(m, "v0", "v1", "a0"), "main.m3u8": text, **named}


# --- one rung -------------------------------------------------------------------------


@odd(plays(within_s=40), algorithm=Highest, config=PATIENT)
def segment_missing_in_the_top_rung(m: Media) -> Files:
    """hls.js takes another rung's."""
    return rungs(m, v2__1_m4s=GONE)


@odd(plays(within_s=40), algorithm="fixed", params={"rung": 0}, config=PATIENT)
def segment_missing_in_the_lowest_rung(m: Media) -> Files:
    """A rung above stands in."""
    return rungs(m, v0__1_m4s=GONE)


@odd(plays(within_s=40), algorithm=Highest, config=PATIENT)
def playlist_missing_of_the_top_rung(m: Media) -> Files:
    """The rung is left out; others play."""
    return rungs(m, v2_m3u8=GONE)


@odd(plays(within_s=40), config=PATIENT)
def playlist_missing_of_the_lowest_rung(m: Media) -> Files:
    """It is loaded first, and is not all there is."""
    return rungs(m, v0_m3u8=GONE)


@odd(plays(within_s=40), config=PATIENT)
def playlist_down_of_the_lowest_rung(m: Media) -> Files:
    """503 for ever."""
    return rungs(m, v0_m3u8=DOWN)


@odd(plays(within_s=40), config=PATIENT)
def playlist_broken_of_the_lowest_rung(m: Media) -> Files:
    """It comes and is none."""
    return rungs(m, v0_m3u8="<html>no</html>")


@odd(plays(within_s=40), algorithm=Highest, config=PATIENT)
def playlist_empty_of_the_top_rung(m: Media) -> Files:
    """An encoder that failed at one rung leaves a list of nothing."""
    return rungs(m, v2_m3u8="#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXT-X-ENDLIST\n")


@odd(plays(within_s=40), algorithm=Highest, config=PATIENT)
def init_missing_of_the_top_rung(m: Media) -> Files:
    """Nothing of that rung can be decoded."""
    return rungs(m, v2__init_mp4=GONE)


@odd(plays(within_s=40), config=PATIENT)
def init_missing_of_the_lowest_rung(m: Media) -> Files:
    """The same below."""
    return rungs(m, v0__init_mp4=GONE)


@odd(plays(within_s=40), algorithm=Highest, config=PATIENT)
def key_missing_of_the_top_rung(m: Media) -> Files:
    """Rungs with keys of their own: one key server that has not heard of it."""
    line = f'#EXT-X-KEY:METHOD=AES-128,URI="gone.key",IV=0x{"0" * 31}1'
    return rungs(m, v2_m3u8=fmp4("v2", head=line))


@odd(plays(within_s=40), algorithm=Highest, config=PATIENT)
def segments_broken_of_the_top_rung(m: Media) -> Files:
    """Pages with status 200 instead of all of them."""
    page = Answer(body="<html>no</html>")
    return rungs(m, v2__0_m4s=page, v2__1_m4s=page, v2__2_m4s=page)


@odd(plays(within_s=40), algorithm=Alternating, config=PATIENT)
def only_the_middle_rung_is_whole(m: Media) -> Files:
    """Both others lose their second segment."""
    return rungs(m, v0__1_m4s=GONE, v2__1_m4s=GONE)


@odd(plays(within_s=120), algorithm=Highest, config={**PATIENT, "idle_limit_s": 3.0})
def segments_silent_in_the_top_rung(m: Media) -> Files:
    """A disk that hangs under one rung: a try ends after the idle limit; another stands in."""
    return rungs(m, v2__1_m4s=Answer(body=m["v2/1.m4s"], stalls_after=500))


# --- all of it ------------------------------------------------------------------------


@odd(refused("404", played_s=1.0, within_s=45), config=PATIENT)
def segment_missing_everywhere(m: Media) -> Files:
    """hls.js: fatal; what is buffered is played out first."""
    return rungs(m, v0__1_m4s=GONE, v1__1_m4s=GONE, v2__1_m4s=GONE)


@odd(refused("503", played_s=1.0, within_s=45), config=PATIENT)
def segment_down_everywhere(m: Media) -> Files:
    """The same with a server that is overloaded."""
    return rungs(m, v0__1_m4s=DOWN, v1__1_m4s=DOWN, v2__1_m4s=DOWN)


@odd(refused("404", within_s=45), config=PATIENT)
def playlists_missing_everywhere(m: Media) -> Files:
    """The list is there, and nothing of what it lists."""
    return rungs(m, v0_m3u8=GONE, v1_m3u8=GONE, v2_m3u8=GONE)


@odd(refused("404", played_s=2.0, within_s=45), config=PATIENT)
def last_segment_missing_everywhere(m: Media) -> Files:
    """Not the end of the film."""
    return rungs(m, v0__2_m4s=GONE, v1__2_m4s=GONE, v2__2_m4s=GONE)


@odd(refused("404", within_s=45), config=PATIENT)
def first_segment_missing_everywhere(m: Media) -> Files:
    """Nothing to begin with."""
    return rungs(m, v0__0_m4s=GONE, v1__0_m4s=GONE, v2__0_m4s=GONE)


# --- sound ----------------------------------------------------------------------------


@odd(refused("a0.m3u8.*404", within_s=45), config=PATIENT)
def playlist_missing_of_the_sound(m: Media) -> Files:
    """hls.js ends with it; a film without its sound is not what was asked for."""
    return with_sound(m, a0_m3u8=GONE)


@odd(refused("a0/1.m4s.*404", played_s=1.0, within_s=45), config=PATIENT)
def segment_missing_of_the_sound(m: Media) -> Files:
    """hls.js ends with it."""
    return with_sound(m, a0__1_m4s=GONE)


@odd(plays(within_s=45), config=PATIENT)
def segment_down_of_the_sound_for_a_while(m: Media) -> Files:
    """503 twice."""
    return with_sound(m, a0__1_m4s=[DOWN, DOWN, m["a0/1.m4s"]])


@odd(plays(within_s=45), config=PATIENT)
def sound_from_the_other_group(m: Media) -> Files:
    """The low group's sound is missing; the rung above has one of its own."""
    text = master(
        sound("lo", uri="a0.m3u8"),
        sound("hi", uri="a1.m3u8"),
        variant("v0.m3u8", 100_000, codecs=MUXED, more='AUDIO="lo"'),
        variant("v1.m3u8", 200_000, codecs=MUXED, more='AUDIO="hi"'),
    )
    return {**ladder(m, "v0", "v1", "a1"), "main.m3u8": text}


# --- other places -----------------------------------------------------------------------


@odd(plays(within_s=40, check=asked_for("b/v0/0.m4s")), config=PATIENT)
def redundant_variant_when_the_first_is_missing(m: Media) -> Files:
    """The same figures on another host, listed behind (RFC 8216bis, 6.2.4)."""
    text = master(
        variant("a/v0.m3u8", 100_000),
        variant("{other}/b/v0.m3u8", 100_000),
    )
    below = {f"b/{name}": data for name, data in m.of("v0").items()}
    return {"main.m3u8": text, "b/v0.m3u8": fmp4(), **below}


@odd(plays(within_s=40), config=PATIENT)
def redundant_variant_in_the_middle(m: Media) -> Files:
    """The first host loses its second segment."""
    text = master(variant("a/v0.m3u8", 100_000), variant("b/v0.m3u8", 100_000))
    films = {f"{host}/{name}": data for host in "ab" for name, data in m.of("v0").items()}
    lists: dict[str, Script] = {"a/v0.m3u8": fmp4(), "b/v0.m3u8": fmp4()}
    return {"main.m3u8": text, **films, **lists, "a/v0/1.m4s": GONE}


@odd(plays(within_s=40), config=PATIENT)
def redundant_variant_when_a_host_refuses(m: Media) -> Files:
    """Nobody listens at the first."""
    text = master(variant("http://127.0.0.1:9/v0.m3u8", 100_000), variant("v0.m3u8", 100_000))
    return {**ladder(m, "v0"), "main.m3u8": text}


@odd(plays(within_s=40), config=PATIENT)
def pathway_that_is_dead(m: Media) -> Files:
    """Two pathways and a steering server that prefers the dead one."""
    text = master(
        '#EXT-X-CONTENT-STEERING:SERVER-URI="steer.json",PATHWAY-ID="A"\n',
        variant("http://127.0.0.1:9/v0.m3u8", 100_000, more='PATHWAY-ID="A"'),
        variant("v0.m3u8", 100_000, more='PATHWAY-ID="B"'),
    )
    manifest = '{"VERSION":1,"TTL":300,"PATHWAY-PRIORITY":["A","B"]}'
    return {**ladder(m, "v0"), "main.m3u8": text, "steer.json": manifest}


@odd(plays(within_s=40, check=asked_for("c/v0/0.m4s")), config=PATIENT)
def pathway_that_is_cloned(m: Media) -> Files:
    """PATHWAY-CLONES: the same URIs on another host, which come first."""
    text = master(
        '#EXT-X-CONTENT-STEERING:SERVER-URI="steer.json"\n',
        variant("c/v0.m3u8", 100_000, more='PATHWAY-ID="A"'),
    )
    # A clone with nothing but its name changed leads to the same place.
    manifest = (
        '{"VERSION":1,"TTL":300,"PATHWAY-PRIORITY":["C","A"],"PATHWAY-CLONES":'
        '[{"BASE-ID":"A","ID":"C","URI-REPLACEMENT":{"PARAMS":{"clone":"a b/(1)"}}}]}'
    )
    below = {f"c/{name}": data for name, data in m.of("v0").items()}
    return {"main.m3u8": text, "c/v0.m3u8": fmp4(), "steer.json": manifest, **below}


def steered(m: Media, answer: Script) -> Files:
    """Two pathways that both work, and a steering server."""
    text = master(
        '#EXT-X-CONTENT-STEERING:SERVER-URI="steer.json",PATHWAY-ID="A"\n',
        variant("v0.m3u8", 100_000, more='PATHWAY-ID="A"'),
        variant("v1.m3u8", 100_000, more='PATHWAY-ID="B"'),
    )
    return {**ladder(m, "v0", "v1"), "main.m3u8": text, "steer.json": answer}


@odd(plays())
def steering_gone(m: Media) -> Files:
    """410 ends steering for this session."""
    return steered(m, Answer(status=410))


@odd(plays())
def steering_too_many(m: Media) -> Files:
    """429 waits; hls.js ends steering."""
    return steered(m, Answer(status=429, headers={"Retry-After": "1"}))


@odd(plays())
def steering_rubbish(m: Media) -> Files:
    """What is no manifest changes nothing."""
    return steered(m, '{"VERSION":"x","PATHWAY-PRIORITY":[1,2]}')


@odd(plays())
def steering_to_unknown_pathways(m: Media) -> Files:
    """Names that no variant has are passed over."""
    return steered(m, '{"VERSION":1,"TTL":1,"PATHWAY-PRIORITY":["X","Y"]}')


@odd(plays())
def steering_that_hangs(m: Media) -> Files:
    """Nobody waits for it."""
    return steered(m, Answer(body="{}", wait_s=60))


# --- gaps -------------------------------------------------------------------------------


def gap(folder: str) -> str:
    """A playlist whose second segment is a gap."""
    return fmp4(folder).replace(f"#EXTINF:1,\n{folder}/1", f"#EXT-X-GAP\n#EXTINF:1,\n{folder}/1")


@odd(plays(played_s=2.0, check=never_asked("v0/1.m4s")), other_players=False)
def gap_in_the_only_rung(m: Media) -> Files:
    """4.4.4.7: not fetched; hls.js jumps the hole."""
    return {**m.of("v0"), "main.m3u8": gap("v0")}


@odd(
    plays(check=both(never_asked("v0/1.m4s"), asked_for("v1/1.m4s"))),
    algorithm="fixed",
    params={"rung": 0},
    other_players=False,
)
def gap_in_one_rung(m: Media) -> Files:
    """hls.js takes the other rung's segment."""
    return rungs(m, v0_m3u8=gap("v0"))


@odd(plays(played_s=2.0, check=never_asked("v0/1.m4s", "v1/1.m4s")), other_players=False)
def gap_in_all_rungs(m: Media) -> Files:
    """Skipped."""
    return rungs(m, v0_m3u8=gap("v0"), v1_m3u8=gap("v1"), v2_m3u8=gap("v2"))


@odd(plays(played_s=2.0, check=never_asked("a0/1.m4s")), other_players=False)
def gap_in_the_sound(m: Media) -> Files:
    """Passed over in both tracks, as where both have it."""
    return with_sound(m, a0_m3u8=gap("a0"))


@odd(plays(played_s=2.0), other_players=False)
def gap_at_the_beginning(m: Media) -> Files:
    """Playback begins behind it."""
    text = fmp4().replace("#EXTINF:1,\nv0/0", "#EXT-X-GAP\n#EXTINF:1,\nv0/0")
    return {**m.of("v0"), "main.m3u8": text}


@odd(plays(played_s=2.0), other_players=False)
def gap_at_the_end(m: Media) -> Files:
    """Playback ends before it."""
    text = fmp4().replace("#EXTINF:1,\nv0/2", "#EXT-X-GAP\n#EXTINF:1,\nv0/2")
    return {**m.of("v0"), "main.m3u8": text}


@odd(refused("(?i)gap"), other_players=False)
def gaps_alone(m: Media) -> Files:
    """Nothing is there."""
    return {**m.of("v0"), "main.m3u8": fmp4().replace("#EXTINF", "#EXT-X-GAP\n#EXTINF")}
