"""Names of files that are parts of fewer recordings, as far as names can tell.

A name is split at its signs. Places that differ between files and hold a number tell what the
files are: one of them the recording, household or user, the others its parts.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from pathlib import PurePosixPath
from typing import NamedTuple

MOST_WHOLE = 4
"""Fewer files that seem to be parts say nothing."""
_KNOWN = (
    r"trace_(?P<household>\d+)_https?-",
    r"(?P<recording>[^/]*\d{3}[^/]*)[-_.@+]\d+s?(?:\.[A-Za-z][^/]*)?$",
)
"""FCC's households with one file for each page; a recording with a date, time or number of its
own, then a number for each slice."""
_FIELD = re.compile(
    r"(?P<date>\d{4}[-_.]?\d\d[-_.]?\d\d(?:[-_.T]\d\d[-_.]?\d\d(?:[-_.]?\d\d)?)?(?!\d))"
    r"|(?P<amount>\d+(?:k|m|ms|s|g|[kKmM]?bps|[km]?bit|p|hz)(?![A-Za-z]))"
    r"|(?P<number>\d+)|(?P<word>[A-Za-z]+)|(?P<sign>.)",
    re.IGNORECASE,
)
_WHOLES = re.compile(
    "house|household|home|user|client|session|device|unit|subscriber|subject|participant|customer|"
    "line|probe|node|phone|host"
)
"""Words before the number of what files are parts of."""
_PIECES = re.compile(
    "page|part|slice|chunk|piece|seg|segment|split|window|fold|rep|run|try|trial|url|site|clip|"
    "video|object|item"
)
"""Words before the number of a part."""
_ID = 3
"""Digits that a number of its own has; shorter ones count something."""
_FORMS = {"number": r"\d+", "date": r"\d[\d_.T-]*\d", "word": r"[A-Za-z]+"}


class _Place(NamedTuple):
    """One place in names that are built alike."""

    kind: str
    texts: tuple[str, ...]
    """What stands there, by name."""
    label: str
    """The word before it, in lower case."""

    @property
    def varies(self) -> bool:
        """Whether names differ here."""
        return len(set(self.texts)) > 1


def doubt_parts(paths: Sequence[str]) -> str:
    """A doubt where files seem to be parts of fewer recordings, by their names; else nothing.

    A name is no proof, so files are not put together by it.
    """
    files = list(dict.fromkeys(paths))
    for pattern in (*_KNOWN, *_likely(files)):
        found = [each for each in (re.search(pattern, path) for path in files) if each]
        whole = Counter(each.groups() for each in found)
        parts = [each for each in found if whole[each.groups()] > 1]
        if len(parts) < MOST_WHOLE or 2 * len(parts) < len(files):
            continue
        of = len({each.groups() for each in parts})
        names = (PurePosixPath(each.string).name for each in parts)
        return (
            f"{len(parts)} of {len(files)} files seem to be parts of {of} others by their names, "
            f"such as {next(names)} and {next(names)}; if they are, say cluster = '{pattern}', "
            'and if not, cluster = "file"'
        )
    return ""


def _likely(files: Sequence[str]) -> list[str]:
    """A pattern that would put names together, if most are built alike and differ in two places."""
    split = [[(str(m.lastgroup), m[0]) for m in _FIELD.finditer(file)] for file in files]
    shapes = Counter(tuple(_shape(fields)) for fields in split)
    alike, count = shapes.most_common(1)[0] if shapes else ((), 0)
    if count < MOST_WHOLE:
        return []
    names = [fields for fields in split if tuple(_shape(fields)) == alike]
    places = [
        _Place(each[0][0], tuple(text for _, text in each), _label(names[0], at))
        for at, each in enumerate(zip(*names, strict=True))
    ]
    slots = [at for at, each in enumerate(places) if each.varies and each.kind in _FORMS]
    known = [at for at in slots if _WHOLES.fullmatch(places[at].label)]
    if known:
        return [_named(places, known[0])]
    numbered = [at for at in slots if places[at].kind != "word"]
    wholes = [at for at in numbered if not _PIECES.fullmatch(places[at].label)]
    if not wholes or len(slots) < 2:
        return []
    whole = wholes[0]
    is_certain = any(_PIECES.fullmatch(places[at].label) for at in numbered) or (
        all(len(text) >= _ID for text in places[whole].texts)
    )
    return [_within(places, whole)] if is_certain else []


def _shape(fields: Sequence[tuple[str, str]]) -> list[str]:
    return [text if kind == "sign" else kind for kind, text in fields]


def _label(fields: Sequence[tuple[str, str]], at: int) -> str:
    """The word right before a place, or before the sign before it."""
    before = [each for each in fields[max(0, at - 2) : at] if each != ("sign", "/")]
    if before and before[-1][0] == "sign":
        before = before[:-1]
    return before[-1][1].lower() if before and before[-1][0] == "word" else ""


def _named(places: Sequence[_Place], at: int) -> str:
    """A pattern for the number after a word that says what it is of."""
    sign = re.escape(places[at - 1].texts[0]) if places[at - 1].kind == "sign" else ""
    word = places[at - 2 if sign else at - 1].texts[0]
    return f"{word}{sign}(?P<{word.lower()}>{_FORMS[places[at].kind]})"


def _within(places: Sequence[_Place], at: int) -> str:
    """A pattern for what stands at a place, and words that differ before it in its name."""
    ends = [k for k, each in enumerate(places[:at]) if each.texts[0] == "/"]
    pattern = ""
    for each in places[ends[-1] + 1 if ends else 0 : at]:
        form = _FORMS.get(each.kind, r"\w+")
        pattern += re.escape(each.texts[0]) if not each.varies else form
        if each.varies and each.kind == "word":
            pattern = f"{pattern.removesuffix(form)}({form})"
    pattern += f"(?P<recording>{_FORMS[places[at].kind]})"
    for each in places[at + 1 :]:
        if each.varies:
            break
        pattern += re.escape(each.texts[0])
    return pattern
