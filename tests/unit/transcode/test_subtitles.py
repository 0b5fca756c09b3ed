"""Subtitles: what is read, what is reported, and the segments of WebVTT made from it."""

from __future__ import annotations

from itertools import accumulate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from abr.errors import MediaError
from transcode.subtitles.ass import parse_ass
from transcode.subtitles.cues import Cue, Fault, Subtitles, divide, fit
from transcode.subtitles.encodings import decode_text
from transcode.subtitles.srt import parse_srt
from transcode.subtitles.webvtt import (
    TIMESTAMP_MAP,
    parse_webvtt,
    print_time,
    print_webvtt,
    segment_texts,
)

ASS = r"""[Script Info]
ScriptType: v4.00+
[V4+ Styles]
Format: Name, Fontname, Italic, Alignment
Style: Default,Arial,0,2
Style: Sign,Arial,-1,8
[Events]
Format: Layer, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect, Text
Dialogue: 0,0:00:01.50,0:00:02.00,Default,,0,0,0,,One, {\i1\fs20}two{\i0}\Nthree & \hfour
Dialogue: 1,0:00:01.50,0:00:02.00,Default,,0,0,0,,One, {\i1}two{\i0}\Nthree & \hfour
Dialogue: 0,0:00:01.00,0:00:02.00,Default,,0,0,0,,{\p1}m 0 0 l 9 9{\p0}
Dialogue: 0,0:00:03.00,0:00:04.00,Sign,,0,0,0,,EXIT
Dialogue: 0,0:00:04.00,0:00:04.50,Sign,,0,0,0,,{\pos(1,2)\an7}door
Comment: 0,0:00:03.00,0:00:04.00,Sign,,0,0,0,,not shown
Dialogue: 0,never,0:00:04.00,Sign,,0,0,0,,lost
"""


def cue(start_ms: int, end_ms: int, text: str = "x", settings: str = "") -> Cue:
    return Cue(start_ms=start_ms, end_ms=end_ms, text=text, settings=settings)


TWO = (cue(1000, 2500, "One"), cue(3000, 4000, "Two"))
ONE_SRT = "1\n00:00:01,000 --> 00:00:02,500\nOne\n\n"
TWO_SRT = "2\n00:00:03,000 --> 00:00:04,000\nTwo\n"


@pytest.mark.parametrize(
    "text",
    [
        ONE_SRT + TWO_SRT,
        "\ufeff" + (ONE_SRT + TWO_SRT).replace("\n", "\r\n"),
        (ONE_SRT + TWO_SRT).replace("\n", "\r"),
        "00:00:01.000 --> 00:00:02.500\nOne\n\n00:00:03.000 --> 00:00:04.000\nTwo",
        "1\n00:01,000 --> 0:00:02,500 X1:1 X2:2 Y1:3 Y2:4\nOne\n2\n0:0:3 -> 00:00:04,000\nTwo",
        "\n\n1\n\n00:00:01,000 --> 00:00:02,500\nOne\n\n2\n\n00:00:03,000 --> 00:00:04,000\n\nTwo",
        TWO_SRT + "\n" + ONE_SRT,
        "1\n00:00:00,000 --> 00:00:09,000\n \n\n" + ONE_SRT + TWO_SRT,
    ],
)
def test_subrip_is_read_however_it_was_written(text: str) -> None:
    """Marks, line ends, missing numbers and hours, blank lines, positions, order, empty cues."""
    assert parse_srt(text) == Subtitles(cues=TWO)


def test_numbers_that_are_text_stay_text() -> None:
    """A year alone is not the number of the next cue; 3 after cue 2 is."""
    read = parse_srt(
        "1\n00:00:01,000 --> 00:00:02,000\n1984\n\n2\n00:00:02,000 --> 00:00:03,000\n42\n"
        "3\n00:00:03,000 --> 00:00:04,000\n7"
    )
    assert [each.text for each in read.cues] == ["1984", "42", "7"]


def test_markup_of_subrip_becomes_that_of_webvtt() -> None:
    """Tags are closed in order, colours go, codes become places, the rest is escaped."""
    read = parse_srt(
        "1\n00:00:01,000 --> 00:00:02,000\n"
        '{\\an8}<B><i>A</b> & <font color="red">B</font> <3 &amp; c --> d {\\u1}e\n'
    )
    (found,) = read.cues
    assert found.text == "<b><i>A</i></b> &amp; B &lt;3 &amp; c --&gt; d <u>e</u>"
    assert found.settings == "line:0"


