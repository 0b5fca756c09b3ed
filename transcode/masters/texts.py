"""Text of a master: its streams of subtitles, and files of subtitles beside it.

Every stream of text is taken, except on request; streams of pictures of text are not, because they
would need recognition of letters. What is left out is named, with its reason.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any, Literal

from transcode.masters.fields import whole
from transcode.masters.languages import language_tag, name_for_menu
from transcode.masters.streams import StreamUse
from transcode.subtitles.matroska import header_of

Form = Literal["srt", "webvtt", "ass"]

_COPIED: dict[str, Form] = {
    "subrip": "srt",
    "srt": "srt",
    "webvtt": "webvtt",
    "ass": "ass",
    "ssa": "ass",
}
"""Streams that are read as they are; others that ffmpeg decodes become SubRip first."""
_PICTURES = {
    "hdmv_pgs_subtitle": "Blu-ray",
    "dvd_subtitle": "DVD",
    "dvb_subtitle": "broadcast",
    "xsub": "DivX",
}
_UNREAD = frozenset(
    {"", "none", "unknown", "dvb_teletext", "ttml", "hdmv_text_subtitle", "arib_caption"}
)
_FORCED = re.compile(r"\bforced\b", re.IGNORECASE)
_IMPAIRED = re.compile(r"\b(SDH|HoH|CC|hearing.impaired)\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class TextFacts:
    """One stream of subtitles that can be used."""

    index: int
    """Number of the stream in the file."""
    codec: str
    form: Form
    """How its text is read."""
    is_copied: bool
    """Whether the stream is in that form already."""
    language: str | None = None
    title: str = ""
    forced: bool = False
    hearing_impaired: bool = False
    header: str = ""
    """Of WebVTT in Matroska: what comes before the first cue, styles and regions among it."""
    is_unknown: bool = False
    """Whether ffmpeg does not know what it is, and only its packets can be read."""

    @property
    def words(self) -> str:
        """For people: number, codec and language."""
        return f"stream {self.index} ({' '.join(filter(None, [self.codec, self.language]))})"


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftText:
    """A stream of subtitles that is left out."""

    index: int
    what: str
    """Codec and language, for people."""
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TextFile:
    """A file of subtitles that a person asked for."""

    path: str
    language: str | None = None
    forced: bool = False
    hearing_impaired: bool = False


def text_streams(probed: Mapping[str, Any]) -> tuple[list[TextFacts], list[LeftText]]:
    """Streams of subtitles from ffprobe's ``-show_streams``, used and left out."""
    used: list[TextFacts] = []
    left: list[LeftText] = []
    for each in probed.get("streams", ()):
        if not isinstance(each, dict) or each.get("codec_type") != "subtitle":
            continue
        codec = str(each.get("codec_name", ""))
        tags = {str(k).lower(): v for k, v in (each.get("tags") or {}).items()}
        marks = each.get("disposition") or {}
        title = " ".join(str(tags.get("title", "")).split())
        index, language = whole(each.get("index")), language_tag(tags.get("language", ""))
        header = header_of(each)
        is_unknown = bool(header) and codec in _UNREAD
        if is_unknown:
            codec = "webvtt"
        if codec in _PICTURES or codec in _UNREAD:
            is_picture = codec in _PICTURES
            made_of = (
                f"pictures of text ({_PICTURES[codec]})" if is_picture else "not text to ffmpeg"
            )
            what = " ".join(filter(None, [codec or "unknown codec", language]))
            reason = f"{made_of}; give a text file with --subtitles"
            left.append(LeftText(index=index, what=what, reason=reason))
            continue
        used.append(
            TextFacts(
                index=index,
                codec=codec,
                form=_COPIED.get(codec, "srt"),
                is_copied=codec in _COPIED,
                language=language,
                title=title,
                forced=bool(marks.get("forced")) or bool(_FORCED.search(title)),
                hearing_impaired=any(marks.get(name) for name in ("hearing_impaired", "captions"))
                or bool(_IMPAIRED.search(title)),
                header=header,
                is_unknown=is_unknown,
            )
        )
    return used, left


def may_have_header(probed: Mapping[str, Any]) -> bool:
    """Whether a stream may be WebVTT in Matroska, which its header tells."""
    return any(
        isinstance(each, dict)
        and each.get("codec_type") == "subtitle"
        and each.get("codec_name", "none") in ("none", "unknown", "webvtt")
        for each in probed.get("streams", ())
    )


def text_uses(used: Sequence[TextFacts], left: Sequence[LeftText]) -> list[StreamUse]:
    """What becomes of each stream, for people."""
    uses = [
        StreamUse(
            index=each.index,
            kind="subtitle",
            what=" ".join(filter(None, [each.codec, each.language])),
            is_used=True,
            use="forced subtitles" if each.forced else "subtitles",
        )
        for each in used
    ]
    uses += [
        StreamUse(
            index=each.index,
            kind="subtitle",
            what=each.what,
            is_used=False,
            use=f"left out: {each.reason}",
        )
        for each in left
    ]
    return uses


def text_file(wish: str) -> TextFile:
    """What ``FILE[:LANGUAGE][:forced][:sdh]`` asks for.

    Where it says no language, the name may: ``film.de.srt``, ``film.pt-BR.forced.srt``.
    """
    path, words = wish, list[str]()
    while ":" in path:
        before, _, word = path.rpartition(":")
        if not before or not _is_word(word):
            break
        path, words = before, [*words, word]
    words = words or [part[1:] for part in PurePath(path).suffixes[:-1][-3:] if _is_word(part[1:])]
    tags = (tag for word in words if word.lower() not in _WORDS and (tag := language_tag(word)))
    marks = {_WORDS.get(word.lower()) for word in words}
    return TextFile(
        path=path,
        language=next(tags, None),
        forced="forced" in marks,
        hearing_impaired="sdh" in marks,
    )


_WORDS = {"forced": "forced", "sdh": "sdh", "cc": "sdh", "hi": "sdh"}


def _is_word(word: str) -> bool:
    return word.lower() in _WORDS or (
        re.fullmatch(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*", word) is not None
        and language_tag(word) is not None
    )


def name_of_text(
    *, title: str, language: str | None, forced: bool, hearing_impaired: bool, taken: Sequence[str]
) -> str:
    """A name for a player's menu, unlike those ``taken``: a title, else the language's own name."""
    marks = [*(["SDH"] if hearing_impaired else []), *(["(forced)"] if forced else [])]
    return name_for_menu(
        title=title, language=language, other="Subtitles", marks=marks, taken=taken
    )


def faults_in_words(where: str, faults: Iterable[tuple[int, str]], *, most: int = 10) -> list[str]:
    """Lines for people, one for each fault, and a last one for those beyond ``most``."""
    listed = list(faults)
    lines = [f"{where}:{line}: {what}" if line else f"{where}: {what}" for line, what in listed]
    if len(lines) > most:
        lines[most:] = [f"{where}: and {len(lines) - most} more of this kind"]
    return lines
