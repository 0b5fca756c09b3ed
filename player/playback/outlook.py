"""What algorithms see of the presentation: what is known, and what to expect where it goes on.

What is known is decided in ``player.playback.source``; when algorithms are asked, in
``player.playback.counsel``.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from abr.decision import Algorithm, Rule
from abr.media import Presentation
from player.playback.source import Source

MOST_EXPECTED = 256
"""A stream that goes on is expected to have at least so many segments more."""

_FIRST_LENGTH = 1024


class Outlook:
    """Of one playback."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._expected: tuple[Presentation, Presentation] | None = None
        """What is known, and what algorithms see of it."""

    def __repr__(self) -> str:
        return f"<Outlook on {self._source!r}>"

    def first_for(self, algorithm: Algorithm) -> Presentation | None:
        """What ``algorithm`` begins with: what is known, or to one that knows the trace, all."""
        given = self._source.given
        if isinstance(algorithm, Rule) and algorithm.needs_trace and given is not None:
            return given
        return self.presentation

    @property
    def presentation(self) -> Presentation | None:
        """What is known; of a stream that goes on, what to expect as well."""
        known, broadcast = self._source.presentation, self._source.broadcast
        if known is None or broadcast is None or broadcast.grid.is_ended:
            return known
        if self._expected is None or self._expected[0] is not known:
            self._expected = (known, expect_more(known))
        return self._expected[1]


def expect_more(known: Presentation) -> Presentation:
    """A presentation that goes on, as algorithms see it: they know no end.

    Segments to come are taken to last as long as those known and to have their mean rates. The
    number of all doubles when needed, so that it holds for long.
    """
    length = _FIRST_LENGTH
    while length < known.segments + MOST_EXPECTED:
        length *= 2
    more = length - known.segments
    segment_s = float(np.median(known.durations_s))
    mean_bytes = known.sizes_bytes.sum(axis=1) / known.duration_s * segment_s
    sizes = np.concatenate([known.sizes_bytes, np.tile(mean_bytes[:, None], more)], axis=1)
    durations = np.concatenate([known.durations_s, np.full(more, segment_s)])
    return replace(known, sizes_bytes=sizes, durations_s=durations)
