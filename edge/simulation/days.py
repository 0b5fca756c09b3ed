"""Several logs day by day, as they were written at the same time; each is read once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from abr.errors import LogFormatError
from edge.simulation.requests import Request

DAY_S = 86_400.0

LATE_S = 3600.0
"""A line this much older than its day still counts: lines are written when answers end."""


def by_day(
    logs: Mapping[str, Iterable[Request]],
) -> Iterator[tuple[int, dict[str, Iterator[Request]]]]:
    """The days on which anything was asked for: their number, and the requests by log.

    The requests of a day must be read, one log after the other, before the next day is asked for.

    Raises:
        LogFormatError: a log is not in order of time.
    """
    streams = {name: _Stream(name, requests) for name, requests in logs.items()}
    while True:
        days = [stream.day for stream in streams.values() if stream.day is not None]
        if not days:
            return
        day = min(days)
        yield day, {name: stream.take(day) for name, stream in streams.items()}


class _Stream:
    """One log, of which the next request is known."""

    def __init__(self, name: str, requests: Iterable[Request]) -> None:
        self._name = name
        self._requests = iter(requests)
        self._next = next(self._requests, None)

    def __repr__(self) -> str:
        return f"<_Stream {self._name!r}, next {self._next}>"

    @property
    def day(self) -> int | None:
        """Day of the next request; None at the end."""
        return None if self._next is None else int(self._next.t_s // DAY_S)

    def take(self, day: int) -> Iterator[Request]:
        """Requests up to the end of ``day``."""
        while (found := self._next) is not None and found.t_s < (day + 1) * DAY_S:
            if found.t_s < day * DAY_S - LATE_S:
                raise LogFormatError(
                    f"log of {self._name}: t_s {found.t_s:.0f} after a request of "
                    f"{day * DAY_S:.0f} or later; expected order of time (give older files first)"
                )
            yield found
            self._next = next(self._requests, None)
