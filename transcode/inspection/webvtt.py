"""Segments of WebVTT: header, map of times, cues.

Source: WebVTT (W3C), 4; RFC 8216bis, 3.1.4 (X-TIMESTAMP-MAP).
"""

from __future__ import annotations

import re

from transcode.inspection.facts import Cue, TextFacts

_TIME = r"(?:(\d{2,6}):)?(\d{2}):(\d{2})\.(\d{3})"
_CUE = re.compile(rf"^[ \t]*{_TIME}[ \t]+-->[ \t]+{_TIME}", re.MULTILINE | re.ASCII)
_MAP = re.compile(r"^X-TIMESTAMP-MAP=(.*)$", re.MULTILINE)
_CLOCK_HZ = 90_000


def read_webvtt(data: bytes) -> TextFacts:
    """Facts of one segment; what is no WebVTT has no header."""
    text = data.decode("utf-8", errors="replace").removeprefix("\ufeff")
    return TextFacts(
        has_header=re.match(r"WEBVTT(?:[ \t\r\n]|$)", text) is not None,
        offset_s=_offset_s(text),
        cues=tuple(
            Cue(start_s=_seconds(m.groups()[:4]), end_s=_seconds(m.groups()[4:]))
            for m in _CUE.finditer(text)
        ),
    )


def _offset_s(text: str) -> float | None:
    match = _MAP.search(text.replace("\r", "\n"))
    if match is None:
        return None
    stamp = re.search(r"MPEGTS:([0-9]{1,20})", match[1])
    local = re.search(rf"LOCAL:{_TIME}", match[1], re.ASCII)
    if stamp is None or local is None:
        return None
    return int(stamp[1]) / _CLOCK_HZ - _seconds(local.groups())


def _seconds(parts: tuple[str | None, ...]) -> float:
    hours, minutes, seconds, thousandths = (int(part or 0) for part in parts)
    return hours * 3600 + minutes * 60 + seconds + thousandths / 1000
