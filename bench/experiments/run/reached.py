"""What algorithms read and ask in this process, while they are loaded and while they play.

Python reports every file that is opened, folder that is listed, process that is started and
connection that is made. It does not report what is only asked about a file, such as whether
it exists, nor environment variables: the functions that answer are wrapped meanwhile. What
source code does not tell, such as a file whose name is computed at a decision, is seen so.
The results of a run hold it, and the run is played again once it has changed.
"""

from __future__ import annotations

import contextlib
import functools
import importlib.util
import os
import sys
import threading
from collections.abc import Callable, Collection, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import abr
import bench
import player
from bench.experiments.results import Facts
from bench.experiments.run import facts
from bench.experiments.run.dependencies import MACHINE_CODE, MADE, OURS
from bench.experiments.run.facts import fact_now
from bench.experiments.run.fromsource import from_source
from player.batch.fingerprint import is_installed_path
from player.batch.run.compiled import cache_folder

_ELSEWHERE: Mapping[str, str] = {
    "subprocess.Popen": "another process that it starts",
    "os.system": "another process that it starts",
    "os.exec": "another process that it starts",
    "os.posix_spawn": "another process that it starts",
    "os.fork": "another process that it starts",
    "socket.connect": "a server that it asks",
    "socket.getaddrinfo": "a server that it asks",
    "sqlite3.connect": "a database that it opens",
}
"""Events after which an answer may come from elsewhere."""
_BELOW = "files that it asks for from an open folder"
_ALL = "all"
_WRITES = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
_FINDER = ("importlib._bootstrap_external", "_fill_cache")
"""The function that lists the folders of Python's path."""
_THROUGH = (
    {"os", "posixpath", "ntpath", "genericpath", "pathlib", "pathlib._local", "pathlib._os"}
    | {"glob", "_collections_abc", "collections.abc"}
)  # fmt: skip
"""Modules that ask on behalf of those who call them."""
_ASK_KIND = (
    {"exists", "lexists", "isfile", "isdir", "islink", "isjunction", "realpath", "makedirs"}
    | {"is_file", "is_dir", "is_symlink", "is_junction", "resolve", "mkdir"}
    | {"glob", "rglob", "iglob", "walk", "fwalk"}
)  # fmt: skip
"""Functions of theirs that tell only whether something is there, and what it is."""
_EACH = frozenset(
    [("_collections_abc", "__iter__"), ("collections.abc", "__iter__"), ("os", "copy")]
)
"""Functions that read all environment variables, one after another."""
_ALL_VARIABLES = "all environment variables, which it reads"


ANYBODY = "*"
"""Who asks where nothing tells."""
_NEVER_OWN = OURS | sys.stdlib_module_names | {"__main__", "click", "llvmlite", "numba", "numpy"}
"""Top-level modules and packages that are nobody's algorithm."""


_COMPILERS = {"llvmlite", "numba"}
"""What they ask is where to keep machine code."""
_READ = {facts.CONTENT, facts.NAMES, facts.ENTRIES, ""}


class Reached(NamedTuple):
    """What code of some packages reached."""

    facts: Facts
    """As they were when they were first asked for."""
    unseen: tuple[str, ...]
    """What no digest covers, in words."""


@contextlib.contextmanager
def noting() -> Iterator[None]:
    """Note what is reached within; own modules are loaded from their source meanwhile."""
    global _depth  # noqa: PLW0603  # Python reports to functions, which share it
    _listen()
    with contextlib.ExitStack() as stack:
        if not _depth:
            stack.enter_context(from_source())
            stack.enter_context(_wrapped())
        _depth += 1
        try:
            yield
        finally:
            _depth -= 1


def reached_by(roots: Collection[str]) -> Reached:
    """What code of the top-level packages ``roots`` has reached so far in this process."""
    asking = {*roots, ANYBODY} if roots else set()
    found: dict[str, dict[str, str]] = {}
    for (kind, name), fact in sorted(_facts.items()):
        if not _callers[kind, name].isdisjoint(asking):
            found.setdefault(kind, {})[name] = fact
    return Reached(
        facts=found,
        unseen=tuple(
            what
            for what in dict.fromkeys([*_ELSEWHERE.values(), _ALL_VARIABLES, _BELOW])
            if not _callers.get(("", what), set()).isdisjoint(asking)
        ),
    )


_depth = 0
"""How many contexts of ``noting`` are open."""
_busy = threading.local()
_facts: dict[tuple[str, str], str] = {}
"""By kind and name."""
_callers: dict[tuple[str, str], set[str]] = {}
"""Top-level packages whose functions were under way, by kind and name; the kind of what is
unseen is empty."""


@functools.cache
def _listen() -> None:
    sys.addaudithook(_hear)  # Python has no way to remove it again


def _hear(event: str, args: tuple[Any, ...]) -> None:
    if event == "open":
        if not (isinstance(args[2], int) and _is_written(args[0], args[2])):
            _note(facts.CONTENT, args[0])
    elif event == "os.listdir":
        _note(facts.NAMES, args[0])
    elif event == "os.scandir":
        _note(facts.ENTRIES, args[0])
    elif event in _ELSEWHERE:
        _note("", _ELSEWHERE[event])


def _is_written(name: Any, flags: int) -> bool:
    if flags & _WRITES:
        return True
    return bool(flags & os.O_RDWR) and os.path.isdir(name)  # a temporary file without a name


def _note(kind: str, name: Any) -> None:
    if not _depth or getattr(_busy, "is_noting", False):
        return
    _busy.is_noting = True  # which asks about files itself
    try:
        kind, callers = _Asked.now().counted(kind)
        if not callers:
            return
        if kind in _OF_FILES:
            name = _path(name)
        if name:
            _callers.setdefault((kind, name), set()).update(callers)
            if kind and (kind, name) not in _facts:
                _facts[kind, name] = fact_now(kind, name)
    except (OSError, ValueError):  # no name of a file: who asked for it is told so
        pass
    finally:
        _busy.is_noting = False


