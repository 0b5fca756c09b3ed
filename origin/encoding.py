"""Which form of a text a client takes: as it is, or compressed.

Playlists and manifests are text that shrinks to a tenth; Apple's authoring rules ask for gzip
(10.1). The compressed form has an entity tag of its own. It is a weak one, because two servers
may compress the same text to different bytes, and nobody may join parts of those.

Source: RFC 9110 §12.5.3 (Accept-Encoding), §8.8.3 (entity tags of encoded forms).
"""

from __future__ import annotations

import re

GZIPPED_TYPES = frozenset({"application/vnd.apple.mpegurl", "application/dash+xml"})
"""Media types that have a compressed form."""

_WEIGHT = r";[ \t]*[qQ]=([01](?:\.[0-9]{0,3})?)[ \t]*"
_CODING = re.compile(rf"[ \t]*([A-Za-z0-9!#$%&'*+.^_`|~-]+)[ \t]*(?:{_WEIGHT})?")


def accepts_gzip(text: str | None) -> bool:
    """Whether an ``Accept-Encoding`` field accepts gzip; what is not understood does not.

    Args:
        text: The field, repeated ones joined by a comma; None when there is none.
    """
    weights = {}
    for item in (text or "").split(","):
        match = _CODING.fullmatch(item)
        if match is not None:
            weights[match[1].lower()] = float(match[2] or 1)
    for name in ("gzip", "x-gzip", "*"):
        if name in weights:
            return weights[name] > 0
    return False


def gzip_tag(etag: str) -> str:
    """The entity tag of the compressed form of what has the strong tag ``etag``."""
    return f'W/"{etag.strip(chr(34))}-gzip"'
