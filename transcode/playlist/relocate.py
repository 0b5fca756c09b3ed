"""A multivariant playlist moved away from the files it lists, as text.

Tags that this package does not know keep their meaning, because only URIs change.

Source: RFC 8216bis, 4.1 (URI lines) and 4.2 (quoted attribute values).
"""

from __future__ import annotations

import re

# Every attribute that has a quoted string, in full: a name may hold ",URI=".
_QUOTED = re.compile(r'(?<=[:,])([A-Z0-9-]+)="([^"]*)"')
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:|/")


def relocate(text: str, prefix: str) -> str:
    """``text`` with ``prefix`` before every relative URI.

    Args:
        text: A playlist.
        prefix: A relative folder that ends in a slash.
    """
    return "\n".join(_relocate_line(line, prefix) for line in text.split("\n"))


def _relocate_line(line: str, prefix: str) -> str:
    if line.startswith("#EXT"):
        return _QUOTED.sub(lambda found: _relocate_attribute(found, prefix), line)
    if line.strip() and not line.startswith("#"):
        return _moved(line, prefix)
    return line


def _relocate_attribute(found: re.Match[str], prefix: str) -> str:
    name, value = found.groups()
    return f'URI="{_moved(value, prefix)}"' if name == "URI" else found[0]


def _moved(uri: str, prefix: str) -> str:
    return uri if _SCHEME.match(uri) else prefix + uri
