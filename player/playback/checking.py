"""Whether a body is what was asked for, as far as its first bytes tell.

A server that answers an error page with status 200, or a part of something else, must not count as
media that were played. Nothing is decoded: what begins as its kind begins is taken for it.

Sources: ISO/IEC 14496-12, 4.2 (boxes); ISO/IEC 13818-1, 2.4.3.2 (sync byte); RFC 8216bis, 3.1
(kinds of segments).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from player.playback.actions import Want

_BOXES = frozenset(
    b"ftyp styp moov moof mdat sidx emsg prft free skip uuid pdin wide ssix meta mfra".split()
)
_PAGE = re.compile(rb"\s*<(?:!doctype|html|head|body|\?xml|h1|error)", re.IGNORECASE)
_TS_PACKET = 188
_KEY_BYTES = 16


@dataclass(frozen=True, slots=True)
class Body:
    """A body that is complete."""

    data: bytes = field(repr=False)
    media_type: str = ""
    """Content-Type as the server sent it."""


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
        return f"a page ({body.media_type.partition(';')[0] or 'HTML'}) where media were expected"
    if want.kind == "key" and len(data) != _KEY_BYTES:
        return f"a key of {len(data)} bytes; expected {_KEY_BYTES}"
    is_whole = want.key is None or want.key.method != "AES-128"
    if want.kind in ("init", "segment") and is_whole:
        return check_media(want, data)
    return ""


def check_media(want: Want, data: bytes) -> str:
    """What is wrong with media in the clear; empty when they begin as their kind begins."""
    if not data:
        return f"an empty {_PLAIN[want.kind]}"
    if _PAGE.match(data):
        return "a page where media were expected"
    if want.kind == "init" or want.init is not None:
        size = int.from_bytes(data[:4], "big")
        if data[4:8] not in _BOXES or not (size in (0, 1) or size >= 8):
            return f"{_NAMES[want.kind]} begins with {_shown(data)}; expected a box of MP4"
        if size > len(data):
            return f"{_NAMES[want.kind]} ends within its first box; expected all of it"
        return ""
    if is_plain_media(data):
        return ""
    return f"a segment begins with {_shown(data)}; expected MP4, a transport stream or packed audio"


def is_plain_media(data: bytes) -> bool:
    """Whether something without an initialisation section begins as segments do."""
    if data[0] == 0x47:
        return len(data) < 2 * _TS_PACKET or data[_TS_PACKET] == 0x47
    # ID3 before packed audio; frames of ADTS and MPEG audio; AC-3; WebVTT; MP4 that is whole.
    is_frame = data[0] == 0xFF and len(data) > 1 and data[1] & 0xE0 == 0xE0
    starts = (b"ID3", b"\x0b\x77", b"WEBVTT", b"\xef\xbb\xbfWEBVTT")
    return is_frame or data.startswith(starts) or data[4:8] in _BOXES


def _shown(data: bytes) -> str:
    return data[:8].hex(" ")


_PLAIN = {"init": "initialisation section", "media": "playlist", "multivariant": "playlist"}
_PLAIN["segment"] = "segment"
_NAMES = {"init": "an initialisation section", "segment": "a segment"}
