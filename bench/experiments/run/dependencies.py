"""Files, distributions and environment variables that the source of an algorithm can reach.

Its own packages, and what they import that is no installed distribution, are taken whole:
modules by their content, and all other files in them. Of an installed distribution the list
of its files is taken, which holds their digests as they were installed, and their content
but for the largest files, unless abrkit requires it too or it has many files.
"""

from __future__ import annotations

import ast
import contextlib
import functools
import hashlib
import importlib.util
import os
import re
import sys
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from importlib.machinery import EXTENSION_SUFFIXES
from importlib.metadata import (
    Distribution,
    PackageNotFoundError,
    distribution,
    packages_distributions,
)
from pathlib import Path

from player.batch.fingerprint import is_installed

OURS = frozenset({"abr", "transcode", "origin", "edge", "player", "bench"})
MOST_FILES = 5000
MOST_BYTES = 2**30
"""Limits for the files of an algorithm."""
LARGE_FILES = 1000
"""Files of a distribution from which it is told by the list of them alone."""
LARGE_BYTES = 2**24
"""Size of a file of a distribution from which it is told by that list alone."""

MADE = (".pyc", ".pyo", ".nbi", ".nbc")
"""Suffixes of files that Python and numba make from others."""
WRITTEN = (".log",)
"""Suffixes of what programs write; read by one, such a file counts all the same."""
MACHINE_CODE = tuple({f".{suffix.rpartition('.')[2]}" for suffix in EXTENSION_SUFFIXES})


@dataclass(slots=True)
class Dependencies:
    """What was found, by names that are the same on every machine."""

    sources: dict[str, Path] = field(default_factory=dict)
    data: dict[str, Path] = field(default_factory=dict)
    installed: set[str] = field(default_factory=set)
    """Distributions, a line each."""
    variables: dict[str, str] = field(default_factory=dict)
    """Environment variables, and the working folder where it is asked for."""
    roots: set[str] = field(default_factory=set)
    """Top-level modules and packages that were taken whole."""
    libraries: set[str] = field(default_factory=set)
    """Those of distributions that these import, and that may read for them."""
    unseen: list[str] = field(default_factory=list)
    """What no digest covers, in words."""


def dependencies_of(own: Collection[str]) -> Dependencies:
    """All that the top-level modules and packages ``own`` reach."""
    found = Dependencies()
    waiting, seen = sorted(own), set(OURS)
    while waiting:
        root = waiting.pop()
        if root in seen or root in sys.stdlib_module_names:
            continue
        seen.add(root)
        if root not in own and is_installed(root):
            found.installed |= _installed(root)
            found.libraries.add(root)
            continue
        before = set(found.sources)
        found.roots.add(root)
        _take(root, found)
        for name in sorted(found.sources.keys() - before):
            waiting += _look_through(found.sources[name], name, found)
    total = sum(path.stat().st_size for path in (*found.sources.values(), *found.data.values()))
    if len(found.sources) + len(found.data) > MOST_FILES or total > MOST_BYTES:
        found.data.clear()
        found.unseen.append(f"the files of {min(own)}, which are too many or too large")
    return found


def _take(root: str, found: Dependencies) -> None:
    """The files of a top-level module or package."""
    loaded = sys.modules.get(root)
    spec = getattr(loaded, "__spec__", None)
    if spec is None:
        with contextlib.suppress(ImportError, ValueError):
            spec = importlib.util.find_spec(root)
    if spec is None:
        return  # an import that this machine does without
    for folder in spec.submodule_search_locations or ():
        for path in files_below(Path(folder)):
            _sort(f"{root}/{path.relative_to(folder).as_posix()}", path, found)
    if spec.submodule_search_locations is not None:
        return
    file = Path(str(spec.origin))
    if not file.is_file():
        found.unseen.append(f"{root}, which has no source")
        return
    _sort(file.name, file, found)
    if not is_installed(root):
        for path in sorted(file.parent.glob("*.py")):
            _sort(path.name, path, found)


