"""Models of traces by name: those bundled with the package, and files."""

from __future__ import annotations

import os
from importlib.resources import files
from pathlib import Path

from abr.arguments import as_path, expect
from abr.errors import ModelError
from abr.generators.model import Model
from abr.generators.text import read_model

_SUFFIX = ".json"


def names() -> tuple[str, ...]:
    """Names of the bundled models, sorted."""
    found = (files("abr") / "models").iterdir()
    return tuple(
        sorted(
            item.name.removesuffix(_SUFFIX)
            for item in found
            if item.is_file() and item.name.endswith(_SUFFIX)
        )
    )


def model(name: str) -> Model:
    """The bundled model called ``name``; case is ignored, and ``_`` means ``-``.

    Raises:
        ModelError: there is no such model; the message lists the known names.
    """
    expect(name, str, "model(name=...)", f"one of {', '.join(names())}")
    known = name.lower().replace("_", "-")
    if known not in names():
        raise ModelError(f"unknown model {name[:60]!r}; expected one of {', '.join(names())}")
    text = (files("abr") / "models" / (known + _SUFFIX)).read_text(encoding="utf-8")
    return read_model(text, name=known + _SUFFIX)


def find_model(text: str) -> Model:
    """The model named by ``text``: a file if it ends in ``.json`` or exists, else a bundled model.

    Raises:
        ModelError: there is no such model or file, or the file does not contain a model.
    """
    expect(text, str, "find_model(text=...)", f"a file, or one of {', '.join(names())}")
    if text.endswith(_SUFFIX) or _is_file(text):
        return read_model_file(text)
    return model(text)


def _is_file(text: str) -> bool:
    """Like ``Path.is_file``, but False for text that cannot be a path at all."""
    try:
        return Path(text).is_file()
    except (OSError, ValueError):
        return False


def read_model_file(path: str | os.PathLike[str]) -> Model:
    """Read a model file.

    Raises:
        ModelError: the file is missing, cannot be read, or does not contain a model.
    """
    path = as_path(path, "read_model_file(path=...)")
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError as exc:
        raise ModelError(f"{path}: no such file; expected a model file") from exc
    except (OSError, ValueError) as exc:
        raise ModelError(f"{path}: cannot be read as text ({exc}); expected a model file") from exc
    return read_model(text, name=str(path))
