"""What a playback says about itself with each request."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from abr.errors import ConfigError
from abr.link import SharedLink
from abr.trace import Trace
from edge.operations.cmcd import KEYS, Cmcd, parse_headers, parse_query, print_headers, print_query
from player.config import PlayerConfig
from player.drivers.virtual import VirtualDriver, VirtualResponse
from player.playback.actions import Want
from player.playback.cmcd import CmcdConfig, Spokesman, relative_path, with_argument
from player.playback.session import PlaybackSession
from tests.fakes.livestream import FakeLive
from tests.fakes.titles import FakeTitle, fixed

CALM = Trace.constant(20e6)
# 4 s segments of 4.128 Mbit/s: the first two come in time, then nothing for ten seconds.
OUTAGE = Trace.from_periods([(2.0, 20e6), (10.0, 0.0), (1000.0, 20e6)], end="hold")

VERSION_1 = {
    *("bl", "br", "bs", "cid", "d", "dl", "mtp", "nor", "nrr"),
    *("ot", "pr", "rtp", "sf", "sid", "st", "su", "tb", "v"),
}
ROUNDED = {"bl": 100, "dl": 100, "mtp": 100, "tbl": 100}


class Said(list[tuple[Want, Cmcd]]):
    """Everything that was said, in order."""

    def of(self, matches: Callable[[Want], bool]) -> list[Cmcd]:
        """With the requests that match."""
        return [cmcd for want, cmcd in self if matches(want)]

    def segments(self, track: str) -> list[Cmcd]:
        """With segments of one track."""
        return self.of(lambda want: want.kind == "segment" and want.track == track)


def listen(
    config: CmcdConfig | None = None,
    trace: Trace = CALM,
    title: FakeTitle | None = None,
    rung: int = 2,
) -> tuple[Said, PlaybackSession]:
    """Play on a virtual clock and note what would be said with each request."""
    title = title or FakeTitle(segments=6)
    session = PlaybackSession(title.url, fixed(rung), PlayerConfig(max_buffer_s=8.0))
    spokesman = Spokesman(session, config or CmcdConfig(), session_id="a-session")
    said = Said()

    def note(want: Want) -> VirtualResponse | None:
        said.append((want, spokesman.say(want)))
        return None

    title.refuse = note
    VirtualDriver(session, title, SharedLink(trace, rtt_s=0.02)).run()
    return said, session


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize("trace", [CALM, OUTAGE])
def test_what_is_said_is_written_and_read_back_as_it_was(version: int, trace: Trace) -> None:
    """Our edge's reader leaves nothing out, in either form."""
    said, _ = listen(CmcdConfig(version=version), trace)  # type: ignore[arg-type]  # 1 or 2
    assert len(said) == 3 + 1 + 2 + 6 + 6  # playlists, the rung's own, sections, segments
    for _, cmcd in said:
        for read in (parse_query(print_query(cmcd)), parse_headers(print_headers(cmcd))):
            assert read.left_out == 0
            assert dict(read.values) == dict(cmcd.values)


@pytest.mark.parametrize("version", [1, 2])
def test_every_key_is_of_its_version_and_rounded(version: int) -> None:
    said, _ = listen(CmcdConfig(version=version), OUTAGE)  # type: ignore[arg-type]  # 1 or 2
    for _, cmcd in said:
        for key, value in cmcd.values.items():
            assert key in (VERSION_1 if version == 1 else KEYS)
            for each in value if isinstance(value, tuple) else (value,):
                number = each[0] if isinstance(each, tuple) else each
                if key in ROUNDED:
                    assert number % ROUNDED[key] == 0
        assert (cmcd.values.get("v") == 2) == (version == 2)
        assert ("rtp" in cmcd.values, "nrr" in cmcd.values and version == 2) == (False, False)


def test_a_segment_says_what_it_is_and_how_urgent() -> None:
    """Peak rates of the playlist in kbit/s; the buffer is that of the track."""
    said, _ = listen()
    first, second = said.segments("video")[:2]
    assert dict(first.values) == {
        "sid": "a-session",
        "sf": "h",
        "st": "v",
        "ot": "v",
        "su": True,
        "pr": 0,
        "bl": 0,
        "d": 4000,
        "br": 4128,
        "tb": 4128,
        "nor": "00001.m4s",
    }
    # The first is here, and so is its audio: 4 s, less what was played since.
    assert {k: second.values[k] for k in ("bl", "dl", "nor")} == {
        "bl": 4000,
        "dl": 4000,
        "nor": "00002.m4s",
    }
    assert second.values["mtp"] == pytest.approx(20e6 / 1000, rel=0.1)
    assert not second.values.keys() & {"su", "pr", "bs"}
    assert "nor" not in said.segments("video")[-1].values


