"""Algorithms by name, found through the entry-point group ``abr.algorithms``.

Built-in algorithms are declared in the same group as third-party ones. Listing names
imports nothing; a broken entry fails only when it is loaded; a name that two distributions
declare is refused. An entry point names a callable ``make(**params)`` that returns a
``Rule``, or a new object with ``choose(seen)``.

What is not registered is named by its file or module, ``FILE.py:NAME`` or ``module:NAME``: such
a callable, often a class, or a ``Rule`` or an object with ``choose(seen)`` itself.
"""

from __future__ import annotations

import copy
import difflib
import functools
import inspect
import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any

from abr.decision import Algorithm, Rule
from abr.errors import AlgorithmError, InputError
from abr.owncode import load_own_module, named_in
from abr.parameters import Held, value_of

GROUP = "abr.algorithms"
"""The entry-point group."""

_ALIASES = {
    "bola": (
        "bola-sabre",
        "'bola' is more than one algorithm: using 'bola-sabre'; 'bola-pensieve' is the other",
    ),
}
_FROM_FILES = ("onnx", "policy")
"""Names that take a file: ``policy:FILE`` is ``policy`` with ``weights=FILE``."""
_REQUIRED = inspect.Parameter.empty
_PLAIN = (bool, int, float, str)


@dataclass(frozen=True, slots=True, kw_only=True)
class Description:
    """One row of the list of algorithms."""

    name: str
    distribution: str
    """Name and version of the distribution that declares it."""
    params: Mapping[str, Any]
    """Parameters with their defaults; None where there is no default."""
    summary: str
    """First line of the module's or class's docstring."""
    form: str
    """``rule`` can be compiled, ``object`` runs as plain Python."""
    error: str | None = None
    """Why it cannot be loaded; None when it can."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """The modules that an algorithm comes from."""

    module: str
    """The one that its entry point names."""
    top_level: frozenset[str]
    """Top-level modules and packages of its distribution; empty if that is editable."""


@dataclass(frozen=True, slots=True)
class _Registered:
    """Makes new objects; has the name and parameters by which a replay finds them again."""

    registered_name: str
    registered_params: Mapping[str, Any]
    """Of an object that was made already, what it has."""
    make: Callable[..., Any]
    given: Mapping[str, Any]

    def __call__(self) -> Any:
        return _made(self.registered_name, self.make, dict(self.given))


def names() -> tuple[str, ...]:
    """All names, sorted, without aliases; imports nothing."""
    return tuple(sorted({entry.name for entry in _entries()}))


def resolve(name: str) -> tuple[str, str | None]:
    """The canonical form of ``name``, and a note for the user when it is an alias.

    Raises:
        AlgorithmError: no such name; near matches are listed.
    """
    known = names()
    if name in known or _file_in(name) or is_own(name):
        return name, None
    if name in _ALIASES:
        return _ALIASES[name]
    near = difflib.get_close_matches(name.lower(), [*known, *_ALIASES], n=3, cutoff=0.5)
    # An alias is close where its meanings may not be: 'bolla' should find them all.
    stems = tuple(match for match in near if match in _ALIASES)
    near += [k for k in known if k not in near and k.startswith(stems)] if stems else []
    hint = f"; did you mean {' or '.join(map(repr, near))}?" if near else ";"
    raise AlgorithmError(
        f"unknown algorithm {name!r}{hint} `abr algorithms` lists all {len(known)}"
    )


def load(name: str, **params: object) -> Algorithm:
    """Load the algorithm called ``name``.

    Args:
        name: A name or alias, ``policy:FILE``, ``onnx:FILE``, ``FILE.py:NAME`` or ``module:NAME``.
        params: Parameters as values, or as text from a command line. An object that was made
            already has its own, and is refused with others.

    Returns:
        A ``Rule``, or a factory that makes a new object for each playback.

    Raises:
        AlgorithmError: the name is unknown or declared twice, loading fails, or a
            parameter is unknown or has a wrong value.
    """
    canonical, _ = resolve(name)
    if file := _file_in(canonical):
        params = {"weights": file, **params}
    make = _maker_of(canonical)
    if isinstance(make, Held):
        make.check(canonical, params)
        params = {}
    legal = _parameters(make)
    values = _converted(canonical, params, legal)
    made = _made(canonical, make, values)
    if isinstance(made, Rule):
        return replace(made, name=canonical)
    if not callable(getattr(made, "choose", None)):
        raise AlgorithmError(
            f"algorithm {canonical!r} makes {type(made).__name__}; "
            "expected a Rule or an object with choose(seen)"
        )
    known = _named_parameters(make) if legal is None else legal
    defaults = {key: value for key, value in known.items() if isinstance(value, _PLAIN)}
    given = {**defaults, **values}
    return _Registered(canonical, make.params if isinstance(make, Held) else given, make, given)


def origin(name: str) -> Origin:
    """The modules that algorithm ``name`` comes from; of a registered one it imports nothing.

    Raises:
        AlgorithmError: the name is unknown or declared twice.
    """
    canonical, _ = resolve(name)
    if is_own(canonical):
        return Origin(module=_own(canonical)[1], top_level=frozenset())
    entry = _entry(canonical.partition(":")[0])
    listed = (entry.dist.files if entry.dist else None) or ()
    tops = {path.parts[0].removesuffix(".py") for path in listed if path.suffix == ".py"}
    return Origin(
        module=entry.module, top_level=frozenset(top for top in tops if top.isidentifier())
    )


def is_own(name: str) -> bool:
    """Whether ``name`` is of the form ``FILE.py:NAME`` or ``module:NAME``."""
    where, colon, what = name.rpartition(":")
    is_file = where.endswith(".py")
    is_module = all(part.isidentifier() for part in where.split("."))
    return bool(colon) and not _file_in(name) and what.isidentifier() and (is_file or is_module)


def located(name: str, folder: Path) -> str:
    """``name`` as it is found from anywhere, where relative files start at ``folder``."""
    where, _, what = name.rpartition(":")
    is_file = is_own(name) and where.endswith(".py")
    return f"{(folder / where).resolve()}:{what}" if is_file else name


def takes(name: str, parameter: str) -> bool:
    """Whether algorithm ``name`` has this parameter, or takes any; raises as ``load``."""
    legal = _parameters(_maker_of(resolve(name)[0]))
    return legal is None or parameter in legal


def describe() -> tuple[Description, ...]:
    """Descriptions of all algorithms; loads them, broken ones too."""
    return tuple(_described(name) for name in names())


def params_from(pairs: tuple[str, ...] | list[str]) -> dict[str, str]:
    """Parse ``["gp=5", …]`` from a command line to parameters for ``load``.

    Raises:
        AlgorithmError: an item is not ``name=value``, or a name comes twice.
    """
    params: dict[str, str] = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        key = key.strip().replace("-", "_")
        if not (equals and key) or key in params:
            raise AlgorithmError(
                f"algorithm parameter {pair!r}; expected name=value, each name once"
            )
        params[key] = value.strip()
    return params


def _file_in(name: str) -> str:
    """The file in ``name``; empty when there is none."""
    kind, _, file = name.partition(":")
    return file if kind in _FROM_FILES else ""


def _own(name: str) -> tuple[Callable[..., Any], str]:
    """What makes an algorithm that is not registered, and its module."""
    path = Path(name.rpartition(":")[0])
    status = None
    if path.suffix == ".py" and path.is_file():
        status = path.stat()
        folder = str(path.resolve().parent)
        if folder not in sys.path:
            sys.path.append(folder)  # for what it imports when it is asked
    return _own_as_it_is(name, str(path.resolve()), status and (status.st_mtime_ns, status.st_size))


@functools.lru_cache(maxsize=64)
def _own_as_it_is(name: str, _path: str, _status: object) -> tuple[Callable[..., Any], str]:
    """Loaded once, and again when the file has changed: compiled code is of one's own types."""
    where, _, what = name.rpartition(":")
    try:
        module = load_own_module(where)
        found = named_in(module, where, what)
    except InputError as exc:
        raise AlgorithmError(f"algorithm {name!r}: {exc}") from exc
    make = found
    if isinstance(found, Rule):
        make = Held(found, lambda: found)
    elif not isinstance(found, type) and callable(getattr(found, "choose", None)):
        make = Held(found, functools.partial(copy.deepcopy, found))
    elif not callable(found):
        raise AlgorithmError(
            f"algorithm {name!r} is a {type(found).__name__}; expected a class with choose(seen), "
            "make(**params), or a Rule"
        )
    return make, str(module.__name__)


