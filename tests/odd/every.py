"""All odd streams there are."""

from __future__ import annotations

from tests.odd import ladders, texts
from tests.odd.stream import ALL

TOPICS = (texts, ladders)

__all__ = ["ALL", "TOPICS"]
