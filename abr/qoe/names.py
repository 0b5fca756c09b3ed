"""QoEs by name: ``linear``, ``linear:stall_weight=20``, ``mine.py:score:alpha=2``."""

from __future__ import annotations

import difflib
import hashlib
import importlib
import importlib.util
import inspect
import math
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from importlib.machinery import SourceFileLoader
from pathlib import Path
from typing import Any

from abr.errors import AbrError, QoEError
from abr.log import SessionLog
from abr.qoe import figures
from abr.qoe.additive import Model
from abr.qoe.functions import own
from abr.qoe.itu import p1203
from abr.qoe.models import QOE_LIN, hd, linear, log, sabre, spelt, ssim, vmaf
from abr.qoe.viewing import viewing_of

_MAKERS: Mapping[str, Callable[..., Model]] = {
    "qoe_lin": lambda: QOE_LIN,
    "linear": linear,
    "log": log,
    "hd": hd,
    "vmaf": vmaf,
    "ssim": ssim,
    "sabre": sabre,
    "p1203": p1203,
}
NAMES = tuple(_MAKERS)
"""Every QoE that has a name; beside them there are functions of one's own."""


def named(
    text: str,
    *,
    params: Mapping[str, Any] | None = None,
    label: str = "",
    folder: Path | None = None,
) -> Model:
    """The QoE called ``text``.

    Args:
        text: A name of ``NAMES``, ``FILE.py:FUNCTION`` or ``module:FUNCTION``; parameters may
            follow, as ``:key=value,key=value``.
        params: Parameters as values.
        label: What reports call it; its name when empty.
        folder: Where relative files start; the current folder when None.

    Raises:
        QoEError: there is no such QoE, it does not load, or does not take a parameter.
        ToolMissingError: it needs something that is not installed.
    """
    word, given = _split(text)
    given = {**given, **(params or {})}
    if word in _MAKERS:
        found = _made(word, _MAKERS[word], given)
    elif ":" in word:
        found = own(_function(word, folder), name=spelt(word, given), params=given)
    else:
        near = difflib.get_close_matches(word.lower(), NAMES, n=1)
        hint = f"did you mean {near[0]!r}? " if near else ""
        raise QoEError(
            f"unknown QoE {word!r}; {hint}expected {', '.join(NAMES)}, or a function of your own "
            "as FILE.py:FUNCTION"
        )
    return replace(found, label=label) if label else found  # type: ignore[type-var]  # all are dataclasses


def check_distinct(models: Sequence[Model]) -> None:
    """Refuse two QoEs that a report could not tell apart.

    Raises:
        QoEError: two have one name, or one label.
    """
    for called in ([each.name for each in models], [each.label for each in models]):
        for name in called:
            if called.count(name) > 1:
                raise QoEError(f"QoE {name!r} twice; name each once, and give each its own label")


def scores(log: SessionLog, models: Sequence[Model]) -> list[dict[str, Any]]:
    """A session under several QoEs, as plain values.

    Raises:
        QoEError: the session lacks what one needs, or it fails.
    """
    viewing = viewing_of(log)
    return [
        {
            "name": model.name,
            "label": model.label,
            "score": model.score(viewing),
            "formula": model.formula(viewing.ladder_bps),
            "source": model.source,
        }
        for model in models
    ]


def as_dict(log: SessionLog, models: Sequence[Model] = ()) -> dict[str, Any]:
    """The figures of a session as the JSON object every command prints.

    Args:
        log: Of the session.
        models: What to score it by; the scores are under ``scores``.
    """
    found = figures.as_dict(log)
    return {**found, "scores": scores(log, models)} if models else found


def _split(text: str) -> tuple[str, dict[str, Any]]:
    """A name, and the parameters after it."""
    word, colon, last = text.strip().rpartition(":")
    if not colon or "=" not in last:
        return text.strip(), {}
    params: dict[str, Any] = {}
    for pair in last.split(","):
        key, equals, value = (part.strip() for part in pair.partition("="))
        if not (key and equals and value) or key in params:
            raise QoEError(f"QoE {text!r}: {pair!r}; expected name=value, each name once")
        params[key.replace("-", "_")] = _value(value)
    return word, params


def _value(text: str) -> float | str:
    try:
        number = float(text)
    except ValueError:
        return text
    return number if math.isfinite(number) else text


def _made(word: str, make: Callable[..., Model], params: Mapping[str, Any]) -> Model:
    known = inspect.signature(make).parameters
    for key in params:
        if key not in known:
            near = difflib.get_close_matches(key, known, n=1)
            hint = f"did you mean {near[0]!r}? " if near else ""
            raise QoEError(
                f"QoE {word!r} has no parameter {key!r}; {hint}it takes "
                f"{', '.join(known) or 'none'}{_hint_for(word, key)}"
            )
    return make(**params)


def _hint_for(word: str, key: str) -> str:
    return f"; linear:{key}=… does" if word == "qoe_lin" and key in _linear_params() else ""


def _linear_params() -> Mapping[str, Any]:
    return inspect.signature(linear).parameters


def _function(word: str, folder: Path | None) -> Callable[..., float]:
    """The function in ``FILE.py:FUNCTION`` or ``module:FUNCTION``."""
    where, _, name = word.rpartition(":")
    try:
        module = _module(where, Path(folder or ""))
    except AbrError:
        raise
    # Code of one's own may raise anything; the message names it.
    except Exception as exc:
        raise QoEError(f"QoE {word!r} does not load: {type(exc).__name__}: {exc}") from exc
    function = getattr(module, name, None)
    if not callable(function):
        near = difflib.get_close_matches(name, [n for n in vars(module) if n[0] != "_"], n=1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise QoEError(f"QoE {word!r}: {where} has no function {name!r}{hint}")
    return function  # type: ignore[no-any-return]  # checked above


def _module(where: str, folder: Path) -> Any:
    """A module, or a file as one; what lies beside it can be imported."""
    path = folder / where
    is_file = where.endswith(".py")
    if is_file and not path.is_file():
        raise QoEError(f"{path}: no such file; expected one that has the function")
    beside = str(path.resolve().parent) if is_file else str(folder.resolve())
    sys.path.insert(0, beside)
    try:
        return _file_module(path) if is_file else importlib.import_module(where)
    finally:
        sys.path.remove(beside)


def _file_module(path: Path) -> Any:
    # A name of its own for each path: two files may be called the same.
    place = hashlib.sha256(str(path.resolve()).encode()).hexdigest()[:12]
    name = f"_qoe_{path.stem}_{place}"
    loader = SourceFileLoader(name, str(path))
    spec = importlib.util.spec_from_loader(name, loader)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    # Not what is cached of it, which is told apart by size and second only.
    code = loader.source_to_code(loader.get_data(str(path)), str(path))
    exec(code, vars(module))  # noqa: S102  # a function that the user named
    return module
