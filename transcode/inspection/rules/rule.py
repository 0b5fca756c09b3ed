"""What a rule is, and what it finds."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal
from urllib.parse import urlsplit

from transcode.inspection.facts import PackageFacts
from transcode.inspection.playlists import ListedVariant

Severity = Literal["violation", "warning", "note"]
Needs = Literal["playlists", "sizes", "media", "decode"]
DEPTHS: tuple[Needs, ...] = ("playlists", "sizes", "media", "decode")
"""What must be known, each including those before it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Breach:
    """One place where a rule does not hold."""

    file: str
    place: str = ""
    """Line, segment, attribute or time; empty for the whole file."""
    measured: str
    allowed: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One rule: what must hold, who says so, and the function that looks."""

    id: str
    """Ours, in words."""
    clauses: tuple[str, ...]
    """Where it is written: ``Apple 1.26``, ``RFC 4.4.3.1`` (of RFC 8216bis), or ``ours``."""
    severity: Severity
    text: str
    """What must hold, one sentence."""
    remedy: str
    """What to do when it does not."""
    needs: Needs
    check: Callable[[PackageFacts], Iterator[Breach]]

    def answers_to(self, name: str) -> bool:
        """Whether ``name`` is its id or the number of one of its clauses."""
        return name == self.id or any(
            name in (clause, clause.rpartition(" ")[2]) for clause in self.clauses
        )


def at_line(line: int | None) -> str:
    """Place of a line."""
    return f"line {line}" if line else ""


def place_of(variant: ListedVariant) -> str:
    """Place of a variant: its line, and its URI as it may be shown."""
    return f"{at_line(variant.line)} ({shown(variant.uri)})"


def shown(uri: str) -> str:
    """A URI without what may hold a token: query, user name, the path of another place."""
    try:
        parts = urlsplit(uri)
    except ValueError:
        return "an address"
    if parts.scheme or parts.netloc or parts.path.startswith("/"):
        return f"…/{parts.path.rpartition('/')[2]}"
    return parts.path
