"""A DASH manifest moved away from the files it lists, as text.

Source: ISO/IEC 23009-1, 5.6 (reference resolution): a BaseURL of MPD says where relative URLs
begin, those of BaseURL further down among them, as subtitles have them.
"""

from __future__ import annotations

import re

from abr.errors import PackageError

_MPD = re.compile(r"<MPD\b[^>]*>")
_OWN_BASE = re.compile(r"(?:(?!<Period\b).)*<BaseURL\b", re.DOTALL)
"""Before any period; periods may have bases of their own."""


def relocate_manifest(text: str, prefix: str) -> str:
    """``text`` with a BaseURL of ``prefix``, a relative folder that ends in a slash.

    Raises:
        PackageError: it is no manifest, or MPD has a BaseURL already.
    """
    head = _MPD.search(text)
    if head is None or _OWN_BASE.match(text, head.end()):
        raise PackageError("manifest.mpd: expected an MPD element without a BaseURL of its own")
    return f"{text[: head.end()]}\n  <BaseURL>{prefix}</BaseURL>{text[head.end() :]}"
