"""One video or audio stream of a master, as far as choosing depends on it."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from transcode.masters.fields import whole
from transcode.masters.languages import language_tag
from transcode.masters.timing import seconds

_MADE_UP = re.compile(
    r"handle?r|core media|iso media|gpac|mainconcept|alias data|apple|google|\bmedia\b|^\W*$"
    r"|^(mono|stereo|sound|audio|video|surround)$",
    re.IGNORECASE,
)
"""Names that programs give every handler."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What one pass over the packets of a stream found."""

    packets: int
    seconds: float
    """From the first time to the end of the last packet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stream:
    """A stream, from ffprobe's description of it and what its packets say."""

    index: int
    kind: str
    """``video`` or ``audio``; others are of no concern here."""
    codec: str
    """Empty when ffmpeg does not know it."""
    packets: int | None
    """None when nobody counted."""
    seconds: float
    """Measured, else as declared."""
    width: int = 0
    height: int = 0
    channels: int = 0
    layout: str = ""
    """Of channels, as ffprobe names it; empty when the file does not say."""
    sample_rate: int = 0
    language: str | None = None
    """RFC 5646 tag."""
    title: str = ""
    dispositions: frozenset[str] = frozenset()
    is_image: bool = False
    """Whether its container calls it an image file."""
    described: Mapping[str, Any] = field(default_factory=dict, repr=False)
    """All that ffprobe says."""

    @property
    def is_default(self) -> bool:
        """Whether it is marked so."""
        return "default" in self.dispositions

    @property
    def words(self) -> str:
        """Codec, size or layout, language and title, for people."""
        size = (
            f"{self.width}x{self.height}"
            if self.kind == "video"
            else self.layout or f"{self.channels} channel{'s' if self.channels > 1 else ''}"
        )
        parts = [self.codec or "unknown codec", size, self.language or ""]
        return " ".join(filter(None, parts)) + (f" “{self.title}”" if self.title else "")


def streams_of(
    probed: Mapping[str, Any], measured: Mapping[int, Measured] | None = None
) -> list[Stream]:
    """Video and audio streams from ffprobe's ``-show_streams``."""
    found = [each for each in probed.get("streams", ()) if isinstance(each, dict)]
    return [
        _stream(each, (measured or {}).get(whole(each.get("index"))))
        for each in found
        if each.get("codec_type") in ("video", "audio")
    ]


def _stream(described: Mapping[str, Any], measured: Measured | None) -> Stream:
    tags = {str(k).lower(): v for k, v in (described.get("tags") or {}).items()}
    counted = described.get("nb_read_packets")
    packets = None if counted is None else whole(counted)
    codec = str(described.get("codec_name", ""))
    layout = str(described.get("channel_layout", ""))
    return Stream(
        index=whole(described.get("index")),
        kind=str(described["codec_type"]),
        codec="" if codec in ("unknown", "none") else codec,
        packets=packets if measured is None else measured.packets,
        seconds=seconds(described) if measured is None else measured.seconds,
        width=whole(described.get("width")),
        height=whole(described.get("height")),
        channels=whole(described.get("channels")),
        layout="" if layout == "unknown" else layout,
        sample_rate=whole(described.get("sample_rate")),
        language=language_tag(tags.get("language", "")),
        title=_title(tags),
        dispositions=frozenset(k for k, v in (described.get("disposition") or {}).items() if v),
        is_image=str(tags.get("mimetype", "")).startswith("image/"),
        described=described,
    )


def _title(tags: Mapping[str, Any]) -> str:
    """What people call the stream: the name of a handler only where no program made it up."""
    handler = str(tags.get("handler_name") or "")
    own = "" if _MADE_UP.search(handler) else handler
    return " ".join(str(tags.get("title") or tags.get("name") or own).split())


@dataclass(slots=True)
class Sieve:
    """Streams that are ruled out one reason after the other, never all of them."""

    left: dict[int, str] = field(default_factory=dict)
    """Why streams were left out, by number."""

    def drop(self, those: Sequence[Stream], why: Callable[[Stream], str]) -> list[Stream]:
        """``those`` without the ones that ``why`` has words for; they may be none."""
        reasons = {each.index: why(each) for each in those}
        self.left |= {index: reason for index, reason in reasons.items() if reason}
        return [each for each in those if not reasons[each.index]]

    def prefer(self, those: Sequence[Stream], why: Callable[[Stream], str]) -> list[Stream]:
        """As ``drop``, but all of ``those`` where nothing would remain."""
        if all(why(each) for each in those):
            return list(those)
        return self.drop(those, why)
