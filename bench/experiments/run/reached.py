"""What algorithms read and start in this process, while they are loaded and while they play.

Python reports every file that is opened, folder that is listed, process that is started and
connection that is made. What source code does not tell, such as a file whose name is
computed at a decision, is seen so. The results of a run hold it, and the run is played again
once it has changed.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import importlib.util
import os
import sys
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import abr
import bench
import player
from bench.experiments.run.dependencies import MACHINE_CODE, MADE, digest_of_file
from player.batch.fingerprint import is_installed_path

ABSENT = "absent"
"""In place of the digest of a file that was looked for and is not there."""
_ELSEWHERE: Mapping[str, str] = {
    "subprocess.Popen": "another process that it starts",
    "os.system": "another process that it starts",
    "os.exec": "another process that it starts",
    "os.posix_spawn": "another process that it starts",
    "socket.connect": "a server that it asks",
    "socket.getaddrinfo": "a server that it asks",
    "sqlite3.connect": "a database that it opens",
}
"""Events after which an answer may come from elsewhere."""
_WRITES = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
_READS = ("open", "os.listdir", "os.scandir")
_FINDER = ("importlib._bootstrap_external", "_fill_cache")
"""The function that lists the folders of Python's path."""


class Reached(NamedTuple):
    """What code of some packages reached."""

    files: Mapping[str, str]
    """Digests by path when it was first read; of a folder that of the names in it."""
    unseen: tuple[str, ...]
    """What no digest covers, in words."""


@contextlib.contextmanager
def noting() -> Iterator[None]:
    """Note what is reached within."""
    global _depth  # noqa: PLW0603  # Python reports to functions, which share it
    _listen()
    _depth += 1
    try:
        yield
    finally:
        _depth -= 1


def reached_by(roots: Collection[str]) -> Reached:
    """What code of the top-level packages ``roots`` has reached so far in this process."""
    return Reached(
        files={
            name: digest
            for name, digest in sorted(_digests.items())
            if not _callers[name].isdisjoint(roots)
        },
        unseen=tuple(
            what
            for what in dict.fromkeys(_ELSEWHERE.values())
            if not _callers.get(what, set()).isdisjoint(roots)
        ),
    )


def is_unchanged(files: Mapping[str, str]) -> bool:
    """Whether all files that were reached are as they were."""
    return all(digest_now(name) == digest for name, digest in files.items())


def digest_now(name: str) -> str:
    """Of a file or a folder; relative paths start at the working folder."""
    path = Path(name)
    try:
        if path.is_dir():
            return hashlib.sha256("\n".join(sorted(os.listdir(path))).encode()).hexdigest()
        return digest_of_file(path) if path.is_file() else ABSENT
    except OSError:
        return ABSENT


_depth = 0
"""How many contexts of ``noting`` are open."""
_is_busy = False
_digests: dict[str, str] = {}
"""Of files and folders, by path."""
_callers: dict[str, set[str]] = {}
"""Top-level packages whose functions were under way, by path or by what is unseen."""


@functools.cache
def _listen() -> None:
    sys.addaudithook(_note)  # Python has no way to remove it again


def _note(event: str, args: tuple[Any, ...]) -> None:
    global _is_busy  # noqa: PLW0603  # noting opens files itself
    if not _depth or _is_busy or not (event in _READS or event in _ELSEWHERE):
        return
    _is_busy = True
    try:
        what = _path_of(event, args) if event in _READS else _ELSEWHERE[event]
        if what and (callers := _callers_now()):
            _callers.setdefault(what, set()).update(callers)
            if event in _READS and what not in _digests:
                _digests[what] = digest_now(what)
    finally:
        _is_busy = False


def _callers_now() -> set[str]:
    """Top-level packages of all functions under way; empty where Python looks for modules."""
    frame: Any = sys._getframe(2)  # noqa: SLF001  # the only way to see who calls
    if (frame.f_globals.get("__name__"), frame.f_code.co_name) == _FINDER:
        return set()
    found = set()
    while frame is not None:
        found.add(str(frame.f_globals.get("__name__")).partition(".")[0])
        frame = frame.f_back
    return found - sys.stdlib_module_names


def _path_of(event: str, args: tuple[Any, ...]) -> str:
    """The file or folder that is read, as it is kept; empty where there is none that matters."""
    name, *_ = args
    if event == "open" and isinstance(args[2], int) and args[2] & _WRITES:
        return ""
    if event == "open" and isinstance(args[2], int) and args[2] & os.O_RDWR and os.path.isdir(name):
        return ""  # a temporary file without a name
    if not isinstance(name, str | bytes | os.PathLike):
        return ""
    path = Path(os.path.abspath(os.fsdecode(name)))
    if path.suffix in (".pyc", ".pyo"):
        with contextlib.suppress(ValueError):
            path = Path(importlib.util.source_from_cache(str(path)))
    is_made = path.suffix in (*MADE, *MACHINE_CODE)
    if is_made or is_installed_path(path) or any(map(path.is_relative_to, _no_data())):
        return ""
    here = Path.cwd()
    # Relative, because the same code reads another file in another working folder.
    return str(path.relative_to(here)) if path.is_relative_to(here) else str(path)


@functools.cache
def _no_data() -> tuple[Path, ...]:
    ours = [Path(str(package.__file__)).parent for package in (abr, player, bench)]
    return (*ours, *map(Path, ("/proc", "/sys", "/dev")))