def _entries() -> tuple[EntryPoint, ...]:
    return _entries_in(tuple((path, _changed_ns(path)) for path in sys.path))


@functools.lru_cache(maxsize=1)
def _entries_in(_path: tuple[tuple[str, int | None], ...]) -> tuple[EntryPoint, ...]:
    """All entry points, read again only when a folder of ``sys.path`` has changed.

    Reading them takes about 3 ms with 100 distributions, too long for every run.
    """
    return tuple(entry_points(group=GROUP))


def _changed_ns(path: str) -> int | None:
    try:
        return os.stat(path or ".").st_mtime_ns
    except OSError:
        return None


def _entry(name: str) -> EntryPoint:
    found = [entry for entry in _entries() if entry.name == name]
    if len(found) > 1 and len({(entry.value, _distribution(entry)) for entry in found}) > 1:
        owners = " and ".join(sorted(_distribution(entry) for entry in found))
        raise AlgorithmError(
            f"algorithm {name!r} is declared by {owners}; expected one: uninstall the other"
        )
    return found[0]


def _distribution(entry: EntryPoint) -> str:
    return f"{entry.dist.name} {entry.dist.version}" if entry.dist else "unknown"


def _maker_of(canonical: str) -> Callable[..., Any]:
    return _own(canonical)[0] if is_own(canonical) else _maker(_entry(canonical.partition(":")[0]))


