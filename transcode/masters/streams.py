"""Which streams of a master are used: its picture and its sound."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from abr.errors import MediaError
from transcode.masters.fields import whole

EXPECTED = "expected a video file"


@dataclass(frozen=True, slots=True, kw_only=True)
class AudioFacts:
    """The audio track that is used."""

    index: int
    """Number of the stream in the file."""
    channels: int
    language: str | None = None
    """As tagged; None when undetermined."""


def video_stream(
    streams: Sequence[Mapping[str, Any]], shown: Mapping[str, Any], where: str
) -> Mapping[str, Any]:
    """The stream that is the picture.

    Raises:
        MediaError: there is none.
    """
    moving = [
        each
        for each in streams
        if each.get("codec_type") == "video"
        and not (each.get("disposition") or {}).get("attached_pic")
    ]
    form = str(shown.get("format_name", ""))
    if moving and (form.endswith("_pipe") or form in ("image2", "tty")):
        # ffprobe reads a still picture as a video of one frame, and any text as a terminal.
        raise MediaError(f"{where}: found a still picture or text; {EXPECTED}")
    if moving:
        return max(moving, key=lambda each: bool((each.get("disposition") or {}).get("default")))
    if any(each.get("codec_type") == "audio" for each in streams):
        raise MediaError(f"{where}: found audio only; {EXPECTED} with pictures")
    raise MediaError(f"{where}: found no video; {EXPECTED}")


def audio_facts(streams: Sequence[Mapping[str, Any]]) -> AudioFacts | None:
    """The sound that is used; None for a silent master."""
    tracks = [
        each
        for each in streams
        if each.get("codec_type") == "audio"
        and whole(each.get("channels"))
        and whole(each.get("sample_rate"))
    ]
    if not tracks:
        return None
    used = max(tracks, key=lambda each: bool((each.get("disposition") or {}).get("default")))
    language = str((used.get("tags") or {}).get("language", "und")).lower()
    return AudioFacts(
        index=whole(used.get("index")),
        channels=whole(used.get("channels")),
        language=language
        if language.isascii() and language.isalpha() and language != "und"
        else None,
    )
