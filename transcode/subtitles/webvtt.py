"""WebVTT: text to cues and back, and the segments of HLS.

Source: W3C, WebVTT: The Web Video Text Tracks Format, sections 4 (syntax) and 6 (parsing);
RFC 8216bis, 3.1.4 (WebVTT segments and X-TIMESTAMP-MAP).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from abr.errors import MediaError
from transcode.subtitles.cues import Cue, Fault, Subtitles, divide, in_order

TIMESTAMP_MAP = "X-TIMESTAMP-MAP=MPEGTS:0,LOCAL:00:00:00.000"
"""Time 0 of the cues is time 0 of the media, where all our tracks start."""
# WebVTT, 4.2: hours are optional and of any length, minutes and seconds have two digits.
_TIMES = re.compile(
    r"[ \t]*((?:[0-9]{2,}:)?[0-5][0-9]:[0-5][0-9]\.[0-9]{3})[ \t]*-->"
    r"[ \t]*((?:[0-9]{2,}:)?[0-5][0-9]:[0-5][0-9]\.[0-9]{3})(?:[ \t]+(.*))?"
)
_KEPT_BLOCKS = ("STYLE", "REGION")


def parse_webvtt(text: str, *, where: str) -> Subtitles:
    """Read a WebVTT file.

    Args:
        text: The whole file; any line ends.
        where: Its name, for messages.

    Raises:
        MediaError: it does not start with ``WEBVTT``.
    """
    lines = re.split(r"\r\n|\n|\r", text.removeprefix("\ufeff").replace("\0", "\ufffd"))
    if not re.fullmatch(r"WEBVTT(?:[ \t].*)?", lines[0]):
        raise MediaError(f"{where}:1: found {lines[0][:40]!r}; expected WEBVTT, the mark of a file")
    cues: list[Cue] = []
    blocks: list[str] = []
    faults: list[Fault] = []
    for number, block in _blocks(lines[1:]):
        name = block[0].strip()
        if name in _KEPT_BLOCKS and not any("-->" in line for line in block):
            blocks.append("\n".join(block))
        elif block[0].startswith("NOTE"):
            continue
        elif block[0].startswith("X-TIMESTAMP-MAP"):
            faults += _timestamp_map(number, block[0])
        elif number > 2 or any("-->" in line for line in block):  # the header may hold more
            found = _cue(number, block)
            if isinstance(found, Cue):
                cues.append(found)
            elif found is not None:
                faults.append(found)
    return Subtitles(cues=in_order(cues), blocks=tuple(blocks), faults=tuple(faults))


def _blocks(lines: Sequence[str]) -> Iterable[tuple[int, list[str]]]:
    """Runs of lines that are not blank, with the number of the first; the header is line 1."""
    block: list[str] = []
    for number, line in enumerate([*lines, ""], 2):
        # WebVTT, 6.1: a line of times starts a block even without a blank line before it.
        if block and (not line or ("-->" in line and any("-->" in each for each in block))):
            yield number - len(block), block
            block = []
        if line:
            block.append(line)


def _cue(number: int, block: Sequence[str]) -> Cue | Fault | None:
    at = 0 if "-->" in block[0] else 1
    if at >= len(block) or "-->" not in block[at]:
        return Fault(number, f"{block[0][:40]!r} without a time; left out")
    found = _TIMES.fullmatch(block[at])
    if found is None:
        return Fault(
            number + at,
            f"times {block[at][:60]!r} cannot be read; expected HH:MM:SS.mmm --> HH:MM:SS.mmm; "
            "this cue is left out",
        )
    start_ms, end_ms = _milliseconds(found[1]), _milliseconds(found[2])
    if end_ms <= start_ms:
        return Fault(
            number + at, f"ends at {found[2]}, not after its start at {found[1]}; left out"
        )
    text = "\n".join(block[at + 1 :])
    if not text.strip():
        return None
    return Cue(
        start_ms=start_ms,
        end_ms=end_ms,
        text=text,
        identifier=block[0] if at else "",
        settings=(found[3] or "").strip(),
    )


def _timestamp_map(number: int, line: str) -> list[Fault]:
    """RFC 8216bis, 3.1.4: another zero of time than the film's cannot be known here."""
    values = dict(re.findall(r"(MPEGTS|LOCAL):([0-9:.]+)", line))
    local = _TIMES.fullmatch(f"{values.get('LOCAL', '')} --> 00:00.000")
    mpegts = values.get("MPEGTS", "")
    is_same = (
        local is not None
        and mpegts.isdigit()
        and abs(int(mpegts) - 90 * _milliseconds(local[1])) < 90
    )
    if is_same:
        return []
    return [Fault(number, f"{line[:80]!r} is not used; times are taken as from the film's start")]


def _milliseconds(time: str) -> int:
    total = 0
    for part in time[:-4].split(":"):
        total = 60 * total + int(part)
    return 1000 * total + int(time[-3:])


def print_time(time_ms: int) -> str:
    """``HH:MM:SS.mmm``."""
    seconds, rest = divmod(time_ms, 1000)
    return f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}.{rest:03d}"


def print_webvtt(
    cues: Iterable[Cue], *, head: Sequence[str] = (), blocks: Sequence[str] = ()
) -> str:
    """The text of a file or segment.

    Args:
        cues: By start.
        head: Lines right after ``WEBVTT``.
        blocks: STYLE and REGION blocks.
    """
    parts = ["\n".join(["WEBVTT", *head]), *blocks]
    for cue in cues:
        times = f"{print_time(cue.start_ms)} --> {print_time(cue.end_ms)} {cue.settings}".rstrip()
        parts.append("\n".join(filter(None, [cue.identifier, times, cue.text])))
    return "\n\n".join(parts) + "\n"


def segment_texts(
    subtitles: Subtitles, durations_s: Sequence[float], *, origin: int = 0
) -> list[str]:
    """The segments of a subtitle track: as many as the video has, empty ones included.

    Times stay those of the film. A cue over a border is whole in each segment that shows it.
    ``origin`` is the time stamp of the film's first picture, in units of 1/90,000 s.
    """
    head = TIMESTAMP_MAP.replace("MPEGTS:0,", f"MPEGTS:{origin},")
    return [
        print_webvtt(part, head=[head], blocks=subtitles.blocks)
        for part in divide(subtitles.cues, durations_s)
    ]


def escape(text: str) -> str:
    """Plain text as cue text: what would begin a tag, an escape or an arrow is escaped."""
    text = re.sub(r"&(?!(?:amp|lt|gt|nbsp|lrm|rlm|#[0-9]+|#x[0-9a-fA-F]+);)", "&amp;", text)
    return text.replace("<", "&lt;").replace(">", "&gt;")
