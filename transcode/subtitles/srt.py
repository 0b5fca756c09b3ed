r"""SubRip text to cues.

There is no standard; what VLC, ffmpeg and editors write and read is accepted: numbers that are
missing, a point for the comma, no hours, blank lines inside a text, positions after the
times. Tags ``<i>``, ``<b>`` and ``<u>`` stay, ``{\an8}`` and its like become a position, and
fonts, colours and other codes go. Times that cannot be read are faults.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from transcode.subtitles.cues import Cue, Fault, Subtitles, in_order
from transcode.subtitles.webvtt import escape

_TIME = (
    r"(?:([0-9]{1,4})[ ]*:[ ]*)?([0-9]{1,3})[ ]*:[ ]*([0-9]{1,3})(?:[ ]*[,.;:][ ]*([0-9]{1,3}))?"
)
_TIMES = re.compile(rf"[ \t]*{_TIME}[ \t]*-{{1,3}}[ ]?>[ \t]*{_TIME}(?:[ \t].*)?")
# A time on either side of an arrow: meant as times, whatever is wrong with the line.
_MEANT = re.compile(
    r"[ \t]*[0-9]+[ ]*[:.,;][^<>]*-[ ]?>[ \t]*(?:[0-9].*)?|.*-->[ \t]*[0-9]+:[0-9]+[:.,][0-9].*"
)
_NUMBER = re.compile(r"[ \t]*[0-9]+[ \t]*")
_STYLE_CODE = re.compile(r"\{\\([ibu])([01])\}")
_TAG = re.compile(r"<(/?)(\w+)[^<>]*>|\{\\[^{}]*\}")
_KEPT = frozenset({"i", "b", "u"})
_DROPPED = frozenset({"font", "s"})
_ALIGN = re.compile(r"\{\\an?([0-9]{1,2})\}")
# \an counts as a numeric keypad does; bottom centre, 2, is where WebVTT puts text anyway.
_LINES = {0: "", 1: "line:50%", 2: "line:0"}
_SIDES = {1: "align:start position:0%", 2: "", 0: "align:end position:100%"}


def parse_srt(text: str) -> Subtitles:
    """Read a SubRip file; any line ends."""
    lines = re.split(r"\r\n|\n|\r", text.removeprefix("\ufeff").replace("\0", "\ufffd"))
    starts = [number for number, line in enumerate(lines) if _MEANT.fullmatch(line)]
    faults: list[Fault] = []
    head, number = _text_and_number(lines[: starts[0] if starts else len(lines)], own=0)
    if head:
        faults.append(Fault(1, f"{head[0][:40]!r} before the first time; left out"))
    cues: list[Cue] = []
    for place, start in enumerate(starts, 1):
        end = starts[place] if place < len(starts) else None
        shown, number = _text_and_number(lines[start + 1 : end], own=number, is_last=end is None)
        found = _cue(start, lines[start], shown)
        if isinstance(found, Cue):
            cues.append(found)
        elif found is not None:
            faults.append(found)
    return Subtitles(cues=in_order(cues), faults=tuple(faults))


def _text_and_number(
    lines: Sequence[str], *, own: int | None, is_last: bool = False
) -> tuple[list[str], int | None]:
    """Text between two lines of times, and the number of the cue that comes next.

    Args:
        lines: What is between them.
        own: Number of the cue that the text belongs to; 0 before the first, None unknown.
        is_last: No cue comes after them.
    """
    filled = [place for place, line in enumerate(lines) if line.strip()]
    number: int | None = None
    if filled and not is_last and _NUMBER.fullmatch(lines[filled[-1]]):
        number = int(lines[filled[-1]])
        is_expected = own is not None and number == own + 1
        is_beside = filled[-1] == len(lines) - 1
        is_apart = filled[-1] > 0 and not lines[filled[-1] - 1].strip()
        # Else a text that is a number, such as a year.
        if is_expected or own == 0 or (is_beside and (is_apart or len(filled) > 1)):
            filled.pop()
        else:
            number = None
    return [lines[place].strip() for place in filled], number


def _cue(number: int, times: str, text: Sequence[str]) -> Cue | Fault | None:
    found = _TIMES.fullmatch(times)
    if found is None:
        return Fault(
            number + 1,
            f"times {times.strip()[:60]!r} cannot be read; expected HH:MM:SS,mmm --> HH:MM:SS,mmm; "
            "this cue is left out",
        )
    start_ms, end_ms = _milliseconds(found.groups()[:4]), _milliseconds(found.groups()[4:])
    if end_ms <= start_ms:
        left, right = re.split(r"-{1,3}[ ]?>", times, maxsplit=1)
        return Fault(
            number + 1,
            f"ends at {right.strip()[:20]}, not after its start at {left.strip()}; left out",
        )
    joined = "\n".join(text)
    shown = plain_to_cue(joined)
    if not shown.strip():
        return None
    return Cue(start_ms=start_ms, end_ms=end_ms, text=shown, settings=position_of(joined))


def _milliseconds(parts: Sequence[str | None]) -> int:
    hours, minutes, seconds, milliseconds = (int(part or 0) for part in parts)
    return 1000 * (3600 * hours + 60 * minutes + seconds) + milliseconds


def position_of(text: str) -> str:
    r"""WebVTT settings for the first ``{\anN}`` (or ``{\aN}``, as it was before) of ``text``."""
    found = _ALIGN.search(text)
    if found is None:
        return ""
    code = int(found[1])
    if "\\an" not in found[0]:
        # SSA: 1 to 3 at the bottom, 5 to 7 at the top, 9 to 11 in the middle.
        code = {1: 1, 2: 2, 3: 3, 5: 7, 6: 8, 7: 9, 9: 4, 10: 5, 11: 6}.get(code, 2)
    if not 1 <= code <= 9:
        return ""
    return " ".join(filter(None, [_LINES[(code - 1) // 3], _SIDES[code % 3]]))


def plain_to_cue(text: str) -> str:
    """SubRip text as WebVTT cue text: known tags closed in order, anything else escaped."""
    text = _STYLE_CODE.sub(lambda found: f"<{'/' if found[2] == '0' else ''}{found[1]}>", text)
    parts: list[str] = []
    opened: list[str] = []
    at = 0
    for found in _TAG.finditer(text):
        name = (found[2] or "").lower()
        if name and name not in _KEPT | _DROPPED:
            continue  # not markup: it is escaped with the text around it
        parts.append(escape(text[at : found.start()]))
        at = found.end()
        if name not in _KEPT:
            continue
        if not found[1]:
            opened.append(name)
            parts.append(f"<{name}>")
        elif name in opened:
            while True:
                last = opened.pop()
                parts.append(f"</{last}>")
                if last == name:
                    break
    parts.append(escape(text[at:]))
    parts += [f"</{name}>" for name in reversed(opened)]
    lines = "".join(parts).split("\n")
    return "\n".join(line.strip() for line in lines if line.strip())