def _sort(name: str, path: Path, found: Dependencies) -> None:
    if path.suffix == ".py":
        found.sources[name] = path
        return
    if path.suffix in WRITTEN:
        return
    found.data[name] = path
    if path.suffix in MACHINE_CODE:
        found.unseen.append(f"{name}, which is machine code")
    elif path.suffix in MADE:
        found.unseen.append(f"{name}, which has no source")


def files_below(folder: Path) -> Iterator[Path]:
    """Files of a package, without caches, hidden files, environments and results of ours."""
    seen: set[str] = set()
    for name, inner, names in os.walk(folder, followlinks=True):
        within = Path(name)
        if (real := os.path.realpath(name)) in seen:
            inner[:] = []  # a link that leads back
            continue
        seen.add(real)
        inner[:] = sorted(
            each for each in inner
            if each != "__pycache__" and not each.startswith(".") and not _is_apart(within / each)
        )  # fmt: skip
        for each in sorted(names):
            path = within / each
            is_left = each.endswith(MADE) and path.with_suffix(".py").is_file()
            if not (each.startswith(".") or is_left) and path.is_file():
                yield path


def _is_apart(folder: Path) -> bool:
    """A virtual environment, or a folder of results."""
    return (folder / "pyvenv.cfg").is_file() or any(folder.glob("runs/*.jsonl"))


def _look_through(path: Path, name: str, found: Dependencies) -> list[str]:
    """Top-level names that a source imports; adds the files and variables that it names."""
    try:
        tree = ast.parse(path.read_bytes())
    except (SyntaxError, ValueError):
        return []
    scan = _Scan()
    scan.visit(tree)
    for text in sorted(scan.texts):
        _take_named(path.parent, text, found)
    for variable in scan.variables:
        found.variables[variable] = os.environ.get(variable, "")
    if scan.asks_folder:
        found.variables["."] = os.getcwd()
    return [*scan.roots]


class _Scan(ast.NodeVisitor):
    """What a module imports, its text constants, and what it asks of its process."""

    def __init__(self) -> None:
        self.roots: set[str] = set()
        self.texts: set[str] = set()
        self.variables: set[str] = set()
        self.asks_folder = False
        self._constants: dict[str, str] = {}

    def __repr__(self) -> str:
        return f"<_Scan: {len(self.roots)} imports, {len(self.texts)} texts>"

    def visit_Import(self, node: ast.Import) -> None:
        self.roots |= {each.name.partition(".")[0] for each in node.names}

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        if node.module and not node.level:
            self.roots.add(node.module.partition(".")[0])

    def visit_Constant(self, node: ast.Constant) -> None:
        if isinstance(node.value, str):
            self.texts.add(node.value)

    def visit_Assign(self, node: ast.Assign) -> None:
        value = node.value
        if isinstance(value, ast.Constant) and isinstance(value.value, str):
            self._constants.update(
                {each.id: value.value for each in node.targets if isinstance(each, ast.Name)}
            )
        self.generic_visit(node)

    def visit_Subscript(self, node: ast.Subscript) -> None:
        if _last_name(node.value) == "environ" and isinstance(node.ctx, ast.Load):
            self._variable(node.slice)
        self.generic_visit(node)

    def visit_Compare(self, node: ast.Compare) -> None:
        if any(_last_name(each) == "environ" for each in node.comparators):
            self._variable(node.left)
        self.generic_visit(node)

    def visit_Call(self, node: ast.Call) -> None:
        name = _last_name(node.func)
        owner = node.func.value if isinstance(node.func, ast.Attribute) else None
        if name in ("getcwd", "cwd"):
            self.asks_folder = True
        elif name in ("import_module", "__import__") and node.args:
            text = self._text(node.args[0])
            self.roots |= {text.partition(".")[0]} - {""}
        elif node.args and (
            name == "getenv"
            or (name in ("get", "setdefault", "pop") and _last_name(owner) == "environ")
        ):
            self._variable(node.args[0])
        self.generic_visit(node)

    def _variable(self, name: ast.expr) -> None:
        self.variables |= {self._text(name)} - {""}

    def _text(self, node: ast.expr) -> str:
        if isinstance(node, ast.Name):
            return self._constants.get(node.id, "")
        return str(node.value) if isinstance(node, ast.Constant) else ""


