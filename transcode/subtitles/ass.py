r"""(Advanced) SubStation Alpha to cues: its text, italics and place; no fonts, no movement.

Override codes other than ``\i``, ``\b``, ``\u``, ``\an`` and ``\a`` go. Drawings are no text:
they are left out and counted. The same text at the same time on several layers (a glow under the
letters, for instance) is one cue.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from abr.errors import MediaError
from transcode.subtitles.cues import Cue, Fault, Subtitles, in_order
from transcode.subtitles.srt import plain_to_cue, position_of

_TIME = re.compile(r"([0-9]{1,3}):([0-9]{1,2}):([0-9]{1,2})[.:,]([0-9]{1,3})")
_CODES = re.compile(r"\{[^{}]*\}")
_DRAWING = re.compile(r"\{[^{}]*\\p[1-9][0-9]*[^{}]*\}.*?(?:\{[^{}]*\\p0[^{}]*\}|$)", re.DOTALL)
_STYLES = re.compile(r"\\([ibu])(0|1|[1-9]00)(?![0-9])|\\(an?[0-9]{1,2})")


@dataclass(frozen=True, slots=True)
class _Style:
    italic: bool
    align: str
    """As an override code."""


_PLAIN = _Style(False, "")


def parse_ass(text: str, *, where: str) -> Subtitles:
    """Read an ASS or SSA file.

    Args:
        text: The whole file; any line ends.
        where: Its name, for messages.

    Raises:
        MediaError: it has no list of events.
    """
    lines = re.split(r"\r\n|\n|\r", text.removeprefix("\ufeff"))
    section, names, is_old = "", [""], False
    styles: dict[str, _Style] = {}
    found: dict[tuple[int, int, str], Cue] = {}
    faults: list[Fault] = []
    drawings = 0
    for number, line in enumerate(lines, 1):
        if line.startswith("["):
            section = line.strip().lower()
            is_old = is_old or section == "[v4 styles]"
            continue
        kind, _, rest = line.partition(":")
        if kind == "Format":
            names = [name.strip().lower() for name in rest.split(",")]
        elif kind == "Style" and "styles" in section:
            _add_style(styles, _fields(names, rest), is_old=is_old)
        elif kind == "Dialogue" and section == "[events]":
            made = _cue(number, _fields(names, rest), styles)
            if isinstance(made, Cue):
                found.setdefault((made.start_ms, made.end_ms, made.text), made)
            elif isinstance(made, Fault):
                faults.append(made)
            else:
                drawings += made
    if not any(line.strip().lower() == "[events]" for line in lines):
        raise MediaError(f"{where}: no [Events]; expected SubStation Alpha subtitles")
    if drawings:
        what = "1 drawing is" if drawings == 1 else f"{drawings} drawings are"
        faults.append(Fault(0, f"{what} left out: WebVTT has only text"))
    return Subtitles(cues=in_order(found.values()), faults=tuple(faults))


def _fields(names: Sequence[str], rest: str) -> dict[str, str]:
    """Values by name; the last one holds any commas that are left."""
    values = [value.strip() for value in rest.split(",", len(names) - 1)]
    return dict(zip(names, values, strict=False))


def _add_style(styles: dict[str, _Style], fields: Mapping[str, str], *, is_old: bool) -> None:
    align = fields.get("alignment", "")
    code = f"{{\\a{'' if is_old else 'n'}{align}}}" if align.isdigit() and align != "2" else ""
    styles[fields.get("name", "").lstrip("*")] = _Style(fields.get("italic") in ("-1", "1"), code)


def _cue(number: int, fields: Mapping[str, str], styles: Mapping[str, _Style]) -> Cue | Fault | int:
    """A cue, or a fault, or how many drawings there were instead."""
    start, end = (_TIME.fullmatch(fields.get(name, "")) for name in ("start", "end"))
    if start is None or end is None or "text" not in fields:
        return Fault(
            number,
            "an event without text, or with times other than H:MM:SS.cc, is left out",
        )
    start_ms, end_ms = _milliseconds(start), _milliseconds(end)
    written, drawings = _DRAWING.subn("", fields["text"])
    style = styles.get(fields.get("style", "").lstrip("*"), _PLAIN)
    plain = re.sub(r"\\[Nn]", "\n", _CODES.sub(_kept_codes, written)).replace(r"\h", " ")
    if style.italic:
        plain = rf"{{\i1}}{plain}"
    shown = plain_to_cue(plain)
    if not re.sub("<[^<>]*>", "", shown).strip():
        return drawings
    if end_ms <= start_ms:
        return Fault(number, f"ends at {end[0]}, not after its start at {start[0]}; left out")
    settings = position_of(plain) or position_of(style.align)
    return Cue(start_ms=start_ms, end_ms=end_ms, text=shown, settings=settings)


def _kept_codes(codes: re.Match[str]) -> str:
    """Those of ``{…}`` that WebVTT can express, each in braces of its own."""
    kept = []
    for letter, value, align in _STYLES.findall(codes[0]):
        kept.append(rf"{{\{align}}}" if align else rf"{{\{letter}{0 if value == '0' else 1}}}")
    return "".join(kept)


def _milliseconds(time: re.Match[str]) -> int:
    hours, minutes, seconds = (int(part) for part in time.groups()[:3])
    return 1000 * (3600 * hours + 60 * minutes + seconds) + int(time[4].ljust(3, "0"))
