"""Frames of AC-3, E-AC-3 and MP3, as packed audio and transport streams hold them.

Source: ETSI TS 102 366, 4.3 (AC-3: syncinfo, bsi), E.1.2 (E-AC-3); ISO/IEC 11172-3, 2.4.1.3 and
ISO/IEC 13818-3, 2.4.2.3 (MPEG audio).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from transcode.media.adts import SoundFrames

_RATES = (48_000, 44_100, 32_000)
# Table 4.13: kilobits a second by half of frmsizecod.
_AC3_KBPS = (
    *(32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192),
    *(224, 256, 320, 384, 448, 512, 576, 640),
)
_FULL_CHANNELS = (2, 1, 2, 3, 3, 4, 4, 5)
"""By acmod, without the low-frequency channel."""
_EAC3_FROM = 11
"""bsid of E-AC-3."""
# Layer III: kilobits a second, MPEG-1, then MPEG-2 and 2.5.
_MP3_KBPS = (
    (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
)
_MP3_RATES = (44_100, 48_000, 32_000)


class _Frame(NamedTuple):
    size_bytes: int
    samples: int
    """0 for what plays together with the frame before it."""
    sample_rate: int
    channels: int
    codec: str


def read_frames(data: bytes) -> SoundFrames | None:
    """The frames in ``data``; None when it does not begin with one."""
    found = list(_frames(data))
    if not found:
        return None
    first = found[0]
    return SoundFrames(
        frames=sum(each.samples > 0 for each in found),
        samples=sum(each.samples for each in found),
        sample_rate=first.sample_rate,
        channels=first.channels,
        codec=first.codec,
        whole=sum(each.size_bytes for each in found) == len(data),
    )


def _frames(data: bytes) -> Iterator[_Frame]:
    at = 0
    while (frame := _frame(data[at : at + 8])) is not None:
        yield frame
        at += frame.size_bytes


def _frame(head: bytes) -> _Frame | None:
    if len(head) < 8:
        return None
    if head[:2] == b"\x0b\x77":
        return _eac3(head) if head[5] >> 3 >= _EAC3_FROM else _ac3(head)
    return _mp3(head) if head[0] == 0xFF and head[1] & 0xE6 == 0xE2 else None


def _ac3(head: bytes) -> _Frame | None:
    rate, code = head[4] >> 6, head[4] & 63
    if rate >= len(_RATES) or code // 2 >= len(_AC3_KBPS):
        return None
    words = _AC3_KBPS[code // 2] * 1000 * 1536 // _RATES[rate] // 16
    words += code & 1 if rate == 1 else 0
    mode = head[6] >> 5
    # 4.3.2: two bits each for centre mix, surround mix and surround mode, where there are any.
    skip = 3 + 2 * (mode & 1 and mode != 1) + 2 * (mode & 4 > 0) + 2 * (mode == 2)
    low = int.from_bytes(head[6:8], "big") >> (15 - skip) & 1
    return _Frame(2 * words, 1536, _RATES[rate], _FULL_CHANNELS[mode] + low, "ac-3")


def _eac3(head: bytes) -> _Frame | None:
    kind, substream = head[2] >> 6, head[2] >> 3 & 7
    size = 2 * (((head[2] & 7) << 8 | head[3]) + 1)
    rate, blocks = head[4] >> 6, head[4] >> 4 & 3
    if rate == 3:
        if blocks == 3:
            return None
        hertz, count = _RATES[blocks] // 2, 6
    else:
        hertz, count = _RATES[rate], (1, 2, 3, 6)[blocks]
    channels = _FULL_CHANNELS[head[4] >> 1 & 7] + (head[4] & 1)
    counts = kind != 1 and substream == 0
    return _Frame(size, 256 * count if counts else 0, hertz, channels, "ec-3")


def _mp3(head: bytes) -> _Frame | None:
    version, code, rate = head[1] >> 3 & 3, head[2] >> 4, head[2] >> 2 & 3
    is_first = version == 3
    if version == 1 or rate == 3 or not 0 < code < 15:
        return None
    hertz = _MP3_RATES[rate] >> (0 if is_first else 1 if version == 2 else 2)
    bps = 1000 * _MP3_KBPS[not is_first][code]
    samples = 1152 if is_first else 576
    size = samples // 8 * bps // hertz + (head[2] >> 1 & 1)
    return _Frame(size, samples, hertz, 1 if head[3] >> 6 == 3 else 2, "mp3")
