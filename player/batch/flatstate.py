"""Algorithm states as rows of numbers, one row per session.

A state is a named tuple of float64 arrays of one or two dimensions, or of such tuples.
``flatten`` converts a state to a row; ``source`` writes the expression that converts a row
back, because numba cannot compile a loop over the fields.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from abr.media import FloatArray


class NotFlatError(Exception):
    """A state holds something other than float64 arrays; the message says what."""


class Flat(NamedTuple):
    """A state as a row of numbers."""

    values: FloatArray
    """All arrays, concatenated."""
    fields: NDArray[np.int64]
    """Offset, rows and columns of each array, shape (F, 3); 0 columns: one dimension."""


def flatten(state: Any) -> Flat:
    """Convert ``state`` to a row.

    Raises:
        NotFlatError: it holds something other than float64 arrays.
    """
    leaves = list(_leaves(state))
    fields = np.zeros((len(leaves), 3), dtype=np.int64)
    begin = 0
    for row, leaf in zip(fields, leaves, strict=True):
        row[:] = begin, leaf.shape[0], leaf.shape[1] if leaf.ndim == 2 else 0
        begin += leaf.size
    values = [np.ascontiguousarray(leaf).ravel() for leaf in leaves]
    return Flat(np.concatenate(values) if values else np.zeros(0), fields)


def classes(state: Any) -> list[type]:
    """The classes of named tuples in ``state``, outermost first, each once."""
    found: list[type] = []
    if isinstance(state, tuple):
        found.append(type(state))
        for item in state:
            found.extend(kind for kind in classes(item) if kind not in found)
    return found


def source(state: Any, name_of: Callable[[type], str]) -> str:
    """A Python expression of ``row`` and ``fields`` for the state, as views of ``row``."""
    return _expression(state, name_of, iter(range(1_000_000)))


def unflatten(state: Any, row: FloatArray, fields: NDArray[np.int64]) -> Any:
    """The state in ``row``, with the structure of ``state``: views, not copies."""
    return _again(state, row, iter(fields.tolist()))


def listed(state: Any) -> Any:
    """``state`` with lists for its arrays of one dimension, which plain Python indexes faster.

    Only for algorithms that access such arrays element by element.
    """
    if isinstance(state, tuple):
        return type(state)(*(listed(item) for item in state))
    is_row = isinstance(state, np.ndarray) and state.ndim == 1
    return state.tolist() if is_row else state


def _leaves(state: Any) -> Iterator[FloatArray]:
    if isinstance(state, tuple) and hasattr(state, "_fields"):
        for item in state:
            yield from _leaves(item)
    elif isinstance(state, np.ndarray) and state.dtype == np.float64 and state.ndim in (1, 2):
        yield state
    else:
        what = f"{state.dtype} array" if isinstance(state, np.ndarray) else type(state).__name__
        raise NotFlatError(
            f"its state holds a {what}; expected named tuples of float64 arrays of one or two "
            "dimensions"
        )


def _expression(state: Any, name_of: Callable[[type], str], count: Iterator[int]) -> str:
    if isinstance(state, tuple):
        inner = ", ".join(_expression(item, name_of, count) for item in state)
        return f"{name_of(type(state))}({inner})"
    k = next(count)
    begin = f"fields[{k}, 0]"
    if state.ndim == 1:
        return f"row[{begin}:{begin} + fields[{k}, 1]]"
    rows, columns = f"fields[{k}, 1]", f"fields[{k}, 2]"
    return f"row[{begin}:{begin} + {rows} * {columns}].reshape(({rows}, {columns}))"


def _again(state: Any, row: FloatArray, fields: Iterator[list[int]]) -> Any:
    if isinstance(state, tuple):
        return type(state)(*(_again(item, row, fields) for item in state))
    begin, rows, columns = next(fields)
    if state.ndim == 1:
        return row[begin : begin + rows]
    return row[begin : begin + rows * columns].reshape((rows, columns))
