"""WebVTT as Matroska holds it: a header in the track, and a cue in each block.

ffmpeg knows only the form of WebM (``D_WEBVTT``), and no header of either. ffprobe prints the
bytes of both, as dumps in hexadecimal.

Source: Matroska Media Container Codec Specifications, S_TEXT/WEBVTT: CodecPrivate holds
what comes before the first cue; BlockAdditions hold settings, identifier and comments, a line each.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from transcode.subtitles.webvtt import print_time

_DUMPED = re.compile(r"^[0-9a-f]{8}: ((?:[0-9a-f]{2,4} )+)", re.MULTILINE)


def bytes_of_dump(dump: object) -> bytes:
    """The bytes of what ffprobe prints with ``-show_data``."""
    return b"".join(bytes.fromhex(line[1]) for line in _DUMPED.finditer(str(dump)))


def header_of(stream: Mapping[str, Any]) -> str:
    """The header of a stream as ffprobe describes it; empty where it is none of WebVTT."""
    text = bytes_of_dump(stream.get("extradata", "")).decode("utf-8", errors="replace")
    return text if re.match(r"\ufeff?WEBVTT(?:[ \t\r\n]|$)", text) else ""


def file_of(header: str, packets: Iterable[Mapping[str, Any]]) -> str:
    """The file of WebVTT that blocks came from, with the times of the container.

    Args:
        header: What comes before the first cue; ``WEBVTT`` at least.
        packets: As ffprobe prints them with ``-show_packets -show_data``.
    """
    parts = [header.strip() or "WEBVTT"]
    for packet in packets:
        try:
            start_ms = round(1000 * float(packet["pts_time"]))
            end_ms = start_ms + round(1000 * float(packet["duration_time"]))
        except (KeyError, ValueError):
            continue
        lines = _lines(packet.get("data", ""))
        more = next(
            (
                bytes_of_dump(each.get("block_additional_data", "")).decode(errors="replace")
                for each in packet.get("side_data_list", ())
                if "block_additional_data" in each
            ),
            "",
        ).splitlines()
        settings, identifier = (*more[:2], "", "")[:2] if more else ("", "")
        times = f"{print_time(max(0, start_ms))} --> {print_time(max(0, end_ms))}"
        named = [identifier] if identifier.strip() and "-->" not in identifier else []
        parts.append("\n".join([*named, f"{times} {settings}".rstrip(), *lines]))
    return "\n\n".join(parts) + "\n"


def _lines(dump: object) -> list[str]:
    """Lines of a cue; blank ones and arrows would end it."""
    text = bytes_of_dump(dump).decode("utf-8", errors="replace").replace("-->", "--&gt;")
    return [line for line in text.splitlines() if line.strip()]
