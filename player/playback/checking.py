"""Whether a body is what was asked for, as far as its structure tells.

A server that answers an error page with status 200, or a part of something, must not count as
media that were played. Nothing is decoded: what is built as its kind is built is taken for it.

Sources: ISO/IEC 14496-12, 4.2 (boxes); ISO/IEC 13818-1, 2.4.3.2 (sync byte); RFC 8216bis, 3.1
(kinds of segments).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from abr.errors import MediaError
from player.playback.actions import Want
from player.playback.tokenrenewal import token_in
from transcode.media.boxes import Box, boxes, read_header

_BOXES = frozenset(
    b"ftyp styp moov moof mdat sidx emsg prft free skip uuid pdin wide ssix meta mfra".split()
)
_HEADS = frozenset(b"styp sidx prft emsg free skip".split())
"""What stands before fragments."""
_SLIVER_S = 0.1
"""What players step over: ``maxBufferHole`` of hls.js 1.7. ffmpeg ends lists of FLAC with a last
frame that has a segment to itself, and writes nothing into it but ``styp``."""
_KIND = re.compile(rb"[ -~]{4}")
_PAGE = re.compile(rb"\s*<(?:!doctype|html|head|body|\?xml|h1|error)", re.IGNORECASE)
_TS_PACKET = 188
_TS_SEARCHED = 5 * _TS_PACKET
"""How far players look for the first packet: some hide streams behind the head of a picture."""
_KEY_BYTES = 16


@dataclass(frozen=True, slots=True)
class Body:
    """A body that is complete."""

    data: bytes = field(repr=False)
    media_type: str = ""
    """Content-Type as the server sent it."""
    is_whole: bool = True
    """Its length was promised and kept; if not, the end of the connection may have cut it."""


def check_body(want: Want, body: Body) -> str:
    """What is wrong with a body; empty when it looks like what was wanted.

    What is encrypted as a whole file is looked at after it was decrypted; see ``check_media``.
    """
    data = body.data
    if not data:
        return f"an empty {_PLAIN.get(want.kind, want.kind)}"
    if want.byte_range is not None and len(data) != want.byte_range.length:
        return f"{len(data)} bytes; expected {want.byte_range.length}, the range asked for"
    if _PAGE.match(data) and want.kind not in ("licence", "token"):
        return (
            f"a page ({body.media_type.partition(';')[0] or 'HTML'}) where "
            f"{_EXPECTED.get(want.kind, 'media were')} expected"
        )
    if want.kind == "key" and len(data) != _KEY_BYTES:
        return f"a key of {len(data)} bytes; expected {_KEY_BYTES}"
    if want.kind == "token" and token_in(data) is None:
        return "an answer that holds no token"
    is_clear = want.key is None or want.key.method != "AES-128"
    if want.kind in ("init", "segment") and is_clear:
        return check_media(want, data, is_whole=body.is_whole)
    return ""


def check_media(want: Want, data: bytes, *, is_whole: bool = True) -> str:
    """What is wrong with media in the clear; empty when they are built as their kind is built."""
    if not data:
        return f"an empty {_PLAIN[want.kind]}"
    if _PAGE.match(data):
        return "a page where media were expected"
    start = _first_packet(data)
    if start >= 0:
        rest = (len(data) - start) % _TS_PACKET
        # A rest behind the packets is left by players, but may be half of what was coming.
        return (
            f"a transport stream cut within a packet ({rest} bytes)"
            if rest and not is_whole
            else ""
        )
    if want.kind == "segment" and want.init is None and _is_packed(data):
        return ""
    if data[4:8] not in _BOXES and not _is_boxes(data):
        expected = "a box of MP4"
        if want.kind == "segment" and want.init is None:
            expected = "MP4, a transport stream or packed audio"
        return f"{_NAMES[want.kind]} begins with {data[:8].hex(' ')}; expected {expected}"
    return _check_boxes(want, data)


def tracks_of(init: bytes) -> frozenset[int]:
    """Ids of the tracks that an initialisation section describes; none where it is no MP4.

    Raises:
        MediaError: its boxes do not fit into each other.
    """
    if _is_stream(init):
        return frozenset()
    return frozenset(
        # 8.3.2.2: version 1 has times of 64 bits before the id.
        int.from_bytes(init[at : at + 4], "big")
        for each in _inside(init, b"moov", b"trak", b"tkhd")
        for at in [each.body + (20 if init[each.body] == 1 else 12)]
    )


def check_tracks(data: bytes, tracks: frozenset[int]) -> None:
    """Look whether a segment is of one of ``tracks``, which its initialisation section describes.

    Raises:
        MediaError: it is of others, so that nothing of it could be decoded.
    """
    if not tracks:
        return
    if _is_stream(data):
        raise MediaError("no boxes behind an initialisation section of MP4; expected fragments")
    found = {
        int.from_bytes(data[each.body + 4 : each.body + 8], "big")
        for each in _inside(data, b"moof", b"traf", b"tfhd")
    }
    if found and not found & tracks:
        raise MediaError(
            f"fragments of track {min(found)}; expected track {min(tracks)}, which the "
            "initialisation section describes"
        )


def _is_stream(data: bytes) -> bool:
    """Whether it is a transport stream or packed audio, and not boxes."""
    return data[4:8] not in _BOXES and not _is_boxes(data)


def _check_boxes(want: Want, data: bytes) -> str:
    found = list(_top(data))
    kinds = {kind for kind, _, _ in found}
    last, _, end = found[-1]
    name = _NAMES[want.kind]
    if end > len(data):
        shown = last.decode("latin-1") or "last"
        return f"{name} ends within its box {shown}; expected all of it"
    if end < 0:
        return f"{name} with boxes that do not follow each other; expected MP4"
    if b"moov" in kinds or (want.kind == "segment" and want.init is not None and b"moof" in kinds):
        return ""
    if want.kind == "init":
        return f"{name} without moov; expected the box that describes the tracks"
    if want.init is None:
        return f"{name} of MP4 that describes no tracks; expected EXT-X-MAP in its playlist"
    if kinds <= _HEADS and 0 < want.duration_s <= _SLIVER_S:
        return ""
    return f"{name} without moof; expected a fragment"


def _top(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Kind, beginning and end of each outermost box; the last end tells of faults.

    Beyond the data: cut. -1: no box begins where the last one ended.
    """
    at = 0
    while at < len(data):
        # 4.2: a box of size 0 goes on to the end.
        if data[at : at + 4] == bytes(4) and _KIND.fullmatch(data[at + 4 : at + 8]):
            yield data[at + 4 : at + 8], at, len(data)
            return
        try:
            head = read_header(data, at)
        except MediaError:
            yield b"", at, -1
            return
        if head is None:
            yield b"", at, len(data) + 1
            return
        kind, _, size = head
        yield kind, at, at + size
        at += size