_OF_FILES = frozenset(
    [
        facts.CONTENT,
        facts.NAMES,
        facts.ENTRIES,
        facts.KIND,
        facts.STATUS,
        facts.ACCESS,
        facts.TARGET,
    ]
)


class _Asked(NamedTuple):
    """Who asks."""

    through: str
    """The outermost function of modules for paths that asks for the others; or empty."""
    nearest: str
    """The module of the innermost other function."""
    callers: frozenset[str]
    """Top-level packages of all functions under way."""
    is_each: bool
    """Whether all environment variables are read one after another."""

    @classmethod
    def now(cls) -> _Asked:
        frame: Any = sys._getframe(2)  # noqa: SLF001  # the only way to see who calls
        while frame is not None and frame.f_code.co_filename == __file__:
            frame = frame.f_back
        name, function = _named(frame)
        if (name, function) == _FINDER:
            return cls("", "", frozenset(), is_each=False)
        is_each = (name, function) in _EACH
        through = ""
        while name in _THROUGH:
            through = function
            frame = frame.f_back
            name, function = _named(frame)
        nearest, found = name, set[str]()
        while frame is not None:
            found.add(_named(frame)[0].partition(".")[0])
            frame = frame.f_back
        callers = found - _NEVER_OWN
        if found.isdisjoint(OURS):  # a thread that runs a function of Python's alone
            callers = {ANYBODY}
        return cls(through, nearest, frozenset(callers), is_each)

    def counted(self, kind: str) -> tuple[str, frozenset[str]]:
        """What is asked for in truth, and the packages that depend on it."""
        root = self.nearest.partition(".")[0]
        if root in _COMPILERS and kind not in _READ:
            return kind, frozenset()
        is_by_library = root in _NEVER_OWN
        if kind == facts.STATUS and (self.through in _ASK_KIND or is_by_library):
            return facts.KIND, self.callers
        if kind == facts.ENTRIES and (self.through or is_by_library):
            return facts.NAMES, self.callers
        if kind in (facts.FOLDER, _ALL):  # libraries ask that without any need
            return "" if kind == _ALL else kind, self.callers & {root}
        return kind, frozenset() if self.is_each else self.callers


def _named(frame: Any) -> tuple[str, str]:
    if frame is None:
        return "", ""
    return str(frame.f_globals.get("__name__")), frame.f_code.co_name


@contextlib.contextmanager
def _wrapped() -> Iterator[None]:
    """Functions of Python that tell something and are not reported, wrapped to be noted."""
    wrapped: list[tuple[Any, str, Any]] = [
        (os, "stat", _noted(os.stat, facts.STATUS)),
        (os, "lstat", _noted(os.lstat, facts.STATUS)),
        (os, "access", _noted(os.access, facts.ACCESS)),
        (os, "readlink", _noted(os.readlink, facts.TARGET)),
        (os, "getcwd", _noted(os.getcwd, facts.FOLDER)),
    ]
    kind: Any = type(os.environ)
    read = kind.__getitem__

    def read_noted(self: Any, name: Any) -> Any:
        _note(facts.VARIABLE, os.fsdecode(name) if isinstance(name, str | bytes) else "")
        return read(self, name)

    list_names = kind.__iter__

    def list_noted(self: Any) -> Any:
        _note(_ALL, _ALL_VARIABLES)
        return list_names(self)

    wrapped += [(kind, "__getitem__", read_noted), (kind, "__iter__", list_noted)]
    before = [(owner, name, getattr(owner, name)) for owner, name, _ in wrapped]
    # What a function can do is told by sets of functions.
    able: list[set[Any]] = [
        os.supports_dir_fd,
        os.supports_effective_ids,
        os.supports_fd,
        os.supports_follow_symlinks,
    ]
    for owner, name, instead in wrapped:
        for each in (each for each in able if getattr(owner, name) in each):
            each.add(instead)
        setattr(owner, name, instead)
    try:
        yield
    finally:
        for owner, name, function in before:
            setattr(owner, name, function)
        for each in able:
            each.difference_update(instead for *_, instead in wrapped)


def _noted(function: Callable[..., Any], kind: str) -> Callable[..., Any]:
    @functools.wraps(function)
    def noted(*args: Any, **more: Any) -> Any:
        name = args[0] if args else more.get("path", ".")
        if more.get("dir_fd") is not None and not os.path.isabs(name):
            _note("", _BELOW)
        elif not isinstance(name, int):
            _note(kind, name)
        return function(*args, **more)

    return noted


def _path(name: Any) -> str:
    """The file or folder that is read, as it is kept; empty where there is none that matters."""
    if name is None:
        name = "."
    if not isinstance(name, str | bytes | os.PathLike):
        return ""
    path = Path(os.path.abspath(os.fsdecode(name)))
    if path.suffix in (".pyc", ".pyo"):
        with contextlib.suppress(ValueError):
            path = Path(importlib.util.source_from_cache(str(path)))
    is_made = path.suffix in (*MADE, *MACHINE_CODE) or "__pycache__" in path.parts
    if is_made or is_installed_path(path) or any(map(path.is_relative_to, _no_data())):
        return ""
    here = Path.cwd()
    # Relative, because the same code reads another file in another working folder.
    return str(path.relative_to(here)) if path.is_relative_to(here) else str(path)


@functools.cache
def _no_data() -> tuple[Path, ...]:
    ours = [Path(str(package.__file__)).parent for package in (abr, player, bench)]
    return (*ours, cache_folder().absolute(), *map(Path, ("/proc", "/sys", "/dev")))
