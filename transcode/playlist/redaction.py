"""A playlist, or the answer of a steering server, as a log may keep it.

URIs, what variables stand for and values that applications add are redacted; what is left reads as
the same playlist: the same tags, lines and figures, with other names for the same things. See
``abr.redaction`` for why that is enough to play a log again.
"""

from __future__ import annotations

import json
import re
from typing import Any
from urllib.parse import quote

from abr.redaction import Redactor

_LINES = re.compile(r"(\r\n|\n|\r)")
_ATTRIBUTE = re.compile(
    r"""(?<![^=,"'\s:])(?P<name>[^=,"'\s:]+)(?P<is>\s*=\s*)"""
    r"""(?:(?P<mark>["'])(?P<value>.*?)(?P=mark)|(?P<bare>[^,"'\s][^,]*))"""
)
"""As liberal as what reads attributes: other quotation marks, none at all, names in any case. A
name begins where no other does, so that long lines take no longer than they are."""
_HARMLESS = frozenset(
    (
        *("ALLOWED-CPC", "ASSOC-LANGUAGE", "AUDIO", "CHANNELS", "CHARACTERISTICS", "CLASS"),
        *("CLOSED-CAPTIONS", "CODECS", "DATA-ID", "END-DATE", "GROUP-ID", "IMPORT", "INSTREAM-ID"),
        *("KEYFORMAT", "KEYFORMATVERSIONS", "LANGUAGE", "NAME", "PATHWAY-ID", "QUERYPARAM"),
        *("STABLE-RENDITION-ID", "STABLE-VARIANT-ID", "START-DATE", "SUBTITLES"),
        *("SUPPLEMENTAL-CODECS", "VIDEO", "X-RESTRICT", "X-SNAP"),
    )
)
"""Attributes whose quoted strings hold neither URIs nor what an application wants to say."""


def redact_playlist(text: str, names: Redactor) -> str:
    """``text`` with numbers of ``names`` for all that may be a secret."""
    if text.lstrip("\ufeff \t\r\n").startswith("{"):
        return _redact_json(text, names)
    mark = "\ufeff" if text.startswith("\ufeff") else ""
    lines = _LINES.split(text.removeprefix(mark))
    for at in range(0, len(lines), 2):
        line = lines[at]
        if line.lstrip().startswith("#"):
            lines[at] = _redact_tag(line, names)
        elif uri := line.strip():
            lines[at] = line.replace(uri, names.url(uri))
    return mark + "".join(lines)


def _redact_tag(line: str, names: Redactor) -> str:
    if not line.lstrip().startswith("#EXT"):
        return names.words(line)
    if '"' not in line and "'" not in line:
        return names.words(line) if "/" in line or "?" in line else line
    is_definition = line.lstrip().startswith("#EXT-X-DEFINE")

    def put(found: re.Match[str]) -> str:
        name, value, bare = found["name"].upper(), found["value"], found["bare"]
        if bare is not None:
            is_url = "/" in bare or "?" in bare
            return f"{found['name']}{found['is']}{names.url(bare)}" if is_url else found[0]
        if is_definition and name == "QUERYPARAM":
            names.put_argument(value)
        if name in _HARMLESS:
            return found[0]
        is_variable = is_definition and name == "VALUE"
        shown = names.variable(value) if is_variable else names.url(value)
        return f"{found['name']}{found['is']}{found['mark']}{shown}{found['mark']}"

    return _ATTRIBUTE.sub(put, line)


def _redact_json(text: str, names: Redactor) -> str:
    try:
        found = _redact_value(json.loads(text.lstrip("\ufeff")), names)
    except (ValueError, RecursionError):
        return names.words(text)
    return json.dumps(found, ensure_ascii=False)


def _redact_value(value: Any, names: Redactor, name: str = "") -> Any:
    if isinstance(value, dict):
        return {
            each: names.secret(quote(held, safe="()"))  # as it comes to stand in URLs
            if name == "PARAMS" and isinstance(held, str)
            else _redact_value(held, names, each)
            for each, held in value.items()
        }
    if isinstance(value, list):
        return [_redact_value(each, names, name) for each in value]
    return names.url(value) if isinstance(value, str) and name not in _IDS else value


_IDS = frozenset({"PATHWAY-PRIORITY", "BASE-ID", "ID"})
