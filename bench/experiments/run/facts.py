"""What can be told of a file, a folder or an environment variable, each as a short text.

A fact is of one kind: a file's content does not change when it is touched, and a program that
only asks whether a file exists does not depend on its content.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Callable, Mapping
from pathlib import Path

from bench.experiments.results import Facts
from bench.experiments.run.dependencies import digest_of_file, digest_of_texts

ABSENT = "absent"
"""In place of what is not there."""

CONTENT = "content"
"""SHA-256 of a file, or of what a folder holds as in ``NAMES``."""
NAMES = "names"
"""Of a folder: names, and which of them are folders, files or links."""
ENTRIES = "entries"
"""The same, with size and time of each file."""
KIND = "kind"
"""A file, a folder or something else, and whether it is a link."""
STATUS = "status"
"""The same, with permissions, size and time of the last change."""
ACCESS = "access"
"""What this process may do with it."""
TARGET = "target"
"""What a link says."""
VARIABLE = "variable"
"""SHA-256 of an environment variable."""
FOLDER = "folder"
"""The working folder, of the name ``.``."""


_WORDS: Mapping[str, str] = {
    CONTENT: "the content of {}",
    NAMES: "what is in {}",
    ENTRIES: "what is in {}",
    KIND: "whether {} is there",
    STATUS: "the size, time or permissions of {}",
    ACCESS: "permissions of {}",
    TARGET: "where {} leads",
    VARIABLE: "the environment variable {}",
    FOLDER: "the working folder",
}


def fact_now(kind: str, name: str) -> str:
    """A fact as it is; relative paths start at the working folder."""
    try:
        return _TOLD[kind](name)
    except (OSError, ValueError, KeyError):
        return ABSENT


def find_change(facts: Facts) -> str:
    """The first fact that is not as it was, in words; empty where all are."""
    for kind, told in facts.items():
        for name, fact in told.items():
            if fact_now(kind, name) != fact:
                return _WORDS.get(kind, "{}").format(name)
    return ""


def lines_of(facts: Facts) -> list[str]:
    """A line each."""
    return [
        f"{kind} {name} {fact}"
        for kind, told in sorted(facts.items())
        for name, fact in sorted(told.items())
    ]


def _content(name: str) -> str:
    return _names(name) if os.path.isdir(name) else digest_of_file(Path(name))


def _names(name: str) -> str:
    with os.scandir(name) as entries:
        return digest_of_texts(*sorted(f"{each.name} {_sort(each)}" for each in entries))


def _entries(name: str) -> str:
    with os.scandir(name) as entries:
        lines = [f"{each.name} {_sort(each)} {_size_and_time(each)}" for each in entries]
    return digest_of_texts(*sorted(lines))


def _sort(entry: os.DirEntry[str]) -> str:
    link = "link to " if entry.is_symlink() else ""
    return f"{link}{'folder' if entry.is_dir() else 'file' if entry.is_file() else 'other'}"


def _size_and_time(entry: os.DirEntry[str]) -> str:
    # The time of a folder changes with what is written beside its files, such as bytecode.
    if not entry.is_file():
        return ""
    about = entry.stat()
    return f"{about.st_size} {about.st_mtime_ns}"


def _kind(name: str) -> str:
    is_link = stat.S_ISLNK(os.lstat(name).st_mode)
    link = "link to " if is_link else ""
    try:
        mode = os.stat(name).st_mode
    except OSError:
        return f"{link}{ABSENT}"
    sort = "folder" if stat.S_ISDIR(mode) else "file" if stat.S_ISREG(mode) else "other"
    return f"{link}{sort}"


def _status(name: str) -> str:
    about, own = os.stat(name), os.lstat(name)
    return f"{_kind(name)} {about.st_mode:o} {about.st_size} {about.st_mtime_ns} {own.st_mtime_ns}"


def _access(name: str) -> str:
    modes = {"read": os.R_OK, "write": os.W_OK, "execute": os.X_OK}
    return " ".join(word for word, mode in modes.items() if os.access(name, mode)) or "none"


def _variable(name: str) -> str:
    value = os.environ.get(name)
    return ABSENT if value is None else hashlib.sha256(os.fsencode(value)).hexdigest()


_TOLD: Mapping[str, Callable[[str], str]] = {
    CONTENT: _content,
    NAMES: _names,
    ENTRIES: _entries,
    KIND: _kind,
    STATUS: _status,
    ACCESS: _access,
    TARGET: os.readlink,
    VARIABLE: _variable,
    FOLDER: lambda _: os.getcwd(),
}
