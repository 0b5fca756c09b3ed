"""What reads playlists liberally is what redacts them, or secrets would stay where it looks."""

from __future__ import annotations

import time

import pytest

from abr.redaction import Redactor
from transcode.playlist import MediaPlaylist, parse
from transcode.playlist.redaction import redact_playlist

SECRET = "c2VjcmV0MTIzNDU2Nzg5MA"


@pytest.mark.parametrize(
    "listed",
    [
        f'URI="i.mp4?token={SECRET}",BYTERANGE="5@0"',
        f"URI='i.mp4?token={SECRET}',BYTERANGE=\"5@0\"",
        f'uri="i.mp4?token={SECRET}",byterange="5@0"',
        f'BYTERANGE="5@0" , URI = "i.mp4?token={SECRET}"',
        f'BYTERANGE="5@0",URI=i.mp4?token={SECRET}',
        f'BYTERANGE="5@0",URI="data:video/mp4;base64,{SECRET}"',
    ],
)
def test_every_way_to_write_an_attribute_is_redacted(listed: str) -> None:
    text = f"\ufeff#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXT-X-MAP:{listed}\n#EXTINF:4,\ns\n"
    shown = redact_playlist(text, Redactor())
    assert SECRET not in shown
    read = parse(shown)
    assert isinstance(read, MediaPlaylist)
    section = read.segments[0].map
    assert section is not None
    assert section.byte_range == (0, 5)
    assert section.uri.startswith(("i.mp4?token=(1)", "data:video/mp4;base64,(1)"))


@pytest.mark.parametrize("line", ['A="/' + "X" * 100_000, "A" + " " * 100_000 + 'B="', "=" * 9**5])
def test_a_long_line_takes_no_longer_than_it_is(line: str) -> None:
    """Half a minute, when every letter was tried as the beginning of a name."""
    text = f'#EXTM3U\n#EXT-X-STREAM-INF:{line}"\nv\n'
    begun_s = time.process_time()
    redact_playlist(text, Redactor())
    parse(text)
    assert time.process_time() - begun_s < 5.0
