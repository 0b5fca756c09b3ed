"""Variables of playlists (RFC 8216bis, 4.3 and 4.4.2.3)."""

from __future__ import annotations

import pytest

from abr.errors import PlaylistError
from transcode.inspection.listed import read_listed
from transcode.inspection.playlists import ListedMedia
from transcode.playlist.variables import MOST_CHARACTERS, expand, query_of


def test_references_are_replaced_in_uris_strings_and_hexadecimal_numbers_only() -> None:
    found = expand(
        """#EXTM3U
#EXT-X-DEFINE:NAME="host",VALUE="a.example"
#EXT-X-DEFINE:NAME="root",VALUE="//{$host}/film"
#EXT-X-DEFINE:NAME="iv",VALUE="00ff"
#EXT-X-KEY:METHOD=AES-128,URI="{$root}/key?{$host}",IV=0x{$iv}
# a comment {$root}
#EXTINF:4,{$root}
{$root}/0.ts
""",
        where="film",
    )
    assert found.faults == ()
    assert found.text.splitlines()[4:] == [
        '#EXT-X-KEY:METHOD=AES-128,URI="//a.example/film/key?a.example",IV=0x00ff',
        "# a comment {$root}",
        "#EXTINF:4,{$root}",
        "//a.example/film/0.ts",
    ]
    assert dict(found.variables)["root"] == "//a.example/film"


def test_a_playlist_without_variables_is_left_as_it_is() -> None:
    text = "#EXTM3U\r\n#EXTINF:4,\r\n 0.ts\r\n"
    assert expand(text, where="film").text is text


def test_values_come_from_the_url_and_from_the_playlist_that_lists_it() -> None:
    text = '#EXTM3U\n#EXT-X-DEFINE:QUERYPARAM="t"\n#EXT-X-DEFINE:IMPORT="dir"\n{$dir}/{$t}'
    query = query_of("https://a.example/p.m3u8?t=a%2Fb&t=second&empty=")
    found = expand(text, where="film", query=query, imports={"dir": "high"})
    assert found.text.splitlines()[-1] == "high/a/b"
    assert found.faults == ()


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("{$late}/0.ts", "{$late} is not defined"),
        ('#EXT-X-DEFINE:NAME="a",VALUE="2"', "a is defined twice"),
        ('#EXT-X-DEFINE:NAME="b"', "b without VALUE"),
        ('#EXT-X-DEFINE:NAME="b",IMPORT="b"', "NAME and IMPORT"),
        ('#EXT-X-DEFINE:VALUE="b"', "no name"),
        ('#EXT-X-DEFINE:NAME="b c",VALUE="1"', "variable 'b c'"),
        ('#EXT-X-DEFINE:IMPORT="b"', "IMPORT; expected it only"),
        ('#EXT-X-DEFINE:QUERYPARAM="empty"', "which has no empty"),
    ],
)
def test_a_wrong_definition_or_reference_is_told_with_its_line(line: str, words: str) -> None:
    text = f'#EXTM3U\n#EXT-X-DEFINE:NAME="a",VALUE="1"\n#EXT-X-TARGETDURATION:4\n{line}\n'
    text += '#EXT-X-DEFINE:NAME="late",VALUE="1"'
    listed = read_listed(text, where="film", query={"empty": ""})
    assert [fault.line for fault in listed.faults if words in fault.what] == [4]


def test_what_a_url_must_give_is_not_guessed_for_a_file() -> None:
    with pytest.raises(PlaylistError, match=r"film:2: .* expected a URL instead of a file"):
        expand('#EXTM3U\n#EXT-X-DEFINE:QUERYPARAM="t"\n', where="film")


def test_definitions_that_double_each_other_end_at_a_limit() -> None:
    lines = ["#EXTM3U", '#EXT-X-DEFINE:NAME="v0",VALUE="xxxxxxxxxxxxxxxx"']
    lines += [f'#EXT-X-DEFINE:NAME="v{n + 1}",VALUE="{{$v{n}}}{{$v{n}}}"' for n in range(40)]
    with pytest.raises(PlaylistError, match=f"over {MOST_CHARACTERS:,} characters"):
        expand("\n".join(lines), where="film")


def test_segments_keep_their_lines_and_take_their_values() -> None:
    listed = read_listed(
        '#EXTM3U\n#EXT-X-VERSION:8\n#EXT-X-DEFINE:NAME="d",VALUE="x"\n'
        "#EXT-X-TARGETDURATION:4\n#EXTINF:4,\n{$d}/0.ts\n",
        where="film",
    )
    assert isinstance(listed, ListedMedia)
    assert [(each.line, each.uri) for each in listed.segments] == [(6, "x/0.ts")]
    assert listed.faults == ()
