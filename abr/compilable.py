"""What functions say that run both as plain Python and compiled, so that both are fast.

Plain Python looks numbers up fastest in lists and memory views, compiled code in bare
arrays. A compiled loop gets its own meaning of these functions from
``player.batch.run.compiled``.
"""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, TypeVar

Compiled = TypeVar("Compiled", bound=Callable[..., Any])


RARE: set[tuple[str, str]] = set()
"""Module and name of each function so marked. No attribute of the function, as what can
change about a function must be looked at before each use of compiled code."""


def rarely(function: Compiled) -> Compiled:
    """Mark a function that a compiled loop calls now and then: it is compiled by itself.

    All others are inlined where they are called, which makes calls free and compiling slow.
    """
    RARE.add((function.__module__, function.__qualname__))
    return function


def likely(is_so: bool) -> bool:
    """``is_so``, which is nearly always true.

    Compiled: a branch, where the compiler would rather work out both ways and then choose.
    What comes after a branch that is foreseen does not wait for what it depends on. To be
    said in the condition of an ``if``, of a comparison.
    """
    return is_so


def capped(value: float, bound: float) -> float:
    """``min(value, bound)`` where ``value`` is nearly always the less; see ``likely``."""
    return value if value <= bound else bound  # noqa: FURB136  # as in the compiled form, nan too


def lifted(value: float, bound: float) -> float:
    """``max(value, bound)`` where ``value`` is nearly always the more; see ``likely``."""
    return value if value >= bound else bound  # noqa: FURB136  # likewise


def natural(index: int) -> int:
    """``index``, which is 0 or more.

    Compiled, it is not looked at for whether it counts from the end; one that did would read
    or write anywhere.
    """
    return index


AHEAD = 4
"""How many periods ``reached_ahead`` looks at."""


def reached_ahead(
    times: Any, amounts: Any, rates: Any, amount: float, least: float, near: int
) -> tuple[float, int]:
    """When ``amount`` is reached, and the first period by whose end ``least`` are.

    From ``times[k]`` to the next, amounts grow from ``amounts[k]`` on by ``rates[k]``. That
    period must be one of the ``AHEAD`` from ``near`` on. Compiled, all of them are worked out
    side by side and one is chosen: which it is cannot be foreseen, so branches would take longer.
    """
    while amounts[near + 1] < least:
        near += 1
    return times[near] + (amount - amounts[near]) / rates[near], near


def uncounted(array: Any) -> Any:
    """``array`` as it is.

    Compiled: a view that does not keep its memory. Counting who uses an array costs more
    than most of what is done with it. So ``array`` must be one that the function was given
    or returns: of others the memory is freed once they are looked at for the last time.
    """
    return array


def numbers(array: Any) -> Any:
    """What is only looked up, as plain Python looks it up fastest.

    Compiled: ``uncounted``.
    """
    return array.tolist()


def cells(array: Any) -> Any:
    """What is written a number at a time, as plain Python does so fastest.

    Compiled: ``uncounted``.
    """
    return memoryview(array)


def fields(records: Any) -> Any:
    """The first of an array of records, its fields to be read and written by name.

    Compiled: that record. Plain Python looks names up faster in an object of its own.
    """
    return SimpleNamespace(**dict(zip(records.dtype.names, records[0].item(), strict=True)))


def store(values: Any, records: Any, i: int) -> None:
    """Put what ``fields`` gave into record ``i``."""
    records[i] = tuple(getattr(values, name) for name in records.dtype.names)


def _first_record(records: Any) -> Any:
    return records[0]


def _store_record(values: Any, records: Any, i: int) -> None:
    records[i] = values


COMPILED = {fields: _first_record, store: _store_record}
"""What the compiler takes in place of functions, where that is a function too."""
