"""QoEs by name: ``linear``, ``linear:stall_weight=20``, ``mine.py:score:alpha=2``."""

from __future__ import annotations

import difflib
import inspect
import math
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from abr.arguments import as_list, as_params, as_path, expect, kind_of
from abr.errors import ArgumentError, InputError, QoEError
from abr.log import SessionLog
from abr.owncode import load_own
from abr.qoe import figures
from abr.qoe.additive import Model, check_model
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
    folder: str | os.PathLike[str] | None = None,
) -> Model:
    """The QoE called ``text``.

    Args:
        text: A name of ``NAMES``, ``FILE.py:FUNCTION`` or ``module:FUNCTION``; parameters may
            follow, as ``:key=value,key=value``.
        params: Parameters as values.
        label: What reports call it; its name when empty.
        folder: Where relative files start; the current folder when None.

    Raises:
        ArgumentError: an argument of the wrong type.
        QoEError: there is no such QoE, it does not load, or does not take a parameter.
        ToolMissingError: it needs something that is not installed.
    """
    if not isinstance(text, str):
        raise ArgumentError(
            f"named(text=...): found {kind_of(text)}; expected {', '.join(NAMES)}, or "
            "FILE.py:FUNCTION, as text; a QoE is used as it is, a function by own(function)"
        )
    expect(label, str, "named(label=...)", "text, or none")
    beside = None if folder is None else as_path(folder, "named(folder=...)")
    word, given = _split(text)
    given = {**given, **as_params(params, "named(params=...)")}
    if word in _MAKERS:
        found = _made(word, _MAKERS[word], given)
    elif ":" in word:
        where = word.rpartition(":")[0]
        function = _function(word, beside)
        found = own(function, name=spelt(word, given), where=where, params=given)
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
        ArgumentError: one is no QoE.
        QoEError: two have one name, or one label.
    """
    models = _checked(models, "check_distinct")
    for called in ([each.name for each in models], [each.label for each in models]):
        for name in called:
            if called.count(name) > 1:
                raise QoEError(f"QoE {name!r} twice; name each once, and give each its own label")


def scores(log: SessionLog, models: Sequence[Model]) -> list[dict[str, Any]]:
    """A session under several QoEs, as plain values.

    Raises:
        ArgumentError: no log, or no QoE among the models.
        QoEError: the session lacks what one needs, or it fails.
    """
    expect(log, SessionLog, "scores(log=...)", figures.LOG)
    models = _checked(models, "scores")
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

    Raises:
        ArgumentError, QoEError: as ``scores``.
    """
    models = _checked(models, "as_dict")
    found = figures.as_dict(log)
    return {**found, "scores": scores(log, models)} if models else found


def _checked(models: object, function: str) -> list[Model]:
    where = f"{function}(models=...)"
    several = as_list(models, where, "several QoEs, such as [linear(), log()]")
    for number, each in enumerate(several):
        check_model(each, f"{function}(models[{number}]=...)")
    return several


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
    where, _, last = word.rpartition(":")
    try:
        if ":" in where and not where.endswith(".py"):
            raise InputError("parameters follow the function as name=value")
        function = load_own(word, folder=folder)
    except InputError as exc:
        if where in _MAKERS or ":" in where:
            takes = ""
            if where in _MAKERS:
                known = inspect.signature(_MAKERS[where]).parameters
                takes = f"; {where} takes {', '.join(known) or 'none'}"
            raise QoEError(
                f"QoE {word!r}: {last!r} after {where!r}; expected a parameter as name=value{takes}"
            ) from exc
        raise QoEError(f"QoE {word!r}: {exc}") from exc
    if not callable(function):
        raise QoEError(f"QoE {word!r}: {type(function).__name__} cannot be called; name a function")
    return function  # type: ignore[no-any-return]  # checked above
