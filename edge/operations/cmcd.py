"""Common Media Client Data: what a player says about itself with each request, and in reports.

``parse_query`` reads a query argument, ``parse_headers`` the four header fields, ``parse_events`` a
report; ``print_query`` and ``print_headers`` write them. All give or take a ``Cmcd``: a mapping of
keys to plain values. What players send is not to be trusted: unknown keys are kept if their names
are proper, a value of the wrong kind is left out, and whatever is too long is not read at all.

Sources: CTA-5004 (version 1: keys, types, rounding, the four fields, the query argument),
CTA-5004-A and -B (version 2: ``v=2``, lists with a token for the kind of object, events) as the
Common Media Library of the SVTA follows them; RFC 8941 for the syntax, read by ``http_sf``.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any
from urllib.parse import quote, unquote

import http_sf

MAX_BYTES = 4096
"""A longer argument, field or event is not read."""
MAX_EVENTS = 64
"""Events read of one report."""
MAX_KEYS = 64
"""Keys read of one argument."""
MAX_TEXT = 512
"""A longer value is left out."""

HEADERS = ("CMCD-Object", "CMCD-Request", "CMCD-Session", "CMCD-Status")

Value = bool | int | float | str | tuple[Any, ...]


class Form(Enum):
    """What a value is."""

    WHOLE = "whole number"
    DECIMAL = "number"
    FLAG = "flag"
    TEXT = "string"
    WORD = "token"


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """One key of the standard."""

    form: Form
    header: str
    """The field it travels in."""
    step: int = 1
    """Players round to a multiple of this."""
    most_chars: int = MAX_TEXT


_O, _R, _S, _T = HEADERS
KEYS: Mapping[str, Key] = {
    "ab": Key(form=Form.WHOLE, header=_O),
    "bg": Key(form=Form.FLAG, header=_T),
    "bl": Key(form=Form.WHOLE, header=_R, step=100),
    "br": Key(form=Form.WHOLE, header=_O),
    "bs": Key(form=Form.FLAG, header=_T),
    "bsa": Key(form=Form.WHOLE, header=_T),
    "bsd": Key(form=Form.WHOLE, header=_T),
    "bsda": Key(form=Form.WHOLE, header=_T),
    "cdn": Key(form=Form.TEXT, header=_T, most_chars=128),
    "cen": Key(form=Form.TEXT, header=_T, most_chars=64),
    "cid": Key(form=Form.TEXT, header=_S, most_chars=128),
    "cmsdd": Key(form=Form.TEXT, header=_R),
    "cmsds": Key(form=Form.TEXT, header=_R),
    "cs": Key(form=Form.TEXT, header=_R),
    "d": Key(form=Form.WHOLE, header=_O),
    "dfa": Key(form=Form.WHOLE, header=_R),
    "dl": Key(form=Form.WHOLE, header=_R, step=100),
    "e": Key(form=Form.WORD, header=_T),
    "ec": Key(form=Form.TEXT, header=_T),
    "h": Key(form=Form.TEXT, header=_T, most_chars=128),
    "lab": Key(form=Form.WHOLE, header=_O),
    "lb": Key(form=Form.WHOLE, header=_O),
    "ltc": Key(form=Form.WHOLE, header=_R),
    "msd": Key(form=Form.WHOLE, header=_S),
    "mtp": Key(form=Form.WHOLE, header=_R, step=100),
    "nor": Key(form=Form.TEXT, header=_R),
    "nr": Key(form=Form.FLAG, header=_T),
    "nrr": Key(form=Form.TEXT, header=_R),
    "ot": Key(form=Form.WORD, header=_O),
    "pb": Key(form=Form.WHOLE, header=_R),
    "pr": Key(form=Form.DECIMAL, header=_S),
    "pt": Key(form=Form.WHOLE, header=_T),
    "rc": Key(form=Form.WHOLE, header=_R),
    "rtp": Key(form=Form.WHOLE, header=_T, step=100),
    "sf": Key(form=Form.WORD, header=_S),
    "sid": Key(form=Form.TEXT, header=_S, most_chars=64),
    "smrt": Key(form=Form.TEXT, header=_R),
    "sn": Key(form=Form.WHOLE, header=_R),
    "st": Key(form=Form.WORD, header=_S),
    "sta": Key(form=Form.WORD, header=_R),
    "su": Key(form=Form.FLAG, header=_R),
    "tab": Key(form=Form.WHOLE, header=_O),
    "tb": Key(form=Form.WHOLE, header=_O),
    "tbl": Key(form=Form.WHOLE, header=_R),
    "tpb": Key(form=Form.WHOLE, header=_O),
    "ts": Key(form=Form.WHOLE, header=_T),
    "ttfb": Key(form=Form.WHOLE, header=_R),
    "ttfbb": Key(form=Form.WHOLE, header=_R),
    "ttlb": Key(form=Form.WHOLE, header=_R),
    "url": Key(form=Form.TEXT, header=_R),
    "v": Key(form=Form.WHOLE, header=_S),
}
"""Keys of versions 1 and 2."""

_CUSTOM = re.compile(r"[a-z][a-z0-9.]*-[a-z0-9.-]+")  # CTA-5004: a hyphenated prefix
_WORDS = re.compile(r"[A-Za-z*][A-Za-z0-9:/!#$%&'*+.^_`|~-]*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Cmcd:
    """What a player said."""

    values: Mapping[str, Value] = field(default_factory=dict)
    """By key. A list of version 2 is a tuple; where its items name kinds of objects, of pairs
    ``(value, kind)``."""
    left_out: int = 0
    """Keys and events that could not be understood."""

    def __bool__(self) -> bool:
        return bool(self.values)

    @property
    def version(self) -> int:
        """1 unless it says otherwise."""
        said = self.values.get("v", 1)
        return said if isinstance(said, int) and not isinstance(said, bool) else 1

    @property
    def session(self) -> str:
        """Session id; empty: not said."""
        said = self.values.get("sid", "")
        return said if isinstance(said, str) else ""

    def number(self, key: str) -> float | None:
        """A number; of a list the first; None: not said."""
        said = self.values.get(key)
        if isinstance(said, tuple):
            said = said[0] if said else None
            if isinstance(said, tuple):
                said = said[0]
        if isinstance(said, bool) or not isinstance(said, int | float):
            return None
        return said

    def word(self, key: str) -> str | None:
        """A token or text; of a list the first; None: not said."""
        said = self.values.get(key)
        if isinstance(said, tuple):
            said = said[0] if said else None
            if isinstance(said, tuple):
                said = said[0]
        return said if isinstance(said, str) else None

    def is_set(self, key: str) -> bool:
        """Whether a flag is set; of a list, its first."""
        said = self.values.get(key)
        if isinstance(said, tuple):
            said = said[0] if said else None
            if isinstance(said, tuple):
                said = said[0]
        return said is True


def parse_query(query: str) -> Cmcd:
    """What the argument ``CMCD`` of a query says; nothing when there is none.

    Args:
        query: Everything after the question mark, percent-encoded as received.
    """
    for part in query.split("&"):
        name, _, value = part.partition("=")
        if name == "CMCD":
            return (
                parse_text(unquote(value, errors="replace")) if len(value) <= MAX_BYTES else _NONE
            )
    return _NONE


def strip_query(target: str) -> str:
    """A target without its argument ``CMCD``, for keys and for parents."""
    path, mark, query = target.partition("?")
    if "CMCD" not in query:
        return target
    kept = [part for part in query.split("&") if part.partition("=")[0] != "CMCD"]
    return f"{path}?{'&'.join(kept)}" if mark and kept else path


def parse_headers(fields: Iterable[tuple[str, str]]) -> Cmcd:
    """What the four header fields say; others are ignored."""
    values: dict[str, Value] = {}
    left_out = 0
    names = {name.lower() for name in HEADERS}
    for name, text in fields:
        if name.lower() in names:
            found = parse_text(text)
            left_out += found.left_out
            for key, value in found.values.items():
                values.setdefault(key, value)
    return Cmcd(values=values, left_out=left_out) if values or left_out else _NONE


def parse_events(body: bytes) -> tuple[Cmcd, ...]:
    """The events of a report (``application/cmcd``): one on each line.

    Args:
        body: The report, or an older one in JSON (a list of objects, or one object).
    """
    events = []
    for line in body.split(b"\n", MAX_EVENTS)[:MAX_EVENTS]:
        text = line.strip().decode("utf-8", "replace")
        if text:
            events.append(parse_text(text))
    return tuple(events)


def parse_text(text: str) -> Cmcd:
    """What a comma-separated list of keys and values says, in the syntax of either version."""
    if len(text) > MAX_BYTES:
        return Cmcd(left_out=1)
    found = _read_fields(text)
    values: dict[str, Value] = {}
    left_out = 0
    for name, raw in found:
        value = _value(name, raw) if len(values) < MAX_KEYS else None
        if value is None:
            left_out += 1
        else:
            values[name] = value
    return Cmcd(values=values, left_out=left_out)


_NONE = Cmcd()


def _read_fields(text: str) -> list[tuple[str, Any]]:
    """Names and values; a part that is not well-formed has the value None.

    The whole is tried first. When a player broke the syntax somewhere, the parts around it are
    read one by one: a comma within a string does not separate them.
    """
    whole = _dictionary(text)
    if whole is not None:
        return whole
    found: list[tuple[str, Any]] = []
    for part in _parts(text):
        fields = _dictionary(part)
        found += [("", None)] if fields is None else fields
    return found


def _dictionary(text: str) -> list[tuple[str, Any]] | None:
    """The members of a dictionary (RFC 8941 §3.2); None when it is not one."""
    try:
        found: Any = http_sf.parse(text.encode("utf-8", "replace"), tltype="dictionary")
        return list(found.items())
    except (ValueError, RecursionError, TypeError, IndexError):
        return None


def _parts(text: str) -> list[str]:
    parts, start, quoted, escaped, depth = [], 0, False, False, 0
    for at, char in enumerate(text):
        if escaped:
            escaped = False
        elif quoted and char == "\\":
            escaped = True
        elif char == '"':
            quoted = not quoted
        elif not quoted and char in "()":
            depth = max(0, depth + (1 if char == "(" else -1))
        elif not quoted and not depth and char == ",":
            parts.append(text[start:at].strip())
            start = at + 1
    return [part for part in (*parts, text[start:].strip()) if part][: 2 * MAX_KEYS]


def _value(name: str, raw: Any) -> Value | None:
    """A value in our form; None when it is not as the standard has it."""
    if not isinstance(raw, tuple) or len(raw) != 2:
        return None
    key = KEYS.get(name)
    if key is None and (not _CUSTOM.fullmatch(name) or len(name) > 64):
        return None
    item, _ = raw
    if isinstance(item, list):
        return _list(key, item)
    return _item(key, item)


def _list(key: Key | None, items: list[Any]) -> Value | None:
    """Items of an inner list; where they name a kind of object, pairs of value and kind."""
    found: list[Any] = []
    for item, parameters in items[:16]:
        value = _item(key, item)
        if value is None:
            continue
        kinds = [name for name in parameters if len(name) <= 2]
        found.append((value, kinds[0]) if kinds else value)
    return tuple(found) or None


def _item(key: Key | None, item: Any) -> Value | None:
    form = _form_of(item)
    if form is None or (key is not None and not _fits(key.form, form)):
        return None
    if form in (Form.TEXT, Form.WORD):
        text = str(item)
        most = key.most_chars if key is not None else MAX_TEXT
        return text if len(text) <= most and text.isprintable() else None
    if form is Form.FLAG:
        return bool(item)
    number = float(item)
    if not math.isfinite(number) or abs(number) > 1e15:
        return None
    return int(number) if key is not None and key.form is Form.WHOLE else _plain(number)


def _plain(number: float) -> float:
    return int(number) if number == int(number) else number


def _form_of(item: Any) -> Form | None:
    if isinstance(item, bool):
        return Form.FLAG
    if isinstance(item, int):
        return Form.WHOLE
    if isinstance(item, http_sf.Token):
        return Form.WORD
    if isinstance(item, str):
        return Form.TEXT
    try:
        float(item)
    except (TypeError, ValueError):
        return None
    return Form.DECIMAL


def _fits(wanted: Form, found: Form) -> bool:
    """Whether a value may be read as what the key wants: players mix up strings and tokens."""
    numbers = (Form.WHOLE, Form.DECIMAL)
    texts = (Form.TEXT, Form.WORD)
    return (
        found is wanted
        or (found in numbers and wanted in numbers)
        or (found in texts and wanted in texts)
    )


def print_text(cmcd: Cmcd, *, header: str | None = None) -> str:
    """The comma-separated list, keys in order; ``parse_text`` reads it back.

    Args:
        cmcd: What to say.
        header: Only what belongs into this header field; None: all.
    """
    parts = []
    for name in sorted(cmcd.values):
        value = cmcd.values[name]
        key = KEYS.get(name)
        belongs = key.header if key is not None else HEADERS[1]
        if (header is not None and belongs != header) or value is False:
            continue  # CTA-5004: what is false is left out
        if name == "v" and value == 1:
            continue
        parts.append(name if value is True else f"{name}={_print(key, value)}")
    return ",".join(parts)


def print_query(cmcd: Cmcd) -> str:
    """The query argument, percent-encoded."""
    return f"CMCD={quote(print_text(cmcd), safe='')}"


def print_headers(cmcd: Cmcd) -> list[tuple[str, str]]:
    """Those of the four header fields that have something to say."""
    printed = [(header, print_text(cmcd, header=header)) for header in HEADERS]
    return [(header, text) for header, text in printed if text]


def _print(key: Key | None, value: Value | Any) -> str:
    if isinstance(value, tuple):
        items = []
        for item in value:
            if isinstance(item, tuple):
                items.append(f"{_print(key, item[0])};{item[1]}")
            else:
                items.append(_print(key, item))
        return f"({' '.join(items)})"
    if isinstance(value, bool):
        return "?1" if value else "?0"
    if isinstance(value, int | float):
        return str(value) if isinstance(value, int) else f"{value:.3f}".rstrip("0").rstrip(".")
    if key is not None and key.form is Form.WORD and _WORDS.fullmatch(value):
        return value
    return json.dumps(value, ensure_ascii=True).replace("\\/", "/")
