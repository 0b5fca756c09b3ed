"""What the functions of ``player`` are given, checked before anything else happens.

A wrong type would otherwise show as an error of Python's, somewhere within.
"""

from __future__ import annotations

import inspect
import math
import os
from collections.abc import Callable, Mapping, Sequence
from numbers import Integral, Real
from typing import NamedTuple

from abr.arguments import kind_of
from abr.decision import Rule
from abr.errors import ArgumentError, ConfigError
from abr.log import SessionLog
from abr.media import Presentation
from abr.trace import Trace
from player.config import PlayerConfig

PATHS = (str, os.PathLike)


class _Rule(NamedTuple):
    """What an argument of a name may be."""

    fits: Callable[[object], bool]
    expected: str


def _of(*kinds: type, lacks: bool = False) -> Callable[[object], bool]:
    return lambda found: isinstance(found, kinds) or (lacks and found is None)


def _has(method: str) -> Callable[[object], bool]:
    return lambda found: found is None or callable(getattr(found, method, None))


def _is_number(found: object) -> bool:
    return isinstance(found, Real) and not isinstance(found, bool)


def _is_named(found: object) -> bool:
    if not isinstance(found, Mapping):
        return found is None
    return all(isinstance(name, str) for name in found)


def _is_model(found: object) -> bool:
    has_parts = all(hasattr(found, each) for each in ("name", "label", "score"))
    return has_parts and not isinstance(found, type)


def _are_fields(found: object) -> bool:
    if not isinstance(found, Mapping):
        return found is None
    return all(isinstance(each, str) for item in found.items() for each in item)


RULES: Mapping[str, _Rule] = {
    "url": _Rule(_of(str), "the URL of a playlist, as text"),
    "source": _Rule(_of(*PATHS, Presentation), "the folder of a package, or a Presentation"),
    # What a ``PlaybackSession`` calls its source.
    "presented": _Rule(_of(str, Presentation), "the URL of a playlist, or a Presentation"),
    "recorded": _Rule(_of(*PATHS, SessionLog), "a SessionLog, or the path of one"),
    "trace": _Rule(_of(*PATHS, Trace, lacks=True), "a Trace, the path of one, or None"),
    "traces": _Rule(_of(*PATHS, Trace), "a Trace, or the path of one"),
    "sources": _Rule(_of(*PATHS, Presentation), "the folder of a package, or a Presentation"),
    "qoe": _Rule(
        lambda found: isinstance(found, str) or _is_model(found),
        "the name of a QoE, or one such as abr.qoe.linear()",
    ),
    "config": _Rule(_of(PlayerConfig, lacks=True), "a PlayerConfig, or None"),
    "provenance": _Rule(_of(Mapping, lacks=True), "a mapping of names to values, or None"),
    "algorithms": _Rule(
        lambda found: (
            callable(found)
            or hasattr(found, "choose")
            or (isinstance(found, (Rule, Mapping, Sequence)) and not isinstance(found, bytes))
        ),
        "the name of an algorithm, a Rule, what makes one, or several of these",
    ),
    "params": _Rule(_is_named, "a mapping of names, as text, to values, or None"),
    "headers": _Rule(_are_fields, "a mapping of names to values, all text, or None"),
    "link": _Rule(_has("request"), "a link, which has request(), or None"),
    "sink": _Rule(_has("add"), "an object with add(), or None"),
    "on_progress": _Rule(_has("__call__"), "a function, or None"),
    "on_end": _Rule(_has("__call__"), "a function, or None"),
    "cmcd": _Rule(
        lambda found: found is None or hasattr(found, "carriage"), "a CmcdConfig, or None"
    ),
    "max_play_s": _Rule(_is_number, "seconds, as a number"),
    "threads": _Rule(
        lambda found: _is_number(found) and isinstance(found, Integral), "a whole number"
    ),
    "raise_on_error": _Rule(_of(bool), "True or False"),
    "insecure": _Rule(_of(bool), "True or False"),
}
"""By the name of the argument."""


def check(function: str, **given: object) -> None:
    """Refuse what ``function`` cannot use.

    Raises:
        ArgumentError: an argument is of the wrong type.
        ConfigError: a number is out of range.
    """
    for name, found in given.items():
        _check_one(function, name, RULES[name], found)


def check_each(function: str, **given: object) -> None:
    """The same of arguments that may be one or several.

    Raises:
        ArgumentError: an argument is of the wrong type.
    """
    for name, found in given.items():
        rule = RULES[name]
        if rule.fits(found) or not isinstance(found, Sequence) or isinstance(found, bytes):
            _check_one(function, name, rule, found)
            continue
        for number, each in enumerate(found):
            _check_one(function, f"{name}[{number}]", rule, each)


def refuse_coroutines(**called: object) -> None:
    """What is called and not awaited would do nothing, without a word.

    Raises:
        ArgumentError: one is a coroutine function.
    """
    for name, function in called.items():
        if inspect.iscoroutinefunction(function):
            raise ArgumentError(
                f"{name} is a coroutine function; expected one that is called as it is"
            )


def _check_one(function: str, name: str, rule: _Rule, found: object) -> None:
    where = f"{function}({'source' if name == 'presented' else name}=...)"
    if not rule.fits(found):
        raise ArgumentError(f"{where}: found {kind_of(found)}; expected {rule.expected}")
    least, unit = {"max_play_s": (0, " s"), "threads": (1, "")}.get(name, (-math.inf, ""))
    if isinstance(found, Real) and not float(found) >= least:
        raise ConfigError(f"{where}: {name} is {found}; expected {least}{unit} or more")
