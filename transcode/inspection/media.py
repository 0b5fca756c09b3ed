"""One segment's bytes to facts, whatever its format."""

from __future__ import annotations

import struct

from abr.errors import MediaError
from transcode.inspection.facts import InitFacts, SegmentFacts, TrackFacts
from transcode.inspection.isofragments import read_fragments
from transcode.inspection.isomedia import read_init
from transcode.inspection.transport import read_packed_audio, read_transport
from transcode.inspection.webvtt import read_webvtt
from transcode.media.packets import PACKET_BYTES

_BOXES = frozenset(
    [b"styp", b"moof", b"sidx", b"emsg", b"prft", b"ftyp", b"moov", b"free", b"skip", b"ssix"]
)


def container_of(data: bytes) -> str:
    """``fmp4``, ``ts``, ``aac``, ``vtt``, or empty for what is none of them."""
    if data[4:8] in _BOXES:
        return "fmp4"
    if data[:1] == b"\x47" and data[PACKET_BYTES : PACKET_BYTES + 1] in (b"", b"\x47"):
        return "ts"
    if (
        data[:3] == b"ID3"
        or data[:2] == b"\x0b\x77"
        or (data[:1] == b"\xff" and data[1:2] > b"\xef")
    ):
        return "aac"
    if data.removeprefix(b"\xef\xbb\xbf").startswith(b"WEBVTT"):
        return "vtt"
    return ""


def read_segment(
    data: bytes, init: InitFacts | None, *, role: str, size_bytes: int
) -> SegmentFacts:
    """What is in one segment; what cannot be read is told in ``problem``.

    Args:
        data: In the clear, but for encrypted samples.
        init: Its initialisation section; None when none is listed.
        role: Of its playlist: ``iframes`` may end inside a fragment, ``subtitles`` are text.
        size_bytes: As served.
    """
    container = container_of(data)
    if role == "subtitles" and container in ("vtt", ""):
        return SegmentFacts(size_bytes=size_bytes, container="vtt", text=read_webvtt(data))
    try:
        if container == "fmp4":
            return _fmp4(data, init, role, size_bytes)
        if container == "ts":
            tracks, stretches, fault = read_transport(data)
            return SegmentFacts(
                size_bytes=size_bytes,
                container="ts",
                tracks=tracks,
                stretches=stretches,
                counters=fault,
            )
        if container == "aac":
            track, stretch = read_packed_audio(data)
            return SegmentFacts(
                size_bytes=size_bytes, container="aac", tracks=(track,), stretches=(stretch,)
            )
    except MediaError as exc:
        return SegmentFacts(size_bytes=size_bytes, container=container, problem=str(exc))
    except (struct.error, IndexError, ValueError, OverflowError) as exc:
        problem = f"cannot be read ({type(exc).__name__})"
        return SegmentFacts(size_bytes=size_bytes, container=container, problem=problem)
    if not data:
        return SegmentFacts(size_bytes=size_bytes)
    start = data[:8].hex(" ")
    what = "a page of HTML or XML" if data.lstrip()[:1] == b"<" else f"it begins with {start}"
    return SegmentFacts(size_bytes=size_bytes, problem=f"of no known format: {what}")


def _fmp4(data: bytes, init: InitFacts | None, role: str, size_bytes: int) -> SegmentFacts:
    if init is None and b"moov" in data[:65_536]:
        init = read_init(data, "segment")
    if init is None or not init.tracks:
        # A section that is missing or damaged is reported once, not for every segment.
        return SegmentFacts(size_bytes=size_bytes, container="fmp4")
    tracks: dict[int, TrackFacts] = {track.id: track for track in init.tracks}
    stretches = read_fragments(data, tracks, is_part=role == "iframes")
    return SegmentFacts(size_bytes=size_bytes, container="fmp4", stretches=stretches)
