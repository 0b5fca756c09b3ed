"""Simulation loops linked with algorithms, compiled by numba and cached on disk.

Compiling a pair takes seconds, loading it a fraction of one. For each pair a module of a
few lines is written to a subfolder of the user's cache folder. The subfolder is named by a
digest of everything that the compiled code depends on: numba copies constants and functions
of other modules into machine code, and its own cache does not notice when they change.
What numba cannot compile runs as plain Python: the same functions, linked the same way.
"""

from __future__ import annotations

import atexit
import contextlib
import hashlib
import importlib
import importlib.util
import inspect
import os
import platform
import shutil
import sys
import tempfile
import time
import traceback
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any, NamedTuple

from abr.compilable import COMPILED, RARE
from abr.decision import Decision
from abr.errors import AlgorithmError
from abr.userfolders import cache_home
from player.batch import linking
from player.batch.fingerprint import Fingerprint
from player.batch.linking import Function, Linker, called_by, is_importable, maker_of
from player.batch.run import intrinsics

CACHE_VARIABLE = "ABR_CACHE_DIR"
"""Environment variable that moves the cache folder."""

_KEPT_S = 30 * 86400.0


class CompilerError(Exception):
    """Numba cannot compile a function; the message is its first error."""


def linked(
    function: Function, hooks: Mapping[str, Any], *, parts: Mapping[str, Any] | None = None
) -> Function:
    """``function`` linked with ``hooks``, in plain Python."""
    strangers = [each for each in hooks.values() if not linking.is_ours(each)]
    if "numba" in sys.modules:
        for each in fingerprint_of(strangers).jitted:
            forget_own_cache(each)

    def same(made: Function) -> Function:
        return made

    linker = Linker(hooks, same, maker=maker_of)
    bound = {
        name: linker.linked(part) if isinstance(part, FunctionType) else part
        for name, part in (parts or {}).items()
    }
    return Linker({**hooks, **bound}, same, maker=maker_of).linked(function)


def compiled(
    function: Function,
    hooks: Mapping[str, Any],
    *,
    parts: Mapping[str, Any] | None = None,
    texts: Mapping[str, str] | None = None,
    is_large: bool = False,
) -> Function:
    """``function`` linked with ``hooks``, compiled and cached.

    Args:
        function: The loop; its source is copied into the generated module.
        hooks: Values of names in ``parts`` and all that they call: importable functions
            and classes, and numbers.
        parts: Functions that ``function`` calls, by the names it uses.
        texts: More such functions as source; they may use the classes among ``hooks``.
        is_large: Whether it spends its time in loops over arrays rather than in calls;
            it then compiles four times as fast.

    Raises:
        AlgorithmError: a hook cannot be imported by another process.
    """
    for name, hook in hooks.items():
        if isinstance(hook, FunctionType) and not is_importable(hook):
            raise AlgorithmError(
                f"{name} ({hook.__qualname__}) is no function of a module's top level, so it "
                "cannot be compiled; move it to a file of its own"
            )
    parts, texts = parts or {}, texts or {}
    key = (function, *hooks.items(), *parts.items(), *texts.items(), is_large)
    known = _known.get(key)
    if known is None or not known.fingerprint.still_holds():
        if len(_known) >= _KNOWN:
            del _known[next(iter(_known))]
        source = _source(function, hooks, parts, texts, is_large)
        taken = fingerprint_of([function, *hooks.values(), *parts.values()])
        made = _module(source, taken)
        _known[key] = known = _Known(taken, getattr(made, function.__name__))
    return known.function


class _Known(NamedTuple):
    """A compiled function and the fingerprint of its dependencies."""

    fingerprint: Fingerprint
    function: Function


_known: dict[tuple[Any, ...], _Known] = {}
"""Functions that this process has compiled or loaded, by all arguments of ``compiled``."""
_KNOWN = 128


def jit(function: Function, hooks: Mapping[str, Any], is_inlined: bool) -> Function:
    """For generated modules: ``function`` linked, and compiled when it is first called."""
    finish, instead, base = _compiling(is_inlined)
    return Linker(hooks, finish, instead, base).linked(function)


