"""Chance for random scripts: numbers by the block, since scripts draw a thousand of them each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import numpy as np

T = TypeVar("T")

_BLOCK = 512


class Draw:
    """Draws that follow from a seed."""

    def __init__(self, seed: int) -> None:
        self._rng = np.random.default_rng(seed)
        self._numbers: list[float] = []

    def __repr__(self) -> str:
        return f"<Draw {self._rng!r}>"

    def random(self) -> float:
        """At least 0, less than 1."""
        if not self._numbers:
            self._numbers = self._rng.random(_BLOCK).tolist()
        return self._numbers.pop()

    def below(self, count: int) -> int:
        """A whole number of 0 to ``count`` - 1."""
        return int(self.random() * count)

    def between(self, least: int, most: int) -> int:
        """A whole number, both ends included."""
        return least + self.below(most - least + 1)

    def one(self, of: Sequence[T]) -> T:
        """One of several."""
        return of[self.below(len(of))]

    def order(self, of: list[T]) -> None:
        """Put ``of`` into another order."""
        for place in range(len(of) - 1, 0, -1):
            other = self.below(place + 1)
            of[place], of[other] = of[other], of[place]