def _maker(entry: EntryPoint) -> Callable[..., Any]:
    try:
        make = entry.load()
    # A third-party module may raise anything; only this name is concerned.
    except Exception as exc:
        raise AlgorithmError(
            f"algorithm {entry.name!r} of {_distribution(entry)} does not load: "
            f"{type(exc).__name__}: {exc}"
        ) from exc
    if not callable(make):
        raise AlgorithmError(
            f"algorithm {entry.name!r} of {_distribution(entry)} is {entry.value}, "
            "which cannot be called; expected make(**params)"
        )
    return make  # type: ignore[no-any-return]  # load() is untyped; checked above


def _made(name: str, make: Callable[..., Any], values: dict[str, Any]) -> Any:
    try:
        return make(**values)
    except AlgorithmError:
        raise
    except (TypeError, ValueError) as exc:
        raise AlgorithmError(f"algorithm {name!r}: {exc}") from exc
    # Third-party code may raise anything; only this name is concerned.
    except Exception as exc:
        raise AlgorithmError(f"algorithm {name!r}: {type(exc).__name__}: {exc}") from exc


def _parameters(make: Callable[..., Any]) -> dict[str, Any] | None:
    """Legal parameters with their defaults; None when anything is accepted."""
    try:
        signature = inspect.signature(make).parameters.values()
    except (TypeError, ValueError):
        return None
    if not any(p.kind is p.VAR_KEYWORD for p in signature):
        return _named_parameters(make)
    # ``make(**params)`` beside a named tuple ``Params``: the usual form of a module.
    declared = getattr(sys.modules.get(make.__module__), "Params", None)
    if declared is None or not hasattr(declared, "_field_defaults"):
        return None
    return {f: declared._field_defaults.get(f, _REQUIRED) for f in declared._fields}


def _named_parameters(make: Callable[..., Any]) -> dict[str, Any]:
    """Those that have a name, with their defaults."""
    try:
        signature = inspect.signature(make).parameters.values()
    except (TypeError, ValueError):
        return {}
    named = [p for p in signature if p.kind in (p.KEYWORD_ONLY, p.POSITIONAL_OR_KEYWORD)]
    return {p.name: p.default for p in named}


def _converted(
    name: str, given: Mapping[str, object], legal: dict[str, Any] | None
) -> dict[str, Any]:
    if legal is None:
        return dict(given)
    values = {}
    for key, value in given.items():
        if key not in legal:
            near = difflib.get_close_matches(key, legal, n=1)
            hint = f"did you mean {near[0]!r}? " if near else ""
            raise AlgorithmError(
                f"algorithm {name!r} has no parameter {key!r}; {hint}"
                f"it takes {', '.join(sorted(legal)) or 'none'}"
            )
        values[key] = value_of(name, key, value, legal[key])
    return values


def _described(name: str) -> Description:
    distribution, params, summary, form, error = "", {}, "", "", None
    try:
        entry = _entry(name)
        distribution = _distribution(entry)
        make = _maker(entry)
        legal = _parameters(make) or {}
        params = {k: None if v is _REQUIRED else v for k, v in legal.items()}
        owner = make if inspect.isclass(make) else sys.modules.get(make.__module__)
        summary = (inspect.getdoc(owner) or inspect.getdoc(make) or "").partition("\n")[0]
        needs_values = any(v is _REQUIRED for v in legal.values())
        form = "object" if needs_values or callable(load(name)) else "rule"
    except AlgorithmError as exc:
        error = str(exc)
    return Description(
        name=name,
        distribution=distribution,
        params=params,
        summary=summary,
        form=form,
        error=error,
    )