def _last_name(node: ast.expr | None) -> str:
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""


def _take_named(folder: Path, text: str, found: Dependencies) -> None:
    if not 3 <= len(text) <= 200 or not text.isprintable():
        return
    with contextlib.suppress(OSError, ValueError):
        for path in (folder / text, Path(text)):
            if path.is_file() and path.suffix not in (".py", *WRITTEN, *MADE):
                found.data[text] = path
                return
            if path.is_dir() and path.parent == folder:
                found.data.update(
                    (f"{text}/{each.relative_to(path).as_posix()}", each)
                    for each in files_below(path)
                )
                return


def _installed(root: str) -> frozenset[str]:
    """A line for each distribution that holds ``root``, and for those that they require."""
    lines: set[str] = set()
    waiting, seen = _owners(root), set[str]()
    while waiting:
        name = waiting.pop()
        if name in seen:
            continue
        seen.add(name)
        with contextlib.suppress(PackageNotFoundError):
            line, required = _line(name)
            lines.add(line)
            waiting += required
    return frozenset(lines or {root})


def _owners(root: str) -> list[str]:
    try:
        return [_normal(distribution(root).name)]
    except (PackageNotFoundError, ValueError):
        return sorted({_normal(each) for each in packages_distributions().get(root, ())})


@functools.cache
def _line(name: str) -> tuple[str, tuple[str, ...]]:
    """A distribution in a line, and the names of those that it requires."""
    found = distribution(name)
    record = found.read_text("RECORD") or ""
    digests = [hashlib.sha256(record.encode()).hexdigest()]
    if name in _ours_required():
        return f"{name} {found.version} {digests[0]}", ()
    if record.count("\n") <= LARGE_FILES:
        files = {str(path): Path(str(path.locate())) for path in found.files or ()}
        digests.append(
            digest_of_files({name: each for name, each in files.items() if _is_read(each)})
        )
    return f"{name} {found.version} {' '.join(digests)}", _required(found)


def _is_read(path: Path) -> bool:
    """Whether the content of an installed file counts, wherever it was installed."""
    if path.suffix in MADE or path.parent.suffix == ".dist-info":
        return False
    with contextlib.suppress(OSError):
        return path.stat().st_size <= LARGE_BYTES
    return False


def _required(found: Distribution) -> tuple[str, ...]:
    needed = [each for each in found.requires or () if "extra ==" not in each]
    return tuple(_normal(re.split(r"[^\w.-]", each, maxsplit=1)[0]) for each in needed)


@functools.cache
def _ours_required() -> frozenset[str]:
    """What abrkit requires, with all its extras."""
    with contextlib.suppress(PackageNotFoundError):
        needed = distribution("abrkit").requires or ()
        return frozenset(_normal(re.split(r"[^\w.-]", each, maxsplit=1)[0]) for each in needed)
    return frozenset()


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def digest_of_files(files: Mapping[str, Path]) -> str:
    """SHA-256 of the names and contents of files; those that are not there are left out."""
    lines = []
    for name, path in sorted(files.items()):
        with contextlib.suppress(OSError):
            lines.append(f"{digest_of_file(path)} {name}")
    return digest_of_texts(*lines)


def digest_of_file(path: Path) -> str:
    """SHA-256 of a file; it is read again when it has changed."""
    status = path.stat()
    return _digest_of_file(str(path), status.st_mtime_ns, status.st_size, status.st_ino)


@functools.lru_cache(maxsize=4 * MOST_FILES)
def _digest_of_file(path: str, *_status: int) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def digest_of_texts(*texts: str) -> str:
    """SHA-256 of lines."""
    return hashlib.sha256("\n".join(texts).encode()).hexdigest()
