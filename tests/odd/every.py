"""All odd streams there are."""

from __future__ import annotations

from tests.odd import bodies, keys, ladders, texts
from tests.odd.stream import ALL

TOPICS = (texts, ladders, bodies, keys)

__all__ = ["ALL", "TOPICS"]
