"""One request of a log, as a simulation sees it."""

from __future__ import annotations

from typing import NamedTuple


class Request(NamedTuple):  # one for each line of a log: made in a third of a dataclass's time
    """One request for a whole object."""

    t_s: float
    """When it came; any zero, the same for the whole log."""
    key: str
    size_bytes: int
    """Size of the object's body."""
