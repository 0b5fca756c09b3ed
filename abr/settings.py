"""Settings: merge TOML text, environment and command line into one frozen dataclass.

The command line takes precedence over ``ABR_<TABLE>_<FIELD>`` variables, these over the
``[table]`` of the settings file, and that over the defaults of the dataclass. Nothing
here reads a file or the environment: callers pass them in. Supported field types are
``str``, ``int``, ``float``, ``bool``, ``Path``, ``Literal``, ``tuple`` of these, and
unions of these with None. A field declared with ``field(repr=False)`` is a secret: its
value never appears in a message, a listing or a hash.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
import re
import tomllib
import types
from collections.abc import Callable, Collection, Mapping
from difflib import get_close_matches
from functools import cache
from pathlib import Path, PurePath
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from abr.errors import ConfigError

T = TypeVar("T")

COMMAND_LINE = "command line"
DEFAULT = "default"

TRUE_WORDS = frozenset({"1", "true", "yes", "on"})
FALSE_WORDS = frozenset({"0", "false", "no", "off"})


class _MismatchError(Exception):
    """A value does not have the type of its field; the argument says what was expected."""


def load(
    table: str,
    cls: type[T],
    *,
    text: str | None,
    source: str,
    environ: Mapping[str, str],
    overrides: Mapping[str, object],
    tables: Collection[str] | None = None,
) -> tuple[T, dict[str, str]]:
    """The settings of one component, and the origin of each value.

    Args:
        table: Name of the component's table, such as ``edge``.
        cls: Its frozen dataclass; every field has a default. A method ``check``, if there
            is one, is called once all values are set.
        text: Content of the settings file; None if there is none.
        source: Name of the settings file, for messages and origins.
        environ: Environment variables.
        overrides: Values from the command line, by field.
        tables: Names of all tables allowed in the file; None accepts any.

    Returns:
        The settings and, for each field, ``command line``, the name of a variable,
        ``source`` or ``default``.

    Raises:
        ConfigError: a name is unknown, or a value is of the wrong type or out of range;
            the message names file and line or the variable, what was found and what
            was expected.
    """
    hints = get_type_hints(cls)
    fields = {field.name: field for field in dataclasses.fields(cls)}  # type: ignore[arg-type]  # T is a dataclass
    values: dict[str, object] = {}
    origins = dict.fromkeys(fields, DEFAULT)
    places: dict[str, str] = {}

    def take(
        name: str, raw: object, place: str, origin: str, read: Callable[[Any, object], object]
    ) -> None:
        try:
            values[name] = read(hints[name], raw)
        except _MismatchError as exc:
            shown = repr(raw) if fields[name].repr else "something else"
            raise ConfigError(f"{place}: found {shown}; expected {exc}") from None
        origins[name], places[name] = origin, place

    for key, raw in _file_table(table, text, source, tables).items():
        place = f"{_locate(table, key, text or '', source)}: [{table}] {key}"
        _require_known(key, fields, place.rsplit(" ", 1)[0], key)
        take(key, raw, place, source, _from_value)
    prefix = f"ABR_{table.upper().replace('-', '_')}_"
    for variable in sorted(environ):
        if variable.startswith(prefix):
            name = variable.removeprefix(prefix).lower()
            _require_known(name, fields, variable, variable, prefix)
            take(name, environ[variable], variable, variable, _from_text)
    for name, raw in overrides.items():
        if name not in fields:
            raise TypeError(f"{cls.__name__} has no field {name!r}")
        take(name, raw, f"{COMMAND_LINE}: {name}", COMMAND_LINE, _from_value)
    return _build(cls, values, places, table), origins


def check_types(config: object) -> None:
    """Refuse a settings dataclass with a value that has not the type of its field.

    Raises:
        ConfigError: naming the field, what was found and what was expected.
    """
    made_by: Any = type(config)
    for name, hint in _hints(made_by).items():
        found = getattr(config, name)
        try:
            _from_value(hint, found)
        except _MismatchError as exc:
            raise ConfigError(f"{name} is {found!r}; expected {exc}") from None


@cache
def _hints(cls: Callable[..., object]) -> Mapping[str, Any]:
    return get_type_hints(cls)


def config_hash(config: object) -> str:
    """SHA-256 of the values of a settings dataclass, without secrets; hexadecimal."""
    return hashlib.sha256(json.dumps(plain(config), sort_keys=True).encode()).hexdigest()


def plain(config: object) -> dict[str, Any]:
    """The values of a settings dataclass as JSON values, without secrets."""
    if not dataclasses.is_dataclass(config):
        raise TypeError(f"expected a settings dataclass, found {type(config).__name__}")
    return {
        field.name: _plain_value(getattr(config, field.name))
        for field in dataclasses.fields(config)
        if field.repr
    }


def _plain_value(value: object) -> object:
    if isinstance(value, (tuple, list)):
        return [_plain_value(item) for item in value]
    if isinstance(value, PurePath):
        return str(value)
    if dataclasses.is_dataclass(value):
        return plain(value)
    return value


# --- the file


def _file_table(
    table: str, text: str | None, source: str, tables: Collection[str] | None
) -> Mapping[str, object]:
    """The table of one component in the settings file; empty if absent."""
    if text is None:
        return {}
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as exc:
        raise ConfigError(f"{source}: not TOML: {exc}") from exc
    for name in document:
        if tables is not None and name not in tables:
            line = _find_line(text, re.compile(rf"\s*\[?\s*[\"']?{re.escape(name)}\b"))
            raise ConfigError(
                f"{source}{line}: unknown table or key {name!r}; {_suggest(name, tables)}"
            )
    found = document.get(table, {})
    if not isinstance(found, dict):
        raise ConfigError(f"{source}: {table} = {found!r}; expected a table [{table}]")
    return found


def _locate(table: str, key: str, text: str, source: str) -> str:
    """Position of a key: ``file:line``, or the file alone if the line cannot be found."""
    header = re.compile(rf"\s*\[\s*{re.escape(table)}\s*\]")
    lines = text.splitlines()
    start = next((n for n, line in enumerate(lines) if header.match(line)), len(lines))
    assignment = re.compile(rf"\s*[\"']?{re.escape(key)}[\"']?\s*[=.]")
    for number, line in enumerate(lines[start + 1 :], start + 2):
        if line.lstrip().startswith("["):
            break
        if assignment.match(line):
            return f"{source}:{number}"
    return source


def _find_line(text: str, pattern: re.Pattern[str]) -> str:
    numbers = (n for n, line in enumerate(text.splitlines(), 1) if pattern.match(line))
    number = next(numbers, None)
    return "" if number is None else f":{number}"


def _require_known(
    name: str, fields: Collection[str], place: str, shown: str, prefix: str = ""
) -> None:
    if name not in fields:
        raise ConfigError(f"{place}: no setting {shown!r}; {_suggest(name, fields, prefix)}")


def _suggest(name: str, names: Collection[str], prefix: str = "") -> str:
    """Suggest a similar name."""
    near = get_close_matches(name, names, n=1)
    if near:
        return f"did you mean {(prefix + (near[0].upper() if prefix else near[0]))!r}?"
    return "'abr config show' lists all settings"


def _build(cls: type[T], values: Mapping[str, object], places: Mapping[str, str], table: str) -> T:
    """Create the dataclass and let it check itself; prefix its errors with their origin."""
    try:
        config = cls(**values)
        check = getattr(config, "check", None)
        if callable(check):
            check()
    except ValueError as exc:
        named = [name for name in places if re.search(rf"\b{re.escape(name)}\b", str(exc))]
        own = re.match(rf"{re.escape(table)}\.(\w+): ", str(exc))
        message = str(exc)[own.end() :] if own else str(exc)
        # A setting that is lacking stands nowhere, so it is named.
        place = places[named[0]] if named else f"[{table}]{f' {own[1]}' if own else ''}"
        raise ConfigError(f"{place}: {message}") from exc
    return config


# --- conversion


def _from_value(hint: Any, raw: object) -> object:
    """Convert a typed value to the field type ``hint``."""
    origin, args = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        return _first_fit(args, raw, _from_value)
    if hint is type(None):
        if raw is None:
            return None
        raise _MismatchError("nothing")
    if origin is Literal:
        if any(raw == arg and type(raw) is type(arg) for arg in args):
            return raw
        raise _MismatchError("one of " + ", ".join(map(repr, args)))
    if origin is tuple:
        if not isinstance(raw, (list, tuple)):
            raise _MismatchError("a list")
        return _tuple(args, list(raw), _from_value)
    return _scalar(hint, raw)


def _scalar(hint: Any, raw: object) -> object:
    if hint is bool and isinstance(raw, bool):
        return raw
    if hint is int and isinstance(raw, int) and not isinstance(raw, bool):
        return raw
    if hint is float and isinstance(raw, (int, float)) and not isinstance(raw, bool):
        return _number(float(raw))
    if hint is str and isinstance(raw, (str, PurePath)):
        return str(raw)
    if hint is Path and isinstance(raw, (str, PurePath)):
        return Path(raw)
    raise _MismatchError(_EXPECTED.get(hint, str(hint)))


_EXPECTED: Mapping[Any, str] = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    str: "text",
    Path: "a path",
    type(None): "nothing",
}


def _from_text(hint: Any, raw: object) -> object:
    """Convert the text of an environment variable to the field type ``hint``."""
    text = str(raw).strip()
    origin, args = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        if type(None) in args and text.lower() in ("", "none"):
            return None
        return _first_fit([arg for arg in args if arg is not type(None)], text, _from_text)
    if origin is Literal:
        by_text = {str(arg): arg for arg in args}
        if text not in by_text:
            raise _MismatchError("one of " + ", ".join(map(repr, args)))
        return by_text[text]
    if origin is tuple:
        return _tuple(args, [part.strip() for part in text.split(",")] if text else [], _from_text)
    if hint is bool:
        if text.lower() in TRUE_WORDS | FALSE_WORDS:
            return text.lower() in TRUE_WORDS
        raise _MismatchError("true or false")
    if hint in (int, float):
        try:
            return int(text) if hint is int else _number(float(text))
        except ValueError:
            raise _MismatchError(_EXPECTED[hint]) from None
    return _scalar(hint, str(raw))


def _number(value: float) -> float:
    if math.isnan(value):
        raise _MismatchError("a number")
    return value


def _tuple(
    args: tuple[Any, ...], items: list[Any], read: Callable[[Any, object], object]
) -> object:
    if args[-1:] == (...,):
        return tuple(read(args[0], item) for item in items)
    if len(items) != len(args):
        raise _MismatchError(f"{len(args)} values")
    return tuple(read(arg, item) for arg, item in zip(args, items, strict=True))


def _first_fit(args: Collection[Any], raw: object, read: Callable[[Any, object], object]) -> object:
    """Convert ``raw`` to the first of several types that accepts it."""
    expected: list[str] = []
    for arg in args:
        try:
            return read(arg, raw)
        except _MismatchError as exc:
            expected.append(str(exc))
    raise _MismatchError(" or ".join(expected))