def test_audio_says_nothing_of_the_videos_rates() -> None:
    """Its own rate, where its playlist tells it, and its own next segment."""
    said, _ = listen()
    audio = said.segments("audio")[1].values
    assert (audio["ot"], audio["br"], audio["nor"]) == ("a", 128, "00002.m4s")
    assert "tb" not in audio


def test_playlists_sections_and_keys_say_their_kind_and_no_more() -> None:
    said, _ = listen(title=FakeTitle(segments=2, is_encrypted=True))
    kinds = {want.kind: cmcd.values for want, cmcd in said}
    found = {kind: values.get("ot") for kind, values in kinds.items()}
    assert found == {"multivariant": "m", "media": "m", "init": "i", "key": "k", "segment": "a"}
    for kind, values in kinds.items():
        if kind != "segment":
            assert not values.keys() & {"d", "bl", "br", "tb", "dl", "nor"}
            assert values["su"] is True
    assert "st" not in kinds["multivariant"]


def test_starvation_is_told_once_it_is_over_or_while_it_lasts() -> None:
    """Version 2 counts stalls and tells the length of each once."""
    said, session = listen(CmcdConfig(version=2), OUTAGE)
    stalls = [r for r in session.log.of("state") if "stalled" in (r["from"], r["to"])]
    assert [r["to"] for r in stalls] == ["stalled", "playing"]
    stalled_ms = round(1000 * (stalls[1]["t"] - stalls[0]["t"]))
    starved = [cmcd.values for _, cmcd in said if cmcd.is_set("bs")]
    assert {values["sta"] for values in starved} == {"r"}
    assert all(values["bsa"] == (1,) for values in starved)
    lengths = [cmcd.values["bsd"] for _, cmcd in said if "bsd" in cmcd.values]
    assert lengths == [(stalled_ms,)]
    assert said[-1][1].values["bsda"] == (stalled_ms,)
    assert not said[-1][1].is_set("bs")


def test_version_2_tells_the_startup_once_and_numbers_its_reports() -> None:
    said, session = listen(CmcdConfig(version=2))
    startup_ms = round(1000 * next(r["t"] for r in session.log.of("state")))
    assert [c.values["msd"] for _, c in said if "msd" in c.values] == [startup_ms]
    assert [c.values["sn"] for _, c in said] == list(range(len(said)))
    states = [c.values["sta"] for _, c in said]
    assert set(states) == {"s", "p"}
    assert states == sorted(states, reverse=True)


def test_version_2_has_keys_for_rates_of_picture_and_sound_together() -> None:
    """Where both are within one segment, or there is but one, the rate is that of the segment."""
    said, _ = listen(CmcdConfig(version=2), rung=1)
    apart = said.segments("video")[-1].values
    assert [apart[key] for key in ("ab", "tab", "lab", "pb")] == [
        *[((2128, "av"),), ((4128, "av"),), ((1128, "av"),), ((2128, "av"),)]
    ]
    assert not apart.keys() & {"br", "tb", "lb"}
    assert said.segments("audio")[-1].values["br"] == ((128, "a"),)
    alone, _ = listen(CmcdConfig(version=2), title=FakeTitle(has_audio=False), rung=1)
    values = alone.segments("video")[-1].values
    assert [values[key] for key in ("br", "tb", "lb", "ot")] == [
        *[((2000, "v"),), ((4000, "v"),), ((1000, "v"),), "v"]
    ]


def test_a_live_stream_says_how_far_behind_it_is_seen() -> None:
    """From when the end of the list was seen; the list itself is a second old at most."""
    stream = FakeLive(has_audio=False)
    session = PlaybackSession(stream.url, fixed(0), PlayerConfig())
    spokesman = Spokesman(session, CmcdConfig(version=2), session_id="a-session")
    said = Said()

    def note(want: Want, _now_s: float) -> VirtualResponse | None:
        said.append((want, spokesman.say(want)))
        return None

    stream.refuse = note
    driver = VirtualDriver(session, stream, SharedLink(CALM, rtt_s=0.02), stop_at_s=60.0)
    stream.clock = lambda: driver.now_s
    driver.run()
    late = said.segments("video")[-1].values
    assert late["st"] == "l"
    behind_s = [record["latency_s"] for record in session.log.of("live")][-1]
    ltc = late["ltc"]
    assert isinstance(ltc, int)
    assert ltc / 1000 == pytest.approx(behind_s, abs=1.0)
    assert "ltc" not in listen(CmcdConfig(version=2))[0][-1][1].values


