"""Parameters of an algorithm as a log can hold them, wherever they were given.

A registered name has its parameters in the registry and a ``Rule`` in a named tuple. What is left
are classes and factories of the user's own: their arguments and defaults are read from their
signatures, and what an object keeps under the name of an argument wins over both, since it is what
it will use.
"""

from __future__ import annotations

import functools
import inspect
import math
import re
from collections.abc import Callable, Mapping, Sequence
from os import PathLike
from typing import Any

import numpy as np

from abr.errors import AlgorithmError

_WORDS = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}
MOST_VALUES = 1024
"""A larger array is recorded by its shape."""
_MOST_DEPTH = 4
_SECRET = re.compile(r"passw|secret|token|credential|api_?key", re.IGNORECASE)
"""Names of parameters whose values no log may hold."""


def parameters_of(factory: object, made: object) -> dict[str, Any]:
    """The parameters of ``made``, which ``factory`` has made; or is itself.

    What has ``registered_params`` or ``params`` says so itself.
    """
    for owner, name in ((factory, "registered_params"), (made, "params")):
        said = getattr(owner, name, None)
        if callable(asdict := getattr(said, "_asdict", None)):
            said = asdict()
        if isinstance(said, Mapping):
            return plain_values(said)
    found = {} if factory is made else _arguments(factory)
    for name in _names(type(made)):
        kept = getattr(made, name, getattr(made, f"_{name}", _NOTHING))
        if kept is not _NOTHING:
            found[name] = kept
    return plain_values(found)


def plain_values(values: Mapping[Any, Any]) -> dict[str, Any]:
    """``values`` as JSON has them; what it cannot hold is described, and no secret is kept."""
    return _plain_values(values, _MOST_DEPTH)


def _plain_values(values: Mapping[Any, Any], depth: int) -> dict[str, Any]:
    return {
        str(name): "-" if _is_secret(str(name), value) else _plain(value, depth)
        for name, value in values.items()
    }


def _is_secret(name: str, value: object) -> bool:
    return isinstance(value, str) and _SECRET.search(name) is not None


_NOTHING = object()


def _names(kind: type) -> list[str]:
    """Arguments of a class, without those that take what others leave."""
    return [
        name
        for name, parameter in _signature(kind).items()
        if parameter.kind not in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
    ]


def _signature(function: object) -> Mapping[str, inspect.Parameter]:
    try:
        return inspect.signature(function).parameters  # type: ignore[arg-type]  # or TypeError
    except (TypeError, ValueError):  # of a builtin, or of nothing that can be called
        return {}


def _arguments(factory: object) -> dict[str, Any]:
    """What ``factory`` gives when it is called: of a partial what it binds, else defaults."""
    function, args, keywords = factory, (), {}
    if isinstance(factory, functools.partial):
        function, args, keywords = factory.func, factory.args, factory.keywords
    try:
        bound = inspect.signature(function).bind_partial(*args, **keywords)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return dict(keywords)
    bound.apply_defaults()
    found: dict[str, Any] = {}
    for name, value in bound.arguments.items():
        kind = bound.signature.parameters[name].kind
        if kind is inspect.Parameter.VAR_KEYWORD:
            found.update(value)
        elif kind is not inspect.Parameter.VAR_POSITIONAL or value:
            found[name] = value
    return found


def _plain(value: Any, depth: int) -> Any:
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, np.ndarray):
        if value.size <= MOST_VALUES:
            return _plain(value.tolist(), depth)
        return f"array of {value.dtype}, shape {value.shape}"
    if isinstance(value, PathLike):
        return str(value)
    if depth and callable(asdict := getattr(value, "_asdict", None)):
        return _plain_values(asdict(), depth - 1)
    if depth and isinstance(value, Mapping):
        return _plain_values(value, depth - 1)
    if depth and isinstance(value, Sequence | set | frozenset) and not isinstance(value, bytes):
        return [_plain(each, depth - 1) for each in value]
    return str(getattr(value, "__qualname__", type(value).__qualname__))


def made_by(maker: Callable[[], Any]) -> Any:
    """What ``maker`` makes.

    Raises:
        AlgorithmError: it makes nothing by itself: a function that chooses, say.
    """
    try:
        return maker()
    except TypeError as exc:
        try:
            inspect.signature(maker).bind()
        except TypeError as unfit:
            raise AlgorithmError(
                f"algorithm {getattr(maker, '__name__', repr(maker))!r}: {unfit}; expected what "
                "makes an object with choose(seen) without being given anything: a class, or "
                "functools.partial of one with its parameters"
            ) from exc
        raise


class Held:
    """What makes an object that a name stands for: a copy of it, with the parameters it has."""

    def __init__(self, thing: object, make: Callable[[], Any]) -> None:
        """``make`` copies ``thing``, where that is needed."""
        self._make = make
        self.params = parameters_of(thing, thing)

    def __repr__(self) -> str:
        return f"<Held {self._told()}>"

    def __call__(self) -> Any:
        """A copy."""
        return self._make()

    def check(self, name: str, given: Mapping[str, object]) -> None:
        """Refuse parameters that are not those it has; a log has them, and is replayed.

        Raises:
            AlgorithmError: one is of another value, or there is none of this name.
        """
        for key, value in plain_values(given).items():
            known = self.params.get(key, _NOTHING)
            if known is _NOTHING or value_of(name, key, value, known) != known:
                raise AlgorithmError(
                    f"algorithm {name!r}: {key} is {value!r}, and it is an object that was made "
                    f"already, with {self._told()}; name its class to give parameters"
                )

    def _told(self) -> str:
        return ", ".join(f"{key}={value!r}" for key, value in self.params.items()) or "none"


def value_of(name: str, key: str, value: object, default: Any) -> Any:
    """``value`` converted to the type of ``default``; unchanged when there is no default.

    Args:
        name: Of the algorithm, for messages.
        key: Of the parameter.
        value: A value, or text from a command line.
        default: The parameter's own.

    Raises:
        AlgorithmError: it is no such value.
    """
    kind = type(default)
    try:
        if kind is bool:
            return _truth(value)
        if kind is int:
            return _whole(value)
        if kind is float:
            number = float(value)  # type: ignore[arg-type]  # a wrong type is the error below
            if math.isfinite(number):
                return number
        else:
            return value
    except (TypeError, ValueError, KeyError, OverflowError):
        pass
    wanted = {bool: "true or false", int: "a whole number", float: "a finite number"}[kind]
    raise AlgorithmError(f"algorithm {name!r}: {key} is {value!r}; expected {wanted}")


def _truth(value: object) -> bool:
    if isinstance(value, str) and value.lower() in _WORDS:
        return _WORDS[value.lower()]
    return {0: False, 1: True}[_whole(value)]


def _whole(value: object) -> int:
    number = float(value)  # type: ignore[arg-type]  # a wrong type is the caller's error
    if number != int(number):
        raise ValueError(value)
    return int(number)