def test_a_cue_that_cannot_be_used_is_named_with_its_line() -> None:
    """Nothing is lost without a word, and the cues around it are read."""
    read = parse_srt(
        "Title\n\n1\n00:00:05,000 --> 00:00:02,500\nbackwards\n\n"
        "2\no0:00:01,000 --> 00:00:02,500\nletter\n\n3\n00:00:01,000 --> \ncut\n\n" + TWO_SRT
    )
    assert [each.text for each in read.cues] == ["Two"]
    assert [(fault.line, fault.message.split(";")[0]) for fault in read.faults] == [
        (1, "'Title' before the first time"),
        (4, "ends at 00:00:02,500, not after its start at 00:00:05,000"),
        (8, "times 'o0:00:01,000 --> 00:00:02,500' cannot be read"),
        (12, "times '00:00:01,000 -->' cannot be read"),
    ]


def test_webvtt_is_read_with_styles_settings_and_names() -> None:
    """Hours are optional; notes go; tags and escapes stay as they are."""
    read = parse_webvtt(
        "WEBVTT - a film\nKind: captions\n\nSTYLE\n::cue { color: red }\n\nREGION\nid:top\n\n"
        "NOTE\nnothing\n\nid 1\n00:01.000 --> 100:00:02.500 align:start line:0\n"
        "<v Bob>One &amp; two\nmore\n\n00:00:03.000 --> 00:00:04.000\nTwo\n",
        where="a.vtt",
    )
    assert read == Subtitles(
        cues=(
            Cue(
                start_ms=1000,
                end_ms=360_002_500,
                text="<v Bob>One &amp; two\nmore",
                identifier="id 1",
                settings="align:start line:0",
            ),
            TWO[1],
        ),
        blocks=("STYLE\n::cue { color: red }", "REGION\nid:top"),
    )


def test_what_is_wrong_with_webvtt_is_named_with_its_line() -> None:
    read = parse_webvtt(
        "WEBVTT\n\n00:01.00 --> 00:02.000\na\n\n00:05.000 --> 00:02.000\nb\n\nlost words\n\n"
        "00:03.000 --> 00:04.000\nTwo\n00:05.000 --> 00:06.000\nthree\n",
        where="a.vtt",
    )
    assert [each.text for each in read.cues] == ["Two", "three"]
    assert [fault.line for fault in read.faults] == [3, 6, 9]
    with pytest.raises(MediaError, match=r"a\.vtt:1: .* expected WEBVTT"):
        parse_webvtt(ONE_SRT, where="a.vtt")


@pytest.mark.parametrize(
    ("line", "faults"),
    [(TIMESTAMP_MAP, 0), ("X-TIMESTAMP-MAP=LOCAL:00:00:10.000,MPEGTS:900000", 0),
     ("X-TIMESTAMP-MAP=MPEGTS:900000,LOCAL:00:00:00.000", 1), ("X-TIMESTAMP-MAP=?", 1)],
)  # fmt: skip
def test_another_zero_of_time_is_reported(line: str, faults: int) -> None:
    """Ten seconds are 900 000 ticks; only a map between equal times can be passed over."""
    read = parse_webvtt(f"WEBVTT\n{line}\n\n00:03.000 --> 00:04.000\nTwo\n", where="a.vtt")
    assert read.cues == TWO[1:]
    assert len(read.faults) == faults


def test_substation_alpha_is_read_as_text() -> None:
    """Commas in texts, styles, line breaks; layers are joined; drawings and comments go."""
    read = parse_ass(ASS, where="a.ass")
    assert read.cues == (
        cue(1500, 2000, "One, <i>two</i>\nthree &amp;  four"),
        cue(3000, 4000, "<i>EXIT</i>", "line:0"),
        cue(4000, 4500, "<i>door</i>", "line:0 align:start position:0%"),
    )
    assert read.faults == (
        Fault(15, "an event without text, or with times other than H:MM:SS.cc, is left out"),
        Fault(0, "1 drawing is left out: WebVTT has only text"),
    )
    with pytest.raises(MediaError, match=r"no \[Events\]"):
        parse_ass("text", where="a.ass")


def test_a_cue_over_a_border_is_in_both_segments_and_touching_it_is_not() -> None:
    """Segments of 2 s: 1 to 2 is in the first only, 1 to 2.001 in two, 1 to 9 in all."""
    cues = (cue(1000, 2000, "a"), cue(1000, 2001, "b"), cue(1000, 9000, "c"), cue(2000, 3000, "d"))
    texts = [[each.text for each in part] for part in divide(cues, [2.0, 2.0, 2.0])]
    assert texts == [["a", "b", "c"], ["b", "c", "d"], ["c"]]


def test_segments_are_whole_files_in_the_films_time() -> None:
    """As many as the video has, empty ones included, each with the map of times and the styles."""
    read = Subtitles(cues=(cue(500, 2500, "a", "line:0"),), blocks=("STYLE\n::cue {}",))
    head = f"WEBVTT\n{TIMESTAMP_MAP}\n\nSTYLE\n::cue {{}}\n"
    shown = "\n00:00:00.500 --> 00:00:02.500 line:0\na\n"
    assert segment_texts(read, [2.0, 2.0, 2.0]) == [head + shown, head + shown, head]


