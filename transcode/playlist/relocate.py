"""A multivariant playlist moved away from the files it lists, as text.

Tags that this package does not know keep their meaning, because only URIs change.

Source: RFC 8216bis, 4.1 (URI lines) and 4.2 (quoted attribute values).
"""

from __future__ import annotations

import re

# An attribute named URI, in full: X-ASSET-URI is another attribute.
_ATTRIBUTE = re.compile(r'(?<=[:,])URI="([^"]*)"')
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:|/")


def relocate(text: str, prefix: str) -> str:
    """``text`` with ``prefix`` before every relative URI.

    Args:
        text: A playlist.
        prefix: A relative folder that ends in a slash.
    """
    return "".join(_relocate_line(line, prefix) for line in text.splitlines(keepends=True))


def _relocate_line(line: str, prefix: str) -> str:
    if line.startswith("#EXT"):
        return _ATTRIBUTE.sub(lambda found: f'URI="{_moved(found[1], prefix)}"', line)
    if line.strip() and not line.startswith("#"):
        return _moved(line, prefix)
    return line


def _moved(uri: str, prefix: str) -> str:
    return uri if _SCHEME.match(uri) else prefix + uri
