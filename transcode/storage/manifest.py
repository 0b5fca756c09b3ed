"""A DASH manifest moved away from the files it lists, as text.

Source: ISO/IEC 23009-1, 5.6 (reference resolution): BaseURL is the first child of MPD that
says where relative URLs begin.
"""

from __future__ import annotations

import re

from abr.errors import PackageError

_MPD = re.compile(r"<MPD\b[^>]*>")


def relocate_manifest(text: str, prefix: str) -> str:
    """``text`` with a BaseURL of ``prefix``, a relative folder that ends in a slash.

    Raises:
        PackageError: it is no manifest, or has a BaseURL already.
    """
    head = _MPD.search(text)
    if head is None or "<BaseURL>" in text:
        raise PackageError("manifest.mpd: expected one MPD element without a BaseURL")
    return f"{text[: head.end()]}\n  <BaseURL>{prefix}</BaseURL>{text[head.end() :]}"
