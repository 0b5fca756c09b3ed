"""A rule that plain Python runs and a compiler does not accept."""

from __future__ import annotations

from typing import Any

from abr.decision import Decision


def choose(params: Any, state: Any, seen: Any) -> Decision:
    words = {"a": [1, "x"]}
    return Decision(len(words.get("a") or ""))