@cache
def _compiling(is_inlined: bool) -> tuple[Function, dict[Any, Function], Linker]:
    """The compiler, replacements that it needs, and a linker that all loops share."""
    numba: Any = importlib.import_module("numba")  # not all options are among its types

    def finish(function: Any) -> Function:
        # Inlined, the arrays of a named tuple stay in registers from call to call.
        made: Function = numba.njit(
            nogil=True,
            error_model="numpy",
            forceinline=is_inlined and (function.__module__, function.__qualname__) not in RARE,
            no_cpython_wrapper=True,
            no_cfunc_wrapper=True,
        )(function)
        return made

    instead: dict[Any, Function] = {
        Decision: finish(decision_of),
        **intrinsics.replacements(),
        **{each: finish(instead) for each, instead in COMPILED.items()},
    }
    return finish, instead, Linker({}, finish, instead)


def decision_of(rung: Any, wait_s: Any = 0.0, reason: Any = 0, segment: Any = -1) -> Decision:
    """``Decision`` for the compiler, which knows no defaults of named tuples."""
    return Decision(int(rung), float(wait_s), int(reason), int(segment))


def kept(function: Function) -> Function:
    """For generated modules: compile ``function`` and cache the result on disk."""
    import numba

    made: Function = numba.njit(cache=True, nogil=True, error_model="numpy")(function)

    def checked(*given: Any) -> Any:
        try:
            return made(*given)
        except numba.core.errors.NumbaError as exc:
            raise CompilerError(_reason(str(exc))) from exc
        except Exception as exc:
            # It fails in ways of its own where it does not know how to refuse: an IndexError for
            # a keyword-only argument with a default.
            if _is_raised_by_compiler(exc):
                raise CompilerError(f"numba fails with {type(exc).__name__}: {exc}") from exc
            raise

    return checked


def _is_raised_by_compiler(exc: Exception) -> bool:
    *_, (frame, _) = traceback.walk_tb(exc.__traceback__)
    return str(frame.f_globals.get("__name__")).startswith(("numba.", "llvmlite."))


def _reason(text: str) -> str:
    """The message of a compiler's error without the names of its stages."""
    lines = [line.strip() for line in text.splitlines()]
    said = [line for line in lines if line and not line.startswith(("Failed in", "During", "File"))]
    return " ".join(said[:2])


def cache_folder() -> Path:
    """The folder of compiled loops; it need not exist yet."""
    chosen = os.environ.get(CACHE_VARIABLE)
    if chosen:
        return Path(chosen)
    return cache_home(os.environ) / "abrkit" / "kernels"


def _source(
    function: Function,
    hooks: Mapping[str, Any],
    parts: Mapping[str, Any],
    texts: Mapping[str, str],
    is_large: bool,
) -> str:
    """Text of a module that holds ``function`` compiled with all it calls."""
    lines = [f'"""Made by abrkit: {function.__module__}.{function.__qualname__}, compiled."""', ""]
    lines.append("from player.batch.run.compiled import jit, kept")
    for name, hook in hooks.items():
        is_named = hasattr(hook, "__qualname__")
        lines.append(_import(hook, name) if is_named else f"{name} = {hook!r}")
    lines.append(f"hooks = {{{', '.join(f'{name!r}: {name}' for name in hooks)}}}")
    called = {**dict(called_by(function)), **parts}
    for name, part in called.items():
        lines.extend((_import(part, f"_{name}"), f"{name} = jit(_{name}, hooks, {not is_large})"))
    for name, value in function.__globals__.items():
        if name not in function.__code__.co_names or name in hooks:
            continue
        if isinstance(value, ModuleType):
            lines.append(f"import {value.__name__} as {name}")
        elif isinstance(value, type):
            lines.append(_import(value, name))
        elif isinstance(value, int | float):
            lines.append(f"{name} = {value!r}")
    for name, text in texts.items():
        lines.extend(("", text, "", f"{name} = jit({name}, {{}}, {not is_large})"))
    lines.extend(("", "@kept", _bare(function)))
    return "\n".join(lines) + "\n"


