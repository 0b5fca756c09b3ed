"""Digests of all that an algorithm's decisions depend on, so that an edited one is played again.

There are three kinds of dependencies. Sources are the Python files of abrkit, of the
algorithm's own packages, and beside its own modules; workers must have loaded the same ones.
Data are the other files in those packages, files that are opened while the algorithm is
loaded or that its source or parameters name, and the versions of distributions that it
imports. Values are what its functions and objects hold; see ``player.batch.fingerprint``.

Dependencies that no digest covers, such as machine code, are listed in words.
"""

from __future__ import annotations

import ast
import contextlib
import functools
import hashlib
import importlib.util
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from importlib.machinery import EXTENSION_SUFFIXES
from importlib.metadata import PackageNotFoundError, packages_distributions, version
from pathlib import Path
from typing import Any

import abr
import bench.experiments
import player
from abr.decision import Algorithm, Rule
from abr.registry import Origin
from player.batch.fingerprint import Fingerprint, is_installed
from player.batch.linking import root_of
from player.batch.run.compiled import forget_own_cache

OURS = frozenset({"abr", "transcode", "origin", "edge", "player", "bench"})
MOST_FILES = 5000
MOST_BYTES = 2**30
"""Limits for the files of an algorithm."""

_MADE = (".pyc", ".pyo", ".nbi", ".nbc")
"""Files that Python and numba make from others."""
_MACHINE_CODE = tuple({f".{suffix.rpartition('.')[2]}" for suffix in EXTENSION_SUFFIXES})


@dataclass(frozen=True, slots=True, kw_only=True)
class Code:
    """Digests of what an algorithm's decisions depend on."""

    digest: str
    """Of everything."""
    sources: str
    """Of the Python files alone."""
    unseen: str = ""
    """Dependencies that no digest covers, in words; empty when there are none."""


@dataclass(slots=True)
class _Files:
    """The files of an algorithm by names that are the same on every machine."""

    sources: dict[str, Path] = field(default_factory=dict)
    data: dict[str, Path] = field(default_factory=dict)
    versions: set[str] = field(default_factory=set)
    unseen: list[str] = field(default_factory=list)


def code_of(origin: Origin, make: Callable[[], Algorithm], params: Mapping[str, Any]) -> Code:
    """Digests of what the decisions of an algorithm depend on.

    Args:
        origin: Where it comes from.
        make: Loads it; called twice, to see whether it comes out the same.
        params: Its parameters.
    """
    with _opened(origin.module) as opened:
        made = make()
    named = _named_by(params)
    if is_ours(origin):
        return Code(digest=_digest(our_code(), _digest_of_files(named)), sources=our_code())
    files = _files(origin, made)
    for path in sorted(opened - {*files.sources.values(), *files.data.values()}):
        files.data[str(path)] = path
    first, second = (_values(origin, each) for each in (made, make()))
    files.unseen += first.unseen
    if first.hexdigest() != second.hexdigest():
        files.unseen.append("its state, which differs each time it is made")
    return Code(
        digest=_digest(
            _sources(files),
            _digest_of_files({**files.data, **named}),
            *sorted(files.versions),
            "" if files.unseen else first.hexdigest(),
        ),
        sources=_sources(files),
        unseen="; ".join(dict.fromkeys(files.unseen)),
    )


def loaded_sources(origin: Origin, made: Algorithm) -> str:
    """``Code.sources`` of an algorithm as this process has loaded it just now.

    Numba's disk cache of its functions is disabled, because it does not notice changes in
    other modules.
    """
    if is_ours(origin):
        return our_code()
    for function in _values(origin, made).jitted:
        forget_own_cache(function)
    return _sources(_files(origin, made))


def is_ours(origin: Origin) -> bool:
    """Whether an algorithm is abrkit's."""
    return _root(origin) in OURS


@functools.cache
def our_code() -> str:
    """Digest of all files of abrkit that sessions depend on, as they were at the first call."""
    files: dict[str, Path] = {}
    for package in (abr, player, bench.experiments):
        folder = Path(str(package.__file__)).parent
        files.update(
            (f"{package.__name__}/{path.relative_to(folder).as_posix()}", path)
            for path in _below(folder)
        )
    return _digest_of_files(files)


