"""What environments are given, checked before compiled code sees it.

Compiled code does not look whether there are as many actions as copies.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

import numpy as np
from gymnasium.vector import AutoresetMode
from numpy.typing import NDArray

from abr.errors import ArgumentError

T = TypeVar("T")
MOST_COPIES = 1_000_000


def as_list(name: str, found: Iterable[T], kind: type[T]) -> list[T]:
    """Several of ``kind``, as a list.

    Raises:
        ArgumentError: it is one, or something else.
    """
    expected = f"expected a list of {kind.__name__} values"
    if isinstance(found, str | kind) or not isinstance(found, Iterable):
        raise ArgumentError(f"{name}: found {_told(found)}; {expected}")
    several = list(found)
    for k, each in enumerate(several):
        if not isinstance(each, kind):
            raise ArgumentError(f"{name}[{k}]: found {_told(each)}; {expected}")
    return several


def check_kind(name: str, found: object, kind: type[Any]) -> None:
    """Raise unless ``found`` is a ``kind``.

    Raises:
        ArgumentError: it is something else.
    """
    if not isinstance(found, kind):
        where = f"{kind.__module__}.{kind.__qualname__}"
        raise ArgumentError(f"{name}: found {_told(found)}; expected a value of {where}")


def check_flag(name: str, found: object) -> bool:
    """A choice of two.

    Raises:
        ArgumentError: it is neither True nor False.
    """
    if not isinstance(found, bool | np.bool_):
        raise ArgumentError(f"{name}: found {_told(found)}; expected True or False")
    return bool(found)


def check_range(name: str, found: object) -> tuple[float, float]:
    """Two numbers above 0, the lower first.

    Raises:
        ValueError: it is something else.
    """
    try:
        low, high = map(float, np.asarray(found, dtype=np.float64))
    except (TypeError, ValueError):
        low = high = np.nan
    if not 0 < low <= high < np.inf:
        raise ValueError(f"{name} {short(found)}; expected two numbers above 0, the lower first")
    return low, high


def check_copies(copies: int) -> int:
    """How many copies there are.

    Raises:
        ArgumentError: it is no whole number.
        ValueError: there is none.
    """
    if not isinstance(copies, int | np.integer) or isinstance(copies, bool):
        raise ArgumentError(f"copies: found {_told(copies)}; expected a whole number")
    if not 1 <= copies <= MOST_COPIES:
        raise ValueError(f"copies {copies}; expected 1 to {MOST_COPIES}")
    return int(copies)


def as_mode(given: AutoresetMode | str) -> AutoresetMode:
    """The mode; as text by the value that Gymnasium gives it, too.

    Raises:
        ValueError: there is no such mode.
    """
    try:
        return AutoresetMode(given)
    except ValueError:
        names = ", ".join(f"AutoresetMode.{mode.name}" for mode in AutoresetMode)
        raise ValueError(f"autoreset_mode {given!r}; expected one of {names}") from None


def whole_numbers(name: str, given: object, *shape: int | None) -> NDArray[np.int64]:
    """``given`` as an array of whole numbers; None in ``shape`` stands for any length.

    Raises:
        ValueError: it has another shape, or numbers that are not whole.
    """
    try:
        found = np.asarray(given)
    except ValueError:  # rows of several lengths
        found = np.asarray(None)
    is_whole = found.dtype.kind in "iu" or not found.size
    if not is_whole and found.dtype.kind == "f":
        is_whole = bool((np.isfinite(found) & (found == np.rint(found))).all())
    if not is_whole:
        raise ValueError(f"{name} {short(given)}; expected whole numbers")
    is_empty = shape[:1] == (None,) and not found.size
    if not is_empty and (
        found.ndim != len(shape)
        or any(n not in (None, m) for n, m in zip(shape, found.shape, strict=True))
    ):
        sides = [("any" if n is None else str(n)) + "," * (len(shape) == 1) for n in shape]
        wanted = f"shape ({', '.join(sides)})" if shape else "one number"
        raise ValueError(f"{name} of shape {found.shape}; expected {wanted}")
    return found.astype(np.int64, copy=False)


def check_mask(given: object, copies: int) -> NDArray[np.bool_]:
    """A mask of copies to reset.

    Raises:
        ValueError: it is no mask of all of them, or names none.
    """
    found = np.asarray(given)
    if found.dtype != np.bool_ or found.shape != (copies,) or not found.any():
        raise ValueError(
            f"reset_mask {short(given)}; expected {copies} booleans, one per copy, and one or "
            "more of them true"
        )
    return found


def known_options(options: Mapping[str, Any] | None, *names: str) -> Mapping[str, Any]:
    """The options of ``reset``.

    Raises:
        ArgumentError: they are no mapping, or ``restart`` is neither True nor False.
        ValueError: one is unknown.
    """
    wanted = {} if options is None else options
    if not isinstance(wanted, Mapping):
        raise ArgumentError(f"options of reset: found {_told(wanted)}; expected a dict")
    if strange := sorted(map(repr, set(wanted) - set(names))):
        raise ValueError(f"option {', '.join(strange)} of reset; expected {' or '.join(names)}")
    check_flag("option 'restart' of reset", wanted.get("restart", False))
    return wanted


def _told(found: object) -> str:
    return "None" if found is None else f"a value of type {type(found).__name__}"


def short(given: object) -> str:
    """A value on one line."""
    text = " ".join(repr(given).split())
    return text if len(text) <= 60 else f"{text[:57]}..."
