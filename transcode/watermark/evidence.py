"""What a captured copy shows: which variant it has of each segment.

Whatever way it was found, by equal bytes or in the pictures, it is a bit for some segments, both
bits for those that occur in both variants, and nothing for the others.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

How = Literal["files", "joined", "samples", "pictures"]
"""Whole files alike; files one after the other in one; encoded pictures alike; decoded ones."""
ERROR_RATES: Mapping[How, float] = {
    "files": 1e-9,
    "joined": 1e-9,
    "samples": 1e-9,
    "pictures": 0.01,
}
"""How often a bit that was found is taken to be wrong. It weighs one explanation against another;
the probability of a false accusation does not depend on it."""


class Sight(NamedTuple):
    """A segment that was recognised in a capture."""

    segment: int
    bit: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What a capture shows."""

    how: How
    bits: Mapping[int, int]
    """Variant by segment: 0 for A, 1 for B."""
    both: frozenset[int] = frozenset()
    """Segments that it has in both variants, as only a mix of sessions has."""
    unclear: tuple[int, ...] = ()
    """Segments that it has, and whose variant cannot be told."""
    places: Mapping[str, int] | None = None
    """How much of it was found in which track; None where that is not known."""
    strength: Mapping[int, float] | None = None
    """By segment, how many standard errors the mark is away from none; of pictures only."""

    @property
    def segments(self) -> tuple[int, ...]:
        """All segments whose variant is known."""
        return tuple(sorted({*self.bits, *self.both}))


def gathered(how: How, sights: Iterable[Sight], places: Mapping[str, int]) -> Evidence:
    """Evidence from segments that were recognised without doubt."""
    seen: dict[int, Counter[int]] = {}
    for sight in sights:
        seen.setdefault(sight.segment, Counter())[sight.bit] += 1
    return Evidence(
        how=how,
        bits={segment: next(iter(found)) for segment, found in seen.items() if len(found) == 1},
        both=frozenset(segment for segment, found in seen.items() if len(found) > 1),
        places=dict(places),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Folded:
    """Evidence by places of a pattern, which segments far apart may share."""

    places: NDArray[np.intp]
    """Places where one bit is known, in order."""
    bits: NDArray[np.int8]
    """Those bits."""
    both: NDArray[np.intp]
    """Places where both bits were seen."""


def fold(evidence: Evidence, length: int) -> Folded:
    """Evidence as a pattern of ``length`` bits shows it."""
    seen: dict[int, set[int]] = {}
    for segment, bit in evidence.bits.items():
        seen.setdefault(segment % length, set()).add(bit)
    for segment in evidence.both:
        seen.setdefault(segment % length, set()).update((0, 1))
    single = {place: next(iter(bits)) for place, bits in sorted(seen.items()) if len(bits) == 1}
    return Folded(
        places=np.array(list(single), dtype=np.intp),
        bits=np.array(list(single.values()), dtype=np.int8),
        both=np.array(sorted(set(seen) - set(single)), dtype=np.intp),
    )