def test_cues_after_the_film_are_counted_and_long_ones_end_with_it() -> None:
    found = fit(Subtitles(cues=(cue(0, 9000), cue(4000, 5000), cue(5000, 6000))), 4.0)
    assert found.cues == (cue(0, 4000),)
    assert found.faults[0].message.startswith(
        "2 cues start at 4.000 s or later, after the film's end at 4.000 s, and are left out"
    )


CUES = st.builds(
    lambda start, length, text: cue(start, start + length, text),
    st.integers(0, 20_000),
    st.integers(1, 15_000),
    st.text("ab<&>- é\n", min_size=1).map(
        lambda text: "\n".join(filter(str.strip, parse_text(text).split("\n"))) or "x"
    ),
)


def parse_text(text: str) -> str:
    """Any text as cue text."""
    read = parse_srt(f"00:00:01,000 --> 00:00:02,000\n{text}")
    return read.cues[0].text if read.cues else "x"


@given(st.lists(CUES, max_size=8), st.lists(st.floats(0.1, 8), min_size=1, max_size=6))
def test_what_is_divided_is_shown_exactly_where_it_was(
    cues: list[Cue], durations_s: list[float]
) -> None:
    """At any instant, the segment of that instant shows what the whole file shows."""
    cues.sort(key=lambda each: each.start_ms)
    parts = divide(cues, durations_s)
    ends = [1000 * end for end in accumulate(durations_s)]
    for at_ms in range(0, int(ends[-1]), 97):
        number = next(place for place, end in enumerate(ends) if at_ms < end)
        shown = [each for each in cues if each.start_ms <= at_ms < each.end_ms]
        assert [each for each in parts[number] if each.start_ms <= at_ms < each.end_ms] == shown


@given(st.lists(CUES, max_size=8))
def test_what_is_printed_reads_back_equal(cues: list[Cue]) -> None:
    cues.sort(key=lambda each: each.start_ms)
    read = parse_webvtt(print_webvtt(cues, head=[TIMESTAMP_MAP]), where="p")
    assert read == Subtitles(cues=tuple(cues))


@given(st.text() | st.lists(st.sampled_from(
    ["1", "00:00:01,000 --> 00:00:02,000", "-->", "00:00:1", "WEBVTT", "{\\p1}", "<i>", "[Events]",
     "Dialogue: 0,0:00:01.00,0:00:02.00,x", "Format: Start, End, Text", "", "STYLE", "a"]
)).map("\n".join))  # fmt: skip
def test_garbage_is_read_or_refused_by_our_error_only(text: str) -> None:
    """Whatever comes out can be printed as WebVTT and read back."""
    for read in (
        parse_srt,
        lambda each: parse_webvtt("WEBVTT\n" + each, where="g"),
        lambda each: parse_ass("[Events]\n" + each, where="g"),
    ):
        found = read(text)
        for each in found.cues:
            assert 0 <= each.start_ms < each.end_ms
        again = parse_webvtt(print_webvtt(found.cues), where="g")
        assert [each.start_ms for each in again.cues] == [each.start_ms for each in found.cues]


@pytest.mark.parametrize(
    ("data", "language", "expected"),
    [
        ("Grüße".encode(), None, ("Grüße", "utf-8", False)),
        ("Grüße".encode("utf-8-sig"), None, ("Grüße", "utf-8", False)),
        ("Grüße".encode("utf-16"), None, ("Grüße", "utf-16-le", False)),
        ("1\n00:00:01 Grüße".encode("utf-16-be"), None, ("1\n00:00:01 Grüße", "utf-16-be", False)),
        ("Grüße".encode("utf-32"), None, ("Grüße", "utf-32-le", False)),
        ("Grüße „“".encode("cp1252"), None, ("Grüße „“", "cp1252", True)),
        ("Привет".encode("cp1251"), "ru", ("Привет", "cp1251", True)),
        ("žluťoučký".encode("cp1250"), "cs-CZ", ("žluťoučký", "cp1250", True)),
    ],
)
def test_the_encoding_is_found(
    data: bytes, language: str | None, expected: tuple[str, str, bool]
) -> None:
    """By its mark, by its form, or by the language's old code page, which is a guess."""
    assert decode_text(data, language=language, where="a.srt") == expected


def test_bytes_that_are_no_text_are_refused() -> None:
    """0x81 is nothing in Windows-1252."""
    with pytest.raises(MediaError, match=r"a\.srt: byte 1 is not text in cp1252; expected UTF-8"):
        decode_text(b"a\x81\xff", language=None, where="a.srt")


def test_times_are_printed_with_hours() -> None:
    assert print_time(3_600_000 * 101 + 61_005) == "101:01:01.005"
