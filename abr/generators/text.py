"""The model file: one ``Model`` as JSON.

``{"format": "abrkit-model", "version": 1, ...}``; the other keys are the fields of
the dataclasses in ``abr.generators.model``. ``docs/traces.md`` describes the file. Unknown
keys are an error, so that a misspelt one is not ignored.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import MISSING, Field, asdict, fields
from typing import Any

from abr.errors import ModelError
from abr.generators.model import KINDS, Chain, Copula, Goodness, Model, Quantiles

FORMAT, VERSION = "abrkit-model", 1


def read_model(text: str, *, name: str) -> Model:
    """Parse a model file.

    Args:
        text: Content of the file.
        name: Name of the file in error messages.

    Raises:
        ModelError: the text is not JSON or has another format or version, a key is
            missing, unknown or of the wrong type, or the values are not a valid model.
            The message is ``name: key: found; expected``.
    """
    try:
        held = json.loads(text)
    except (ValueError, RecursionError) as exc:
        line = getattr(exc, "lineno", 1)
        raise ModelError(f"{name}:{line}: broken JSON ({exc}); expected a model file") from exc
    if not isinstance(held, dict) or held.get("format") != FORMAT:
        found = held.get("format") if isinstance(held, dict) else type(held).__name__
        raise ModelError(
            f"{name}: found {str(found)[:40]!r}; expected an object with format {FORMAT!r}"
        )
    version = held.get("version")
    if version != VERSION or isinstance(version, bool):
        raise ModelError(
            f"{name}: found version {str(version)[:40]!r}; this release reads version {VERSION}"
        )
    body = {key: value for key, value in held.items() if key not in {"format", "version"}}
    model: Model = _build(Model, body, name)
    return model


def write_model(model: Model) -> str:
    """Format ``model`` as text that ``read_model`` reads, one line per list of numbers."""
    held = {"format": FORMAT, "version": VERSION, **asdict(model)}
    return _print(held, 0) + "\n"


def _build(cls: type, value: object, where: str) -> Any:
    """Create a dataclass from a JSON object."""
    if not isinstance(value, dict):
        raise ModelError(f"{where}: found {_show(value)}; expected an object")
    known = {each.name: each for each in fields(cls)}
    unknown = sorted(set(value) - set(known))
    if unknown:
        raise ModelError(f"{where}: unknown key {unknown[0][:40]!r}; expected {', '.join(known)}")
    missing = [key for key, each in known.items() if key not in value and _is_required(each)]
    if missing:
        raise ModelError(f"{where}: {missing[0]} is missing; expected {', '.join(known)}")
    found = {
        key: _READ[str(known[key].type)](item, f"{where}: {key}") for key, item in value.items()
    }
    try:
        return cls(**found)
    except ModelError as exc:
        raise ModelError(f"{where}: {exc}") from exc


def _is_required(each: Field[Any]) -> bool:
    return each.default is MISSING and each.default_factory is MISSING


def _number(value: object, where: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ModelError(f"{where}: found {_show(value)}; expected a number")
    try:
        return float(value)
    except OverflowError as exc:
        raise ModelError(f"{where}: found {_show(value)}; expected a smaller number") from exc


def _optional_number(value: object, where: str) -> float | None:
    return None if value is None else _number(value, where)


def _integer(value: object, where: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise ModelError(f"{where}: found {_show(value)}; expected a whole number")
    return value


def _text(value: object, where: str) -> str:
    if not isinstance(value, str):
        raise ModelError(f"{where}: found {_show(value)}; expected text")
    return value


def _list(value: object, where: str) -> list[object]:
    if not isinstance(value, list):
        raise ModelError(f"{where}: found {_show(value)}; expected a list")
    return value


def _row(value: object, where: str) -> tuple[float, ...]:
    return tuple(_number(item, f"{where}[{i}]") for i, item in enumerate(_list(value, where)))


def _rows(value: object, where: str) -> tuple[tuple[float, ...], ...]:
    return tuple(_row(item, f"{where}[{i}]") for i, item in enumerate(_list(value, where)))


def _goodness(value: object, where: str) -> dict[str, Goodness]:
    if not isinstance(value, dict) or not set(value) <= set(KINDS):
        raise ModelError(f"{where}: found {_show(value)}; expected an object of {KINDS}")
    return {kind: _build(Goodness, item, f"{where}: {kind}") for kind, item in value.items()}


# Readers by the text of the annotation in the dataclass.
_READ: dict[str, Callable[[object, str], Any]] = {
    "float": _number,
    "float | None": _optional_number,
    "int": _integer,
    "str": _text,
    "Kind": _text,
    "tuple[float, ...]": _row,
    "tuple[tuple[float, ...], ...]": _rows,
    "Quantiles": lambda value, where: _build(Quantiles, value, where),
    "Chain": lambda value, where: _build(Chain, value, where),
    "Copula": lambda value, where: _build(Copula, value, where),
    "Mapping[Kind, Goodness]": _goodness,
}


def _print(value: object, depth: int) -> str:
    pad = "  " * (depth + 1)
    if isinstance(value, dict) and value:
        rows = (f"{pad}{json.dumps(key)}: {_print(item, depth + 1)}" for key, item in value.items())
        return "{\n" + ",\n".join(rows) + "\n" + pad[:-2] + "}"
    if isinstance(value, tuple) and value and isinstance(value[0], tuple):
        return "[\n" + ",\n".join(pad + _print(row, depth + 1) for row in value) + f"\n{pad[:-2]}]"
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return str(int(value))
    if isinstance(value, tuple):
        return "[" + ", ".join(_print(item, depth) for item in value) + "]"
    return json.dumps(value)


def _show(value: object) -> str:
    return repr(value)[:40]
