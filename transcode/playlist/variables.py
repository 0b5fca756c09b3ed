"""Variables of playlists: references put in place before a playlist is read.

Line numbers stay as they are. A reference that nothing defines stays as it is written and is told
as a fault, since a player must refuse the playlist.

Source: RFC 8216bis, sections 4.3 (variable substitution) and 4.4.2.3 (EXT-X-DEFINE).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, urlsplit

from abr.errors import PlaylistError
from transcode.playlist.tags import read_lines

MOST_CHARACTERS = 16 * 2**20
"""A playlist with its variables in place; definitions that name each other may double it."""
_REFERENCE = re.compile(r"\{\$([A-Za-z0-9_-]+)\}")
_NAME = re.compile(r"[A-Za-z0-9_-]+")
_PLACES = re.compile(r'"[^"]*"|=0[xX][^,]*')
"""Quoted strings and hexadecimal sequences: where attributes may have references."""
_DEFINE = "#EXT-X-DEFINE"


@dataclass(frozen=True, slots=True, kw_only=True)
class Expanded:
    """A playlist whose references are replaced."""

    text: str
    variables: Mapping[str, str]
    """Those that it defines, for playlists that import them."""
    faults: tuple[tuple[int, str], ...] = ()
    """Line and what is wrong with a definition or a reference."""


@dataclass(slots=True)
class _Expansion:
    """One playlist under way."""

    where: str
    query: Mapping[str, str] | None
    imports: Mapping[str, str] | None
    variables: dict[str, str] = field(default_factory=dict)
    faults: list[tuple[int, str]] = field(default_factory=list)
    _size: int = 0

    def put(self, number: int, text: str) -> str:
        """``text`` with every reference replaced."""
        references = list(_REFERENCE.finditer(text))
        added = sum(len(self.variables.get(each[1], "")) for each in references)
        self._size += added
        if self._size > MOST_CHARACTERS:
            raise PlaylistError(
                f"{self.where}:{number}: over {MOST_CHARACTERS:,} characters with variables in "
                "place; expected fewer"
            )
        for each in references:
            if each[1] not in self.variables:
                self.faults.append(
                    (number, f"{each[0]} is not defined; expected {_DEFINE} on a line before it")
                )
        return _REFERENCE.sub(lambda each: self.variables.get(each[1], each[0]), text)

    def define(self, number: int, line: str) -> None:
        """Take the definition of a line whose references are replaced."""
        (read,) = read_lines(f"#EXTM3U\n{line}", where=self.where)
        ways = [way for way in ("NAME", "IMPORT", "QUERYPARAM") if way in read.attributes]
        if len(ways) != 1:
            what = " and ".join(ways) or "no name"
            allowed = "one of NAME, IMPORT and QUERYPARAM"
            self.faults.append((number, f"{_DEFINE} with {what}; expected {allowed}"))
            return
        name = read.attributes[ways[0]]
        if not _NAME.fullmatch(name):
            self.faults.append((number, f"a variable {name[:20]!r}; expected a-z, A-Z, 0-9, -, _"))
        elif name in self.variables:
            self.faults.append((number, f"variable {name} is defined twice; expected once"))
        else:
            value = self._value(number, ways[0], name, read.attributes)
            if value is not None:
                self.variables[name] = value

    def _value(self, number: int, way: str, name: str, attributes: Mapping[str, str]) -> str | None:
        if way == "NAME":
            value, wrong = attributes.get("VALUE"), f"variable {name} without VALUE"
        elif way == "IMPORT":
            value = (self.imports or {}).get(name)
            wrong = f"variable {name} is imported; the multivariant playlist does not define it"
            if self.imports is None:
                wrong = "IMPORT; expected it only in playlists that a multivariant playlist lists"
        elif self.query is None:
            raise PlaylistError(
                f"{self.where}:{number}: {_DEFINE} takes {name} from the query of its URL; "
                "expected a URL instead of a file"
            )
        else:
            # An empty value counts as none.
            value = self.query.get(name) or None
            wrong = f"variable {name} is taken from the query of its URL, which has no {name}"
        if value is None:
            self.faults.append((number, wrong))
        return value


def expand(
    text: str,
    *,
    where: str,
    query: Mapping[str, str] | None = None,
    imports: Mapping[str, str] | None = None,
) -> Expanded:
    """Put variables in place.

    Args:
        text: The whole playlist.
        where: Its name, for messages.
        query: Parameters of its URL (``query_of``); None when it has no URL.
        imports: Variables of the multivariant playlist that lists it; None when none does.

    Raises:
        PlaylistError: it is too long with them, or takes one from a URL that it does not have.
    """
    if _DEFINE not in text and "{$" not in text:
        return Expanded(text=text, variables={})
    state = _Expansion(where=where, query=query, imports=imports)
    done = []
    for number, written in enumerate(re.split(r"\r\n|\n|\r", text), 1):
        line = written.strip()
        if line.startswith("#EXT"):
            tag, colon, value = line.partition(":")
            line = tag + colon + _PLACES.sub(lambda m, at=number: state.put(at, m[0]), value)
            if tag == _DEFINE:
                state.define(number, line)
        elif not line.startswith("#"):
            line = state.put(number, line)
        done.append(line)
    return Expanded(text="\n".join(done), variables=state.variables, faults=tuple(state.faults))


def query_of(url: str) -> dict[str, str]:
    """Parameters of a URL's query, the first of each name, decoded."""
    found: dict[str, str] = {}
    for name, value in parse_qsl(urlsplit(url).query, keep_blank_values=True):
        found.setdefault(name, value)
    return found
