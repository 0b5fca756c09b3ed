"""All odd streams there are."""

from __future__ import annotations

from tests.odd import bodies, corners, failures, keys, ladders, live, servers, texts
from tests.odd.stream import ALL

TOPICS = (texts, ladders, bodies, keys, servers, failures, live, corners)

__all__ = ["ALL", "TOPICS"]
