"""The version of a package in a folder: a name that is another one once any file is another one.

It follows from the path, size and time of change of every file, to the nanosecond, so it needs no
reading of media. Servers that have the same files with the same times (``rsync --times``, a shared
disk) give the same name.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from transcode.storage.published import version_of


@dataclass(frozen=True, slots=True, kw_only=True)
class FolderVersion:
    """What a package was when somebody looked."""

    name: str
    changed_s: float
    """When its latest file changed, Unix seconds."""
    _marks: Mapping[str, int] = field(repr=False)

    def has(self, path: str, found: os.stat_result) -> bool:
        """Whether the file at ``path`` is still that of this version."""
        return self._marks.get(path) == _mark(found)


def look(folder: Path, paths: Iterable[str]) -> FolderVersion:
    """The version that the files ``paths`` below ``folder`` are now."""
    facts: dict[str, str] = {}
    marks: dict[str, int] = {}
    changed_s = 0.0
    for path in paths:
        try:
            found = os.stat(f"{folder}/{path}", follow_symlinks=False)
        except OSError:
            continue  # a file that appears later makes another version
        marks[path] = _mark(found)
        facts[path] = f"{found.st_size} {found.st_mtime_ns}"
        changed_s = max(changed_s, found.st_mtime)
    return FolderVersion(name=version_of(facts), changed_s=changed_s, _marks=marks)


def _mark(found: os.stat_result) -> int:
    return hash((found.st_size, found.st_mtime_ns))