class OneFile(FakeTitle):
    """Every segment is a part of one file."""

    def multivariant(self) -> str:
        """The lone media playlist."""
        parts = "".join(
            f"#EXTINF:4,\n#EXT-X-BYTERANGE:1000@{1000 * n}\nall film.mp4\n" for n in range(3)
        )
        head = '#EXT-X-MAP:URI="all film.mp4",BYTERANGE="500@9000"'
        return f"#EXTM3U\n#EXT-X-TARGETDURATION:4\n{head}\n{parts}#EXT-X-ENDLIST\n"


def test_parts_of_one_file_are_named_by_their_range() -> None:
    """Version 1 has ``nrr`` for the same object; version 2 a parameter of ``nor``."""
    first, second, last = listen(title=OneFile(), rung=0)[0].segments("video")
    assert (first.values["nrr"], second.values["nrr"]) == ("1000-1999", "2000-2999")
    assert "nrr" not in last.values
    assert "nor" not in first.values
    named = listen(CmcdConfig(version=2), title=OneFile(), rung=0)[0].segments("video")[0]
    text = dict(print_headers(named))["CMCD-Request"]
    assert 'nor=("all%20film.mp4";r="1000-1999")' in text
    assert not named.values.keys() & {"br", "ab", "ot", "d"}  # nobody said what is in the file


def test_ids_are_said_as_given() -> None:
    said, _ = listen(CmcdConfig(session_id="mine", content_id='film "7"'))
    assert (said[0][1].values["sid"], said[0][1].values["cid"]) == ("mine", 'film "7"')
    assert 'cid="film \\"7\\""' in dict(print_headers(said[0][1]))["CMCD-Session"]


@pytest.mark.parametrize(
    "wrong",
    [
        {"carriage": "body"},
        {"version": 3},
        {"session_id": "x" * 65},
        {"content_id": "x" * 129},
        {"content_id": "Straße"},
        {"session_id": "a\nb"},
    ],
)
def test_what_cannot_be_said_is_refused(wrong: dict[str, str]) -> None:
    with pytest.raises(ConfigError, match=next(iter(wrong))):
        CmcdConfig(**wrong)  # type: ignore[arg-type]  # that is the test


URLS = {
    "https://h.test/a%2Fb.ts": "https://h.test/a%2Fb.ts?CMCD=x",
    "https://h.test/a.ts?k=%27s%3A+&e": "https://h.test/a.ts?k=%27s%3A+&e&CMCD=x",
    "https://h.test/a.ts?": "https://h.test/a.ts?CMCD=x",
    "https://h.test/a.ts#part": "https://h.test/a.ts?CMCD=x#part",
    "https://h.test/a.ts?CMCD=old&k=1": "https://h.test/a.ts?k=1&CMCD=x",
    "https://h.test/a.ts?xCMCD=1&CMCD=a&CMCD=b": "https://h.test/a.ts?xCMCD=1&CMCD=x",
}


@pytest.mark.parametrize("url", URLS)
def test_a_url_gets_one_argument_and_is_otherwise_as_written(url: str) -> None:
    assert with_argument(url, "CMCD=x") == URLS[url]
    assert with_argument(URLS[url], "CMCD=x") == URLS[url]


PATHS = {
    ("http://h/a/b/2.ts", "http://h/a/b/1.ts"): "2.ts",
    ("http://h/a/c/2.ts?k=1", "http://h/a/b/1.ts?k=0"): "../c/2.ts?k=1",
    ("http://h/2.ts", "http://h/a/b/1.ts"): "../../2.ts",
    ("http://h/a/b/x:2.ts", "http://h/a/b/1.ts"): "./x:2.ts",
    ("http://h/a/b/1.ts", "http://h/a/b/1.ts"): "1.ts",
    ("http://h/a/b/", "http://h/a/b/1.ts"): "./",
    ("http://other/a/b/2.ts", "http://h/a/b/1.ts"): None,
    ("https://h/a/b/2.ts", "http://h/a/b/1.ts"): None,
    ("data:,x", "http://h/a/b/1.ts"): None,
}


@pytest.mark.parametrize("pair", PATHS)
def test_the_next_object_is_named_relative_to_this_one(pair: tuple[str, str]) -> None:
    assert relative_path(*pair) == PATHS[pair]


def test_it_tells_who_it_speaks_for_and_nothing_else() -> None:
    title = FakeTitle()
    session = PlaybackSession(title.url, fixed(0))
    shown = repr(Spokesman(session, CmcdConfig(), session_id="a-session"))
    assert re.fullmatch(r"<Spokesman of session a-session, 0 requests>", shown)
