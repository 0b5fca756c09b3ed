"""A loop small enough to check by hand, with the shape of the real ones."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from abr.capacity import CapacityTable, place_of
from abr.compilable import capped, lifted, likely, natural
from abr.media import FloatArray

HAS_EXTRA = False


class Memory(NamedTuple):
    """State of the hooks below: two numbers and a table."""

    pair: FloatArray
    table: FloatArray


def choose(params: Any, state: Any, x: float) -> float:
    """The default hook."""
    return 0.0


def state_of(row: FloatArray, fields: Any) -> Any:
    """Bound to what makes the state."""
    return None


def doubled(x: float) -> float:
    """Called by the loop."""
    return 2 * x


def add_and_count(params: tuple[float], state: Memory, x: float) -> float:
    """A hook whose state grows."""
    state.pair[1] += 1
    return float(x * params[0] + state.pair[0] + state.table[1, 0])


def choose_like_the_hook(params: tuple[float], state: Memory, x: float) -> float:
    """A hook that calls a function whose name is also a hook's: its own one is meant."""
    return 100.0 + choose(params, state, x)


def session(params: Any, state: Any, x: float) -> float:
    """One run: the hook, then the loop's own function."""
    return doubled(float(choose(params, state, x))) + (1.0 if HAS_EXTRA else 0.0)


def loop(params: Any, row: FloatArray, fields: Any, xs: FloatArray, out: FloatArray) -> None:
    """All runs."""
    state = state_of(row, fields)
    for i in range(len(xs)):
        out[i] = session(params, state, xs[i])


def memory() -> Memory:
    """A state to begin with."""
    return Memory(np.array([1.0, 0.0]), np.array([[1.0, 2.0], [3.0, 4.0]]))


def foresee(values: FloatArray, bounds: FloatArray, out: FloatArray) -> None:
    """Both ways of everything that is foreseen, a row of ``out`` each."""
    for i in range(len(values)):
        out[0, i] = capped(values[natural(i)], bounds[i])
        out[1, i] = lifted(values[i], bounds[natural(i)])
        out[2, i] = 1.0 if likely(values[i] < bounds[i]) else 2.0


def reach(table: CapacityTable, bits: FloatArray, out: FloatArray) -> None:
    """When each of ``bits`` has come and in which period, by all places to search from."""
    for near in range(len(table.capacity_bps)):
        for i in range(len(bits)):
            out[0, near, i], out[1, near, i] = place_of(table, bits[i], near)
