"""The bytes of a text file as text, when nothing says how they were encoded.

Marks at the start decide; else UTF-8, if all bytes are; else the code page that files in
that language mostly have, which is told to the user.

Source: the WHATWG Encoding Standard, 4.2, for what the names mean.
"""

from __future__ import annotations

import codecs
from typing import NamedTuple

from abr.errors import MediaError

_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),  # before UTF-16, whose mark it starts with
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_PAGES = {
    **dict.fromkeys(("cs", "hr", "hu", "pl", "ro", "sk", "sl", "sq"), "cp1250"),
    **dict.fromkeys(("be", "bg", "mk", "ru", "sr", "uk"), "cp1251"),
    "el": "cp1253",
    "tr": "cp1254",
    "he": "cp1255",
    **dict.fromkeys(("ar", "fa", "ur"), "cp1256"),
    **dict.fromkeys(("et", "lt", "lv"), "cp1257"),
    "vi": "cp1258",
    "th": "cp874",
    "ja": "cp932",
    "ko": "cp949",
    "zh": "gb18030",
}
_WESTERN = "cp1252"


class Decoded(NamedTuple):
    """Text, and how it was read."""

    text: str
    encoding: str
    is_guess: bool
    """Neither a mark nor valid UTF-8 decided."""


def decode_text(data: bytes, *, language: str | None, where: str) -> Decoded:
    """The text in ``data``.

    Args:
        data: The whole file.
        language: RFC 5646 tag of the text; decides between code pages.
        where: The file's name, for messages.

    Raises:
        MediaError: the bytes are not text in the encoding that fits best.
    """
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            return Decoded(_decode(data[len(mark) :], encoding, where), encoding, False)
    if (wide := _wide(data)) is not None:
        return Decoded(_decode(data, wide, where), wide, False)
    try:
        return Decoded(data.decode("utf-8"), "utf-8", False)
    except UnicodeDecodeError:
        page = _PAGES.get((language or "").split("-")[0].lower(), _WESTERN)
        return Decoded(_decode(data, page, where), page, True)


def _wide(data: bytes) -> str | None:
    """UTF-16 without a mark: every other byte of most text is zero."""
    head = data[:400]
    if len(head) < 4 or len(data) % 2:
        return None
    for first, encoding in ((1, "utf-16-le"), (0, "utf-16-be")):
        if head[first::2].count(0) > len(head) // 4 and not head[1 - first :: 2].count(0):
            return encoding
    return None


def _decode(data: bytes, encoding: str, where: str) -> str:
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as exc:
        raise MediaError(
            f"{where}: byte {exc.start} is not text in {encoding}; expected UTF-8; "
            "save the file as UTF-8, or name its language (FILE:LANG) if it is older"
        ) from exc