def _root(origin: Origin) -> str:
    return origin.module.partition(".")[0]


def _sources(files: _Files) -> str:
    return _digest(our_code(), _digest_of_files(files.sources))


def _parts(made: Algorithm) -> list[Any]:
    """Functions and objects that answer."""
    if isinstance(made, Rule):
        return [made.choose, made.start, made.reconsider, made.delivered, made.waited, made.heavy]
    return [getattr(made, "make", made), made()]


def _values(origin: Origin, made: Algorithm) -> Fingerprint:
    taken = Fingerprint(_own(origin, made))
    for part in [*_parts(made), made.params if isinstance(made, Rule) else None]:
        taken.add(part)
    return taken


def _own(origin: Origin, made: Algorithm) -> set[str]:
    """Top-level modules and packages of the algorithm's own."""
    declared = {_root(origin), *origin.top_level} - OURS
    others = {root_of(part) for part in _parts(made)} - OURS - {""}
    return declared | {root for root in others if not is_installed(root)}


def _files(origin: Origin, made: Algorithm) -> _Files:
    files = _Files()
    own = _own(origin, made)
    waiting, seen = sorted(own), set(OURS)
    while waiting:
        root = waiting.pop()
        if root in seen or root in sys.stdlib_module_names:
            continue
        seen.add(root)
        if root not in own and is_installed(root):
            files.versions.add(_version(root))
            continue
        before = set(files.sources)
        _take(root, files)
        for name in sorted(files.sources.keys() - before):
            waiting += _look_through(files.sources[name], files)
    total = sum(path.stat().st_size for path in _paths(files))
    if len(files.sources) + len(files.data) > MOST_FILES or total > MOST_BYTES:
        files.data.clear()
        files.unseen.append(f"the files of {_root(origin)}, which are too many or too large")
    return files


def _paths(files: _Files) -> Iterator[Path]:
    yield from files.sources.values()
    yield from files.data.values()


def _take(root: str, files: _Files) -> None:
    """The files of a top-level module or package."""
    found = sys.modules.get(root)
    spec = getattr(found, "__spec__", None)
    if spec is None:
        with contextlib.suppress(ImportError, ValueError):
            spec = importlib.util.find_spec(root)
    if spec is None:
        return  # an import that this machine does without
    for folder in spec.submodule_search_locations or ():
        for path in _below(Path(folder)):
            _sort(f"{root}/{path.relative_to(folder).as_posix()}", path, files)
    if spec.submodule_search_locations is not None:
        return
    file = Path(str(spec.origin))
    if not file.is_file():
        files.unseen.append(f"{root}, which has no source")
        return
    _sort(file.name, file, files)
    if not is_installed(root):
        for path in sorted(file.parent.glob("*.py")):
            _sort(path.name, path, files)


def _sort(name: str, path: Path, files: _Files) -> None:
    if path.suffix == ".py":
        files.sources[name] = path
        return
    files.data[name] = path
    if path.suffix in _MACHINE_CODE:
        files.unseen.append(f"{name}, which is machine code")
    elif path.suffix in _MADE:
        files.unseen.append(f"{name}, which has no source")


def _below(folder: Path) -> Iterator[Path]:
    """Files of a package, without caches, hidden files, environments and results of ours."""
    for name, inner, names in os.walk(folder):
        within = Path(name)
        inner[:] = sorted(
            each for each in inner
            if each != "__pycache__" and not each.startswith(".") and not _is_apart(within / each)
        )  # fmt: skip
        for each in sorted(names):
            path = within / each
            is_left = each.endswith(_MADE) and path.with_suffix(".py").is_file()
            if not (each.startswith(".") or is_left) and path.is_file():
                yield path


def _is_apart(folder: Path) -> bool:
    """A virtual environment, or a folder of results."""
    return (folder / "pyvenv.cfg").is_file() or any(folder.glob("runs/*.jsonl"))


