"""Model files on disk: those that come along, and one's own."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

from abr.errors import ModelError
from abr.generators.model import Model
from abr.generators.text import read_model

_SUFFIX = ".json"


def names() -> tuple[str, ...]:
    """Names of the models that come along, sorted."""
    found = (files("abr") / "models").iterdir()
    return tuple(
        sorted(
            item.name.removesuffix(_SUFFIX)
            for item in found
            if item.is_file() and item.name.endswith(_SUFFIX)
        )
    )


def model(name: str) -> Model:
    """A model that comes along, by name; ``_`` and capitals are as good as ``-`` and small.

    Raises:
        ModelError: there is none of that name; the message lists those there are.
    """
    known = name.lower().replace("_", "-")
    if known not in names():
        raise ModelError(f"unknown model {name[:60]!r}; expected one of {', '.join(names())}")
    text = (files("abr") / "models" / (known + _SUFFIX)).read_text(encoding="utf-8")
    return read_model(text, name=known + _SUFFIX)


def find_model(text: str) -> Model:
    """A model by name, or, when ``text`` ends in ``.json`` or names a file, from that file.

    Raises:
        ModelError: there is no such model or file, or the file holds none.
    """
    if text.endswith(_SUFFIX) or _is_file(text):
        return read_model_file(text)
    return model(text)


def _is_file(text: str) -> bool:
    """Also of what no file can be called."""
    try:
        return Path(text).is_file()
    except (OSError, ValueError):
        return False


def read_model_file(path: str | Path) -> Model:
    """Read one's own model.

    Raises:
        ModelError: the file is missing, cannot be read, or holds no model.
    """
    try:
        text = Path(path).read_text(encoding="utf-8")
    except FileNotFoundError as exc:
        raise ModelError(f"{path}: no such file; expected a model file") from exc
    except (OSError, ValueError) as exc:
        raise ModelError(f"{path}: cannot be read as text ({exc}); expected a model file") from exc
    return read_model(text, name=str(path))
