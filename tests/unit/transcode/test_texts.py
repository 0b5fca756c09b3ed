"""Which subtitles a master has, what files beside it are asked for, and what they are called."""

from __future__ import annotations

from typing import Any

import pytest

from transcode.ffmpeg import text_arguments
from transcode.masters.texts import (
    TextFile,
    faults_in_words,
    name_of_text,
    text_file,
    text_streams,
    text_uses,
)


def stream(index: int, codec: str, language: str = "und", **more: Any) -> dict[str, Any]:
    tags = {"language": language, "title": more.pop("title", "")}
    return {
        "index": index, "codec_type": "subtitle", "codec_name": codec, "tags": tags,
        "disposition": more,
    }  # fmt: skip


def test_streams_of_text_are_used_and_pictures_of_text_named() -> None:
    used, left = text_streams(
        {
            "streams": [
                {"index": 0, "codec_type": "video"},
                stream(1, "subrip", "ger"),
                stream(2, "ass", "eng", title="Signs & Songs (Forced)"),
                stream(3, "mov_text", "fr-CA", hearing_impaired=1),
                stream(4, "hdmv_pgs_subtitle", "spa"),
                stream(5, "dvb_teletext"),
                stream(6, "webvtt", forced=1),
                stream(7, "subrip", "eng", title="English SDH"),
            ]
        }
    )
    assert [(each.index, each.form, each.is_copied, each.language) for each in used] == [
        (1, "srt", True, "de"),
        (2, "ass", True, "en"),
        (3, "srt", False, "fr-CA"),
        (6, "webvtt", True, None),
        (7, "srt", True, "en"),
    ]
    assert [each.index for each in used if each.forced] == [2, 6]
    assert [each.index for each in used if each.hearing_impaired] == [3, 7]
    assert [(use.index, use.is_used, use.use) for use in text_uses(used[:1], left)] == [
        (1, True, "subtitles"),
        (4, False, "left out: pictures of text (Blu-ray); give a text file with --subtitles"),
        (5, False, "left out: not text to ffmpeg; give a text file with --subtitles"),
    ]


def test_all_streams_are_read_in_one_pass_each_in_its_form() -> None:
    """Copied where the form is ours, decoded otherwise; times stay the file's own."""
    used, _ = text_streams({"streams": [stream(2, "ass"), stream(3, "mov_text")]})
    command = text_arguments(used, "/a b.mkv", ["pipe:5", "pipe:6"])
    assert command[command.index("-copyts") :] == [
        "-copyts", "-protocol_whitelist", "file", "-i", "file:/a b.mkv",
        "-map", "0:2", "-f", "ass", "-c:s", "copy", "pipe:5",
        "-map", "0:3", "-f", "srt", "-c:s", "srt", "pipe:6",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("wish", "expected"),
    [
        ("a.srt", TextFile(path="a.srt")),
        ("a.srt:de", TextFile(path="a.srt", language="de")),
        ("a.srt:ger", TextFile(path="a.srt", language="de")),
        ("a.srt:pt-BR:forced", TextFile(path="a.srt", language="pt-BR", forced=True)),
        ("a.srt:SDH:en", TextFile(path="a.srt", language="en", hearing_impaired=True)),
        ("film.de.srt", TextFile(path="film.de.srt", language="de")),
        ("v2.en.forced.srt", TextFile(path="v2.en.forced.srt", language="en", forced=True)),
        ("film.de.srt:fr", TextFile(path="film.de.srt", language="fr")),
        ("a:b.srt", TextFile(path="a:b.srt")),
        ("a.srt:klingonish", TextFile(path="a.srt:klingonish")),
        (":de", TextFile(path=":de")),
    ],
)  # fmt: skip
def test_a_wish_for_a_file_says_its_language_or_its_name_does(
    wish: str, expected: TextFile
) -> None:
    assert text_file(wish) == expected


@pytest.mark.parametrize(
    ("title", "language", "marks", "taken", "expected"),
    [
        ("", "de", (False, False), [], "Deutsch"),
        ("", "pt-BR", (True, False), [], "Português (Brasil) (forced)"),
        ("", "en", (False, True), ["English"], "English SDH"),
        ("", "en", (False, False), ["English", "English 2"], "English 3"),
        ("", None, (False, False), [], "Subtitles"),
        ("", "yue", (False, False), [], "粵語"),
        ("Full", "fr", (False, False), ["Full"], "Full (Français)"),
        ('Signs "and"\nsongs', "en", (True, False), [], "Signs 'and' songs"),
    ],
)
def test_every_name_in_the_menu_is_another(
    title: str, language: str | None, marks: tuple[bool, bool], taken: list[str], expected: str
) -> None:
    """No name can break a line or a quotation of a playlist."""
    name = name_of_text(
        title=title, language=language, forced=marks[0], hearing_impaired=marks[1], taken=taken
    )
    assert name == expected


def test_many_faults_are_counted_after_the_first_ones() -> None:
    lines = faults_in_words("a.srt", [(0, "all"), *((n, "bad") for n in range(1, 13))], most=3)
    assert lines == [
        "a.srt: all",
        "a.srt:1: bad",
        "a.srt:2: bad",
        "a.srt: and 10 more of this kind",
    ]