def _inside(data: bytes, *path: bytes) -> Iterator[Box]:
    """All boxes at ``path``."""
    places = [(0, len(data))]
    for kind in path[:-1]:
        places = [
            (each.body, each.end)
            for start, end in places
            for each in _siblings(data, start, end)
            if each.kind == kind
        ]
    for start, end in places:
        yield from (each for each in _siblings(data, start, end) if each.kind == path[-1])


def _siblings(data: bytes, start: int, end: int) -> Iterator[Box]:
    if start:
        yield from boxes(data, start, end)
        return
    for kind, at, after in _top(data):
        yield Box(kind, at, at + 8, after)


def _is_boxes(data: bytes) -> bool:
    """Whether boxes follow each other, and one that is known is among them."""
    kinds = []
    for kind, _, end in _top(data):
        if not _KIND.fullmatch(kind) or not 0 <= end <= len(data):
            return False
        kinds.append(kind)
    return not _BOXES.isdisjoint(kinds)


def _first_packet(data: bytes) -> int:
    """Where the packets of a transport stream begin; -1 when it is none."""
    if len(data) < 2 * _TS_PACKET:
        return 0 if data[0] == 0x47 else -1
    last = min(_TS_SEARCHED, len(data) - 2 * _TS_PACKET)
    at = data.find(b"\x47", 0, last + 1)
    while at >= 0:
        if all(byte == 0x47 for byte in data[at : at + 3 * _TS_PACKET : _TS_PACKET]):
            return at
        at = data.find(b"\x47", at + 1, last + 1)
    return -1


def _is_packed(data: bytes) -> bool:
    """Whether it begins as packed audio or WebVTT."""
    # ID3 before packed audio; frames of ADTS and MPEG audio; AC-3.
    is_frame = data[0] == 0xFF and len(data) > 1 and data[1] & 0xE0 == 0xE0
    return is_frame or data.startswith((b"ID3", b"\x0b\x77", b"WEBVTT", b"\xef\xbb\xbfWEBVTT"))


_PLAIN = {"init": "initialisation section", "media": "playlist", "multivariant": "playlist"}
_PLAIN["segment"] = "segment"
_EXPECTED = {"media": "a playlist was", "multivariant": "a playlist was", "key": "a key was"}
_NAMES = {"init": "an initialisation section", "segment": "a segment"}