def _import(value: Any, name: str) -> str:
    return f"from {value.__module__} import {value.__qualname__} as {name}"


def _bare(function: Function) -> str:
    """Source of ``function`` without the annotations of its signature."""
    text = inspect.getsource(function)
    header = text[: text.index('"""')]
    names = ", ".join(inspect.signature(function).parameters)
    return f"def {function.__name__}({names}):\n    {text[len(header) :]}"


def _module(source: str, taken: Fingerprint) -> Any:
    """The module with this source, from the cache if it is there."""
    digest = _digest(source, taken)
    name = f"abrkit_kernel_{digest}"
    if name in sys.modules:
        return sys.modules[name]
    path = _written(source, digest, name)
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    with _numba_cache(""):  # beside the module
        spec.loader.exec_module(module)
    sys.modules[name] = module
    return module


def fingerprint_of(concerned: Sequence[Any]) -> Fingerprint:
    """Of functions and values, which are looked into as ours are."""
    taken = Fingerprint({"abr", "player", *map(linking.root_of, concerned)})
    for each in concerned:
        taken.add(each)
    return taken


def _digest(source: str, taken: Fingerprint) -> str:
    for each in taken.jitted:
        forget_own_cache(each)
    words = [source, taken.hexdigest(), *_toolchain()]
    return hashlib.sha256("\n".join(words).encode()).hexdigest()[:20]


@cache
def _toolchain() -> list[str]:
    """Versions of Python and the compiler, and our own source that drives it."""
    found = [platform.python_version()]
    for package in ("numba", "llvmlite", "numpy"):
        with contextlib.suppress(PackageNotFoundError):
            found.append(version(package))
    ours = (sys.modules[__name__], intrinsics, linking)
    return found + [Path(str(module.__file__)).read_text(encoding="utf-8") for module in ours]


def forget_own_cache(function: Any) -> None:
    """Disable the disk cache of a function decorated with numba's ``cache=True``.

    That cache does not notice when a function or constant of another module changes.
    """
    if function.stats.cache_path is not None:
        caching: Any = importlib.import_module("numba.core.caching")
        function._cache = caching.NullCache()  # noqa: SLF001  # numba offers no other way


def keep_others_apart(digest: str) -> None:
    """Let numba keep machine code of modules imported from now on by a digest of what they reach.

    For functions that an algorithm imports when it is asked, which nobody has seen before.
    """
    folder = str(cache_folder() / f"own-{digest[:20]}")
    os.environ["NUMBA_CACHE_DIR"] = folder  # numba looks when it is imported, or compiles
    if "numba" in sys.modules:
        _numba_config().CACHE_DIR = folder


@contextlib.contextmanager
def _numba_cache(folder: str) -> Iterator[None]:
    config = _numba_config()
    before, config.CACHE_DIR = config.CACHE_DIR, folder
    try:
        yield
    finally:
        config.CACHE_DIR = before


def _numba_config() -> Any:
    return importlib.import_module("numba.core.config")


def _written(source: str, digest: str, name: str) -> Path:
    """Write a module to the cache folder or, where that fails, to a temporary one."""
    try:
        folder = cache_folder() / digest
        path = folder / f"{name}.py"
        if path.is_file():
            os.utime(folder)
            return path
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        _forget_old()
    except OSError:
        folder = Path(tempfile.mkdtemp(prefix="abrkit-"))
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
        path = folder / f"{name}.py"
    with tempfile.NamedTemporaryFile(
        "w", dir=folder, suffix=".tmp", delete=False, encoding="utf-8"
    ) as file:
        file.write(source)
    os.replace(file.name, path)
    return path


def _forget_old() -> None:
    """Remove loops that have not been used for a month."""
    oldest_s = time.time() - _KEPT_S  # noqa: TID251  # file times are wall-clock times
    with contextlib.suppress(OSError):
        for folder in cache_folder().iterdir():
            if folder.is_dir() and folder.stat().st_mtime < oldest_s:
                shutil.rmtree(folder, ignore_errors=True)