def _look_through(path: Path, files: _Files) -> list[str]:
    """Top-level names that a source imports; adds the files that its string constants name."""
    try:
        tree = ast.parse(path.read_bytes())
    except (SyntaxError, ValueError):
        return []
    roots: list[str] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            roots += [each.name.partition(".")[0] for each in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            roots.append(node.module.partition(".")[0])
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            _take_named(path.parent, node.value, files)
    return roots


def _take_named(folder: Path, text: str, files: _Files) -> None:
    if not 3 <= len(text) <= 200 or not text.isprintable() or "/" in text[:1]:
        return
    with contextlib.suppress(OSError, ValueError):
        for path in (folder / text, Path(text)):
            if path.is_file() and path.suffix not in (".py", *_MADE):
                files.data[text] = path
                return
            if path.is_dir() and path.parent == folder:
                files.data.update(
                    (f"{text}/{each.relative_to(path).as_posix()}", each) for each in _below(path)
                )
                return


def _named_by(params: Mapping[str, Any]) -> dict[str, Path]:
    """Files that parameters name, and those beside them that these name in turn.

    An ONNX model keeps large weights in files of their own.
    """
    found: dict[str, Path] = {}
    for key, value in params.items():
        if not isinstance(value, str | Path) or not str(value):
            continue
        path = Path(value)
        with contextlib.suppress(OSError, ValueError):
            if path.is_dir():
                found.update((f"{key}/{each.relative_to(path)}", each) for each in _below(path))
            elif path.is_file():
                found[key] = path
                content = path.read_bytes()
                found.update(
                    (f"{key}/{each.name}", each)
                    for each in sorted(path.parent.iterdir())
                    if each.is_file() and len(each.name) > 3 and each.name.encode() in content
                )
    return found


def _version(root: str) -> str:
    try:
        return f"{root} {version(root)}"
    except PackageNotFoundError:
        names = sorted(set(packages_distributions().get(root, ())))
        return " ".join([root, *(f"{name} {version(name)}" for name in names)])


def _digest(*texts: str) -> str:
    return hashlib.sha256("\n".join(texts).encode()).hexdigest()


def _digest_of_files(files: Mapping[str, Path]) -> str:
    lines = []
    for name, path in sorted(files.items()):
        with contextlib.suppress(OSError), path.open("rb") as file:
            lines.append(f"{hashlib.file_digest(file, 'sha256').hexdigest()} {name}")
    return _digest(*lines)


_opened_by: dict[str, set[Path]] = {}
"""Files that were opened while the algorithms of a module were loaded, however often."""
_now_for: list[set[Path]] = []
"""Sets that receive opened files; empty while nothing is loaded."""


@contextlib.contextmanager
def _opened(module: str) -> Iterator[set[Path]]:
    """Collects files that are opened for reading, now or earlier while loading ``module``."""
    _listen()
    noted = _opened_by.setdefault(module, set())
    _now_for.append(noted)
    try:
        yield noted
    finally:
        _now_for.pop()


@functools.cache
def _listen() -> None:
    sys.addaudithook(_note)  # Python has no way to remove it again


def _note(event: str, args: tuple[Any, ...]) -> None:
    if event != "open" or not _now_for:
        return
    name, _, flags = args
    writes = isinstance(flags, int) and flags & (os.O_WRONLY | os.O_RDWR)
    if writes or not isinstance(name, str | bytes | os.PathLike):
        return
    path = Path(os.fsdecode(name)).absolute()
    is_ours = any(path.is_relative_to(each) for each in _no_data())
    is_code = path.suffix in (".py", *_MADE) or path.suffix in _MACHINE_CODE
    about_package = any(part.endswith((".dist-info", ".egg-info")) for part in path.parts)
    if not (is_ours or is_code or about_package) and path.is_file():
        _now_for[-1].add(path)


@functools.cache
def _no_data() -> tuple[Path, ...]:
    ours = [Path(str(package.__file__)).parent for package in (abr, player, bench)]
    return (*ours, *map(Path, ("/proc", "/sys", "/dev")))
