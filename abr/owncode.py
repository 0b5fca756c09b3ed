"""Code of the user's own by name: ``FILE.py:NAME`` and ``module:NAME``.

A file is compiled as it is now, whatever Python may have cached of it. What lies beside it can
be imported from it; so can what lies in the folder, from a module.
"""

from __future__ import annotations

import difflib
import hashlib
import importlib
import importlib.util
import sys
from importlib.machinery import SourceFileLoader
from pathlib import Path
from typing import Any

from abr.errors import InputError


def load_own(text: str, *, folder: Path | None = None) -> Any:
    """The object that ``text`` names.

    Args:
        text: ``FILE.py:NAME`` or ``module:NAME``.
        folder: Where relative files start, and modules are looked for first; the current
            folder when None.

    Raises:
        InputError: there is no such file, module or name, or it does not load.
    """
    where, _, name = text.rpartition(":")
    module = load_own_module(where, folder=folder)
    return named_in(module, where, name)


def named_in(module: Any, where: str, name: str) -> Any:
    """What ``module``, which messages call ``where``, holds under ``name``.

    Raises:
        InputError: nothing; the nearest name is told.
    """
    try:
        return getattr(module, name)
    except AttributeError as exc:
        near = difflib.get_close_matches(name, [n for n in vars(module) if n[0] != "_"], n=1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise InputError(f"{where} has no {name!r}{hint}") from exc


def load_own_module(where: str, *, folder: Path | None = None) -> Any:
    """A file as a module, or a module.

    Raises:
        InputError: there is no such file or module, or it does not load.
    """
    try:
        return _module(where, Path(folder or ""))
    except InputError:
        raise
    except ModuleNotFoundError as exc:
        if exc.name is None or not f"{where}.".startswith(f"{exc.name}."):
            raise InputError(f"{where} does not load: ModuleNotFoundError: {exc}") from exc
        raise InputError(
            f"there is no module {exc.name!r} here; name a file as FILE.py:NAME, or a module that "
            "is installed or lies in this folder"
        ) from exc
    # Code of one's own may raise anything; the message names it.
    except Exception as exc:
        raise InputError(f"{where} does not load: {type(exc).__name__}: {exc}") from exc


def _module(where: str, folder: Path) -> Any:
    path = folder / where
    is_file = where.endswith(".py")
    if is_file and not path.is_file():
        raise InputError(f"{path}: no such file")
    beside = str(path.resolve().parent) if is_file else str(folder.resolve())
    sys.path.insert(0, beside)
    try:
        return _file_module(path) if is_file else importlib.import_module(where)
    finally:
        sys.path.remove(beside)


def _file_module(path: Path) -> Any:
    # A name of its own for each path: two files may be called the same.
    place = hashlib.sha256(str(path.resolve()).encode()).hexdigest()[:12]
    name = f"_own_{path.stem}_{place}"
    loader = SourceFileLoader(name, str(path))
    spec = importlib.util.spec_from_loader(name, loader)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    # Not what is cached of it, which is told apart by size and second only.
    code = loader.source_to_code(loader.get_data(str(path)), str(path))
    exec(code, vars(module))  # noqa: S102  # what the user named
    return module
