"""All odd streams there are."""

from __future__ import annotations

from tests.odd import texts
from tests.odd.stream import ALL

TOPICS = (texts,)

__all__ = ["ALL", "TOPICS"]
