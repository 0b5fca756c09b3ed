"""What public functions are given, checked before anything else happens.

A wrong type would otherwise show as an error of Python's, somewhere within. Messages name the
function and the argument, the type of what was found, what was expected, and what to do.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from abr.errors import ArgumentError


def kind_of(found: object) -> str:
    """What it is; not its value, which may be a secret."""
    return "None" if found is None else f"a value of type {type(found).__name__}"


def expect(found: Any, kinds: type | tuple[type, ...], where: str, expected: str) -> None:
    """Refuse what is none of ``kinds``; a truth value is no number.

    Args:
        found: What was given.
        kinds: What it may be.
        where: Function and argument, such as ``named(label=...)``.
        expected: In words, and what to do.

    Raises:
        ArgumentError: it is none of them.
    """
    is_truth = isinstance(found, bool) and kinds is not bool
    if is_truth or not isinstance(found, kinds):
        raise ArgumentError(f"{where}: found {kind_of(found)}; expected {expected}")


def as_path(found: Any, where: str) -> Path:
    """A path, however it was given.

    Raises:
        ArgumentError: it is none.
    """
    expect(found, (str, os.PathLike), where, "a path, as text or a pathlib.Path")
    path: Any = os.fspath(found)
    expect(path, str, where, "a path as text; os.fsdecode(path) makes it that")
    return Path(path)


def as_params(found: Any, where: str) -> dict[str, Any]:
    """Parameters by name; none of None.

    Raises:
        ArgumentError: it is no mapping of names to values.
    """
    if found is None:
        return {}
    expect(found, Mapping, where, 'a mapping of names to values, such as {"alpha": 2}')
    for name in found:
        expect(name, str, where, "names that are text, as keys of the mapping")
    return dict(found)


def as_list(found: Any, where: str, expected: str) -> list[Any]:
    """Several things, of any iterable that is no text.

    Raises:
        ArgumentError: it is none.
    """
    if isinstance(found, str | bytes | Mapping) or not isinstance(found, Iterable):
        raise ArgumentError(f"{where}: found {kind_of(found)}; expected {expected}")
    return list(found)
